"""The record file: the columns it has, and how it is read."""

from pathlib import Path

import pandas as pd

from dcac.declared import diagnostics
from dcac.reading import naming_damage

NAMES = ("suite", "variant", "sources", "target", "seed")
SCORES = ("mAP", "mINP", "rank1", "rank5", "rank10", "num_query", "num_gallery", "num_valid_queries", "num_ids")
OTHER_METRIC = ("euclidean_mAP", "euclidean_rank1")  # of a network whose card fixes no metric
PROTOCOL = ("image_height", "image_width", "epoch", "num_distractors", "extra_weight")  # numbers of the protocol card
SPLITS = ("num_splits", "mAP_splits_sd", "rank1_splits_sd")  # of targets scored on several splits; sd over these
SCORE_REMEDY = "delete it and score the features again (`dcac score`)"


def read_records(path: Path) -> pd.DataFrame:
    """Read a record file; the word `none` is a source name, not a missing value."""
    numbers = (*SCORES, *SPLITS, *diagnostics(), *OTHER_METRIC, *PROTOCOL)
    remedy = "delete it and collect the score files again (`dcac records`)"
    with naming_damage(path, remedy, also=(ValueError,)):
        table = pd.read_csv(path, keep_default_na=False, na_values={name: [""] for name in numbers})
        absent = [name for name in (*NAMES, "mAP", "rank1") if name not in table]
        if absent:
            raise ValueError(f"no column '{absent[0]}'")
        if table.duplicated(list(NAMES)).any():
            raise ValueError("a score stands in it twice")
        return table
