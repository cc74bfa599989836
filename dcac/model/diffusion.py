"""The diffusion prior: a diffusers U-Net with LoRA, its noise schedule, and the noise-prediction loss."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dcac.model import as_released
from dcac.reading import naming_damaged_part
from dcac.seeding import derive
from dcac.settings import Settings

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel
    from diffusers.models.attention_processor import Attention

ATTENTION_LINEARS = ("to_q", "to_k", "to_v", "to_out.0")
FEED_FORWARD_IN, FEED_FORWARD_OUT = "ff.net.0.proj", "ff.net.2"


class DiffusionPrior(nn.Module):
    """Predict the noise of a latent under one context token."""

    alphas_cumprod: Tensor  # [T]

    def __init__(self, unet: "UNet2DConditionModel", alphas_cumprod: Tensor):
        super().__init__()
        self.unet = unet
        self.register_buffer("alphas_cumprod", alphas_cumprod.float(), persistent=False)

    @property
    def context_width(self) -> int:
        """Width of the context token."""
        return self.unet.config.cross_attention_dim

    def add_noise(self, latents: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
        """F_t = sqrt(abar_t) F_0 + sqrt(1 - abar_t) eps; latents [B, C, h, w], steps int64 [B]."""
        alpha = self.alphas_cumprod[steps][:, None, None, None]
        return alpha.sqrt() * latents + (1 - alpha).sqrt() * noise

    def loss_per_image(self, latents: Tensor, context: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
        """Mean squared error of the predicted noise, one value an image [B].

        Args:
            latents: F_0 [B, C, h, w], already scaled.
            context: c [B, 1, width].
            noise: eps [B, C, h, w].
            steps: t in 0..999, int64 [B].

        Source:
            L_diff of method.md section 3: no weighting over t, no log-variance term.
        """
        noisy = self.add_noise(latents, noise, steps)
        predicted = self.unet(noisy, steps, encoder_hidden_states=context, return_dict=False)[0]
        return (noise - predicted.float()).square().mean(dim=(1, 2, 3))


class SingleTokenAttention:
    """Cross-attention over one context token: the weights are 1, so the output is to_out(to_v(c)), broadcast.

    Exact for one token, and to_q and to_k are never computed.
    """

    def __call__(
        self,
        attn: "Attention",
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """Attend as diffusers asks; hidden_states [B, T, width], encoder_hidden_states [B, 1, context]."""
        if encoder_hidden_states is None or encoder_hidden_states.shape[1] != 1:
            raise ValueError("SingleTokenAttention needs exactly one context token")
        value = attn.to_out[0](attn.to_v(encoder_hidden_states))
        return value.expand(-1, hidden_states.shape[1], -1)


def start_prior(folder: Path, settings: Settings, seed: int) -> DiffusionPrior:
    """Load the prior as a run starts with it: pre-trained or random, with what its mode trains opened.

    Args:
        seed: of the run; names the draws of a random U-Net and of the adapters.
    """
    prior = load_prior(folder, random_seed=derive(seed, "unet") if settings.unet_weights == "random" else None)
    prepare_fine_tuning(prior, settings, derive(seed, "lora"))
    return prior


def restore_prior(tensors: dict[str, Tensor], settings: Settings, seed: int, folder: Path) -> DiffusionPrior:
    """Build the prior of a run: the pre-trained network, with what the run learnt in it.

    Raises:
        ValueError: the run's tensors do not fit this network.
    """
    prior = start_prior(folder, settings, seed)
    learnt = {name.removeprefix("prior."): value for name, value in tensors.items() if name.startswith("prior.")}
    try:
        unknown = prior.load_state_dict(learnt, strict=False).unexpected_keys
    except RuntimeError as error:  # a tensor of another shape
        unknown = [str(error).splitlines()[-1].strip()]
    if unknown:
        raise ValueError(
            f"{folder} is not the network this run was trained with ({unknown[0]}); give the right --prior"
        )
    return prior


def load_prior(folder: Path, *, random_seed: int | None = None) -> DiffusionPrior:
    """Load U-Net and schedule from a folder in the diffusers layout; the VAE is not needed in training.

    Args:
        random_seed: draw PyTorch's default initial weights instead of reading the pre-trained ones.
    """
    from diffusers import UNet2DConditionModel

    if random_seed is None:
        with naming_damaged_part(folder / "unet"):
            unet = UNet2DConditionModel.from_pretrained(folder / "unet", use_safetensors=True)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(random_seed)
            unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet"))
        unet.eval()
    return DiffusionPrior(use_single_token(unet), load_schedule(folder))


def load_schedule(folder: Path) -> Tensor:
    """Read abar_t, the cumulative products of the noise schedule: [1000].

    Raises:
        ValueError: the network predicts something else than the noise.
    """
    from diffusers import DDPMScheduler

    with naming_damaged_part(folder / "scheduler"):
        scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
    if scheduler.config.prediction_type != "epsilon":
        kind = scheduler.config.prediction_type
        raise ValueError(f"{folder}/scheduler predicts '{kind}'; DCAC needs a network that predicts 'epsilon'")
    return scheduler.alphas_cumprod


def use_single_token(unet: "UNet2DConditionModel") -> "UNet2DConditionModel":
    """Replace the cross-attention of every transformer block by its single-token form."""
    processors = dict(unet.attn_processors)
    for name in processors:
        if ".attn2." in name:
            processors[name] = SingleTokenAttention()
    unet.set_attn_processor(processors)
    return unet


def prepare_fine_tuning(prior: DiffusionPrior, settings: Settings, seed: int) -> list[nn.Parameter]:
    """Freeze the U-Net and open what the mode trains: LoRA adapters, everything, or nothing.

    Args:
        seed: of the adapters' initial values (A Kaiming-uniform, B zero) and of the frozen biases, if any.

    Returns:
        The U-Net parameters that train.
    """
    prior.unet.requires_grad_(settings.diffusion == "all")
    if settings.diffusion == "lora":
        as_released.add_random_biases(prior.unet, settings, seed)
        _add_lora(prior.unet, settings, seed)
    return [parameter for parameter in prior.unet.parameters() if parameter.requires_grad]


def lora_targets(unet: nn.Module, *, ffn_output: bool, cross_attention_qk: bool) -> list[str]:
    """Name the linear layers that get an adapter: attention projections and the GEGLU input of every block.

    Args:
        ffn_output: adapt the second linear of the feed-forward too.
        cross_attention_qk: adapt attn2's to_q and to_k too, although one token gives them no gradient.
    """
    wanted = adapted_positions(ffn_output=ffn_output, cross_attention_qk=cross_attention_qk)
    linears = [name for name, module in unet.named_modules() if isinstance(module, nn.Linear)]
    inside_block = {name: name.rpartition(".transformer_blocks.")[2].partition(".")[2] for name in linears}
    return [name for name, position in inside_block.items() if position in wanted]


def adapted_positions(*, ffn_output: bool, cross_attention_qk: bool) -> list[str]:
    """Name the adapted linear layers inside one transformer block; see `lora_targets`."""
    positions = [FEED_FORWARD_IN, *([FEED_FORWARD_OUT] if ffn_output else [])]
    for attention in ("attn1", "attn2"):
        dead = ("to_q", "to_k") if attention == "attn2" and not cross_attention_qk else ()
        positions += [f"{attention}.{linear}" for linear in ATTENTION_LINEARS if linear not in dead]
    return positions


def _add_lora(unet: "UNet2DConditionModel", settings: Settings, seed: int) -> None:
    from peft import LoraConfig

    targets = lora_targets(
        unet, ffn_output=settings.lora_ffn_output, cross_attention_qk=as_released.keeps_dead_adapters(settings)
    )
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,  # type: ignore[arg-type]  # peft divides by the rank: it need not be whole
        lora_dropout=0.0,
        target_modules=targets,
        bias="none",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet.add_adapter(config)
