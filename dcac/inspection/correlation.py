"""Measure which training identities a finished run takes for each other.

In: a DCAC run and its sources. Out: the class correlation p of a group of look-alikes, with a picture of each.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dcac import declared
from dcac.features.extract import BATCH
from dcac.inspection.trained_run import TrainedRun, first_images, inputs_of, open_trained, write_arrays
from dcac.model.schemes import scheme_of
from dcac.provenance.outputs import require_output
from dcac.provenance.record import ask
from dcac.settings import Settings, load_settings

PEOPLE = 8  # of the group, unless a person asks for another number
log = logging.getLogger(__name__)


def run(
    *,
    run_folder: Path,
    config: Path,
    encoder: Path,
    stores: Sequence[Path],
    out: Path,
    device: str,
    people: int = PEOPLE,
) -> None:
    """Average p over the training images of each identity, and write the identities that resemble each other most.

    Args:
        run_folder: output of the train step.
        encoder: folder of the pre-trained encoder, for its architecture.
        stores: normalised files of the run's sources.
        people: k, the size of the group, at least 2.
        out: .npz of the group in the order of joining, `keys` [k], `matrix` float64 [k, k] (row: whose images; column:
            whom they resemble), `pictures` uint8 [k, 3, H, W] (first training image); of all N identities
            `mean_own` (p of the own identity) and of all images `mean_p_max`; `share_in_group` (p of the other
            members, mean over the group), `chance` (1 / N), `meta`. All p are 0..1.

    Raises:
        ValueError: the run has no p of its own; the sources are not its own; `people` does not fit them.
    """
    require_output(out, ".npz", inputs=stores)
    check_scheme(load_settings(config), run_folder)
    chosen = {} if people == PEOPLE else {"people": people}
    asked = ask(__name__, chosen, inputs_of(run_folder, encoder=encoder, stores=stores))
    trained = open_trained(run_folder, config, encoder=encoder, stores=stores, device=device)
    means, p_max = mean_correlation(trained)
    group = look_alikes(means, people)
    matrix, own = means[np.ix_(group, group)], np.diag(means)
    arrays = {
        "keys": [trained.data.keys[label] for label in group],
        "matrix": matrix,
        "pictures": trained.data.images[first_images(trained.data.labels)[group]],
        "mean_own": own.mean(),
        "mean_p_max": p_max,
        "share_in_group": (matrix.sum(axis=1) - own[group]).mean(),
        "chance": 1 / len(means),
    }
    figures = ("mean_own", "mean_p_max", "share_in_group", "chance")
    log.info("%s: %s", run_folder, ", ".join(f"{name} {arrays[name]:.4g}" for name in figures))
    write_arrays(out, trained, asked=asked, arrays=arrays)


def check_scheme(settings: Settings, run_folder: Path) -> None:
    """Refuse a run that learnt under no class correlation.

    Raises:
        ValueError: it is a baseline, or its condition is no correlation or is given by the label.
    """
    conditioned = declared.method(settings).conditioned
    if not (conditioned and scheme_of(settings).is_correlation):
        scheme = settings.condition if conditioned else f"none, a {settings.method}"
        raise ValueError(
            f"{run_folder} has no class correlation to show (condition: {scheme}); choose a run with {declared.correlations()}"
        )


@torch.no_grad()
def mean_correlation(trained: TrainedRun) -> tuple[np.ndarray, float]:
    """Return p averaged over the images of each identity, float64 [N, N], and the mean largest p of an image."""
    labels, count = torch.from_numpy(trained.data.labels), trained.data.num_identities
    feature = trained.encode(slice(None))
    memory = trained.prototypes(feature)
    sums, largest = torch.zeros(count, count, dtype=torch.float64), 0.0
    for part, own in zip(feature.split(BATCH), labels.split(BATCH), strict=True):
        p = correlate(trained, part, own, memory)
        sums.index_add_(0, own, p)
        largest += p.amax(dim=1).sum().item()
    return (sums / torch.bincount(labels, minlength=count)[:, None]).numpy(), largest / len(labels)


def correlate(trained: TrainedRun, feature: Tensor, labels: Tensor, memory: Tensor) -> Tensor:
    """Return p [B, N] of encoder outputs f [B, D] in float64, on the CPU."""
    scheme = scheme_of(trained.settings)
    p = scheme.weights(trained.reid.head(feature), labels.to(feature.device), memory, trained.settings)
    return p.double().cpu()


def look_alikes(means: np.ndarray, people: int) -> list[int]:
    """Find identities that resemble each other: the most similar pair, then one by one who is most similar to all so far.

    Args:
        means: p averaged over the images of each identity [N, N]; similar is the mean of both directions.
        people: how many, 2..N.

    Returns:
        Their indices in the order of joining; equally similar ones join in the order of their index.

    Raises:
        ValueError: `people` is out of range.
    """
    if not 2 <= people <= len(means):
        raise ValueError(f"people {people} is not within 2..{len(means)}, the identities of the run; choose another")
    similar = (means + means.T) / 2
    np.fill_diagonal(similar, -np.inf)  # nobody joins by being like themselves
    group = [int(index) for index in np.unravel_index(similar.argmax(), similar.shape)]
    while len(group) < people:
        closeness = similar[:, group].mean(axis=1)  # of a member -inf, by the diagonal
        group.append(int(closeness.argmax()))
    return group
