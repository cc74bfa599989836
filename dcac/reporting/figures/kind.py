"""What a kind of figure declares of itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.figure import Figure

    from dcac.settings import Settings


@dataclass(frozen=True)
class Behind:
    """What stands behind a figure: its table, the runs of that table, and the runs that the figure names."""

    suite: str
    table: str
    runs: Sequence[tuple[str, str, int]]  # variant, sources and seed of every training that the table compares
    named: Sequence[str]  # variants, and references where the kind shows them
    target: str  # the first of the table's first sources
    settings: "Callable[[str, str], Settings]"  # of a variant on sources
    references: Mapping[str, str] = field(default_factory=dict)  # of the suite -> what each has learnt from

    def of_named(self, room: str, file: str = "seed{seed}.npz") -> list[str]:
        """Return the paths of a room of the suite's results, one a named variant, on the table's first sources and seed.

        A reference has sources of its own, and the seed 0.
        """
        _, sources, seed = self.runs[0] if self.runs else ("", "", 0)
        places = {
            name: (self.references.get(name, sources), 0 if name in self.references else seed) for name in self.named
        }
        return [f"results/{self.suite}/{room}/{v}/{own}/{file.format(seed=n)}" for v, (own, n) in places.items()]


@dataclass(frozen=True)
class Drawing:
    """What a figure is drawn from and how things are called in it."""

    inputs: Sequence[Path]  # as the kind asked for them
    title: str
    methods: Sequence[str]  # references and variants of the table, in its order
    named: Sequence[str]  # variants that the figure names
    labels: Mapping[str, str]  # of all methods
    colours: Mapping[str, str | None]  # of the variants
    partners: Mapping[str, str]  # of the variants: what each is compared with
    queries: Sequence[str | float] = ()  # that the figure names
    faces: str = "blurred"  # of real people, or `shown`

    @property
    def title_with_method(self) -> str:
        """The title of a figure of one run, which names its method."""
        return f"{self.title}, {self.labels[self.named[0]]}"


def any_run(settings: "Settings") -> str:
    """Find no fault: every run can be drawn."""
    return ""


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure, with all that the rest of the program asks of it."""

    name: str  # value of `kind` in a suite
    runs: Literal["all", "one", "some"]  # whose: all variants of the table, one that the figure names, or some
    inputs: Callable[[Behind], list[str]]  # the files it is drawn from
    draw: "Callable[[Drawing], Figure]"
    seen: str  # a sentence: what there is to see, also for those who cannot see it
    shows_queries: bool = False  # whether `queries` may name some
    shows_references: bool = False  # whether a reference of the suite may be named like a variant
    shows_people: bool = False  # pictures of a target, so that `faces` may be said
    shows_sources: bool = False  # pictures that a run learnt from, as they are
    fault: "Callable[[Settings], str]" = (
        any_run  # why a run that the figure names cannot be drawn, and what to do; or ""
    )

    def misnamed(self, variants: Sequence[str]) -> str:
        """Say what is wrong with the variants that a figure names, and what to do; or nothing."""
        if self.runs == "one" and len(variants) != 1:
            return f"a figure of kind '{self.name}' draws one run; name it under `variants`"
        if self.runs == "some" and not variants:
            return f"a figure of kind '{self.name}' needs the runs to compare; name them under `variants`"
        if self.runs == "all" and variants:
            return f"a figure of kind '{self.name}' draws all variants of its table; remove 'variants'"
        return ""
