"""The P x K sampler keeps its promises for any label list."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcac.data.sampling import identity_batches, other_people
from dcac.seeding import numpy_generator


@st.composite
def problems(draw):
    """Labels of 2 to 12 identities with 1 to 9 images each, in any order, and P, K and a seed that fit."""
    counts = draw(st.lists(st.integers(1, 9), min_size=2, max_size=12))
    labels = draw(st.permutations([label for label, count in enumerate(counts) for _ in range(count)]))
    identities = draw(st.integers(1, len(counts)))
    return np.array(labels), identities, draw(st.integers(1, 5)), draw(st.integers(0, 2**32))


def sample(labels, identities, images, seed):
    return identity_batches(labels, identities=identities, images=images, generator=numpy_generator(seed, "sampler"))


@given(problems())
def test_batch_holds_k_images_of_each_of_p_identities_side_by_side(problem):
    labels, identities, images, _ = problem
    for batch in sample(*problem):
        groups = labels[batch].reshape(identities, images)
        assert (groups == groups[:, :1]).all()
        assert len(set(groups[:, 0])) == identities


@given(problems())
def test_image_occurs_once_unless_its_identity_is_short_of_images(problem):
    labels, _, images, _ = problem
    per_identity = Counter(labels.tolist())
    for index, times in Counter(sample(*problem).ravel().tolist()).items():
        assert times == 1 or per_identity[labels[index]] < images


@given(problems())
def test_identity_gives_no_more_than_its_whole_groups_and_a_short_one_a_single_group(problem):
    labels, _, images, _ = problem
    groups = Counter(labels[sample(*problem)[:, ::images]].ravel().tolist())
    for label, used in groups.items():
        assert used <= max(1, int((labels == label).sum()) // images)


@given(problems())
def test_every_whole_group_is_drawn_when_one_identity_fills_a_batch(problem):
    labels, _, images, seed = problem
    groups = Counter(labels[sample(labels, 1, images, seed)[:, 0]].tolist())
    assert groups == {label: max(1, count // images) for label, count in Counter(labels.tolist()).items()}


@given(problems())
def test_epoch_ends_only_when_fewer_than_p_identities_have_groups_left(problem):
    labels, identities, images, _ = problem
    left = {label: max(1, count // images) for label, count in Counter(labels.tolist()).items()}
    for batch in sample(*problem):
        for label in labels[batch[::images]].tolist():
            left[label] -= 1
    assert min(left.values()) >= 0
    assert sum(count > 0 for count in left.values()) < identities


def slow_epoch(labels, identities, images, generator):
    """Return the batches' identities, drawn with Python's own generator and plain lists."""
    groups = {label: max(1, labels.count(label) // images) for label in set(labels)}
    batches = []
    while len(groups) >= identities:
        batches.append(generator.sample(sorted(groups), identities))
        for label in batches[-1]:
            groups[label] -= 1
        groups = {label: count for label, count in groups.items() if count}
    return batches


def test_number_of_batches_follows_the_same_law_as_a_plain_second_sampler():
    import random

    labels = [label for label, count in enumerate([2, 3, 4, 4, 8, 12]) for _ in range(count)]
    plain = [len(slow_epoch(labels, 3, 4, random.Random(seed))) for seed in range(2000)]
    ours = [len(sample(np.array(labels), 3, 4, seed)) for seed in range(2000)]
    assert set(ours) == set(plain) == {2, 3}
    assert np.mean(ours) == pytest.approx(np.mean(plain), abs=0.06)  # 4 standard errors of the difference


def test_every_image_of_an_identity_is_drawn_equally_often():
    labels = np.array([0] * 5 + [1] * 2)
    drawn = Counter(np.concatenate([sample(labels, 2, 4, seed).ravel() for seed in range(2000)]).tolist())
    for index in range(5):  # 4 of 5 images an epoch
        assert drawn[index] == pytest.approx(1600, abs=4 * np.sqrt(2000 * 0.8 * 0.2))
    for index in (5, 6):  # 4 draws of 2 images, with replacement
        assert drawn[index] == pytest.approx(4000, abs=4 * np.sqrt(8000 * 0.25))


def test_identity_short_of_images_is_drawn_with_replacement():
    fives = {int((sample(np.array([0] * 4 + [1] * 2), 2, 4, seed) == 5).sum()) for seed in range(300)}
    assert fives == {0, 1, 2, 3, 4}


def test_hand_worked_epoch():
    labels = np.array([7, 3, 7, 3, 7, 3, 7, 3, 5])  # two groups of 2 each for 7 and 3, one of two equal images for 5
    batches = sample(labels, 2, 2, 0)
    assert batches.shape == (2, 4)  # five groups, two to a batch, and the fifth has no partner left
    assert {tuple(sorted(set(labels[batch].tolist()))) for batch in batches} <= {(3, 5), (3, 7), (5, 7)}


def test_same_generator_same_epoch_and_another_epoch_differs():
    labels = np.repeat(np.arange(20), 8)
    assert np.array_equal(sample(labels, 4, 4, 1), sample(labels, 4, 4, 1))
    assert not np.array_equal(sample(labels, 4, 4, 1), sample(labels, 4, 4, 2))


def test_too_few_identities_are_refused_with_both_numbers():
    with pytest.raises(ValueError, match="identities_per_batch is 4 but the sources have 3 identities; lower it"):
        sample(np.array([0, 0, 1, 1, 2, 2]), 4, 2, 0)


@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 1000))
def test_every_image_is_given_once_and_to_another_person(identities, images, seed):
    given_to = other_people(identities, images, numpy_generator(seed, "placebo"))
    assert sorted(given_to) == list(range(identities * images))
    people = np.repeat(np.arange(identities), images)
    assert (people[given_to] != people).all()
    for person in range(identities):
        assert len(set(people[given_to[people == person]])) == 1  # the K images of one other person


def test_other_people_of_two_worked_by_hand():
    drawn = {tuple(other_people(2, 2, numpy_generator(seed, "x"))) for seed in range(50)}
    assert drawn == {(a, b, c, d) for a, b in ((2, 3), (3, 2)) for c, d in ((0, 1), (1, 0))}


def test_every_other_person_is_drawn_equally_often():
    generator, counts = numpy_generator(0, "often"), Counter()
    for _ in range(6000):
        counts[int(other_people(4, 1, generator)[0])] += 1
    assert set(counts) == {1, 2, 3} and all(abs(count - 2000) < 150 for count in counts.values())
