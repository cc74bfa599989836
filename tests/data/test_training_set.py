"""Labels of several sources: dense, and never shared by two people."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcac.data.training_set import identity_labels, load_training_set

PEOPLE = st.lists(st.tuples(st.sampled_from(["MA", "D", "C3"]), st.integers(0, 6)), min_size=1, max_size=40)


@given(PEOPLE)
def test_label_and_person_are_one_to_one_and_labels_are_dense(people):
    labels, keys = identity_labels([domain for domain, _ in people], [pid for _, pid in people])
    assert len(set(zip(labels.tolist(), people, strict=True))) == len(set(people)) == len(keys)
    assert sorted(set(labels.tolist())) == list(range(len(keys)))
    assert [keys[label] for label in labels] == [f"{domain}/{pid}" for domain, pid in people]


@given(PEOPLE, st.randoms(use_true_random=False))
def test_labels_do_not_depend_on_the_order_of_images(people, random):
    shuffled = random.sample(people, len(people))
    first, second = (dict(zip(p, _labels(p), strict=True)) for p in (people, shuffled))
    assert first == second


def _labels(people):
    return identity_labels([domain for domain, _ in people], [pid for _, pid in people])[0].tolist()


def test_pids_are_sorted_as_numbers():
    _, keys = identity_labels(["MA", "MA", "MA"], [10, 9, 100])
    assert keys == ("MA/9", "MA/10", "MA/100")


def test_equal_pids_of_two_data_sets_never_merge(store, other_store):
    single = load_training_set([store], height=32, width=16)
    both = load_training_set([store, other_store], height=32, width=16)
    assert (single.num_identities, both.num_identities) == (16, 32)
    assert both.keys == tuple(f"{domain}/{pid}" for domain in "AB" for pid in range(16))
    assert both.images.shape == (128, 3, 32, 16) and both.labels.dtype == np.int64
    assert (both.labels[:64] < 16).all() and (both.labels[64:] >= 16).all()
    assert np.array_equal(both.images[:64], single.images)


def test_labels_do_not_depend_on_the_order_of_sources(store, other_store):
    forward = load_training_set([store, other_store], height=32, width=16)
    backward = load_training_set([other_store, store], height=32, width=16)
    assert forward.keys == backward.keys
    assert np.array_equal(np.roll(forward.labels, 64), backward.labels)
    assert np.array_equal(np.roll(forward.images, 64, axis=0), backward.images)


def test_query_images_stay_out(store):
    data = load_training_set([store], height=32, width=16)
    assert len(data.images) == 64 and "A/16" not in data.keys


def test_store_without_train_split_is_refused(tmp_path, picture):
    from dcac.data.store import Record, write_store

    write_store([Record("query", 1, 0, "GRID", "a.jpg", picture())], tmp_path / "GRID.parquet", manifest={})
    with pytest.raises(ValueError, match="no split 'train'"):
        load_training_set([tmp_path / "GRID.parquet"], height=8, width=8)
