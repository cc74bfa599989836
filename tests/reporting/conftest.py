"""Small hand-made records."""

import json

import numpy as np
import pandas as pd
import pytest

from dcac.closed import parse
from dcac.suites import Remark, Variant
from dcac.suites import Suite as SuiteModel

SHARES = {  # (variant, target, seed): mAP, rank1
    ("baseline", "MS", 1): (0.200, 0.500),
    ("baseline", "MS", 2): (0.220, 0.520),
    ("dcac", "MS", 1): (0.230, 0.510),
    ("dcac", "MS", 2): (0.240, 0.530),
    ("baseline", "C3", 1): (0.300, 0.310),
    ("baseline", "C3", 2): (0.300, 0.330),
    ("dcac", "C3", 1): (0.310, 0.310),
    ("dcac", "C3", 2): (0.330, 0.330),
}


@pytest.fixture
def suite():
    """A suite of one source and two targets, with the paper's Table 2 above it."""
    content = {
        "title": "Test suite",
        "demo": False,
        "device": "cpu",
        "base": "paper",
        "seeds": [1, 2],
        "domains": ["MA", "MS", "C3"],
        "variants": ["baseline", "dcac"],
        "references": ["chance"],
        "protocols": {"single-source": {"MA": ["MS", "C3"]}},
        "tables": {
            "dg_single": {"protocol": "single-source", "title": "Single & co_50%", "published": ["DCAC Table 2"]}
        },
        "figures": {"cmc": {"table": "dg_single", "kind": "cmc", "title": "CMC"}},
    }
    return parse(SuiteModel, content, "test")


@pytest.fixture
def variants():
    """The two variants under their printed names."""
    return {
        "baseline": Variant("Baseline (ours)", {}, colour="#112233", published="DCAC baseline"),
        "dcac": Variant("DCAC (ours)", {}, colour="#445566", published="DCAC"),
    }


@pytest.fixture
def remark():
    """What the suite says of DCAC below its tables."""
    text = (
        "Ours minus baseline is {difference}{control}; it pulls with {pull}; another condition changes it by {heard}."
    )
    return Remark(variant="dcac", text=text)


@pytest.fixture
def records():
    """Records of two variants, two seeds, two targets, and chance."""
    rows = [row(variant, "MA", target, seed, *shares) for (variant, target, seed), shares in SHARES.items()]
    rows += [row("chance", "none", target, 0, 0.01, 0.02) for target in ("MS", "C3")]
    return pd.DataFrame(rows)


def identities(mAP, rank1):
    """Return sums of three people with 1, 2 and 3 queries whose scores differ, about the means given."""
    queries, apart = [1, 2, 3], [0.03, 0.0, -0.01]
    sums = {
        name: [n * (mean + d) for n, d in zip(queries, apart, strict=True)]
        for name, mean in (("mAP", mAP), ("rank1", rank1))
    }
    return {"pid": [7, 8, 9], "queries": queries, **sums}


def row(variant, sources, target, seed, mAP, rank1):
    """Return one record with the columns that tables read."""
    learnt = variant == "dcac"
    return {
        "suite": "test",
        "variant": variant,
        "sources": sources,
        "target": target,
        "seed": seed,
        "mAP": mAP,
        "rank1": rank1,
        "mAP_verdict": "higher" if learnt else "",
        "rank1_verdict": "no clear difference" if learnt else "",
        "num_query": 3368,
        "num_gallery": 15913,
        "num_splits": 1,
        "data_version": "1",
        "data_variant": "detected" if target == "C3" else None,
        "metric": "cosine",
        "image_height": None if variant == "chance" else 256,
        "image_width": None if variant == "chance" else 128,
        "resize": None if variant == "chance" else "bicubic",
        "epoch": None if variant == "chance" else 60,
        "num_distractors": 2793 if target == "MS" else 0,
        "extra_weight": None,
        "euclidean_mAP": None,
        "euclidean_rank1": None,
        "standard": target != "C3",
        "identities": json.dumps(identities(mAP, rank1)),
        "cmc": json.dumps([rank1, (1 + rank1) / 2, 1.0]),
        "gradient_id": 0.1 if learnt else None,
        "gradient_prototype": 2.0 if learnt else None,
        "gradient_noise": 0.0002 if learnt else None,
        "cosine_noise": 0.25 if learnt else None,
        "p_max": 0.03 if learnt else None,
        "p_entropy": 4.0 if learnt else None,
        "noise_own": 0.2 if learnt else None,
        "noise_null": 0.201 if learnt else None,
        "noise_other": 0.202 if learnt else None,
        "noise_null_low": 0.0005 if learnt else None,
        "noise_null_high": 0.0015 if learnt else None,
        "noise_other_low": 0.0005 if learnt else None,
        "noise_other_high": 0.0015 if learnt else None,
    }


@pytest.fixture
def rows_of_target():
    """Return a function that draws pids, camids, splits and paths of 6 queries and 30 gallery images."""

    def draw(generator):
        pids = np.concatenate([np.arange(6), generator.integers(0, 8, 30)])
        camids = np.concatenate([np.zeros(6, int), generator.integers(0, 3, 30)])
        split = ["query"] * 6 + ["gallery"] * 30
        return pids, camids, split, [f"{s}/{i:02d}.png" for i, s in enumerate(split)]

    return draw
