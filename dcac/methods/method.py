"""What a method declares of itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dcac.closed import Closed
from dcac.losses.term import LossTerm

if TYPE_CHECKING:  # planning reads the declarations and does without torch
    from dcac.methods.trained import TrainedModel
    from dcac.model.encoder import ReIDModel
    from dcac.settings import Settings

Need = str  # "latents", or what a method calls a network that it needs beside the encoder, such as "prior"


class Build(Protocol):
    """Builds the model that a method trains, around the Re-ID model, which every method has."""

    def __call__(
        self,
        reid: "ReIDModel",
        settings: "Settings",
        *,
        identities: int,
        width: int,
        networks: Mapping[str, Path],
        seed: int,
    ) -> "TrainedModel":
        """Build it for N identities and features of D values; `networks` are the folders that `needs` asks for, by name."""
        ...


@dataclass(frozen=True)
class Method:
    """A way to train the Re-ID model, with all that the rest of the program asks of it."""

    name: str  # value of `method`
    covers: "Callable[[Settings], bool]"  # whether a run of these settings is one of this method
    build: Build
    facts: "Callable[[Settings], str]"  # a line of the model card
    needs: Mapping[Need, str] = field(
        default_factory=dict
    )  # input beside data and encoder -> setting that names its network, a key of config/weights.yaml
    terms: tuple[LossTerm, ...] = ()  # of the joint loss, beside those that every method has
    reports: Mapping[str, str] = field(
        default_factory=dict
    )  # diagnostics beside the gradients -> their heading in tables
    conditioned: bool = False  # it has a conditioning scheme
    ignores: frozenset[str] = frozenset()  # settings that do not act in it
    settings: type[Closed] | None = None  # keys of its own that `Settings` does not have
