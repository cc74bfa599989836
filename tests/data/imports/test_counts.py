import pytest

from dcac.data.catalog import SetVariant
from dcac.data.imports.counts import Comparison

EXPECTED = SetVariant.model_validate(
    {"train": {"ids": 2, "images": 10, "cameras": 6}, "query": {"ids": 1, "images": 3}, "dropped": {"junk": 4}}
)
FOUND = {"train": {"ids": 2, "images": 10, "cameras": 6}, "query": {"ids": 1, "images": 3, "cameras": 2}}


def test_equal_counts_have_no_deviation_and_a_plain_box():
    comparison = Comparison(FOUND, {"junk": 4}, EXPECTED)
    assert comparison.deviations() == []
    assert comparison.box().splitlines() == [
        "subset        | # ids | # images | # cameras",
        "--------------+-------+----------+----------",
        "train         |     2 |       10 |         6",
        "query         |     1 |        3 |         2",
        "dropped: junk |       |        4 |          ",
    ]


@pytest.mark.parametrize(
    ("found", "dropped", "deviation"),
    [
        (FOUND | {"train": {"ids": 2, "images": 9, "cameras": 6}}, {"junk": 4}, "train images 9, expected 10"),
        (FOUND | {"train": {"ids": 2, "images": 10, "cameras": 1}}, {"junk": 4}, "train cameras 1, expected 6"),
        (FOUND, {}, "dropped: junk images 0, expected 4"),
        (FOUND, {"junk": 4, "val": 1}, "dropped: val images 1, expected 0"),
    ],
)
def test_one_wrong_number_is_named(found, dropped, deviation):
    assert Comparison(found, dropped, EXPECTED).deviations() == [deviation]


def test_missing_and_additional_splits_are_deviations():
    assert "train images 0, expected 10" in Comparison({"query": FOUND["query"]}, {"junk": 4}, EXPECTED).deviations()
    more = FOUND | {"gallery": {"ids": 1, "images": 1, "cameras": 1}}
    assert "gallery images 1, expected 0" in Comparison(more, {"junk": 4}, EXPECTED).deviations()


def test_wrong_number_shows_the_expected_one_beside_it():
    found = FOUND | {"train": {"ids": 2, "images": 9, "cameras": 6}}
    assert "9 (expected 10)" in Comparison(found, {"junk": 4}, EXPECTED).box()
