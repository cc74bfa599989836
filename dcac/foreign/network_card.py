"""The card of a network that embeds people: how it wants its images, which feature it gives, what it was trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from dcac.closed import Closed, Count, Names, Positive, load_yaml, parse

Level = Annotated[float, Field(ge=0)]
Metric = Literal["cosine", "euclidean"]


class View(Closed):
    """How a network wants its images: stretched to its size, then (value - mean) / std, channel by channel."""

    height: Count  # pixels
    width: Count  # pixels
    resize: Literal["bicubic", "bilinear"]  # interpolation, with antialiasing
    channels: Literal["rgb", "bgr"]  # their order, in the images as in mean and std
    scale: Literal[1, 255]  # the value of a white pixel, in whose units mean and std are given
    mean: tuple[Level, Level, Level]  # of each channel
    std: tuple[Positive, Positive, Positive]  # of each channel

    def shares(self) -> tuple[list[float], list[float]]:
        """Return mean and std as shares of a white pixel, in the order of the channels."""
        return [value / self.scale for value in self.mean], [value / self.scale for value in self.std]


class Feature(Closed):
    """Which of a network's outputs is the feature, and what is done to it."""

    output: str | Annotated[int, Field(ge=0)] | None = None  # by name, or by place from 0; None where there is but one
    pool: Literal["mean", "max", "first"] | None = None  # over places or tokens, where the output is no vector
    head: Literal["keep", "drop"] = "drop"  # of a timm folder: its last linear layer projects (keep) or tells labels
    normalise: bool = False  # divide by the length; then cosine and Euclidean rank alike


class NetworkCard(Closed):
    """Everything that must be known of a network to score it."""

    view: View  # how it wants its images
    feature: Feature = Feature()  # which output is the feature
    metric: Metric | None = None  # None: both are given
    trained_on: Names = ()  # codes of data sets, in the order of their cards; none for a network of no such set
    label: str | None = None  # its name in tables and figures


class PartCard(Closed):
    """The same where the network itself says its view, as a timm folder does."""

    view: View | None = None  # how it wants its images
    feature: Feature | None = None  # which output is the feature
    metric: Metric | None = None  # distance; null: both are given
    trained_on: Names = ()  # codes of data sets
    label: str | None = None  # its name in tables and figures

    def acting(self) -> dict[str, Any]:
        """Return what acts when features are made, as plain JSON values; what the network says itself is in its files."""
        return self.model_dump(mode="json", include={"view", "feature"})

    def over(self, own: NetworkCard | None, what: str) -> NetworkCard:
        """Lay what is given here over what the network says of itself.

        Raises:
            ValueError: neither says how the network wants its images.
        """
        given = {name: getattr(self, name) for name in self.model_fields_set if getattr(self, name) is not None}
        if own is None and self.view is None:
            raise ValueError(
                f"{what} does not say how it wants its images; give a card with `view:` (height, width, resize, channels, "
                "scale, mean, std): beside it as a .yaml file of its name, with --card FILE, or in config/weights.yaml"
            )
        return NetworkCard.model_validate({**({} if own is None else dict(own)), **given})


def read_card(card: PartCard | Mapping[str, Any] | Path | str | None, network: Path) -> PartCard:
    """Read the card of a network, given or lying beside it under its name with .yaml.

    Args:
        card: a card, its content, the path of a YAML file, or None.

    Raises:
        ConfigError: a key is unknown, missing or wrong.
    """
    if card is None:
        beside = network.with_suffix(".yaml") if network.suffix else network / "card.yaml"
        return read_card(beside, network) if beside.is_file() else PartCard()
    if isinstance(card, PartCard):
        return card
    if isinstance(card, Mapping):
        return parse(PartCard, card, f"card of {network}")
    return parse(PartCard, load_yaml(Path(card)), str(card))
