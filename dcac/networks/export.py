"""Write a trained run as a network that others use without this project.

In: a finished run. Out: an ONNX file, a program of torch.export, or a folder in the layout of timm's hub with a model card.
"""

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from dcac.foreign.network_card import Feature, NetworkCard, View
from dcac.model.encoder import ReIDModel, read_card
from dcac.networks.load import load
from dcac.networks.model_card import model_card, read_scores
from dcac.networks.portable import Portable, timm_config, with_bnneck
from dcac.networks.trained import find_encoder, load_reid, view_of
from dcac.provenance import atomic, make_readable, write_json
from dcac.provenance.files import temporary_name
from dcac.provenance.runs import read_report
from dcac.settings import Settings

FORMATS = (".onnx", ".pt2")
TOLERANCE = (
    1e-4  # largest difference of a value of a unit feature; source: ours, ten times the rounding of float32 seen
)
CHECKED = 3  # images that the written network is compared on; odd, so that it is no traced batch
log = logging.getLogger(__name__)


def run(*, run_folder: Path, out: Path, scores: Sequence[Path], encoder: Path | None) -> None:
    """Export encoder and BNNeck of a run, with its normalisation inside, and compare what was written with the run.

    Args:
        out: .onnx, .pt2, or a folder.
        scores: score files of the run, for the model card of a folder; those beside the run in `results` come by themselves.
        encoder: folder of the run's pre-trained encoder; None: as the workflow has placed it.

    Raises:
        ValueError: the suffix is none of these, the network cannot be written in this form, or what was written differs.
    """
    if out.suffix and out.suffix not in FORMATS:
        raise ValueError(f"--out {out} is neither {' nor '.join(FORMATS)} nor a folder; give such a name")
    report = read_report(run_folder)
    model, settings = load_reid(run_folder, encoder=encoder)
    card = NetworkCard(view=plain_view(settings), metric="cosine", trained_on=tuple(report["data"]))
    if out.suffix == ".onnx":
        write_onnx(model, settings, card, out)
    elif out.suffix == ".pt2":
        write_program(model, settings, card, out)
    else:
        folder = encoder or find_encoder(run_folder, settings)
        text = model_card(report, settings, read_scores(run_folder, report, scores), name=out.name)
        write_folder(model, settings, card, out, config=read_card(folder), text=text)
    difference = compare(out, run_folder, encoder)
    log.info("%s equals %s to %.1e", out, run_folder, difference)


def plain_view(settings: Settings) -> View:
    """Say how a network wants its images that normalises them itself: RGB in 0..1."""
    return view_of(settings).model_copy(update={"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)})


def write_onnx(model: ReIDModel, settings: Settings, card: NetworkCard, out: Path) -> None:
    """Write an ONNX file for any number of images, with its card among the file's metadata.

    Raises:
        ValueError: the extra is not installed, or the encoder cannot be written as ONNX.
    """
    try:
        import onnxscript  # noqa: F401  (what PyTorch writes ONNX with)
    except ModuleNotFoundError:
        raise ValueError("to write ONNX files: pip install 'dcac[onnx]'") from None
    module, images = Portable(model, settings).eval(), example(settings)
    any_number = ({0: torch.export.Dim("batch")},)
    try:
        program = torch.onnx.export(
            module,
            (images,),
            input_names=["images"],
            output_names=["features"],
            dynamic_shapes=any_number,
            dynamo=True,
            verbose=False,
        )
    except Exception as error:  # the exporter raises errors of many kinds
        raise ValueError(refusal(out, error)) from error
    if program is None:
        raise ValueError(f"{out}: PyTorch's exporter gave nothing; export to .pt2 instead")
    program.model.metadata_props["dcac"] = card.model_dump_json()
    with atomic(out) as temporary:
        program.save(temporary, external_data=False)


def write_program(model: ReIDModel, settings: Settings, card: NetworkCard, out: Path) -> None:
    """Write a program of torch.export for any number of images, with its card beside it in the archive.

    Raises:
        ValueError: the encoder cannot be exported.
    """
    module, images = Portable(model, settings).eval(), example(settings)
    try:
        with torch.no_grad():
            program = torch.export.export(module, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    except Exception as error:  # the exporter raises errors of many kinds
        raise ValueError(refusal(out, error)) from error
    staged = temporary_name(out).with_suffix(".pt2")  # the writer insists on the suffix
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.export.save(program, staged, extra_files={"dcac.json": card.model_dump_json()})
        make_readable(staged)
        staged.replace(out)
    finally:
        staged.unlink(missing_ok=True)


def write_folder(
    model: ReIDModel, settings: Settings, card: NetworkCard, out: Path, *, config: dict, text: str
) -> None:
    """Write config.json, model.safetensors and README.md; a plain timm model of them gives features before their division.

    Args:
        config: config.json of the encoder that the run started from.
        text: the model card.
    """
    whole = with_bnneck(model)
    own = card.model_copy(update={"view": view_of(settings), "feature": Feature(head="keep", normalise=True)})
    content = {**timm_config(config, whole, settings), "dcac": own.model_dump(mode="json")}
    staged = temporary_name(out)
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    try:
        save_file(
            {name: value.contiguous() for name, value in whole.state_dict().items()}, staged / "model.safetensors"
        )
        write_json(staged / "config.json", content)
        (staged / "README.md").write_text(text, encoding="utf-8")
        make_readable(staged)
        if out.is_dir():
            _require_own(out)
            shutil.rmtree(out)
        staged.replace(out)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def compare(written: Path, run_folder: Path, encoder: Path | None) -> float:
    """Return the largest difference between features of what was written and of the run, on images of noise.

    Raises:
        ValueError: it is above the tolerance; what was written is deleted.
    """
    theirs, ours = load(written), load(run_folder, encoder=encoder)
    view = ours.card.view
    images = np.random.default_rng(0).integers(0, 256, (CHECKED, view.height, view.width, 3), dtype=np.uint8)
    difference = float(np.abs(theirs.embed(list(images)) - ours.embed(list(images))).max())
    if not difference <= TOLERANCE:
        shutil.rmtree(written) if written.is_dir() else written.unlink()
        raise ValueError(f"{written} differs from {run_folder} by {difference:.1e} and was deleted; try another format")
    return difference


def example(settings: Settings) -> torch.Tensor:
    """Return images to trace with: two, since one would be taken for a fixed number."""
    return torch.zeros(2, 3, settings.image_height, settings.image_width)


def refusal(out: Path, error: Exception) -> str:
    """Say that an encoder cannot be written in some form."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    other = "a folder" if out.suffix == ".pt2" else ".pt2 or a folder"
    return f"this encoder cannot be written as {out.suffix} ({reason}); export it to {other}"


def _require_own(out: Path) -> None:
    """Refuse to replace a folder that is no exported network."""
    config = out / "config.json"
    own = config.is_file() and "dcac" in json.loads(config.read_text(encoding="utf-8"))
    if any(out.iterdir()) and not own:
        raise ValueError(f"{out} holds other files than an exported network; give a new folder")
