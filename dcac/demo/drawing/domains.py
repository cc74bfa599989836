"""The demo domains as plain data: who walks there, and how their cameras see."""

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Palette:
    """What the people of a place wear; weights need not sum to one.

    Args:
        neutral: Share of garments in black, grey, white, beige or navy, 0..1.
        hues: Hues of the other garments as (low, high) turns of the colour circle.
        saturation: Range of their saturation, 0..1.
        value: Range of their brightness, 0..1.
        dark: Share of the neutral garments that are dark, 0..1.
        patterned: Share of tops that are not plain, 0..1.
        tops, bottoms, bags, hair: Weight of each kind.
    """

    neutral: float
    hues: tuple[Range, ...]
    saturation: Range
    value: Range
    dark: float
    patterned: float
    tops: dict[str, float]
    bottoms: dict[str, float]
    bags: dict[str, float]
    hair: dict[str, float]


@dataclass(frozen=True)
class CameraRanges:
    """Bounds from which each camera of a place draws its constants once.

    Args:
        walls, grounds: Weight of each kind of background.
        pitch: Downward tilt in radians.
        edge: Height of the line between wall and ground, share of the picture from the top.
        ambient, sun: Light from everywhere and from one side, share of full white.
        saturation, contrast, gamma, gain: Tone factors; 1 leaves the picture as it is.
        cast: Standard deviation of the gain of each colour channel.
        resolution: Share of the pixels that the sensor resolves along each axis.
        blur: Standard deviation of the lens blur in pixels.
        noise: Standard deviation of the sensor noise, share of full white.
        quality: JPEG quality, 1..95.
        jitter: Largest shift of the crop in pixels.
        occluded, crowded: Share of pictures with something before, or somebody behind, the person.
    """

    walls: dict[str, float]
    grounds: dict[str, float]
    pitch: Range
    edge: Range
    ambient: Range
    sun: Range
    saturation: Range
    contrast: Range
    gamma: Range
    gain: Range
    cast: float
    resolution: Range
    blur: Range
    noise: Range
    quality: Range
    jitter: float
    occluded: float
    crowded: float


@dataclass(frozen=True)
class Domain:
    """A place; each of its people and cameras draws from one of the palettes and ranges."""

    palettes: tuple[Palette, ...]
    cameras: tuple[CameraRanges, ...]


CAMPUS = Domain(
    palettes=(
        Palette(
            neutral=0.48,
            hues=((0.0, 1.0),),
            saturation=(0.30, 0.80),
            value=(0.45, 0.88),
            dark=0.35,
            patterned=0.45,
            tops={"tshirt": 5, "shirt": 2, "hoodie": 1, "jacket": 1, "open_jacket": 1.5, "coat": 0.2},
            bottoms={"slim": 3, "wide": 2, "shorts": 3, "skirt": 2},
            bags={"none": 3, "backpack": 4, "shoulder": 2, "handbag": 1},
            hair={"short": 5, "long": 3, "tail": 2, "bald": 0.5, "hat": 1.5},
        ),
    ),
    cameras=(
        CameraRanges(
            walls={"foliage": 4, "brick": 2, "windows": 3},
            grounds={"grass": 4, "asphalt": 2, "paving": 3},
            pitch=(0.08, 0.28),
            edge=(0.24, 0.48),
            ambient=(0.46, 0.60),
            sun=(0.50, 0.75),
            saturation=(0.85, 1.15),
            contrast=(0.95, 1.15),
            gamma=(0.85, 1.15),
            gain=(0.95, 1.12),
            cast=0.022,
            resolution=(0.45, 0.90),
            blur=(0.15, 0.55),
            noise=(0.008, 0.022),
            quality=(60, 90),
            jitter=6,
            occluded=0.22,
            crowded=0.35,
        ),
    ),
)

