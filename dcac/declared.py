"""What is declared once and asked for everywhere: methods, terms of the loss, conditioning schemes, kinds of figures.

Settings and suites stand below what they ask for here, so a declaration is imported when somebody asks. None of them imports
torch: planning does without. The statement of a step's code ends here: asking for names computes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, Field, create_model

from dcac.closed import Closed, nearest

if TYPE_CHECKING:
    from dcac.losses.term import LossTerm
    from dcac.methods.method import Method, Need
    from dcac.model.schemes.scheme import Scheme
    from dcac.reporting.figures.kind import FigureKind
    from dcac.settings import Settings

    Part = LossTerm | Method | Scheme  # what may bring keys of its own

LATENTS = "latents"  # what a method may need that is no network: it is made of the data, by the network named
Model = TypeVar("Model", bound=Closed)


def completed(base: type[Model]) -> type[Model]:
    """Add the keys that declared parts bring along to the model of a run's settings."""
    from dcac import methods
    from dcac.model import schemes

    parts: tuple[Part, ...] = (*terms(), *schemes.SCHEMES, *methods.METHODS)
    return _joined(base, tuple(part.settings for part in parts if part.settings is not None))


@cache
def _joined(base: type[Model], added: tuple[type[Closed], ...]) -> type[Model]:
    return cast(type[Model], create_model(base.__name__, __base__=(base, *added))) if added else base


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


def _listed(names: Callable[[], list[str]]) -> Callable[[dict[str, Any]], None]:
    """Tell the schema for editors which names there are."""

    def add(schema: dict[str, Any]) -> None:
        schema["enum"] = names()

    return add


def _condition(name: str) -> str:
    return require(name, conditions(), "conditioning scheme")


Condition = Annotated[str, AfterValidator(_condition), Field(json_schema_extra=_listed(conditions))]


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


FigureKindName = Annotated[str, AfterValidator(_figure_kind), Field(json_schema_extra=_listed(figure_kinds))]


def method(settings: "Settings") -> "Method":
    """Return the method of a run."""
    from dcac import methods

    return methods.method_of(settings)


def needed(settings: "Settings", what: "Need") -> str | None:
    """Name the network that a run needs as its prior, or whose autoencoder makes its latents; None where it needs none."""
    key = method(settings).needs.get(what)
    return None if key is None else getattr(settings, key)


def networks(settings: "Settings") -> dict[str, str]:
    """Name the networks beside the encoder that a run is built with: what its method calls each -> its card."""
    return {name: getattr(settings, key) for name, key in method(settings).needs.items() if name != LATENTS}


def can_sample(settings: "Settings") -> bool:
    """Tell whether a run has a prior and a condition to sample with, as DCAC has."""
    return method(settings).conditioned and needed(settings, "prior") is not None


def ignored(settings: "Settings") -> frozenset[str]:
    """Name the settings that do not act in a run: what its method ignores, and what another method or scheme brings along."""
    from dcac import losses, methods
    from dcac.model import schemes

    own = method(settings)
    acting: list[Part] = [own, *own.terms, *losses.TERMS]
    acting += [scheme for scheme in schemes.SCHEMES if own.conditioned and scheme.name == settings.condition]
    return own.ignores | (_brought((*terms(), *schemes.SCHEMES, *methods.METHODS)) - _brought(acting))


def _brought(parts: "Iterable[Part]") -> frozenset[str]:
    return frozenset(key for part in parts if part.settings is not None for key in part.settings.model_fields)


def method_names() -> list[str]:
    """Name every method."""
    from dcac import methods

    return [known.name for known in methods.METHODS]


def _method(name: str) -> str:
    return require(name, method_names(), "method")


MethodName = Annotated[str, AfterValidator(_method), Field(json_schema_extra=_listed(method_names))]


def terms() -> list["LossTerm"]:
    """Return every term of the loss, those that every method has first."""
    from dcac import losses, methods

    return [*losses.TERMS, *(term for method in methods.METHODS for term in method.terms)]


def term_labels() -> dict[str, str]:
    """Name every term of the loss as figures do."""
    return {term.name: term.label for term in terms()}


def diagnostics() -> dict[str, str]:
    """Name everything that training reports of an epoch's last batch, with its heading in tables."""
    from dcac import methods

    found = {f"gradient_{term.name}": term.heading for term in terms()}
    for known in methods.METHODS:
        found |= {f"cosine_{term.name}": f"cos({term.label}, others)" for term in known.terms}
        found |= known.reports
    return found
