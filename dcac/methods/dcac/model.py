"""DCAC's model: the Re-ID model, the prompts, and the diffusion prior whose noise loss flows back into both."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dcac.methods.dcac import diagnostics
from dcac.methods.trained import HeldOut, PerImage, TrainedModel
from dcac.model.conditioning import Prompts
from dcac.model.diffusion import DiffusionPrior, start_prior
from dcac.model.encoder import Embedding, ReIDModel
from dcac.model.latents import DiffusionBatch
from dcac.model.schemes import scheme_of
from dcac.seeding import torch_generator
from dcac.settings import Settings

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

    from dcac.training.batches import Batch


def start(reid: ReIDModel, settings: Settings, *, identities: int, width: int, prior: Path | None, seed: int) -> "DCAC":
    """Build it as a run starts with it; every part draws its initial weights from a generator of its own."""
    if prior is None:
        raise ValueError(f"diffusion is '{settings.diffusion}' but no prior is given; add --prior FOLDER")
    diffusion = start_prior(prior, settings, seed)
    rows = scheme_of(settings).count(identities=identities, width=width)
    prompts = Prompts(rows, diffusion.context_width, settings.bottleneck)
    prompts.initialise(settings.prompt_std, torch_generator(seed, "prompts"))
    return DCAC(reid, settings, diffusion, prompts)


class DCAC(TrainedModel):
    """Re-ID model, prompts and diffusion prior."""

    frozen = ("prior.",)

    def __init__(self, reid: ReIDModel, settings: Settings, prior: DiffusionPrior, prompts: Prompts):
        super().__init__(reid, settings)
        self.prior = prior
        self.prompts = prompts
        self.scheme = scheme_of(settings)

    @property
    def unet(self) -> "UNet2DConditionModel":
        """The network that predicts the noise."""
        return self.prior.unet

    @property
    def noise_steps(self) -> int:
        """T, the number of time steps."""
        return len(self.prior.alphas_cumprod)

    def rated(self, settings: Settings) -> list[tuple[nn.Module, float]]:
        """Return Re-ID model, prompts and prior, the latter two at multiples of their own."""
        own = (self.prompts, settings.prompt_lr_multiplier), (self.prior, settings.lora_lr_multiplier)
        return [*super().rated(settings), *own]

    def heads(self) -> list[nn.Module]:
        """Return BNNeck, classifier and prompts."""
        return [*super().heads(), self.prompts]

    def context(self, embedding: Embedding, labels: Tensor, memory: Tensor) -> Tensor:
        """Condition token c [B, 1, width] of a batch."""
        return self.prompts(self.scheme.weights(embedding, labels, memory, self.settings))

    def uninformed_context(self, count: int) -> Tensor:
        """Condition token without information [count, 1, width]: p = 1 / N; a zero token for the `feature` scheme."""
        table = self.prompts.table
        level = self.scheme.uninformed(len(table))
        return self.prompts(torch.full((count, len(table)), level, device=table.device))

    def per_image(self, embedding: Embedding, batch: "Batch") -> dict[str, PerImage]:
        """L_diff, the noise-prediction error of each image; its gradient reaches the encoder through c."""

        view = batch.diffusion
        if view is None:
            raise ValueError("DCAC has a noise loss, so a batch needs its diffusion view; give the run its latents")

        def loss(token: Tensor, rows: slice) -> Tensor:
            draws = DiffusionBatch(*(part[rows] for part in view))
            return self.prior.loss_per_image(context=token, **draws._asdict())

        return {"noise": PerImage(self.context(embedding, batch.labels, batch.memory), loss)}

    def report_batch(self, embedding: Embedding, batch: "Batch") -> dict[str, float]:
        """Report how sharp p is, of schemes that have one."""
        if not self.scheme.has_p:
            return {}
        p = self.scheme.weights(embedding, batch.labels, batch.memory, self.settings)
        return diagnostics.sharpness(p.detach())

    def report_held_out(self, held_out: HeldOut, memory: Tensor, *, size: int) -> dict[str, float]:
        """Report the noise loss under the own condition, none, and another image's."""
        return diagnostics.held_out_noise_loss(self, held_out, memory, size=size)

    def publish(self, out: Path) -> Sequence[Path]:
        """Write the U-Net's adapter, where it has one, in the layout of diffusers."""
        if self.settings.diffusion != "lora":
            return []
        self.prior.unet.save_lora_adapter(out / "lora")
        return [out / "lora"]
