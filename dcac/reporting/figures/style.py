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
CONTRAST = 4.5  # of text with white at least; source: WCAG 2, level AA
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear red, green and blue; source: WCAG 2
REFERENCE_COLOURS = {"chance": GREY, "histogram": ORANGE, "pretrained": SKY}


def method_colour(name: str, colours: Mapping[str, str | None]) -> str:
    """Return a method's fixed colour; references here, variants in `config/variants.yaml`; those without one share one."""
    return colours.get(name) or REFERENCE_COLOURS.get(name, GREEN)


def legible(colour: str) -> str:
    """Return a colour for words on white: the same hue, as dark as reading asks for."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb(colour)]
    bright = sum(weight * part for weight, part in zip(LUMINANCE, linear, strict=True))
    share = min(1.0, ((1 + 0.05) / CONTRAST - 0.05) / max(bright, 1e-9))
    dark = [
        12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055 for part in (share * p for p in linear)
    ]
    return "#" + "".join(f"{int(255 * part):02X}" for part in dark)


def rgb(colour: str) -> list[float]:
    """Read a colour `#RRGGBB` as red, green and blue, 0 to 1."""
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]


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
