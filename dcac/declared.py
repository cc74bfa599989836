"""What is declared once and asked for everywhere: the terms of the loss.

Settings and suites stand below what they ask for here, so a declaration is imported when somebody asks. None of them imports
torch: planning does without. The statement of a step's code ends here: asking for names computes nothing.
"""

from functools import cache
from typing import TypeVar

from pydantic import create_model

from dcac.closed import Closed

Model = TypeVar("Model", bound=Closed)


def completed(base: type[Model]) -> type[Model]:
    """Add the keys that declared parts bring along to the model of a run's settings."""
    from dcac.training import losses

    added = (term.settings for term in losses.TERMS)
    return _joined(base, tuple(model for model in added if model is not None))


@cache
def _joined(base: type[Model], added: tuple[type[Closed], ...]) -> type[Model]:
    return create_model(base.__name__, __base__=(base, *added)) if added else base


def term_labels() -> dict[str, str]:
    """Name every term of the loss as figures do."""
    from dcac.training import losses

    return {term.name: term.label for term in losses.TERMS}


def diagnostics() -> dict[str, str]:
    """Name everything that training reports of an epoch's last batch, with its heading in tables."""
    from dcac.training import losses

    gradients = {f"gradient_{term.name}": term.heading for term in losses.TERMS}
    return {
        **gradients,
        "cosine_noise": "cos(noise, others)",
        "p_max": "mean max p",
        "p_entropy": "entropy of p (nats)",
        "noise_own": "noise loss, own",
        "noise_null": "null",
        "noise_other": "other",
    }
