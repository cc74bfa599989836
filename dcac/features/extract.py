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
from dcac.features.opened import load_own_settings, open_run
from dcac.features.rows import describe, due_targets, write_rows
from dcac.features.targets import TEST_SPLITS, encode_store
from dcac.provenance import environment
from dcac.provenance.code import digest
from dcac.provenance.networks import network_input
from dcac.provenance.runs import read_report, run_input
from dcac.settings import Settings

BATCH = 256  # images on a GPU; source: authors' released code
CPU_BATCH = 32  # images on a CPU, where more cost memory and bring no speed; docs/performance.md section 2
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
        opened = open_run(run_folder, config, encoder=encoder, device=device)
        encode = partial(embed, opened.reid.embed, settings=opened.settings, device=device)
        stamp = {
            "code": {"train": report["code"], "extract": digest(next(iter(due.values())).code)},
            "run": report["identity"],
            "settings": report["settings"],
            "diagnostics": report["epoch"],
            "diagnostics_by_epoch": report.get("epochs", []),
            "environment": environment(),
        }
    for store, asked in due.items():
        features = encode_store(store, encode, opened.settings)
        rows = read_split(store, TEST_SPLITS, images=False)
        write_rows(out / f"{store.stem}.npz", features, rows, {**names, **describe(store), **stamp}, asked)
        log.info("%s: %d features of %d values", store.stem, *features.shape)
    shutil.rmtree(run_folder.with_name(f"{run_folder.name}.state"), ignore_errors=True)  # finished, kept and used


def require_names(report: dict, run_folder: Path, names: Mapping[str, str | int]) -> None:
    """Refuse names that are not the run's own: features would be filed as those of another run.

    Raises:
        ValueError: seed or sources differ from those in the run's report.
    """
    own = {"seed": report["seed"], "sources": "+".join(report["data"])}  # a converted run does not know its data
    for name, value in own.items():
        if value != "" and names[name] != value:
            raise ValueError(f"{run_folder} was trained with {name} {value}, not {names[name]}; give --{name} {value}")


@torch.no_grad()
def embed(
    encode: Callable[[Tensor], Tensor], images: np.ndarray | Pictures, *, settings: Settings, device: str
) -> np.ndarray:
    """Encode images uint8 [M, 3, H, W] in the test view, a batch at a time: float32 [M, D]."""
    size = CPU_BATCH if device == "cpu" else BATCH
    starts = range(0, len(images), size)
    batches = (torch.from_numpy(images[start : start + size]).to(device) for start in starts)
    return np.concatenate([encode(test_view(batch, settings)).cpu().numpy() for batch in batches])
