"""What an encoder costs on a CPU: milliseconds a picture in testing, and a step in training, before and after.

    python tests/benchmarks/cpu.py [--architecture mobilenetv2_100] [--size 128 64] [--images 768] [--steps 10] [--repeats 2]

"Before" is glibc's allocator as it comes and a batch of 256 in testing; "after" keeps freed memory and takes batches of 32,
as `dcac` does. Between them each change stands alone. Random weights; every row is a process of its own, in turns, the
fastest of the repeats.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

CASES = [  # what is measured, batch, allocator
    ("extraction", 256, "as it comes"),
    ("extraction", 256, "keeps"),
    ("extraction", 32, "as it comes"),
    ("extraction", 32, "keeps"),
    ("extraction", 16, "keeps"),
    ("training step", 64, "as it comes"),
    ("training step", 64, "keeps"),
]


def measure(what: str, batch: int, allocator: str, given: argparse.Namespace) -> dict:
    """Run one case in this process, after a pass that warms up."""
    if allocator == "keeps":
        from dcac.allocator import keep_freed_memory

        if not keep_freed_memory():
            raise SystemExit("the allocator is not glibc's, or its variables are set")
    work, unit = (extraction if what == "extraction" else training)(batch, given)
    work()
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    count = work()
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return {
        "ms": 1e3 * seconds / count,
        "cpu": 1e3 * (user + system) / count,
        "system": 1e3 * system / count,
        "faults": (after.ru_minflt - before.ru_minflt) / count,
        "peak": after.ru_maxrss / 1024,
        "unit": unit,
    }


def extraction(batch: int, given: argparse.Namespace):
    """Return the pass over all pictures, and its unit."""
    import torch

    encoder = build(given).eval()
    pictures = np.random.default_rng(0).integers(0, 256, size=(given.images, 3, *given.size), dtype=np.uint8)

    @torch.no_grad()
    def work() -> int:
        for start in range(0, len(pictures), batch):
            encoder(torch.from_numpy(pictures[start : start + batch]).float() / 127.5 - 1)
        return len(pictures)

    return work, "picture"


def training(batch: int, given: argparse.Namespace):
    """Return some steps of a plain classifier's training, and their unit."""
    import torch

    encoder = build(given).train()
    optimiser = torch.optim.Adam(encoder.parameters(), fused=True)
    pictures = torch.randn(batch, 3, *given.size, generator=torch.Generator().manual_seed(0))

    def work() -> int:
        for _ in range(given.steps):
            optimiser.zero_grad(set_to_none=True)
            encoder(pictures).square().mean().backward()
            optimiser.step()
        return given.steps

    return work, "step"


def build(given: argparse.Namespace):
    """Build the encoder with random weights."""
    import timm
    import torch

    torch.manual_seed(0)
    sized = {"img_size": tuple(given.size)} if "vit" in given.architecture else {}
    return timm.create_model(given.architecture, num_classes=0, **sized)


def main() -> None:
    """Measure every case in turns and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="mobilenetv2_100")
    parser.add_argument("--size", type=int, nargs=2, default=(128, 64), help="height and width, pixels")
    parser.add_argument("--images", type=int, default=768)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case is not None:
        print(json.dumps(measure(*CASES[given.case], given)))
        return
    best: dict[int, dict] = {}
    for _ in range(given.repeats):
        for case in range(len(CASES)):
            command = [sys.executable, __file__, *sys.argv[1:], "--case", str(case)]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            best[case] = min(best.get(case, found), found, key=lambda f: f["cpu"])
    print("| what | batch | allocator | CPU ms | of it system | faults | peak, MB | CPU against before |")
    print("|---|--:|---|--:|--:|--:|--:|--:|")
    for case, (what, batch, allocator) in enumerate(CASES):
        f = best[case]
        before = best[next(n for n, other in enumerate(CASES) if other[0] == what)]
        print(
            f"| {what}, a {f['unit']} | {batch} | {allocator} | {f['cpu']:.2f} | {f['system']:.2f} | {f['faults']:.0f} "
            f"| {f['peak']:.0f} | {f['cpu'] / before['cpu']:.2f} |"
        )


if __name__ == "__main__":
    main()
