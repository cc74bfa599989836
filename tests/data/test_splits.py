"""The shipped random splits of the small targets."""

import numpy as np
import pytest

from dcac.data.splits import FOLDER, PEOPLE, draw_splits, load_splits, split_rows


def table(rows):
    """Turn (split, pid, camid) rows into three arrays, in a shuffled order."""
    rows = [rows[index] for index in np.random.default_rng(0).permutation(len(rows))]
    return [np.array(column) for column in zip(*rows, strict=True)]


@pytest.fixture
def targets():
    viper = [(s, 3 * p, c) for p in range(632) for c, s in enumerate(("query", "gallery"))]
    prid = [("query", p, 0) for p in range(1, 201)] + [("gallery", p, 1) for p in range(1, 750)]
    grid = [("query", p, p % 8) for p in range(1, 251)] + [("gallery", p, (p + 1) % 8) for p in range(1, 251)]
    grid += [("gallery", 0, 1)] * 775
    sizes = [2] * 22 + [3] * 33 + [4] * 24 + [5] * 15 + [6] * 17 + [7] * 4 + [8] * 4
    ilids = [(s, p, i) for p, size in enumerate(sizes, 1) for i in range(1, size + 1) for s in ("query", "gallery")]
    return {"VIPeR": table(viper), "PRID": table(prid), "GRID": table(grid), "iLIDS": table(ilids)}


@pytest.mark.parametrize("code", PEOPLE)
def test_shipped_file_is_what_the_named_seed_gives(code):
    assert (FOLDER / f"{code}.txt").read_text() == draw_splits(code)


@pytest.mark.parametrize("code", PEOPLE)
def test_ten_different_splits_of_the_right_size(code):
    splits = [tuple(person.position for person in split) for split in load_splits(code)]
    total, tested = PEOPLE[code]
    assert len(set(splits)) == 10
    for split in splits:
        assert len(set(split)) == tested
        assert set(split) <= set(range(total))


@pytest.mark.parametrize("code", PEOPLE)
def test_every_person_is_tested_about_as_often_as_any_other(code):
    total, tested = PEOPLE[code]
    chosen = [person.position for split in load_splits(code) for person in split]
    counts = np.bincount(chosen, minlength=total)
    share = tested / total
    assert abs(counts.mean() - 10 * share) < 1e-9
    assert abs(counts.var() - 10 * share * (1 - share)) < 0.5  # that of independent draws


@pytest.mark.parametrize(
    ("code", "queries", "gallery"), [("VIPeR", 316, 316), ("PRID", 100, 649), ("GRID", 125, 900), ("iLIDS", 60, 60)]
)
def test_sizes_are_those_of_the_literature(targets, code, queries, gallery):
    for query_rows, gallery_rows in split_rows(code, *targets[code]):
        assert (len(query_rows), len(gallery_rows)) == (queries, gallery)


@pytest.mark.parametrize("code", PEOPLE)
def test_every_query_has_its_match_in_another_camera(targets, code):
    split, pids, camids = targets[code]
    for query_rows, gallery_rows in split_rows(code, split, pids, camids):
        assert set(split[query_rows]) == {"query"}
        assert set(split[gallery_rows]) == {"gallery"}
        for row in query_rows:
            matches = gallery_rows[pids[gallery_rows] == pids[row]]
            assert len(matches) == 1
            assert camids[matches[0]] != camids[row]


def test_distractors_stay_in_every_gallery(targets):
    for _, gallery in split_rows("GRID", *targets["GRID"]):
        assert (targets["GRID"][1][gallery] == 0).sum() == 775
    for _, gallery in split_rows("PRID", *targets["PRID"]):
        assert set(range(201, 750)) <= set(targets["PRID"][1][gallery])


def test_order_of_rows_does_not_matter(targets):
    split, pids, camids = targets["iLIDS"]
    order = np.random.default_rng(1).permutation(len(pids))
    for first, second in zip(
        split_rows("iLIDS", split, pids, camids),
        split_rows("iLIDS", split[order], pids[order], camids[order]),
        strict=True,
    ):
        for rows, shuffled in zip(first, second, strict=True):
            assert set(rows) == set(order[shuffled])


def test_ilids_draws_other_images_in_other_splits(targets):
    chosen = {tuple(query) for query, _ in split_rows("iLIDS", *targets["iLIDS"])}
    assert len(chosen) == 10


def test_incomplete_target_is_refused(targets):
    split, pids, camids = targets["VIPeR"]
    kept = pids != 0
    with pytest.raises(ValueError, match="631 people"):
        split_rows("VIPeR", split[kept], pids[kept], camids[kept])


def test_target_without_splits_is_named():
    with pytest.raises(ValueError, match="'MA' has no random splits"):
        load_splits("MA")
