"""The environment that a result was made in."""

import platform
import tomllib
from importlib import metadata
from pathlib import Path

PACKAGE = "dcac"


def version() -> str:
    """Read the version of the code that runs: of the checkout it lies in, or else of the package as it is installed."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    if project.is_file():
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    return metadata.version(PACKAGE)


def environment() -> dict[str, str]:
    """Name the interpreter, the platform and the versions that decide numbers."""
    versions = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        PACKAGE: version(),
    }
    for package in ("torch", "timm", "diffusers", "peft", "numpy", "pillow", "onnxruntime"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "absent"
    return versions
