"""Every unusable row or field is named."""

import numpy as np
import pytest

from dcac.evaluation.ranking.checks import checked_features, checked_ids, checked_pids
from dcac.evaluation.ranking.distances import measure


def features(rows=4, width=3):
    return np.arange(1, rows * width + 1, dtype=np.float32).reshape(rows, width)


@pytest.mark.parametrize(
    ("value", "found"), [(np.nan, "NaN"), (np.inf, "an infinity"), (-np.inf, "an infinity"), (1e200, "values above")]
)
def test_row_that_is_not_finite_is_named(value, found):
    values = features().astype(np.float64)
    values[2, 1] = value
    with pytest.raises(ValueError, match=f"query_features row 2 holds {found}"):
        checked_features(values, "query_features")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), "has shape"),
        (np.zeros((0, 3)), "is empty"),
        (np.zeros((3, 0)), "is empty"),
        (np.array([["a"]]), "has dtype"),
        (np.array([[True]]), "has dtype"),
        (np.array([[1j]]), "has dtype"),
        (np.array([[None]]), "has dtype"),
    ],
)
def test_features_that_are_no_table_of_numbers_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        checked_features(values, "gallery_features")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, 2], "has shape"),
        ([[1, 2, 3]], "has shape"),
        ([1.0, 2.0, 3.0], "has dtype float64"),
        ([True, False, True], "has dtype bool"),
        (np.array([1, 2, 2**63], dtype=np.uint64), "row 2 is 9223372036854775808"),
        ([1, 2, 2**70], "has dtype object"),
        (["1", "2", "3"], "has dtype"),
    ],
)
def test_ids_that_are_no_int64_are_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        checked_ids(ids, "gallery_camids", rows=3)


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int64, np.uint64])
def test_every_integer_type_becomes_int64(kind):
    assert checked_ids(np.array([1, 2, 3], dtype=kind), "pids", rows=3).dtype == np.int64


def test_junk_is_named():
    with pytest.raises(ValueError, match="gallery_pids row 1 is -1: remove junk"):
        checked_pids([4, -1, -1], "gallery_pids", rows=3)


def test_encoders_of_two_widths_are_refused():
    with pytest.raises(ValueError, match="query features have 3 values, gallery features 2"):
        measure(features(), features(width=2), metric="cosine")


def test_zero_feature_has_no_cosine_but_a_distance():
    values = features()
    values[1] = 0
    with pytest.raises(ValueError, match="gallery_features row 1 has length 0"):
        measure(features(), values, metric="cosine")
    measure(features(), values, metric="euclidean")


def test_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="metric is 'hamming'"):
        measure(features(), features(), metric="hamming")
