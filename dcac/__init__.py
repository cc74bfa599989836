"""Domain-generalisable person re-identification with a latent diffusion prior: data, model, training, evaluation, tables."""

__version__ = "0.1.0"
