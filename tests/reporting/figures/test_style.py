"""Labels keep their distance, methods their colour."""

from dcac.reporting.figures.style import BLUE, REFERENCE_COLOURS, legible, method_colour, rgb, spread_labels
from dcac.suites import load_variants


def test_labels_keep_their_distance():
    assert spread_labels([10.0, 11.0, 12.0, 40.0], gap=5.0) == [10.0, 15.0, 20.0, 40.0]
    assert spread_labels([10.0, 98.0, 99.0], gap=5.0, top=100.0) == [10.0, 95.0, 100.0]


def test_a_method_has_a_colour_of_its_own_in_every_figure(config_dir):
    given = {name: variant.colour for name, variant in load_variants(config_dir).items()}
    own = [colour for colour in given.values() if colour]
    colours = [*REFERENCE_COLOURS.values(), *own]
    assert len(own) >= 2 and len(set(colours)) == len(colours)
    assert method_colour("dcac", given) == "#D55E00" and method_colour("chance", given) == REFERENCE_COLOURS["chance"]
    assert method_colour("dcac-pcl", given) == method_colour("unknown", {}) not in colours


def test_words_keep_their_hue_and_stand_out_from_white():
    def brightness(colour):
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(colour))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    assert legible("#FFFFFF") == "#767676" and legible("#000000") == "#000000", "the lightest grey of the standard"
    for colour in REFERENCE_COLOURS.values():
        dark = legible(colour)
        assert 4.5 <= 1.05 / (brightness(dark) + 0.05) < 4.7
        assert sorted(range(3), key=rgb(dark).__getitem__) == sorted(range(3), key=rgb(colour).__getitem__)
    assert max(abs(a - b) for a, b in zip(rgb(legible(BLUE)), rgb(BLUE), strict=True)) <= 1 / 255
