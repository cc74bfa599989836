"""Turn a single file of Stable Diffusion into a folder in the diffusers layout, without a network."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import Tensor

from dcac.foreign.compvis import rename, require_fit, unet_modules, vae_to_diffusers
from dcac.foreign.stable_diffusion import SCHEDULE, UNET, VAE
from dcac.foreign.tensor_file import below, read_tensors

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, UNet2DConditionModel

UNET_PREFIX = "model.diffusion_model."
EMA_PREFIX = "model_ema."
VAE_PREFIX = "first_stage_model."


def run(path: Path, out: Path, *, architecture: str, ema: bool) -> None:
    """Write `unet/`, `vae/` and `scheduler/` from one file; the text encoder is left out.

    Args:
        path: `.safetensors` or `.ckpt`, read as plain tensors.
        architecture: a key of `stable_diffusion.UNET`.
        ema: take the U-Net's moving average instead of the weights as trained.

    Raises:
        ValueError: the file is refused, incomplete, of another architecture, or holds no moving average.
    """
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel

    checkpoint = read_tensors(path)
    with torch.device("meta"):
        unet, vae = UNet2DConditionModel(**UNET[architecture]), AutoencoderKL(**VAE)
    _write(out / "unet", unet, rename(unet_tensors(checkpoint, ema=ema), unet_modules(unet.config)), f"{path}, U-Net")
    _write(out / "vae", vae, vae_to_diffusers(_network(VAE_PREFIX, checkpoint), vae.config), f"{path}, autoencoder")
    DDPMScheduler(**SCHEDULE).save_pretrained(out / "scheduler")


def unet_tensors(checkpoint: Mapping[str, Tensor], *, ema: bool) -> dict[str, Tensor]:
    """Choose the U-Net's tensors, CompVis names without prefix.

    Raises:
        ValueError: the moving average is asked for and (partly) absent.
    """
    tensors = _network(UNET_PREFIX, checkpoint)
    if not ema:
        return tensors
    inner = UNET_PREFIX.removeprefix("model.")
    copies = {name: EMA_PREFIX + (inner + name).replace(".", "") for name in tensors}
    absent = [copy for copy in copies.values() if copy not in checkpoint]
    if absent:
        raise ValueError(
            f"the file holds no moving average of the U-Net ({absent[0]} is absent); set `ema: false` "
            "(an 'emaonly' file carries the average under the plain names)"
        )
    return {name: checkpoint[copy] for name, copy in copies.items()}


def _network(prefix: str, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = below(prefix, checkpoint)
    if not found:
        raise ValueError(f"no tensor's name begins with '{prefix}'; this is no single file of Stable Diffusion")
    return found


def _write(
    folder: Path, model: "AutoencoderKL | UNet2DConditionModel", tensors: Mapping[str, Tensor], what: str
) -> None:
    require_fit(tensors, model, what)
    model.save_config(folder)
    full = {name: value.float().contiguous() for name, value in tensors.items()}
    save_file(full, folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
