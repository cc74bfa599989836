"""Features that no source taught: chance, colour histograms, the pre-trained encoder as it comes.

In: a normalised file. Out: a feature file like that of a run; the rows every table starts with.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from dcac.data.store import read_split
from dcac.features.rows import describe, due_targets, write_rows
from dcac.features.targets import TEST_SPLITS, encode_store
from dcac.provenance import environment
from dcac.provenance.code import digest
from dcac.provenance.networks import network_input
from dcac.seeding import numpy_generator
from dcac.settings import Settings

CHANCE_DIM = 64
STRIPES = 8  # horizontal bands of the histogram
BINS = (8, 4, 4)  # hue, saturation, value
CENTRE = 0.25  # of the image width: standard deviation of the weight of a column, which keeps the background down; ours


def run(
    *,
    reference: str,
    settings: Settings,
    encoder: Path,
    stores: Sequence[Path],
    names: dict[str, str | int],
    out: Path,
    device: str,
) -> None:
    """Write the reference features of each target as `{target}.npz`.

    Args:
        reference: chance, histogram or pretrained.
        names: suite, variant, sources and seed, kept in the files.

    Raises:
        ValueError: the reference is unknown.
    """
    if reference not in ("chance", "histogram", "pretrained"):
        raise ValueError(f"unknown reference '{reference}'; choose chance, histogram or pretrained")
    inputs = {"encoder": network_input(encoder)} if reference == "pretrained" else {}
    acting = {"names": dict(names), **settings.tested()}
    due = due_targets(__name__, acting, inputs, stores, out)
    if not due:
        return
    stamp = {"code": {"reference": digest(next(iter(due.values())).code)}, "environment": environment()}
    encode = pretrained(encoder, settings, device) if reference == "pretrained" else histograms
    for store, asked in due.items():
        rows = read_split(store, TEST_SPLITS, images=False)
        if reference == "chance":
            generator = numpy_generator(int(names["seed"]), "chance", store.stem)
            features = generator.standard_normal((len(rows), CHANCE_DIM))
        else:
            features = encode_store(store, encode, settings)
        write_rows(out / f"{store.stem}.npz", features, rows, {**names, **describe(store), **stamp}, asked)


def histograms(images: np.ndarray) -> np.ndarray:
    """Describe each image by HSV histograms of eight horizontal stripes, in which pixels amid the image weigh more.

    Args:
        images: uint8 [M, 3, H, W], RGB.

    Returns:
        float32 [M, 8 * 128], square roots of shares, so that the cosine is the Bhattacharyya coefficient.

    Source:
        Weights after Farenzena et al. (CVPR 2010), about the middle of the image instead of the person's axis.
    """
    return np.stack([_histogram(image.transpose(1, 2, 0)) for image in images])


def _histogram(image: np.ndarray) -> np.ndarray:
    hsv = np.asarray(Image.fromarray(image).convert("HSV"), dtype=np.int64)
    hue, saturation, value = (hsv[..., i] * BINS[i] // 256 for i in range(3))
    codes = (hue * BINS[1] + saturation) * BINS[2] + value
    cells = int(np.prod(BINS))
    weights = np.broadcast_to(_column_weights(codes.shape[1]), codes.shape)
    stripes = zip(np.array_split(codes, STRIPES), np.array_split(weights, STRIPES), strict=True)
    counts = np.stack([np.bincount(code.ravel(), weights=weight.ravel(), minlength=cells) for code, weight in stripes])
    return np.sqrt(counts / counts.sum()).ravel().astype(np.float32)


def _column_weights(width: int) -> np.ndarray:
    """Weigh the columns of an image by a bell about its middle: float64 [width], not normalised."""
    offsets = (np.arange(width) - (width - 1) / 2) / (CENTRE * width)
    return np.exp(-(offsets**2) / 2)


def pretrained(encoder: Path, settings: Settings, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from images to the features of an encoder as it comes, unit vectors."""
    import torch.nn.functional as F
    from torch import Tensor

    from dcac.features.extract import embed
    from dcac.model.encoder import load_backbone, resolve_normalisation

    settings = resolve_normalisation(settings, encoder)
    backbone, _ = load_backbone(encoder, height=settings.image_height, width=settings.image_width)
    backbone = backbone.to(device).eval()

    def encode(images: Tensor) -> Tensor:
        return F.normalize(backbone(images).float(), dim=1)

    return partial(embed, encode, settings=settings, device=device)
