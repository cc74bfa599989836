"""Lock the environments: `python envs/lock.py` writes envs/*.yaml, every version exact.

The versions are those of the environment that it runs in, which is to be one that has passed the tests: `pip install -e
'.[test]' && pytest` first. What is locked holds for that environment's Python and newer ones, on
Linux and macOS. The package itself is in none of them: rules run the code of the checkout that they were started from.
"""

import re
import subprocess
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path
from platform import python_version

ENVS = Path(__file__).parent
PYTHON = "3.12"  # of the environments that conda makes
LIGHT = (  # data, scores, tables and figures
    *("numpy", "pandas", "pyarrow", "pillow", "scipy", "scikit-learn", "h5py", "safetensors"),
    *("pydantic", "pyyaml", "typer", "tabulate", "jinja2", "matplotlib", "tqdm"),
)
TORCH = (  # networks, latents, training, features
    *LIGHT,
    *(
        "torch",
        "torchvision",
        "timm",
        "diffusers",
        "peft",
        "transformers",
        "accelerate",
        "huggingface_hub",
        "onnxruntime",
    ),
)
ABOUT = {
    "light": (LIGHT, "Data, scores, tables and figures: no PyTorch."),
    "torch": (TORCH, "Networks, latents, training and features, on a GPU or a CPU."),
    "whole": (
        None,
        "All that `pip install .` installs, Snakemake and DVC with it: for containers, and for an exact copy.",
    ),
}


def main() -> None:
    """Resolve and write every environment."""
    project = tomllib.loads((ENVS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (pin for pins in project["optional-dependencies"].values() for pin in pins)
    known = {name_of(pin): pin for pin in (*extras, *project["dependencies"])}
    for name, (packages, about) in ABOUT.items():
        asked = project["dependencies"] if packages is None else [known[package] for package in packages]
        (ENVS / f"{name}.yaml").write_text(environment(name, about, resolved(asked)), encoding="utf-8")


def name_of(pin: str) -> str:
    """Return the package that a requirement names."""
    return re.split(r"[^\w-]", pin, maxsplit=1)[0]


def resolved(asked: list[str]) -> list[str]:
    """Resolve requirements to the versions that are installed here, with markers where a system needs more than this one."""
    command = ["uv", "pip", "compile", "--universal", "--python-version", python_version()]
    command += ["--no-annotate", "--no-header", "--quiet"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as installed:
        installed.writelines(f"{found.name}=={found.version}\n" for found in metadata.distributions())
        installed.flush()
        command += ["--constraint", installed.name, "-"]
        found = subprocess.run(command, input="\n".join(asked), check=True, text=True, stdout=subprocess.PIPE)
    return [line for line in found.stdout.splitlines() if "sys_platform == 'win32'" not in line]


def environment(name: str, about: str, pins: list[str]) -> str:
    """Write the file that conda reads."""
    lines = [
        f"# {about}",
        "# Made by `python envs/lock.py` from the pins of pyproject.toml; do not edit.",
        f"name: dcac-{name}",
        "channels:",
        "  - conda-forge",
        "  - nodefaults",
        "dependencies:",
        f"  - python={PYTHON}",
        "  - pip",
        "  - pip:",
        *(f'      - "{pin}"' for pin in pins),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
