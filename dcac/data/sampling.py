"""The P x K identity sampler of the published recipe, with an explicit generator."""

import numpy as np


def identity_batches(labels: np.ndarray, *, identities: int, images: int, generator: np.random.Generator) -> np.ndarray:
    """Draw the batches of one epoch.

    Each identity's images are shuffled and cut into groups of K; an identity with fewer than K images draws K with
    replacement; a left-over group is dropped. Each batch takes one group from each of P identities drawn without
    replacement; the epoch ends when fewer than P identities have groups left.

    Args:
        labels: int64 [M], dense labels.
        identities: P.
        images: K.
        generator: source of all draws.

    Returns:
        int64 [batches, P * K], indices into `labels`; each identity's K images stand together.

    Raises:
        ValueError: fewer than P identities.

    Source:
        Sampler of the authors' released code, see method.md section 6.
    """
    groups = {int(label): _groups(np.flatnonzero(labels == label), images, generator) for label in np.unique(labels)}
    if len(groups) < identities:
        raise ValueError(
            f"identities_per_batch is {identities} but the sources have {len(groups)} identities; lower it"
        )
    available = sorted(groups)
    batches = []
    while len(available) >= identities:
        chosen = generator.choice(len(available), size=identities, replace=False)
        batch = [groups[available[i]].pop() for i in chosen]
        batches.append(np.concatenate(batch))
        available = [label for label in available if groups[label]]
    return np.stack(batches)


def other_people(identities: int, images: int, generator: np.random.Generator) -> np.ndarray:
    """Draw for each image of a batch an image of another person, so that every image is drawn once.

    Args:
        identities: P, at least 2.
        images: K; the K images of an identity stand together.
        generator: source of all draws.

    Returns:
        int64 [P * K], places in the batch.

    Source:
        Ours. People are arranged in one random cycle, and each is given the images of the next in random order.
    """
    cycle = generator.permutation(identities)
    following = np.empty_like(cycle)
    following[cycle] = np.roll(cycle, -1)
    within = generator.permuted(np.tile(np.arange(images), (identities, 1)), axis=1)
    return (following[:, None] * images + within).ravel()


def _groups(indices: np.ndarray, size: int, generator: np.random.Generator) -> list[np.ndarray]:
    if len(indices) < size:
        return [generator.choice(indices, size=size, replace=True)]
    shuffled = generator.permutation(indices)
    usable = len(shuffled) - len(shuffled) % size
    return list(shuffled[:usable].reshape(-1, size))
