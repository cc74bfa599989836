"""The card of a pre-trained network: what it is, where it comes from and on which terms."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, model_validator

from dcac.closed import Closed, Names, load_yaml, parse, require_mappings, require_names
from dcac.foreign.network_card import PartCard
from dcac.provenance.seen import content_hash

NETWORK_FILES = (".onnx", ".pt2")  # an ONNX file; a program of torch.export
CONTENT = "content"  # of what acts: sha256 of the file or folder that `path` names


class Weights(Closed):
    """One card of `config/weights.yaml`: where a pre-trained network comes from."""

    kind: Literal["encoder", "diffusion", "network"]  # `network`: one that is tested as it is, .onnx or .pt2
    source: Literal["demo", "hub", "folder", "file"]  # made by the workflow, from a hub, or from this machine
    repo: str | None = None  # owner/name on the hub
    revision: str | None = None  # the commit, pinned
    files: Names = ()  # those of the hub that are needed
    rename: dict[str, str] = {}  # files of a hub that take another's place, such as a U-Net before averaging
    path: Annotated[str, AfterValidator(os.path.expanduser)] | None = None  # of the folder or file
    architecture: Literal["sd-1", "sd-2-base"] | None = None  # of a single file
    ema: bool | None = None  # of a single file: its moving average, or the weights as trained
    sha256: dict[str, str] = {}  # file: checksum, asserted
    pretraining: dict[str, Any] | None = None  # how the workflow makes it
    network: PartCard = PartCard()  # of an encoder or network that stands among the references of a suite
    terms: str  # on which it may be used

    def place(self) -> Path:
        """Return the folder or file on this machine.

        Raises:
            ValueError: the card names none: its source is a hub, or the demo.
        """
        if self.path is None:
            raise ValueError(
                f"weights of source '{self.source}' have no path; give one, with `source: folder` or `file`"
            )
        return Path(self.path)

    def made_from(self) -> dict[str, Any]:
        """Return what acts when the network is brought here, as plain JSON values: no terms, not how it is used.

        The content of a `path` acts where it is at hand.
        """
        facts = self.model_dump(mode="json", exclude={"terms", "network"})
        path = Path(self.path) if self.path else None
        if path is not None and path.is_dir():
            return facts | {CONTENT: [content_hash(path)]}
        if path is not None and path.is_file():
            return facts | {CONTENT: [content_hash(file) for file in (path, *external_data(path))]}
        return facts

    @model_validator(mode="after")
    def _complete(self) -> "Weights":
        if self.source == "hub" and not (self.repo and self.revision):
            raise ValueError("weights from a hub need both 'repo' and a pinned 'revision'")
        if self.kind == "network" and self.source not in ("hub", "file"):
            raise ValueError(f"a network is a file: `source: file` and `path`, or `source: hub`, not '{self.source}'")
        if self.source in ("folder", "file") and not self.path:
            raise ValueError(f"weights from a {self.source} need 'path'")
        self._check_single_file()
        if self.kind == "diffusion" and self.network.model_fields_set:
            raise ValueError("'network' says how a network embeds images, which a diffusion model does not; remove it")
        if (self.source == "demo") != (self.pretraining is not None):
            raise ValueError("'pretraining' belongs to the demo's own weights, and they need it")
        return self

    def _check_single_file(self) -> None:
        given = [name for name in ("architecture", "ema") if getattr(self, name) is not None]
        if self.source != "file":
            if given:
                raise ValueError(f"'{given[0]}' belongs to `source: file` only; remove it, or correct 'source'")
            return
        if self.kind == "network":
            self._check_network_file(given)
            return
        if self.kind != "diffusion":
            raise ValueError(f"`source: file` reads Stable Diffusion only; give this {self.kind} as `source: folder`")
        if len(given) < 2:
            raise ValueError(
                "weights from a single file need 'architecture' (sd-1 or sd-2-base) and 'ema' (true or false)"
            )

    def _check_network_file(self, given: list[str]) -> None:
        if given:
            raise ValueError(f"'{given[0]}' belongs to a file of Stable Diffusion; remove it")
        if Path(self.path or "").suffix not in NETWORK_FILES:
            raise ValueError(f"path '{self.path}' of a network ends in none of {', '.join(NETWORK_FILES)}; correct it")


def load_weights(path: Path) -> dict[str, Weights]:
    """Read `config/weights.yaml`: the cards of pre-trained networks."""
    cards = load_yaml(path)
    require_names(cards, f"{path}: weights")
    require_mappings(cards, f"{path}: weights")
    return {name: parse(Weights, card, f"{path}: {name}") for name, card in cards.items()}


def external_data(path: Path) -> list[Path]:
    """List the files beside an ONNX file that hold its larger tensors, under the names that exporters give them."""
    beside = {path.with_name(f"{path.name}.data"), path.with_name(f"{path.name}_data"), path.with_suffix(".data")}
    return sorted(file for file in beside if file.is_file())
