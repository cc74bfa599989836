"""CPU seconds and peak memory of `dcac evaluate` with a small ONNX network, by the size of the target, as a Markdown table.

    python tests/benchmarks/networks.py

Targets are random JPEGs of 128 x 64 pixels in the numbers of Market-1501 (750 people, 3,368 queries, 15,913 gallery images), a
quarter of them and twice as many. Every row is a process of its own.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

QUERIES, GALLERY, PEOPLE, CAMERAS = 3368, 15913, 750, 6  # Market-1501
WIDTH = 128  # values of a feature
SIZE = (128, 64)  # pixels, height and width
VIEW = {
    "height": 128,
    "width": 64,
    "resize": "bilinear",
    "channels": "rgb",
    "scale": 1,
    "mean": [0.5] * 3,
    "std": [0.25] * 3,
}
MEMORY_UNIT = 2**10 if sys.platform != "darwin" else 1  # bytes in a unit of ru_maxrss


def write_target(path: Path, share: float) -> None:
    """Write a target of some share of Market-1501's images, a few of which repeat under many names."""
    from dcac.data.store import Record, write_store

    generator = np.random.default_rng(0)
    images = []
    for _ in range(200):
        stream = io.BytesIO()
        coarse = generator.integers(0, 256, (16, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(SIZE[::-1], Image.Resampling.BICUBIC).save(stream, format="JPEG")
        images.append(stream.getvalue())
    records = []
    for split, count in (("query", QUERIES), ("gallery", GALLERY)):
        for number in range(round(share * count)):
            data = images[int(generator.integers(len(images)))]
            camera = int(generator.integers(CAMERAS))
            records.append(
                Record(split, number % round(share * PEOPLE), camera, "T", f"{split}/{number:06d}.jpg", data)
            )
    write_store(records, path, facts={"dataset": "T", "version": "1"})


def write_network(path: Path) -> None:
    """Write a small convolutional network as ONNX, its card beside it."""
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 16, 5, stride=4), torch.nn.ReLU(), torch.nn.Conv2d(16, WIDTH, 3, stride=2)]
    module = torch.nn.Sequential(*layers, torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
    images, sizes = torch.zeros(2, 3, *SIZE), ({0: torch.export.Dim("batch")},)
    torch.onnx.export(module, (images,), dynamo=True, verbose=False, dynamic_shapes=sizes).save(path)
    path.with_suffix(".yaml").write_text(json.dumps({"view": VIEW, "metric": "cosine"}), encoding="utf-8")


def measure(network: Path, store: Path, out: Path) -> None:
    """Evaluate in this process and print what it took."""
    from dcac.evaluation import evaluate
    from dcac.networks.load import load

    started = time.process_time()
    ((_, record),) = evaluate.run(network=load(network), stores=[store], out=out)
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MEMORY_UNIT
    print(json.dumps({"seconds": seconds, "peak": peak, "mAP": record["mAP"]}))


def main() -> None:
    """Print a row a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs=3, type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.only:
        measure(*chosen.only)
        return
    print("| images | features, MB | CPU s | peak memory, MB |\n|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_network(root / "net.onnx")
        for share in (0.25, 1, 2):
            store = root / f"data/T{share}.parquet"
            write_target(store, share)
            words = [sys.executable, __file__, "--only", root / "net.onnx", store, root / f"out{share}"]
            result = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
            found, images = json.loads(result.stdout), round(share * QUERIES) + round(share * GALLERY)
            memory = f"{found['peak'] / 1e6:.0f}"
            print(f"| {images:,} | {images * WIDTH * 4 / 1e6:.0f} | {found['seconds']:.0f} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
