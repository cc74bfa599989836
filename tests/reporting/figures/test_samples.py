"""The figure of denoised images has a column for each thing shown and says what won."""

import numpy as np
import pytest

from dcac.reporting.figures.samples import draw_samples, message

ROWS = 4
ERROR = np.array(  # [start, condition, image]
    [
        [[0.10, 0.20, 0.30, 0.40], [0.11, 0.21, 0.29, 0.40], [0.20, 0.30, 0.40, 0.50]],
        [[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0], [3.0, 3.0, 3.0, 4.0]],
    ]
)


@pytest.fixture
def content():
    """What the samples step writes, with pictures of one colour each."""

    def flat(*shape):
        colours = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        return np.broadcast_to(colours[..., None, None, None], (*shape, 3, 8, 8))

    return {
        "keys": np.array([f"A/train/{row}" for row in range(ROWS)]),
        "p_max": np.array([0.031, 0.5, np.nan, 1.0]),
        "pictures": flat(ROWS),
        "decoded": 100 + flat(ROWS),
        "starts": np.array([499, 999]),
        "signal": np.array([0.526, 0.068]),
        "conditions": np.array(["own", "null", "other"]),
        "samples": 200 + flat(2, 3, ROWS),
        "error": ERROR,
        "meta": np.array("{}"),
    }


@pytest.fixture
def figure(content, tmp_path):
    np.savez_compressed(tmp_path / "s.npz", **content)
    return draw_samples(tmp_path / "s.npz", title="t")


def test_own_condition_wins_only_where_it_is_strictly_nearest(content):
    """From 499: images 0 and 1; of image 2 the uniform one is nearer, of image 3 as near."""
    words = "of 4 images, the own condition comes nearest in 2 from t = 499, in 4 from t = 999; by chance in one of 3"
    assert message(content) == words


def test_every_picture_stands_in_its_row_and_column(figure, content):
    assert len(figure.axes) == ROWS * 8
    columns = [content["pictures"], content["decoded"], *content["samples"].reshape(6, ROWS, 3, 8, 8)]
    for index, axes in enumerate(figure.axes):
        column, row = divmod(index, ROWS)
        (image,) = axes.images
        assert (image.get_array().transpose(2, 0, 1) == columns[column][row]).all()
        place = axes.get_subplotspec()
        assert (place.rowspan.start, place.colspan.start) == (row, column + (column > 1) + (column > 4))


def test_heads_name_start_condition_and_error(figure):
    heads = [axes.get_title() for axes in figure.axes[::ROWS]]
    assert [head.split() for head in heads[:2]] == [["picture"], ["through", "the", "autoencoder"]]
    assert heads[2] == "own\ncondition\nerror 0.25"
    assert heads[3] == "from t = 499, 53 % of the image left\n\nno\ncondition\nerror 0.2525"
    assert heads[6].startswith("from t = 999, 7 % of the image left") and heads[7] == "another's\ncondition\nerror 3.25"
    assert not any(axes.get_title() for i, axes in enumerate(figure.axes) if i % ROWS)


def test_rows_are_named_by_identity_and_largest_p_where_there_is_one(figure):
    names = [axes.get_ylabel() for axes in figure.axes]
    assert names[:ROWS] == [
        "A/train/0\nlargest p 3.1 %",
        "A/train/1\nlargest p 50.0 %",
        "A/train/2",
        "A/train/3\nlargest p 100.0 %",
    ]
    assert not any(names[ROWS:])


def test_title_stands_above_the_message(figure, content):
    assert figure.get_suptitle().splitlines()[:2] == ["t", message(content)]
