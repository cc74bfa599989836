"""The environment that a result was made in."""

import platform
from importlib import metadata

PACKAGE = "dcac"


def environment() -> dict[str, str]:
    """Name the interpreter, the platform and the versions that decide numbers."""
    versions = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        PACKAGE: metadata.version(PACKAGE),
    }
    for package in ("torch", "timm", "diffusers", "peft", "numpy", "pillow", "onnxruntime"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "absent"
    return versions
