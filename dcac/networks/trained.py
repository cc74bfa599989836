"""A trained run as a network: encoder and BNNeck under the run's own settings."""

from pathlib import Path

from torch import Tensor

from dcac.data.views import by_channel
from dcac.features.extract import BATCH, CPU_BATCH
from dcac.features.opened import open_run
from dcac.foreign.network_card import NetworkCard, PartCard, View
from dcac.model.encoder import ReIDModel
from dcac.networks.network import BatchSize, Network
from dcac.provenance.files import RESULTS
from dcac.provenance.runs import read_report, run_input
from dcac.settings import Settings, parse_settings


class RunEncoder:
    """The Re-ID branch of a run, in eval mode: unit features after BNNeck."""

    def __init__(self, model: ReIDModel, device: str):
        self.model, self.device = model, device
        self.batch = BatchSize(1, CPU_BATCH if device == "cpu" else BATCH)  # as `dcac extract`, to the bit

    def __call__(self, images: Tensor) -> dict:
        return {"features": self.model.embed(images.to(self.device)).cpu().numpy()}


def load_run(folder: Path, card: PartCard, *, encoder: Path | None, device: str) -> Network:
    """Load a finished run.

    Args:
        folder: holds run.json and weights.safetensors.
        encoder: folder of the pre-trained encoder, for its architecture; None: as the workflow has placed it.

    Raises:
        ValueError: the run is not finished, or its encoder is not at hand.
    """
    if card.view is not None:
        raise ValueError(f"{folder} was trained with a view of its own; remove `view:` from its card")
    model, settings = load_reid(folder, encoder=encoder)
    sources = tuple(read_report(folder)["data"])
    own = NetworkCard(view=view_of(settings), metric="cosine", trained_on=sources)
    return Network(
        folder.as_posix(), card.over(own, str(folder)), card, RunEncoder(model.to(device), device), run_input(folder)
    )


def load_reid(folder: Path, *, encoder: Path | None) -> tuple[ReIDModel, Settings]:
    """Load the Re-ID branch of a run, in eval mode, and the run's settings with their normalisation in numbers."""
    own = parse_settings(read_report(folder)["settings"], f"{folder}/run.json")
    opened = open_run(folder, None, encoder=encoder or find_encoder(folder, own), device="cpu")
    return opened.reid, opened.settings


def find_encoder(folder: Path, settings: Settings) -> Path:
    """Find the folder of a run's pre-trained encoder in the `results` that the run lies in.

    Raises:
        ValueError: it is not there.
    """
    name = settings.encoder_weights
    inside = [parent for parent in folder.absolute().parents if parent.name == RESULTS]
    found = [parent / "weights" / name for parent in inside if (parent / "weights" / name / "config.json").is_file()]
    if not found:
        raise ValueError(
            f"{folder} needs the architecture of its encoder '{name}', which is not beside it in results/weights; give its "
            f"folder (--encoder, in Python encoder=), or run `snakemake results/weights/{name}/manifest.json`"
        )
    return found[0]


def view_of(settings: Settings) -> View:
    """Say how a run wants its images."""
    return View(
        height=settings.image_height,
        width=settings.image_width,
        resize=settings.evaluation_resize,
        channels="rgb",
        scale=1,
        mean=by_channel(settings.pixel_mean),
        std=by_channel(settings.pixel_std),
    )
