"""Losses, prototype memory, training loop and its checkpoints."""
