"""Start trainings on one data set as processes of their own: seconds until the pictures are there, and memory of each.

    python tests/benchmarks/pictures.py [--images 12936] [--size 256 128] [--processes 2]

Row "in memory" is a store outside of `results`, which every process decodes for itself; "first" makes the shared array,
"later" maps it. The pictures are small JPEGs (64 x 128), all read once, as the prototype memory does.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from importing import pictures

from dcac.data.store import Record, write_store

IMAGES = 12_936  # of Market-1501's training split
BATCH = 256  # images read at a time


def write(path: Path, images: int) -> Path:
    """Write a store of small JPEGs, sixteen a person."""
    path.parent.mkdir(parents=True)
    data = pictures((64, 128))
    records = (Record("train", n // 16, n % 2, path.stem, f"{n:06d}.jpg", next(data)) for n in range(images))
    write_store(records, path, facts={"dataset": path.stem, "version": "1"})
    return path


def start(store: Path, height: int, width: int) -> dict:
    """Load the training set, read all of it, and say what that took; run in a process of its own."""
    from dcac.data.training_set import load_training_set

    before, own, began = private(), time.process_time(), time.perf_counter()
    images = load_training_set([store], train_splits="train", height=height, width=width).images
    for first in range(0, len(images), BATCH):
        images[first : first + BATCH]
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - own,
        "private": private() - before,
    }


def private() -> int:
    """Return the bytes that this process shares with no other and no file (Linux)."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) * 1024


def main() -> None:
    """Write the store twice, start processes one after the other, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 128), help="height and width, pixels")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.store:
        print(json.dumps(start(given.store, *given.size)))
        return
    print("| pictures | process | seconds | CPU s | private memory, MB |\n|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for kind, place in (("in memory", "elsewhere"), ("shared", "results")):
            store = write(Path(folder) / place / "data" / "MA.parquet", given.images)
            for number in range(1, given.processes + 1):
                command = [sys.executable, __file__, "--store", str(store), "--size", *map(str, given.size)]
                found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
                print(
                    f"| {kind} | {number} | {found['seconds']:.1f} | {found['cpu']:.1f} | {found['private'] / 1e6:.0f} |"
                )


if __name__ == "__main__":
    main()
