"""The figure of look-alikes writes every value and shows every picture twice."""

import numpy as np
import pytest

from dcac.reporting.figures.correlation import draw_correlation

MATRIX = np.array([[0.3, 0.1, 0.02], [0.12, 0.2, 0.04], [0.01, 0.03, 0.5]])


@pytest.fixture
def figure(tmp_path):
    pictures = np.zeros((3, 3, 8, 4), dtype=np.uint8)
    pictures[:, 0] = np.array([10, 20, 30])[:, None, None]
    facts = {"mean_own": 0.2345, "mean_p_max": 0.25, "share_in_group": 0.32 / 3, "chance": 1 / 64}
    keys = np.array(["A/train/7", "A/train/3", "A/train/5"])
    np.savez_compressed(tmp_path / "c.npz", matrix=MATRIX, keys=keys, pictures=pictures, **facts)
    return draw_correlation(tmp_path / "c.npz", title="t")


def test_each_cell_holds_its_value_in_percent(figure):
    cells = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert cells == {(j, i): f"{100 * MATRIX[i, j]:.1f}" for i in range(3) for j in range(3)}
    assert np.array_equal(figure.axes[0].images[0].get_array(), 100 * MATRIX)


def test_numbers_on_dark_cells_are_white(figure):
    """Dark is more than 60 % of the scale, which ends at the largest value, 50 %."""
    white = {text.get_text() for text in figure.axes[0].texts if text.get_color() == "white"}
    assert white == {"50.0"}


def test_each_person_is_pictured_left_of_the_row_and_above_the_column(figure):
    axes, pictures = figure.axes[0], figure.axes[0].images[1:]
    places = set()
    for image in pictures:
        left, right, bottom, top = image.get_extent()
        places.add((round((left + right) / 2, 6), round((top + bottom) / 2, 6), int(image.get_array()[0, 0, 0])))
        assert right - left == pytest.approx((bottom - top) / 2)  # pictures of 8 x 4 pixels keep their shape
        assert axes.get_xlim()[0] <= left and axes.get_ylim()[1] <= top
    assert places == {(-1.1, i, 10 * (i + 1)) for i in range(3)} | {(i, -1.1, 10 * (i + 1)) for i in range(3)}


def test_rows_columns_and_colours_are_named(figure):
    axes, bar = figure.axes
    keys = ["A/train/7", "A/train/3", "A/train/5"]
    assert [label.get_text() for label in axes.get_xticklabels()] == keys
    assert [label.get_text() for label in axes.get_yticklabels()] == keys
    assert bar.get_ylabel() == "mean p (%)"


def test_title_says_how_sharp_p_is_and_what_the_group_keeps(figure):
    assert figure.get_suptitle().splitlines() == [
        "t",
        "all identities: own p 23.45 %, largest p 25.00 %, chance (1/N) 1.56 %",
        "this group: the 2 others take 10.7 % of p, by chance 3.1 %",
    ]
