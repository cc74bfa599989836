"""Labels keep their distance, methods their colour."""

from dcac.reporting.figures.style import REFERENCE_COLOURS, method_colour, spread_labels
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
