"""What the methods are built from: encoder, conditioning and its schemes, diffusion prior, latents."""
