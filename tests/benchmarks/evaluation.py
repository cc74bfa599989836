"""CPU seconds and peak memory of ranking a target, ours against a plain full-argsort evaluator, as a Markdown table.

    python tests/benchmarks/evaluation.py --size market --size msmt17

The features are random but seeded, of the data sets' sizes, with 1 % exact duplicates in the gallery. Every row is a
process of its own; the cost of starting it and reading the features is measured apart and taken off.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcac.evaluation.metrics import score_distances, score_ranking
from dcac.evaluation.rerank import k_reciprocal
from dcac.features.feature_file import Part, read_features, write_features

WIDTH = 512  # values of a CLIP ViT-B/16 feature
DUPLICATES = 0.01  # share of the gallery that copies another row
MEMORY_UNIT = 2**10 if sys.platform != "darwin" else 1  # bytes in a unit of ru_maxrss


@dataclass(frozen=True)
class Size:
    """Counts of a target."""

    queries: int
    gallery: int
    identities: int
    distractors: int  # gallery images of identities without a query
    cameras: int


SIZES = {
    "cuhk03np": Size(1400, 5332, 700, 0, 2),
    "duke": Size(2228, 17661, 702, 1800, 8),
    "market": Size(3368, 15913, 750, 2798, 6),
    "msmt17": Size(11659, 82161, 3060, 0, 15),
}


def write_target(path: Path, size: Size, *, seed: int) -> None:
    """Write a feature file of a size whose identities are as hard to find as across domains (mAP about a third)."""
    generator = np.random.default_rng(seed)
    spectrum = 1 / np.sqrt(1 + np.arange(WIDTH) / 32)  # real features vary most in a few directions
    own = size.gallery - size.distractors
    pids = np.concatenate([_spread(size.queries, size.identities), _spread(own, size.identities)])
    pids = np.concatenate([pids + 1, np.zeros(size.distractors, dtype=np.int64)])
    camids = generator.integers(size.cameras, size=len(pids))
    shifts = generator.standard_normal((size.cameras, WIDTH), dtype=np.float32)
    centres = generator.standard_normal((size.identities + size.distractors, WIDTH), dtype=np.float32)
    persons = np.concatenate([pids[: len(pids) - size.distractors] - 1, size.identities + np.arange(size.distractors)])
    noise = generator.standard_normal((len(pids), WIDTH), dtype=np.float32)
    features = centres[persons] + 0.7 * shifts[camids] + 1.5 * noise
    features *= spectrum.astype(np.float32)
    rows = size.queries + generator.choice(size.gallery, 2 * int(DUPLICATES * size.gallery), replace=False)
    features[rows[: len(rows) // 2]] = features[rows[len(rows) // 2 :]]
    split = ["query"] * size.queries + ["gallery"] * size.gallery
    paths = [f"{row:06}.jpg" for row in range(len(pids))]
    write_features(path, features=features, pids=pids, camids=camids, split=split, paths=paths, meta={"seed": seed})


def read_only(query: Part, gallery: Part) -> float:
    """Touch every feature: what any evaluator pays."""
    return float(query.features.sum() + gallery.features.sum())


def ours(query: Part, gallery: Part) -> float:
    return score_ranking(
        query.features, query.pids, query.camids, gallery.features, gallery.pids, gallery.camids, metric="cosine"
    ).mAP


def ours_reranked(query: Part, gallery: Part) -> float:
    blocks = k_reciprocal(query.features, gallery.features, k1=20, k2=6, lambda_value=0.3, blocks=True)
    return score_distances(blocks, query.pids, query.camids, gallery.pids, gallery.camids).mAP


def full_argsort(query: Part, gallery: Part) -> float:
    """Rank as most published code does: one matrix of distances, one argsort, one matrix of matches."""
    unit = [part.features / np.linalg.norm(part.features, axis=1, keepdims=True) for part in (query, gallery)]
    order = np.argsort(1 - unit[0] @ unit[1].T, axis=1)
    matched = (gallery.pids[order] == query.pids[:, None]).astype(np.int32)
    precisions = []
    for row in range(len(query.pids)):
        kept = (gallery.pids[order[row]] != query.pids[row]) | (gallery.camids[order[row]] != query.camids[row])
        hits = np.flatnonzero(matched[row][kept])
        if hits.size:
            precisions.append(np.mean(np.arange(1, len(hits) + 1) / (hits + 1)))
    return float(np.mean(precisions))


EVALUATORS = {"read only": read_only, "ours": ours, "full argsort": full_argsort, "ours, re-ranked": ours_reranked}


def measure(evaluator: str, path: Path) -> dict[str, float]:
    """Run one evaluator in its own process, on one thread."""
    done = start("--worker", evaluator, "--features", str(path))
    if done.returncode:
        return {"mAP": float("nan"), "cpu": float("nan"), "memory": float("nan")}
    return json.loads(done.stdout)


def start(*arguments: str) -> subprocess.CompletedProcess:
    """Run this script again; on Linux a child's peak memory starts at its parent's, so the parent stays small."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, check=False)


def work(evaluator: str, path: Path) -> dict[str, float]:
    """Be that process."""
    file = read_features(path)
    mAP = EVALUATORS[evaluator](file.query, file.gallery)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MEMORY_UNIT
    return {"mAP": mAP, "cpu": time.process_time(), "memory": peak / 2**30}


def table(size: str, evaluators: list[str]) -> str:
    """Measure all evaluators on one target and return the rows of the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "target.npz"
        start("--size", size, "--write", str(path)).check_returncode()
        base = measure("read only", path)
        figures = {name: measure(name, path) for name in evaluators}
    return "\n".join(
        f"| {size} | {name} | {100 * found['mAP']:.4f} "
        f"| {found['cpu'] - base['cpu']:.2f} | {found['memory'] - base['memory']:.2f} |"
        for name, found in figures.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", action="append", choices=SIZES, help="may be given again")
    parser.add_argument("--evaluator", action="append", choices=list(EVALUATORS)[1:], help="by default the first two")
    parser.add_argument("--worker", choices=EVALUATORS, help=argparse.SUPPRESS)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--features", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker, options.features)))
        return
    if options.write:
        write_target(options.write, SIZES[options.size[0]], seed=1)
        return
    print("| target | evaluator | mAP (%) | CPU seconds | GiB above the features |\n|---|---|---|---|---|")
    for size in options.size or ["market"]:
        print(table(size, options.evaluator or ["ours", "full argsort"]), flush=True)


def _spread(images: int, identities: int) -> np.ndarray:
    return np.arange(images, dtype=np.int64) % identities


if __name__ == "__main__":
    main()
