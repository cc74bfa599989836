"""What all figures share: colours that colour-blind readers can tell apart, and labels that do not overlap."""

from collections.abc import Mapping, Sequence

BLUE, VERMILION, ORANGE, SKY, GREEN, GREY = (
    "#0072B2",
    "#D55E00",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#999999",
)  # Okabe, Ito
REFERENCE_COLOURS = {"chance": GREY, "histogram": ORANGE, "pretrained": SKY}


def method_colour(name: str, colours: Mapping[str, str | None]) -> str:
    """Return a method's fixed colour; references here, variants in `config/variants.yaml`; those without one share one."""
    return colours.get(name) or REFERENCE_COLOURS.get(name, GREEN)


def spread_labels(heights: Sequence[float], *, gap: float) -> list[float]:
    """Move labels up until neighbours are `gap` apart; heights are sorted, in the units of the axis."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    return placed
