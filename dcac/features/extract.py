"""Extract the test features of one run on one target.

In: a trained run, a normalised file. Out: the feature file of its query and gallery.
"""

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dcac.data.pictures import Pictures
from dcac.data.store import read_split
from dcac.data.views import test_view
from dcac.features.rows import describe, due_targets, write_rows
from dcac.features.targets import TEST_SPLITS, encode_store
from dcac.model.encoder import ReIDModel, load_backbone, resolve_normalisation
from dcac.provenance import environment, sha256
from dcac.provenance.code import digest
from dcac.provenance.networks import network_input
from dcac.provenance.record import Input, given, read_record
from dcac.reading import naming_damage, open_tensors, read_json
from dcac.settings import Settings, load_settings

BATCH = 256  # images on a GPU; source: authors' released code
CPU_BATCH = 32  # images on a CPU, where more cost memory and bring no speed; docs/performance.md section 2
REPORTED = {
    "identity": str,
    "settings": dict,
    "seed": int,
    "data": dict,
    "epoch": dict,
}  # of run.json, with their kinds
log = logging.getLogger(__name__)


def run(
    *,
    run_folder: Path,
    config: Path,
    encoder: Path,
    stores: Sequence[Path],
    names: dict[str, str | int],
    out: Path,
    device: str,
) -> None:
    """Embed the query and gallery images of each target with the encoder and BNNeck of one run.

    Args:
        run_folder: output of the train step.
        encoder: folder of the pre-trained encoder, for its architecture.
        stores: normalised files of the targets.
        names: suite, variant, sources and seed, kept in the files.
        out: folder of the feature files, `{target}.npz`; features are unit vectors.

    Raises:
        ValueError: the run has another seed, other sources or other settings than those given.
    """
    report = read_report(run_folder)
    require_names(report, run_folder, names)
    inputs = {"run": run_input(run_folder), "encoder": network_input(encoder)}
    acting = {"names": dict(names), **load_own_settings(run_folder, config).tested()}
    due = due_targets(__name__, acting, inputs, stores, out)
    if due:
        model, settings = _load_run(run_folder, config, encoder, device)
        encode = partial(embed, model.embed, settings=settings, device=device)
        stamp = {
            "code": {"train": report["code"], "extract": digest(next(iter(due.values())).code)},
            "run": report["identity"],
            "settings": report["settings"],
            "diagnostics": report["epoch"],
            "diagnostics_by_epoch": report.get("epochs", []),
            "environment": environment(),
        }
    for store, asked in due.items():
        features = encode_store(store, encode, settings)
        rows = read_split(store, TEST_SPLITS, images=False)
        write_rows(out / f"{store.stem}.npz", features, rows, {**names, **describe(store), **stamp}, asked)
        log.info("%s: %d features of %d values", store.stem, *features.shape)
    shutil.rmtree(run_folder.with_name(f"{run_folder.name}.state"), ignore_errors=True)  # finished, kept and used


def run_input(run_folder: Path) -> Input:
    """Describe a trained run as an input: by its weights."""
    return given(run_folder / "run.json", lambda: sha256(run_folder / "weights.safetensors"))


def read_report(run_folder: Path) -> dict:
    """Read what a run says of itself, its run.json.

    Raises:
        ValueError: the run is not finished, or its report is damaged.
    """
    path, remedy = run_folder / "run.json", f"delete {run_folder} and train the run again"
    report = read_json(path, keys=("code", *REPORTED), remedy=remedy)
    for key, kind in REPORTED.items():
        if not isinstance(report[key], kind):
            raise ValueError(f"{path} is damaged, its '{key}' is {report[key]!r:.80}; {remedy}")
    return report


def require_own_weights(run_folder: Path) -> None:
    """Refuse weights that are not those of the run's report: features would be filed as those of another run.

    Raises:
        ValueError: the weights name another run, or were changed.
    """
    report, weights = read_report(run_folder), run_folder / "weights.safetensors"
    with open_tensors(weights, remedy=f"delete {run_folder} and train the run again") as archive:
        identity = (archive.metadata() or {}).get("identity", report["identity"])
    record = read_record(run_folder / "run.json")
    if identity != report["identity"] or (record is not None and sha256(weights) != record["meaning"]):
        raise ValueError(
            f"{weights} is not the file that run.json beside it speaks of; put the run's own weights back, or delete "
            f"{run_folder} and train the run again"
        )


def require_names(report: dict, run_folder: Path, names: Mapping[str, str | int]) -> None:
    """Refuse names that are not the run's own: features would be filed as those of another run.

    Raises:
        ValueError: seed or sources differ from those in the run's report.
    """
    own = {"seed": report["seed"], "sources": "+".join(report["data"])}  # a converted run does not know its data
    for name, value in own.items():
        if value != "" and names[name] != value:
            raise ValueError(f"{run_folder} was trained with {name} {value}, not {names[name]}; give --{name} {value}")


def load_own_settings(run_folder: Path, config: Path) -> Settings:
    """Read merged settings that must be those the run was trained with.

    Raises:
        ValueError: a setting differs from that in the run's report.
    """
    settings = load_settings(config)
    asked, own = settings.trained() | settings.tested(), read_report(run_folder)["settings"]
    differing = [key for key in asked if key not in own or asked[key] != own[key]]
    if differing:
        key = differing[0]
        raise ValueError(
            f"{run_folder} was trained with {key} {own.get(key)!r}, {config} says {asked[key]!r}; give the settings of the run"
        )
    return settings


def load_reid_model(weights: Path, encoder: Path, settings: Settings) -> ReIDModel:
    """Load encoder, BNNeck and classifier of a trained run, in eval mode."""
    backbone, dim = load_backbone(encoder, height=settings.image_height, width=settings.image_width)
    remedy = f"delete {weights.parent} and train the run again"
    with open_tensors(weights, remedy=remedy) as archive:
        state = {
            name.removeprefix("reid."): archive.get_tensor(name) for name in archive.keys() if name.startswith("reid.")
        }
    with naming_damage(weights, remedy, also=(RuntimeError,)):
        model = ReIDModel(backbone, dim, len(state["classifier.weight"]))
        model.load_state_dict(state)
    return model.eval()


@torch.no_grad()
def embed(
    encode: Callable[[Tensor], Tensor], images: np.ndarray | Pictures, *, settings: Settings, device: str
) -> np.ndarray:
    """Encode images uint8 [M, 3, H, W] in the test view, a batch at a time: float32 [M, D]."""
    size = CPU_BATCH if device == "cpu" else BATCH
    starts = range(0, len(images), size)
    batches = (torch.from_numpy(images[start : start + size]).to(device) for start in starts)
    return np.concatenate([encode(test_view(batch, settings)).cpu().numpy() for batch in batches])


def _load_run(run_folder: Path, config: Path, encoder: Path, device: str) -> tuple[ReIDModel, Settings]:
    require_own_weights(run_folder)
    settings = resolve_normalisation(load_own_settings(run_folder, config), encoder)
    return load_reid_model(run_folder / "weights.safetensors", encoder, settings).to(device), settings
