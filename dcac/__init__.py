"""Domain-generalisable person re-identification with a latent diffusion prior: data, model, training, evaluation, tables."""

from importlib import metadata

__version__ = metadata.version("dcac")