WINTER = Domain(
    palettes=(
        Palette(
            neutral=0.66,
            hues=((0.55, 0.72), (0.92, 1.06), (0.05, 0.12), (0.25, 0.40)),
            saturation=(0.25, 0.65),
            value=(0.20, 0.55),
            dark=0.62,
            patterned=0.20,
            tops={"shirt": 0.5, "hoodie": 2, "jacket": 4, "open_jacket": 2, "coat": 4},
            bottoms={"slim": 5, "wide": 3, "skirt": 0.6},
            bags={"none": 4, "backpack": 3, "shoulder": 3, "handbag": 1.5},
            hair={"short": 4, "long": 3, "tail": 1, "bald": 0.4, "hat": 3.5},
        ),
    ),
    cameras=(
        CameraRanges(
            walls={"brick": 3, "concrete": 3, "windows": 3},
            grounds={"asphalt": 4, "paving": 3, "snow": 2},
            pitch=(0.10, 0.35),
            edge=(0.22, 0.45),
            ambient=(0.55, 0.72),
            sun=(0.22, 0.40),
            saturation=(0.65, 0.95),
            contrast=(0.85, 1.05),
            gamma=(0.88, 1.10),
            gain=(0.90, 1.08),
            cast=0.024,
            resolution=(0.40, 0.80),
            blur=(0.25, 0.70),
            noise=(0.010, 0.026),
            quality=(45, 85),
            jitter=6,
            occluded=0.26,
            crowded=0.35,
        ),
    ),
)

MALL = Domain(
    palettes=(
        Palette(
            neutral=0.58,
            hues=((0.85, 1.10), (0.50, 0.70), (0.08, 0.16)),
            saturation=(0.20, 0.60),
            value=(0.55, 0.92),
            dark=0.30,
            patterned=0.40,
            tops={"tshirt": 3, "shirt": 4, "hoodie": 1.5, "jacket": 1, "open_jacket": 2.5, "coat": 0.7},
            bottoms={"slim": 5, "wide": 2, "shorts": 1, "skirt": 3},
            bags={"none": 3, "backpack": 1.5, "shoulder": 3, "handbag": 4},
            hair={"short": 3.5, "long": 4.5, "tail": 2, "bald": 0.5, "hat": 0.8},
        ),
    ),
    cameras=(
        CameraRanges(
            walls={"shopfront": 5, "tiles": 3, "concrete": 1},
            grounds={"polished": 5, "tiles": 4},
            pitch=(0.25, 0.50),
            edge=(0.10, 0.32),
            ambient=(0.60, 0.78),
            sun=(0.20, 0.38),
            saturation=(0.70, 1.05),
            contrast=(0.80, 1.05),
            gamma=(0.85, 1.08),
            gain=(0.95, 1.12),
            cast=0.028,
            resolution=(0.32, 0.60),
            blur=(0.45, 0.95),
            noise=(0.008, 0.025),
            quality=(30, 60),
            jitter=7,
            occluded=0.26,
            crowded=0.50,
        ),
    ),
)

STREET = Domain(
    palettes=(
        Palette(
            neutral=0.60,
            hues=((0.0, 0.14), (0.52, 0.68), (0.30, 0.42)),
            saturation=(0.35, 0.80),
            value=(0.35, 0.75),
            dark=0.50,
            patterned=0.35,
            tops={"tshirt": 2, "shirt": 2, "hoodie": 3, "jacket": 3, "open_jacket": 2.5, "coat": 1},
            bottoms={"slim": 4, "wide": 4, "shorts": 1, "skirt": 1.2},
            bags={"none": 4, "backpack": 2.5, "shoulder": 2.5, "handbag": 2},
            hair={"short": 5, "long": 3, "tail": 1, "bald": 1, "hat": 2},
        ),
    ),
    cameras=(
        CameraRanges(
            walls={"shutters": 3, "brick": 3, "shopfront": 2, "concrete": 2},
            grounds={"asphalt": 5, "paving": 3},
            pitch=(0.12, 0.38),
            edge=(0.20, 0.42),
            ambient=(0.50, 0.62),
            sun=(0.35, 0.60),
            saturation=(0.60, 0.95),
            contrast=(0.85, 1.10),
            gamma=(0.85, 1.10),
            gain=(0.88, 1.08),
            cast=0.034,
            resolution=(0.36, 0.70),
            blur=(0.25, 0.70),
            noise=(0.014, 0.034),
            quality=(40, 80),
            jitter=7,
            occluded=0.30,
            crowded=0.42,
        ),
    ),
)

NARROW = {"campus": CAMPUS, "winter": WINTER, "mall": MALL, "street": STREET}

# The pre-training domain covers the palettes and ranges of the others: a generous kind of "unseen".
DOMAINS = NARROW | {
    "broad": Domain(
        palettes=tuple(place.palettes[0] for place in NARROW.values()),
        cameras=tuple(place.cameras[0] for place in NARROW.values()),
    )
}
