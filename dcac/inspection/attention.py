"""Map where a run's encoder looks in pictures of people it has never seen.

In: a run, a target. Out: a map for one query image of some people, for a figure.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dcac.data.images import decode
from dcac.data.store import read_split, store_input, verified
from dcac.data.views import test_view
from dcac.features.opened import open_run
from dcac.inspection.trained_run import first_images, write_looked
from dcac.provenance.networks import network_input
from dcac.provenance.outputs import require_output
from dcac.provenance.record import ask
from dcac.provenance.runs import run_input

if TYPE_CHECKING:
    from dcac.model.image_encoder import ImageEncoder

COUNT = 6  # people, unless a person asks for another number
log = logging.getLogger(__name__)


def run(
    *, run_folder: Path, config: Path, encoder: Path, store: Path, out: Path, device: str, count: int = COUNT
) -> None:
    """Map the first query image of evenly spaced people.

    Args:
        run_folder: output of the train step.
        config: merged settings of the run.
        encoder: folder of the pre-trained encoder, for its architecture.
        store: normalised file of the target.
        out: .npz of `paths` [K] of the images within the target, `maps` float32 [K, h, w] (0 or more, on the encoder's own grid),
            `kind` (`rollout` or `activation`), `meta`.
        count: K.

    Raises:
        ValueError: there are not so many people, or the encoder keeps no grid of the image.
    """
    require_output(out, ".npz", inputs=[store])
    inputs = {"run": run_input(run_folder), "encoder": network_input(encoder), "data": store_input(store)}
    asked = ask(__name__, {} if count == COUNT else {"count": count}, inputs)
    verified(store)
    opened = open_run(run_folder, config, encoder=encoder, device=device)
    settings = opened.settings
    rows = read_split(store, "query")
    chosen = spaced_people(rows["pid"].to_numpy(), count)
    high, wide = settings.image_height, settings.image_width
    pixels = decode(list(rows["data"][chosen]), height=high, width=wide, resize=settings.evaluation_resize)
    seen = test_view(torch.from_numpy(pixels).to(device), settings)
    maps, kind = look(opened.reid.backbone, seen, size=(high, wide))
    log.info("%s: %s of %d images on a grid of %d x %d", run_folder, kind, *maps.shape)
    arrays = {"paths": rows["path"][chosen].tolist(), "maps": maps, "kind": kind}
    write_looked(out, opened.report, asked=asked, arrays=arrays)


def spaced_people(pids: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the row of the first image of evenly spaced people.

    Raises:
        ValueError: there are fewer, or none is asked for.
    """
    first = first_images(pids)
    if not 1 <= count <= len(first):
        raise ValueError(f"count {count} is not within 1..{len(first)}, the people of the target; choose another")
    return first[np.linspace(0, len(first) - 1, count).round().astype(int)]


@torch.no_grad()
def look(encoder: "ImageEncoder", images: Tensor, *, size: tuple[int, int]) -> tuple[NDArray[np.float32], str]:
    """Map images [B, 3, H, W]: by attention rollout where all tokens attend to all, else by the strength of activations.

    Returns:
        float32 [B, h, w], and which of both it is.
    """
    attentions = attention_of(encoder, images)
    prefix = getattr(encoder, "num_prefix_tokens", 0)
    grid = grid_of(encoder, size)
    if attentions and grid and all(a.shape[-2:] == (prefix + grid[0] * grid[1],) * 2 for a in attentions):
        weights = roll_out(attentions)
        by_token = prefix > 0 and getattr(encoder, "global_pool", "avg") == "token"
        seen = weights[:, 0, prefix:] if by_token else weights[:, prefix:, prefix:].mean(dim=1)
        return seen.unflatten(1, grid).float().cpu().numpy(), "rollout"
    return strength(encoder, encoder.forward_features(images)).float().cpu().numpy(), "activation"


def attention_of(encoder: nn.Module, images: Tensor) -> list[Tensor]:
    """Return the attention weights [B, heads, T, T] of each layer; none where the encoder has no such layers."""
    from timm.utils import AttentionExtract

    fused: list[Any] = [module for module in encoder.modules() if getattr(module, "fused_attn", False)]
    names = [name for name, _ in encoder.named_modules() if name.endswith("attn_drop")]
    if not names:
        return []
    for module in fused:
        module.fused_attn = False  # a fused kernel keeps its weights to itself
    try:
        extract = AttentionExtract(encoder, method="hook", names=names)
        found = list(extract(images).values())
    finally:
        for module in fused:
            module.fused_attn = True
    return [
        weights
        for weights in found
        if isinstance(weights, Tensor) and weights.ndim == 4 and len(weights) == len(images)
    ]


def roll_out(attentions: list[Tensor]) -> Tensor:
    """Multiply the layers' attention, each the mean over heads and half identity: [B, T, T], rows sum to 1.

    Source:
        Abnar and Zuidema, Quantifying Attention Flow in Transformers, ACL 2020, section 3.
    """
    joint = None
    for weights in attentions:
        mean = weights.double().mean(dim=1)
        layer = (mean + torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device)) / 2
        layer = layer / layer.sum(dim=-1, keepdim=True)
        joint = layer if joint is None else layer @ joint
    assert joint is not None
    return joint


def strength(encoder: nn.Module, features: Tensor) -> Tensor:
    """Return the length of the encoder's last features at each place: [B, h, w].

    Source:
        Zagoruyko and Komodakis, Paying More Attention to Attention, ICLR 2017, equation 1 with p = 2, and its root.

    Raises:
        ValueError: the features lie on no grid.
    """
    if features.ndim != 4:
        raise ValueError(
            f"{type(encoder).__name__} ends in features {list(features.shape)} that lie on no grid of the image; draw another encoder"
        )
    channels_last = features.shape[-1] == encoder.num_features != features.shape[1]
    return features.norm(dim=-1 if channels_last else 1)


def grid_of(encoder: nn.Module, size: tuple[int, int]) -> tuple[int, int] | None:
    """Return rows and columns of an encoder's patches for images of a size; None where it has none."""
    patches = getattr(encoder, "patch_embed", None)
    if patches is None or getattr(patches, "patch_size", None) is None:
        return None
    high, wide = patches.patch_size
    return size[0] // high, size[1] // wide
