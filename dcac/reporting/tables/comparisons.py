"""One variant against another over all cells: the interval of their paired difference, and what it says."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd

from dcac.evaluation.score import BOOTSTRAP_SEED, LEVEL, RESAMPLES
from dcac.evaluation.statistics import ENOUGH_SEEDS, CellDifferences, Difference, difference_over_seeds

CELL = ["sources", "target"]
RUN = [*CELL, "seed"]
INTERVAL_NOTE = (
    f"Intervals hold {100 * LEVEL:g} % and are over training seeds and query identities together; with one seed they are "
    f"over identities alone. With fewer than {ENOUGH_SEEDS} seeds a verdict speaks of these runs, not of the methods."
)


def compared(records: pd.DataFrame, variant: str, partner: str) -> Difference | None:
    """Compare the mAP of two variants on the cells and seeds that both have.

    Args:
        records: of one protocol.

    Returns:
        The mean difference over cells, as a share; None where records hold no sums by identity.
    """
    if "identities" not in records:
        return None
    ours, theirs = (records[records["variant"] == name][[*RUN, "identities"]] for name in (variant, partner))
    return _over_cells(ours.merge(theirs, on=RUN, suffixes=("", "_theirs")), _cell)


def level(records: pd.DataFrame, variant: str) -> Difference | None:
    """Average the mAP of one variant over all cells, with the interval over seeds and identities.

    Args:
        records: of one protocol.

    Returns:
        The mean as a share, whose verdict and p say nothing; None where records hold no sums by identity.
    """
    mine = records[records["variant"] == variant]
    if "identities" not in mine or mine["identities"].isna().any():
        return None
    return _over_cells(mine, _own_cell)


def interval_text(difference: Difference) -> str:
    """Write an interval of shares in percent points."""
    return f"[{100 * difference.low:+.2f}, {100 * difference.high:+.2f}]"


def verdict_text(difference: Difference, pairs: int) -> str:
    """Write a verdict, and over few seeds of what it speaks."""
    if pairs >= ENOUGH_SEEDS:
        return difference.verdict
    return f"{difference.verdict} in {'this pair' if pairs == 1 else f'these {pairs} pairs'} of runs"


def _over_cells(rows: pd.DataFrame, cell: Callable[[str, pd.DataFrame], CellDifferences]) -> Difference | None:
    """Average over cells the seeds that all of them have; None where there are none."""
    seeds = [set(own["seed"]) for _, own in rows.groupby(CELL, sort=False)]
    common = rows[rows["seed"].isin(set.intersection(*seeds) if seeds else set())].sort_values(RUN, kind="stable")
    if common.empty:
        return None
    cells = [cell(str(target), own) for (_, target), own in common.groupby(CELL, sort=False)]
    return difference_over_seeds(cells, resamples=RESAMPLES, level=LEVEL, seed=BOOTSTRAP_SEED)


def _own_cell(target: str, rows: pd.DataFrame) -> CellDifferences:
    """Take the sums by identity as they are, one row a seed."""
    sums = [json.loads(text) for text in rows["identities"]]
    return CellDifferences(target, np.array(sums[0]["queries"]), np.array([run["mAP"] for run in sums]))


def _cell(target: str, rows: pd.DataFrame) -> CellDifferences:
    """Subtract the sums by identity, one row a seed."""
    sums = []
    for row in rows.itertuples():
        ours, theirs = json.loads(row.identities), json.loads(row.identities_theirs)
        if any(ours[key] != theirs[key] for key in ("pid", "queries")):
            raise ValueError(
                f"two scores on {target} with seed {row.seed} are of different queries; score the same version of it again"
            )
        sums.append(np.subtract(ours["mAP"], theirs["mAP"]))
    return CellDifferences(target, np.array(ours["queries"]), np.stack(sums))
