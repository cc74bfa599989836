"""A look into a trained run: what it was made of, its denoised samples, and whom it takes for whom."""
