"""Labels keep their distance, methods their colour."""

from dcac.reporting.figures.style import METHOD_COLOURS, method_colour, spread_labels


def test_labels_keep_their_distance():
    assert spread_labels([10.0, 11.0, 12.0, 40.0], gap=5.0) == [10.0, 15.0, 20.0, 40.0]


def test_a_method_has_a_colour_of_its_own_in_every_figure():
    assert len(set(METHOD_COLOURS.values())) == len(METHOD_COLOURS)
    assert method_colour("dcac-pcl") not in METHOD_COLOURS.values()
