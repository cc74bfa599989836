"""Numbers of people and cameras of one's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcac.data.readers.layout import LayoutError
from dcac.data.readers.own import labels_fingerprint, natural, number_cameras, number_people
from dcac.data.store import Record


@pytest.mark.parametrize(
    ("names", "pids"),
    [
        (["0002", "0010", "0001"], {"0001": 1, "0002": 2, "0010": 10}),
        (["0", "7"], {"0": 0, "7": 7}),
        (["p10", "p9"], {"p9": 0, "p10": 1}),
        (["7", "anna"], {"7": 0, "anna": 1}),
        (["-2", "3"], {"-2": 1, "3": 0}),
        ([str(2**31), "1"], {"1": 0, str(2**31): 1}),
        (["٣", "4"], {"٣": 0, "4": 1}),
    ],
)
def test_a_pid_is_the_number_that_a_name_is_or_its_place(names, pids):
    assert number_people(names) == pids


@pytest.mark.parametrize(("number", "what"), [(number_people, "people"), (number_cameras, "cameras")])
def test_two_names_of_one_number_are_refused(number, what):
    with pytest.raises(LayoutError, match=f"the {what} 03 and 3 are one number; rename one"):
        number(["3", "03", "4"])


@given(st.sets(st.text("ab0123456789_", min_size=1, max_size=5), min_size=1))
def test_numbers_are_distinct_and_do_not_depend_on_the_order(names):
    try:
        found = number_people(names)
    except LayoutError:
        return
    assert len(set(found.values())) == len(names)
    assert found == number_people(sorted(names, reverse=True))


def test_names_are_sorted_by_the_numbers_in_them():
    assert sorted(["cam10", "cam9", "a1b2", "a1b10", "10", "9"], key=natural) == [
        "9",
        "10",
        "a1b2",
        "a1b10",
        "cam9",
        "cam10",
    ]


def test_the_fingerprint_of_labels_does_not_depend_on_the_order_but_on_each_label():
    records = [Record("query", 1, 0, "LAB", "query/a.jpg", b""), Record("gallery", 2, 1, "LAB", "gallery/b.jpg", b"")]
    assert labels_fingerprint(records) == labels_fingerprint(records[::-1])
    others = [("gallery", 1, 0, "query/a.jpg"), ("query", 3, 0, "query/a.jpg"), ("query", 1, 2, "query/a.jpg")]
    others += [("query", 1, 0, "query/c.jpg")]
    changed = [Record(split, pid, camid, "LAB", path, b"") for split, pid, camid, path in others]
    assert len({labels_fingerprint([record, records[1]]) for record in (records[0], *changed)}) == 5
