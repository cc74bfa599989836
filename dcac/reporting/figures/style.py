"""What all figures share: colours that colour-blind readers can tell apart, and labels that do not overlap."""

from collections.abc import Mapping, Sequence
from math import inf

BLUE, VERMILION, ORANGE, SKY, GREEN, GREY = (
    "#0072B2",
    "#D55E00",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#999999",
)  # Okabe, Ito
DPI = 150  # of the PNG files
REFERENCE_COLOURS = {"chance": GREY, "histogram": ORANGE, "pretrained": SKY}


def method_colour(name: str, colours: Mapping[str, str | None]) -> str:
    """Return a method's fixed colour; references here, variants in `config/variants.yaml`; those without one share one."""
    return colours.get(name) or REFERENCE_COLOURS.get(name, GREEN)


def spread_labels(heights: Sequence[float], *, gap: float, top: float = inf) -> list[float]:
    """Move labels apart until neighbours are `gap` apart: up where there is room below `top`, else down.

    Args:
        heights: sorted, in the units of the axis.
        top: no label is placed higher.
    """
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    limit = top
    for place in reversed(range(len(placed))):
        placed[place] = min(placed[place], limit)
        limit = placed[place] - gap
    return placed
