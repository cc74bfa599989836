"""Targets with shipped splits, and what the score step writes of them."""

import json

import numpy as np
import pandas
import pytest

from dcac.data.splits import load_splits
from dcac.evaluation import score as step
from dcac.evaluation.metrics import score_distances
from dcac.evaluation.rankings import pool, rank_target, split_file
from dcac.evaluation.statistics import bootstrap_means, paired_differences, percentile_interval
from dcac.features.feature_file import read_features, write_features

SIZES = {"VIPeR": (316, 316), "PRID": (100, 649), "GRID": (125, 900), "iLIDS": (60, 60)}  # queries, gallery of a split
ILIDS = [2] * 22 + [3] * 33 + [4] * 24 + [5] * 15 + [6] * 17 + [7] * 4 + [8] * 4  # images of each person


def rows_of(code):
    """List (split, pid, camid) of a complete target."""
    if code == "VIPeR":
        return [(split, 3 * pid, camid) for camid, split in enumerate(("query", "gallery")) for pid in range(632)]
    if code == "PRID":
        return [("query", pid, 0) for pid in range(1, 201)] + [("gallery", pid, 1) for pid in range(1, 750)]
    if code == "GRID":
        tested = [(split, pid, camid) for camid, split in enumerate(("query", "gallery")) for pid in range(1, 251)]
        return tested + [("gallery", 0, 1)] * 775
    return [
        (split, pid, image)
        for split in ("query", "gallery")
        for pid, size in enumerate(ILIDS)
        for image in range(1, size + 1)
    ]


def write_target(path, code, *, noise=1.0, seed=0, dataset=None, order=None, keep=slice(None)):
    """Write a complete target; with `dataset` it goes under another name."""
    split, pids, camids = (np.array(column) for column in zip(*rows_of(code), strict=True))
    centres = np.random.default_rng(1).standard_normal((pids.max() + 1, 6))
    features = centres[pids] + noise * np.random.default_rng(seed).standard_normal((len(pids), 6))
    paths = np.array([f"{s}/{row:04}.png" for row, s in enumerate(split)])
    fields = {"features": features, "pids": pids, "camids": camids, "split": split, "paths": paths}
    fields = {name: values[keep][slice(None) if order is None else order] for name, values in fields.items()}
    write_features(path, **fields, meta={"target": code, "data": {"dataset": dataset or code}})
    return path


def slow_ranks(path, code):
    """Rank by loops: for each split, the rank of every tested person's match, with that person's pid.

    Serves the targets with one query image a person; features are compared by cosine.
    """
    file = read_features(path)
    query, gallery = (
        [
            (pid, vector / np.linalg.norm(vector))
            for pid, vector in zip(part.pids, np.float64(part.features), strict=True)
        ]
        for part in (file.query, file.gallery)
    )
    shared = sorted({pid for pid, _ in query} & {pid for pid, _ in gallery})
    for people in load_splits(code):
        tested = {shared[person.position] for person in people}
        kept = [(pid, vector) for pid, vector in gallery if pid in tested or pid not in shared]
        table = np.stack([vector for _, vector in kept])
        ranks = {}
        for pid, vector in query:
            if pid in tested:
                nearness = (table @ vector).tolist()
                own = next(near for near, (other, _) in zip(nearness, kept, strict=True) if other == pid)
                ranks[pid] = 1 + sum(near > own for near in nearness)
        yield ranks


@pytest.mark.parametrize("code", ["VIPeR", "PRID", "GRID"])
def test_score_is_the_mean_over_ten_splits_as_loops_find_it(tmp_path, code):
    path = write_target(tmp_path / "f.npz", code)
    record = step.run(path, tmp_path / "s.json")
    splits = [np.array(list(ranks.values())) for ranks in slow_ranks(path, code)]
    maps, rank1 = [np.mean(1 / ranks) for ranks in splits], [np.mean(ranks == 1) for ranks in splits]
    assert len(splits) == record["splits"]["count"] == 10
    assert [split["mAP"] for split in record["splits"]["each"]] == pytest.approx(maps)
    assert [split["rank1"] for split in record["splits"]["each"]] == pytest.approx(rank1)
    assert (record["mAP"], record["mINP"]) == pytest.approx((np.mean(maps), np.mean(maps)))
    assert record["cmc"] == pytest.approx([np.mean([np.mean(r <= k) for r in splits]) for k in range(1, 51)])
    assert [record[f"rank{k}"] for k in (1, 5, 10)] == pytest.approx([record["cmc"][k - 1] for k in (1, 5, 10)])
    deviations = record["splits"]["mAP_sd"], record["splits"]["rank1_sd"]
    assert deviations == pytest.approx((np.std(maps, ddof=1), np.std(rank1, ddof=1)))
    assert record["splits"]["seed"] == "dcac-splits-1"


