"""Domain-generalisable person re-identification with a latent diffusion prior: data, model, training, evaluation, tables."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcac.networks.load import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    """Find `load` and the version when they are asked for: to import the package brings no PyTorch."""
    if name == "load":
        from dcac.networks.load import load

        return load
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dcac.provenance.machine import version

    return version()
