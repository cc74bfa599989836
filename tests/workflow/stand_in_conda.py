#!/usr/bin/env python3
"""A stand-in for `conda`: it really makes the environments of a file's pip pins, with uv and the running Python.

It answers what Snakemake asks of conda and nothing else. PyTorch and what comes with it is not installed a second time: an
environment with torch among its pins sees the packages of the interpreter that runs the tests (STAND_IN_PACKAGES). Others
hold their own pins alone.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

PREFIX = Path(__file__).resolve().parents[1]  # has bin/conda, which is this file, and bin/activate


def main(words: list[str]) -> None:
    """Answer one command."""
    if words == ["--version"]:
        print("conda 24.11.0")
    elif words[0] == "info":
        print(json.dumps({"conda_prefix": str(PREFIX), "platform": "linux-64"}))
    elif words[0] == "config":
        print(json.dumps({"get": {"channel_priority": "strict"}}))
    elif words[0] == "clean":
        pass
    elif words[:2] == ["env", "create"]:
        create(Path(words[words.index("--file") + 1]), Path(words[words.index("--prefix") + 1]))
    else:
        sys.exit(f"the stand-in for conda does not know: {' '.join(words)}")


def create(file: Path, environment: Path) -> None:
    """Make an environment."""
    asked = yaml.safe_load(file.read_text(encoding="utf-8"))["dependencies"]
    pins = next(entry["pip"] for entry in asked if isinstance(entry, dict))
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, environment], check=True)
    if any(pin.startswith("torch==") for pin in pins):
        (site,) = environment.glob("lib/python*/site-packages")
        (site / "outer.pth").write_text(os.environ["STAND_IN_PACKAGES"], encoding="utf-8")
        return
    command = ["uv", "pip", "install", "--quiet", "--python", environment / "bin/python", "--requirements", "-"]
    subprocess.run(command, input="\n".join(pins), text=True, check=True)


main(sys.argv[1:])
