"""The learning-rate factor of an epoch: linear warm-up, then steps."""

from dcac.settings import Settings


def factor(epoch: int, settings: Settings) -> float:
    """Return what multiplies the learning rate in an epoch.

    Args:
        epoch: 1..epochs.

    Source:
        method.md section 6: 0.1 + 0.9 e / 10 for e < 10, then x 0.1 from epochs 30 and 50 on.
    """
    warm = 1.0
    if epoch < settings.warmup_epochs:
        warm = settings.warmup_factor + (1 - settings.warmup_factor) * epoch / settings.warmup_epochs
    return warm * settings.decay_factor ** sum(epoch >= start for start in settings.decay_epochs)
