"""One real training step at the paper's size, with random weights: CLIP ViT-B/16 and Stable Diffusion v1.5's U-Net."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks/training.py"


@pytest.mark.slow
@pytest.mark.parametrize(("diffusion", "trained"), [("none", 85_935_616), ("lora", 89_005_312 - 397_824)])
def test_a_step_at_the_papers_size_trains_what_the_paper_trains(diffusion, trained):
    command = [sys.executable, SCRIPT, "--batch", "4", "--steps", "1", "--worker", diffusion]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(result.stdout.splitlines()[-1])
    print(f"{diffusion}: {found['seconds']:.1f} s a step of 4 images, peak {found['peak_bytes'] / 2**30:.1f} GiB")
    assert (
        found["trained"] == trained
    )  # method.md section 9; without the 397,824 dead values of attn2's q and k at r = 8
    assert found["finite"] and found["reached"]