@pytest.mark.parametrize("code", SIZES)
def test_counts_are_those_of_one_split(tmp_path, code):
    record = step.run(write_target(tmp_path / "f.npz", code), tmp_path / "s.json")
    queries, gallery = SIZES[code]
    assert (record["num_query"], record["num_gallery"]) == (queries, gallery)
    assert record["num_valid_queries"] == record["num_ids"] == queries
    assert 0 < record["rank1"] <= record["mAP"] == pytest.approx(record["mINP"])  # one match a query
    assert record == json.loads((tmp_path / "s.json").read_text())


def test_ilids_shows_one_image_of_each_person_to_each_side(tmp_path):
    file = read_features(write_target(tmp_path / "f.npz", "iLIDS"))
    for part in split_file(file, "iLIDS"):
        assert len(set(part.query.pids)) == len(part.query.pids) == 60
        assert sorted(part.query.pids) == sorted(part.gallery.pids)
        cameras = dict(zip(part.gallery.pids, part.gallery.camids, strict=True))
        assert all(cameras[pid] != camid for pid, camid in zip(part.query.pids, part.query.camids, strict=True))


def test_queries_of_all_splits_are_pooled_person_by_person(tmp_path):
    path = write_target(tmp_path / "f.npz", "PRID")
    record = step.run(path, tmp_path / "s.json")
    queries = pandas.read_parquet(tmp_path / "s.queries.parquet")
    assert queries.columns.tolist() == ["path", "pid", "camid", "ap", "inp", "first_rank", "split_index"]
    assert queries.groupby("split_index").size().tolist() == [100] * 10
    for split, ranks in enumerate(slow_ranks(path, "PRID")):
        mine = queries[queries["split_index"] == split]
        assert dict(zip(mine["pid"], mine["first_rank"], strict=True)) == ranks
    values = np.stack([queries["ap"], queries["first_rank"] == 1], axis=1)
    means = bootstrap_means(values, queries["pid"], resamples=10_000, seed=1)
    assert record["interval"]["mAP"] == list(percentile_interval(means[:, 0], level=0.95))
    assert record["interval"]["rank1"] == list(percentile_interval(means[:, 1], level=0.95))


def test_two_runs_are_paired_split_by_split_whatever_their_order(tmp_path):
    rows = len(rows_of("iLIDS"))
    ours = write_target(tmp_path / "a.npz", "iLIDS", noise=0.6)
    theirs = write_target(
        tmp_path / "b.npz", "iLIDS", noise=1.5, seed=5, order=np.random.default_rng(2).permutation(rows)
    )
    record = step.run(ours, tmp_path / "a.json", against=theirs)
    alone = step.run(theirs, tmp_path / "b.json")
    assert (record["against"]["mAP"], record["against"]["rank1"]) == (alone["mAP"], alone["rank1"])
    mine, other = (pandas.read_parquet(tmp_path / f"{name}.queries.parquet") for name in "ab")
    joined = mine.merge(other, on=["split_index", "path"], suffixes=("", "_other"))
    assert len(joined) == 600
    (expected,) = paired_differences(
        joined[["ap"]], joined[["ap_other"]], joined["pid"], resamples=10_000, level=0.95, seed=1
    )
    found = record["against"]["difference"]["mAP"]
    assert found["mean"] == pytest.approx(record["mAP"] - alone["mAP"])
    assert (found["mean"], found["verdict"]) == (pytest.approx(expected.mean), "higher")
    assert found["interval"] == pytest.approx([expected.low, expected.high])


def test_run_with_splits_is_not_compared_with_one_without(tmp_path):
    ours = write_target(tmp_path / "a.npz", "iLIDS")
    theirs = write_target(tmp_path / "b.npz", "iLIDS", dataset="MA")
    with pytest.raises(ValueError, match="shows MA, the other file iLIDS: compare runs on the same target"):
        step.run(ours, tmp_path / "s.json", against=theirs)


