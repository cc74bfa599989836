"""The method: encoder, conditioning, diffusion prior and their joint forward pass."""
