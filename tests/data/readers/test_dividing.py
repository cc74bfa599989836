"""Dividing one's own pictures: what holds for any people and cameras, against brute force."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcac.data.readers.dividing import divide
from dcac.data.readers.entries import Entry
from dcac.data.readers.layout import LayoutError

SETS = st.dictionaries(
    st.sampled_from(["anna", "bert", "cleo", "3", "0003"]),
    st.lists(st.sampled_from("xyz"), min_size=1, max_size=6),
    min_size=2,
)


def entries(people):
    """Return the pictures of people, given as the cameras that saw each."""
    return [
        Entry(f"{person}/{place}{camera}.jpg", f"{person}/{place}{camera}.jpg", None, person, camera)
        for person, cameras in people.items()
        for place, camera in enumerate(cameras)
    ]


def unmatched(queries, gallery):
    """Count by a slow loop the queries without a picture of the same person by another camera."""
    return sum(not any(g.person == q.person and g.camera != q.camera for g in gallery) for q in queries)


def parts(divided):
    found = defaultdict(list)
    for entry in divided:
        found[entry.split].append(entry)
    return found["train"], found["query"], found["gallery"]


@given(SETS, st.integers(0, 5), st.sampled_from(["half", "test"]))
def test_each_picture_is_used_once_and_no_person_is_on_both_sides(people, seed, how):
    pictures = entries(people)
    divided = divide(pictures, how, seed=seed, cameras=True)
    train, query, gallery = parts(divided)
    assert sorted(entry.name for entry in divided) == sorted(entry.name for entry in pictures)
    assert not {e.person for e in train} & {e.person for e in (*query, *gallery)}
    assert len({e.person for e in train}) == ((len(people) + 1) // 2 if how == "half" else 0)


@given(SETS, st.integers(0, 5))
def test_there_is_one_query_a_person_and_camera_and_no_room_for_another(people, seed):
    _, query, gallery = parts(divide(entries(people), "test", seed=seed, cameras=True))
    taken = Counter((entry.person, entry.camera) for entry in query)
    assert max(taken.values(), default=1) == 1
    assert unmatched(query, gallery) == 0
    for entry in gallery:
        if (entry.person, entry.camera) not in taken:
            rest = [other for other in gallery if other is not entry]
            assert unmatched([*query, entry], rest) > 0, f"{entry.name} could be a query too"


@given(SETS, st.integers(0, 5), st.randoms())
def test_the_draws_do_not_depend_on_the_order_of_files(people, seed, random):
    pictures = entries(people)
    shuffled = random.sample(pictures, len(pictures))
    first, second = (divide(each, "half", seed=seed, cameras=True) for each in (pictures, shuffled))
    assert {e.name: e.split for e in first} == {e.name: e.split for e in second}


@given(SETS)
def test_without_cameras_every_picture_of_a_person_with_several_is_a_query(people):
    unknown = [Entry(e.name, e.below, None, e.person, None) for e in entries(people)]
    _, query, gallery = parts(divide(unknown, "test", seed=1, cameras=False))
    assert sorted(e.name for e in gallery) == sorted(e.name for e in unknown)
    assert {e.name for e in query} == {e.name for e in unknown if len(people[e.person]) > 1}


def test_one_person_has_no_halves():
    with pytest.raises(LayoutError, match="there is one person only; give at least two"):
        divide(entries({"anna": "xy"}), "half", seed=1, cameras=True)
