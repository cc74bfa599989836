"""What is declared once and asked for everywhere: terms of the loss, conditioning schemes, kinds of figures.

Settings and suites stand below what they ask for here, so a declaration is imported when somebody asks. None of them imports
torch: planning does without. The statement of a step's code ends here: asking for names computes nothing.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import AfterValidator, Field, create_model

from dcac.closed import Closed, nearest

if TYPE_CHECKING:
    from dcac.reporting.figures.kind import FigureKind

Model = TypeVar("Model", bound=Closed)


def completed(base: type[Model]) -> type[Model]:
    """Add the keys that declared parts bring along to the model of a run's settings."""
    from dcac.model import schemes
    from dcac.training import losses

    added = (part.settings for part in (*losses.TERMS, *schemes.SCHEMES))
    return _joined(base, tuple(model for model in added if model is not None))


@cache
def _joined(base: type[Model], added: tuple[type[Closed], ...]) -> type[Model]:
    return create_model(base.__name__, __base__=(base, *added)) if added else base


def conditions() -> list[str]:
    """Name every conditioning scheme."""
    from dcac.model import schemes

    return [scheme.name for scheme in schemes.SCHEMES]


def is_correlation(condition: str) -> bool:
    """Tell whether a scheme is a class correlation p of the model's own."""
    from dcac.model import schemes

    return any(scheme.is_correlation for scheme in schemes.SCHEMES if scheme.name == condition)


def correlations() -> str:
    """List the schemes that are a class correlation, for people."""
    *most, last = filter(is_correlation, conditions())
    return f"{', '.join(most)} or {last}" if most else last


def require(name: str, known: Sequence[str], what: str) -> str:
    """Refuse a name that nothing declared has.

    Raises:
        ValueError: with its nearest and all declared names.
    """
    if name not in known:
        raise ValueError(f"no {what} has this name{nearest(name, known)}; there are: {', '.join(known)}")
    return name


def _condition(name: str) -> str:
    return require(name, conditions(), "conditioning scheme")


Condition = Annotated[
    str, AfterValidator(_condition), Field(json_schema_extra=lambda schema: schema.update(enum=conditions()))
]


def figure_kind(name: str) -> "FigureKind":
    """Return the kind of figure of a name.

    Raises:
        ValueError: no kind has this name.
    """
    from dcac.reporting import figures

    require(name, figure_kinds(), "kind of figure")
    return next(kind for kind in figures.KINDS if kind.name == name)


def figure_kinds() -> list[str]:
    """Name every kind of figure."""
    from dcac.reporting import figures

    return [kind.name for kind in figures.KINDS]


def _figure_kind(name: str) -> str:
    return require(name, figure_kinds(), "kind of figure")


FigureKindName = Annotated[
    str, AfterValidator(_figure_kind), Field(json_schema_extra=lambda schema: schema.update(enum=figure_kinds()))
]


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
