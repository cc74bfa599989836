"""Collect score files into one record file: a row a score. In: score JSONs. Out: records.csv."""

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dcac.declared import diagnostics
from dcac.provenance import atomic
from dcac.provenance.outputs import require_output
from dcac.provenance.record import ask, made_inputs, write_record
from dcac.reading import naming_damage, read_json
from dcac.reporting.tables.recorded import NAMES, OTHER_METRIC, SCORE_REMEDY, SCORES, SPLITS

log = logging.getLogger(__name__)


def run(*, scores: Sequence[Path], out: Path) -> None:
    """Write the records of the given scores, sorted by name."""
    require_output(out, ".csv", beside=[out.with_suffix(".json")], inputs=scores)
    table = pd.DataFrame([_read_score(path) for path in scores])
    repeated = np.flatnonzero(table.duplicated(list(NAMES)))
    if repeated.size:
        names = ", ".join(f"{name} {table.at[repeated[0], name]}" for name in NAMES)
        raise ValueError(f"{scores[repeated[0]]} scores {names}, as another file does; give one of them")
    text = table.sort_values(list(NAMES), kind="stable").to_csv(index=False)
    with atomic(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    write_record(
        out.with_suffix(".json"),
        ask(__name__, {}, made_inputs(scores)),
        meaning=hashlib.sha256(text.encode()).hexdigest(),
    )
    log.info("%s: %d records", out, len(table))


def record(score: dict) -> dict:
    """Flatten one score file into one row; shares stay in 0..1; the CMC curve and sums by identity are JSON."""
    meta, against = score["meta"], score.get("against")
    row = {name: meta[name] for name in NAMES}
    row |= {name: score[name] for name in SCORES}
    splits = score.get("splits", {"count": 1, "mAP_sd": None, "rank1_sd": None})
    row |= dict(zip(SPLITS, (splits["count"], splits["mAP_sd"], splits["rank1_sd"]), strict=True))
    for metric in ("mAP", "rank1"):
        row[f"{metric}_low"], row[f"{metric}_high"] = score["interval"][metric]
        row[f"{metric}_verdict"] = against["difference"][metric]["verdict"] if against else ""
    row["cmc"] = json.dumps(score["cmc"])
    row["identities"] = json.dumps(score["identities"], separators=(",", ":"))
    row |= {name: (meta.get("diagnostics") or {}).get(name) for name in diagnostics()}
    data = meta.get("data") or {}
    row |= {"data_version": data.get("version"), "data_variant": data.get("variant"), "standard": data.get("standard")}
    row |= protocol(score)
    row["code"] = json.dumps({**meta["code"], "score": score["code"]}, sort_keys=True)
    return row


def protocol(score: dict) -> dict:
    """Say how a score came about: metric, view of the images, epoch, distractors, and distances of others."""
    meta = score["meta"]
    settings, other = meta.get("settings") or {}, score.get("other_metric") or {}
    return {
        "metric": score.get("metric"),
        **dict(zip(OTHER_METRIC, (other.get("mAP"), other.get("rank1")), strict=True)),
        "image_height": settings.get("image_height"),
        "image_width": settings.get("image_width"),
        "resize": settings.get("evaluation_resize"),
        "epoch": (meta.get("diagnostics") or {}).get("epoch"),
        "num_distractors": score.get("num_distractors"),
        "extra_weight": (score.get("extra_distances") or {}).get("weight"),
    }


def _read_score(path: Path) -> dict:
    keys = ("meta", "mAP", "cmc", "interval", "identities", "code")
    score = read_json(path, keys=keys, remedy=SCORE_REMEDY)
    absent = [name for name in (*NAMES, "code") if name not in score["meta"]]
    if absent:
        raise ValueError(
            f"{path} does not say {', '.join(absent)} of its features, by which a table places them; write these into `meta` of "
            "the feature file and score it again"
        )
    with naming_damage(path, SCORE_REMEDY):
        return record(score)
