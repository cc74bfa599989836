"""Import a synthetic archive with Market-1501's names and full size: seconds, CPU seconds, images/s and peak memory by workers.

    python tests/benchmarks/importing.py [--images 32668] [--kind zip|tgz|folder] [--workers 1 2]

Every image is a small JPEG of its own (128 x 64 by default). Each import runs in a process of its own.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

CARDS = Path(__file__).parents[2] / "config" / "datasets.yaml"
# Full size: 12,936 training files, 19,732 test files with 3,819 junk and 2,798 distractors, 3,368 queries.
FULL = 32_668  # files of the training and test folders
SHARES = {"bounding_box_train": 12_936, "bounding_box_test": 19_732, "query": 3_368}


def names(images: int) -> Iterator[str]:
    """Yield Market's names: the two training and test folders add up to `images`, query comes on top."""
    scale = images / FULL
    for folder, full in SHARES.items():
        for number in range(round(full * scale)):
            people, first = (751, 751) if folder == "bounding_box_train" else (750, 1)
            label, camera = f"{number % people + first:04d}", number // 7 % 6 + 1
            if folder == "bounding_box_test" and number < round(6_617 * scale):
                label = "-1" if number < round(3_819 * scale) else "0000"
            yield f"Market-1501-v15.09.15/{folder}/{label}_c{camera}s1_{number:06d}_01.jpg"


def pictures(size: tuple[int, int]) -> Iterator[bytes]:
    """Yield an endless row of JPEGs: 64 pictures of smooth noise, told apart by a comment."""
    random = np.random.default_rng(0)
    encoded = []
    for _ in range(64):
        coarse = Image.fromarray(random.integers(0, 256, size=(16, 8, 3), dtype=np.uint8))
        buffer = io.BytesIO()
        coarse.resize(size, Image.Resampling.BICUBIC).save(buffer, format="JPEG", quality=90)
        encoded.append(buffer.getvalue())
    number = 0
    while True:
        comment = f"{number:08d}".encode()
        data = encoded[number % 64]
        yield data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + data[2:]
        number += 1


def pack(folder: Path, kind: str, images: int, size: tuple[int, int]) -> Path:
    """Write the archive or folder."""
    files = zip(names(images), pictures(size), strict=False)
    if kind == "folder":
        for name, data in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder / "Market-1501-v15.09.15"
    path = folder / f"Market.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files:
                archive.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz", compresslevel=1) as archive:
            for name, data in files:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


def import_once(path: Path, out: Path, *, workers: int, different: bool) -> None:
    """Import, and print seconds and counts as JSON."""
    from dcac.data.catalog import load_catalog
    from dcac.data.imports.import_data import run

    start = time.perf_counter()
    sidecar = run(path, out, card=load_catalog(CARDS)["MA"], workers=workers, allow_different_counts=different).sidecar
    seconds = time.perf_counter() - start
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(part.ru_utime + part.ru_stime for part in used)
    print(json.dumps({"seconds": seconds, "cpu": cpu, "images": sidecar["images"], "sha256": sidecar["sha256"][:12]}))


def memory_of(pid: int) -> int:
    """Return the resident bytes of a process and its children (Linux)."""
    total = 0
    try:
        total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return total
    return total + sum(memory_of(int(child)) for child in children)


def measure(path: Path, out: Path, *, workers: int, images: int) -> dict:
    """Import in a process of its own and watch its memory, with that of its workers."""
    command = [sys.executable, __file__, "--import-from", path, "--out", out, "--workers", workers, "--images", images]
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    peak = 0

    def watch():
        nonlocal peak
        while process.poll() is None:
            peak = max(peak, memory_of(process.pid))
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, _ = process.communicate()
    watcher.join()
    return {**json.loads(output.splitlines()[-1]), "peak": peak}


def main() -> None:
    """Build the archive, import it with each number of workers, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=FULL)
    parser.add_argument("--kind", choices=["zip", "tgz", "folder"], default="zip")
    parser.add_argument("--size", type=int, nargs=2, default=(64, 128), help="width and height, pixels")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--import-from", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.import_from:
        import_once(given.import_from, given.out, workers=given.workers[0], different=given.images != FULL)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = pack(Path(folder), given.kind, given.images, tuple(given.size))
        print("| workers | images kept | seconds | CPU s | images/s | peak memory (all processes) | sha256 |")
        print("|--:|--:|--:|--:|--:|--:|---|")
        for workers in given.workers:
            found = measure(path, Path(folder) / f"{workers}.parquet", workers=workers, images=given.images)
            rate, peak = found["images"] / found["seconds"], found["peak"] / 1e6
            cells = (
                workers,
                found["images"],
                f"{found['seconds']:.1f}",
                f"{found['cpu']:.1f}",
                f"{rate:.0f}",
                f"{peak:.0f} MB",
                found["sha256"],
            )
            print("| " + " | ".join(map(str, cells)) + " |")


if __name__ == "__main__":
    main()
