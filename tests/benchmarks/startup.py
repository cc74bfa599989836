"""What it costs to start a step: CPU seconds and modules until its module is imported, as the command line does.

    python tests/benchmarks/startup.py [--steps train extract] [--repeats 3]

The fastest of the repeats, each in a process of its own. The third column counts what the step loads only where it needs
it: timm with an encoder, diffusers and peft with a prior. `python -X importtime -m dcac.cli STEP ...` says where it goes.
"""

import argparse
import json
import subprocess
import sys

from dcac.provenance.code import steps

NOTHING = "pass"
LATER = {
    "an encoder (timm)": "import timm",
    "a prior (diffusers)": "from diffusers import UNet2DConditionModel",
    "an encoder and a prior": "import timm; from diffusers import UNet2DConditionModel",
}
PROBE = "import time, sys; {code}; print([time.process_time(), len(sys.modules)])"


def cost(code: str, repeats: int) -> tuple[float, int]:
    """Return the CPU seconds and modules of a fresh interpreter that runs some code."""
    found = []
    for _ in range(repeats):
        command = [sys.executable, "-c", PROBE.format(code=code)]
        result = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        found.append(json.loads(result.stdout.splitlines()[-1]))
    return min(found)


def main() -> None:
    """Measure all steps and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = steps()
    parser.add_argument("--steps", nargs="+", default=sorted(known), choices=sorted(known))
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    print("| what is imported | CPU s | modules |\n|---|--:|--:|")
    rows = {"nothing": NOTHING, **{step: f"import dcac.cli, {known[step]}" for step in given.steps}, **LATER}
    for name, code in rows.items():
        seconds, modules = cost(code, given.repeats)
        print(f"| {name} | {seconds:.2f} | {modules} |", flush=True)


if __name__ == "__main__":
    main()
