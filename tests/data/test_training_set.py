"""Labels of several sources: dense, and never shared by two people."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcac.data.store import Record, read_split, write_store
from dcac.data.training_set import identity_labels, load_training_set, training_rows

SPLITS = ["train", "query", "gallery"]
IMAGES = st.tuples(st.sampled_from(["MA", "D", "C3"]), st.sampled_from(SPLITS), st.integers(0, 6))
PEOPLE = st.lists(IMAGES, min_size=1, max_size=40)


def person(image):
    """Name who is on an image: a pid means one person in train and one in query and gallery."""
    domain, split, pid = image
    return f"{domain}/train/{pid}" if split == "train" else f"{domain}/test/{pid}"


@given(PEOPLE)
def test_label_and_person_are_one_to_one_and_labels_are_dense(images):
    labels, keys = identity_labels(*zip(*images, strict=True))
    people = [person(image) for image in images]
    assert len(set(zip(labels.tolist(), people, strict=True))) == len(set(people)) == len(keys)
    assert sorted(set(labels.tolist())) == list(range(len(keys)))
    assert [keys[label] for label in labels] == people


@given(PEOPLE, st.randoms(use_true_random=False))
def test_labels_do_not_depend_on_the_order_of_images(images, random):
    shuffled = random.sample(images, len(images))
    first, second = (dict(zip(i, _labels(i), strict=True)) for i in (images, shuffled))
    assert first == second


def _labels(images):
    return identity_labels(*zip(*images, strict=True))[0].tolist()


def test_pids_are_sorted_as_numbers():
    _, keys = identity_labels(["MA"] * 3, ["train"] * 3, [10, 9, 100])
    assert keys == ("MA/train/9", "MA/train/10", "MA/train/100")


def test_equal_pids_of_two_data_sets_never_merge(store, other_store):
    single = load_training_set([store], train_splits="train", height=32, width=16)
    both = load_training_set([store, other_store], train_splits="train", height=32, width=16)
    assert (single.num_identities, both.num_identities) == (16, 32)
    assert both.keys == tuple(f"{domain}/train/{pid}" for domain in "AB" for pid in range(16))
    assert both.images.shape == (128, 3, 32, 16) and both.labels.dtype == np.int64
    assert (both.labels[:64] < 16).all() and (both.labels[64:] >= 16).all()
    assert np.array_equal(both.images[:64], single.images)


def test_labels_do_not_depend_on_the_order_of_sources(store, other_store):
    forward = load_training_set([store, other_store], train_splits="train", height=32, width=16)
    backward = load_training_set([other_store, store], train_splits="train", height=32, width=16)
    assert forward.keys == backward.keys
    assert np.array_equal(np.roll(forward.labels, 64), backward.labels)
    assert np.array_equal(np.roll(forward.images, 64, axis=0), backward.images)


def test_query_images_stay_out(store):
    data = load_training_set([store], train_splits="train", height=32, width=16)
    assert len(data.images) == 64 and not any(key.endswith("/16") for key in data.keys)


@pytest.fixture
def market(tmp_path, picture):
    """Market in small: train and test pids restart at 1, pid 0 stands for nobody."""
    images = [
        ("train", 1, "a"),
        ("train", 2, "b"),
        ("query", 1, "c"),
        ("gallery", 0, "d"),
        ("gallery", 1, "e"),
        ("gallery", 0, "f"),
        ("gallery", 2, "g"),
    ]
    records = [
        Record(split, pid, place % 2, "MA", f"{name}.jpg", picture(place, size=(16, 32)))
        for place, (split, pid, name) in enumerate(images)
    ]
    write_store(records, tmp_path / "MA.parquet", facts={"distractor_pid": 0})
    return tmp_path / "MA.parquet"


def test_all_splits_keep_people_of_train_and_test_apart_and_leave_distractors_out(market):
    data = load_training_set([market], train_splits="all", height=32, width=16)
    assert data.keys == ("MA/test/1", "MA/test/2", "MA/train/1", "MA/train/2")
    assert [data.keys[label] for label in data.labels] == [
        "MA/train/1",
        "MA/train/2",
        "MA/test/1",
        "MA/test/1",
        "MA/test/2",
    ]
    assert len(data.images) == 5


def test_train_alone_is_a_part_of_all(market):
    train, everything = (
        load_training_set([market], train_splits=splits, height=32, width=16) for splits in ("train", "all")
    )
    assert train.keys == everything.keys[2:]
    assert np.array_equal(train.images, everything.images[:2])


def test_rows_tell_their_place_among_all_rows_of_the_file(market):
    rows = training_rows(market, "all", images=False)
    assert rows.index.tolist() == [0, 1, 2, 4, 6]
    stored = read_split(market, SPLITS, images=False)
    assert rows["path"].tolist() == stored["path"][rows.index].tolist()
    assert "data" not in rows


def test_pid_0_is_a_person_where_the_card_names_no_distractor(store):
    assert load_training_set([store], train_splits="all", height=32, width=16).keys == (
        *(f"A/test/{pid}" for pid in range(16, 20)),
        *(f"A/train/{pid}" for pid in range(16)),
    )


def test_store_without_train_split_teaches_only_by_its_test_people(tmp_path, picture):
    write_store([Record("query", 1, 0, "GRID", "a.jpg", picture())], tmp_path / "GRID.parquet", facts={})
    with pytest.raises(ValueError, match="no split 'train'"):
        load_training_set([tmp_path / "GRID.parquet"], train_splits="train", height=8, width=8)
    data = load_training_set([tmp_path / "GRID.parquet"], train_splits="all", height=8, width=8)
    assert data.keys == ("GRID/test/1",)
