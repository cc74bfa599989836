"""What a run is made of: the data it learns from, and the pre-trained networks it starts from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dcac import declared
from dcac.data.store import store_input, verified
from dcac.model.latents import latents_input, verify_latents
from dcac.provenance.networks import network_input, verify_network
from dcac.provenance.record import Input
from dcac.settings import Settings


@dataclass(frozen=True)
class Inputs:
    """Files and folders that go into a run."""

    stores: Sequence[Path]  # normalised files of the sources, in the order of their codes
    encoder: Path  # folder of the pre-trained encoder
    latents: Sequence[Path] = ()  # cached moments of the sources, in the same order, where the method needs them
    prior: Path | None = None  # folder of the latent diffusion model, where the method needs one
    others: Mapping[str, Path] = field(default_factory=dict)  # of further networks that the method needs, by its names

    def networks(self, settings: Settings) -> dict[str, Path]:
        """Name the folders of the networks that act in a run of these settings."""
        given = {**self.others, **({} if self.prior is None else {"prior": self.prior})}
        return {"encoder": self.encoder, **{name: given[name] for name in declared.networks(settings) if name in given}}

    def described(self, settings: Settings) -> dict[str, Input]:
        """Describe everything that goes into a run of these settings, as its record keeps it."""
        latents = zip(self.stores, self.latents, strict=False)
        return {
            **{f"data {path.stem}": store_input(path) for path in self.stores},
            **{f"latents {store.stem}": latents_input(path) for store, path in latents},
            **{name: network_input(folder) for name, folder in self.networks(settings).items()},
        }

    def verify(self) -> None:
        """Refuse data, networks and latents whose files are not those that their manifests and sidecars speak of.

        Raises:
            ValueError: a file is missing, was changed, or was added; the message names it.
        """
        for network in (self.encoder, self.prior, *self.others.values()):
            if network is not None:
                verify_network(network)
        for path in self.stores:
            verified(path)
        for path in self.latents:
            verify_latents(path)
