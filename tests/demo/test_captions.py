"""Captions of a normalised file: for all images, or for none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dcac.demo.captions import captions_of


def test_captions_become_rows():
    rows = pd.DataFrame({"caption": [np.array([0.5, 1.0]), np.array([0.0, 0.25])]})
    assert captions_of(rows, Path("a")).tolist() == [[0.5, 1.0], [0.0, 0.25]]


@pytest.mark.parametrize("rows", [pd.DataFrame({"pid": [1, 2]}), pd.DataFrame({"caption": [None, []]})])
def test_a_set_without_captions_has_none_for_any_image(rows):
    assert captions_of(rows, Path("a")).shape == (2, 0)


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        ([[0.5], None], r"a\.parquet has captions of 1 attributes for 1 of 2 images; give each image one"),
        ([[0.5], [0.5, 1.0]], r"captions of 1 and 2 attributes for 2 of 2 images"),
        ([[0.5], [float("nan")]], r"a\.parquet has captions that are no finite numbers"),
    ],
)
def test_captions_of_a_part_are_refused(captions, message):
    with pytest.raises(ValueError, match=message):
        captions_of(pd.DataFrame({"caption": captions}), Path("a.parquet"))
