"""Random streams that depend on names, never on the order of calls."""

import hashlib

import numpy as np


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator that belongs to a seed and a path of names.

    Args:
        seed: The seed of the run.
        names: What is drawn, for example `"campus", "person", 7`.
    """
    digest = hashlib.sha256("/".join(str(name) for name in (seed, *names)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def choose(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """Draw one key with probability in proportion to its weight."""
    position = rng.random() * sum(weights.values())
    for name, weight in weights.items():
        position -= weight
        if position < 0:
            return name
    return name


def within(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Draw a number evenly between two bounds."""
    low, high = bounds
    return low + (high - low) * float(rng.random())