def test_reranked_score_is_a_mean_over_splits_too(tmp_path):
    path = write_target(tmp_path / "f.npz", "iLIDS")
    reranked = step.run(path, tmp_path / "s.json", rerank="published")["rerank"]
    each = [
        step.describe_reranked([ranking], setting="published", metric="cosine", max_rank=50)
        for ranking in rank_target(read_features(path), "iLIDS", metric="cosine", max_rank=50)
    ]
    assert len(each) == 10
    assert reranked["mAP"] == pytest.approx(np.mean([score["mAP"] for score in each]))


def test_pooled_matches_keep_their_cameras(tmp_path):
    rankings = rank_target(
        read_features(write_target(tmp_path / "f.npz", "iLIDS")), "iLIDS", metric="euclidean", max_rank=10
    )
    matches, query_camids, gallery_camids = pool(rankings)
    pids = [np.concatenate([getattr(r.file, side).pids for r in rankings]) for side in ("query", "gallery")]
    assert len(matches.rank) == len(query_camids) == len(gallery_camids) == 600
    assert np.array_equal(pids[0][matches.query], pids[1][matches.gallery])
    first = rankings[0]
    assert np.array_equal(query_camids[matches.query][:60], first.file.query.camids[first.score.matches.query])


def test_the_line_says_how_many_splits(tmp_path):
    record = step.run(write_target(tmp_path / "f.npz", "iLIDS"), tmp_path / "s.json")
    assert "mean of 10 shipped splits of iLIDS, sd " in step.table_line(record)
    assert "60 queries of 60 identities, 60 gallery" in step.table_line(record)


def test_incomplete_target_is_refused_with_the_remedy(tmp_path):
    path = write_target(tmp_path / "f.npz", "VIPeR", keep=slice(2, None))
    with pytest.raises(ValueError, match=r"630 people in query and gallery.*import the complete target again"):
        step.run(path, tmp_path / "s.json")
    assert not (tmp_path / "s.json").exists()


@pytest.mark.parametrize("code", ["PRID", "iLIDS"])
def test_each_split_mixes_in_the_given_distances_of_its_own_pairs(tmp_path, code):
    path = write_target(tmp_path / "f.npz", code)
    file, draws = read_features(path), np.random.default_rng(3)
    size = len(file.query.pids), len(file.gallery.pids)
    pairs = np.argwhere(draws.random(size) < 0.1)
    given = draws.random(len(pairs))
    np.savez(tmp_path / "pairs.npz", query=pairs[:, 0], gallery=pairs[:, 1], distance=given)
    mixed = {"extra_distances": tmp_path / "pairs.npz", "extra_weight": 0.6}
    record = step.run(path, tmp_path / "s.json", **mixed, rerank="published")
    query, gallery = (side.features.astype(np.float64) for side in (file.query, file.gallery))
    query, gallery = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (query, gallery))
    matrix = 1 - query @ gallery.T
    matrix[tuple(pairs.T)] = 0.4 * matrix[tuple(pairs.T)] + 0.6 * given
    found = [split["mAP"] for split in record["splits"]["each"]]
    for part, mAP in zip(split_file(file, code), found, strict=True):
        rows, columns = (
            [list(whole.paths).index(name) for name in side.paths]
            for whole, side in ((file.query, part.query), (file.gallery, part.gallery))
        )
        labels = part.query.pids, part.query.camids, part.gallery.pids, part.gallery.camids
        assert score_distances([matrix[np.ix_(rows, columns)]], *labels, max_rank=50).mAP == pytest.approx(mAP)
    plain = step.run(path, tmp_path / "p.json", rerank="published")
    assert record["rerank"]["mAP"] != plain["rerank"]["mAP"]
    nothing = step.run(path, tmp_path / "n.json", **(mixed | {"extra_weight": 0.0}), rerank="published")
    assert [nothing["mAP"], nothing["rerank"]["mAP"]] == [plain["mAP"], plain["rerank"]["mAP"]]


def test_other_targets_have_one_ranking_and_no_word_of_splits(tmp_path):
    path = write_target(tmp_path / "f.npz", "VIPeR", dataset="MA")
    record = step.run(path, tmp_path / "s.json")
    assert "splits" not in record and record["num_query"] == 632
    assert "split_index" not in pandas.read_parquet(tmp_path / "s.queries.parquet")
    file = read_features(path)
    assert split_file(file, "MA") == split_file(file, None) == (file,)
