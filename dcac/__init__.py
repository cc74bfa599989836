"""Domain-generalisable person re-identification with a latent diffusion prior: data, model, training, evaluation, tables."""


def __getattr__(name: str) -> str:
    """Look the version up in the installed package, and only when it is asked for."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import metadata

    return metadata.version(__name__)
