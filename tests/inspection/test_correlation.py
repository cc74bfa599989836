"""Mean class correlations equal a slow loop, and the group of look-alikes is the one found by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dcac.data.views import test_view as view
from dcac.features import extract
from dcac.inspection import correlation
from dcac.inspection.correlation import look_alikes, mean_correlation
from dcac.inspection.trained_run import open_trained
from dcac.training.setup import load_data

BY_HAND = np.array(
    [
        [0.70, 0.10, 0.05, 0.15],
        [0.20, 0.60, 0.10, 0.10],
        [0.05, 0.30, 0.60, 0.05],
        [0.25, 0.05, 0.05, 0.65],
    ]
)  # both directions averaged: 03 0.2, 12 0.2, 01 0.15, 13 0.075, 02 0.05, 23 0.05


@pytest.fixture
def load(finished_run):
    """Return a function that loads a finished run of a scheme."""

    def start(**changes):
        run = dict(finished_run(**changes))
        return open_trained(run.pop("run_folder"), run.pop("config"), **run)

    return start


def unequal(run):
    """Drop some images, so that identities have one to four."""
    kept = np.delete(np.arange(len(run.data.labels)), [1, 2, 3, 9, 20, 21, 40])
    return replace(run, data=replace(run.data, images=run.data.images.rows(kept), labels=run.data.labels[kept]))


def slow_correlations(run):
    """Return p of every image, float64 [M, N], one image and one number at a time."""
    images, labels, settings = run.data.images, run.data.labels, run.settings
    with torch.no_grad():
        seen = [run.reid(view(torch.from_numpy(image[None]), settings)) for image in images]
    units = np.stack([e.normed[0].double().numpy() for e in seen])
    units /= np.sqrt((units**2).sum(axis=1, keepdims=True))
    prototypes = [sum(units[i] for i in np.flatnonzero(labels == label)) for label in range(run.data.num_identities)]
    prototypes = [prototype / np.sqrt(prototype @ prototype) for prototype in prototypes]
    rows = []
    for unit, embedding in zip(units, seen, strict=True):
        by_class = np.exp(embedding.logits[0].double().numpy() / settings.condition_temperature)
        by_prototype = np.array([np.exp(unit @ prototype / settings.prototype_temperature) for prototype in prototypes])
        fc, pcl = by_class / by_class.sum(), by_prototype / by_prototype.sum()
        rows.append({"fc": fc, "pcl": pcl, "fc+pcl": (fc + pcl) / 2}[settings.condition])
    return np.array(rows)


@pytest.mark.parametrize("scheme", ["fc", "pcl", "fc+pcl"])
def test_means_equal_a_slow_loop(load, monkeypatch, scheme):
    monkeypatch.setattr(correlation, "BATCH", 7)
    monkeypatch.setattr(extract, "CPU_BATCH", 9)
    run = unequal(load(condition=scheme))
    means, largest = mean_correlation(run)
    p = slow_correlations(run)
    expected = [p[run.data.labels == label].mean(axis=0) for label in range(16)]
    assert means.dtype == np.float64
    np.testing.assert_allclose(means, expected, rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(means.sum(axis=1), 1, rtol=1e-6)
    assert largest == pytest.approx(p.max(axis=1).mean(), rel=1e-3)


def test_group_found_by_hand():
    assert look_alikes(BY_HAND, 2) == [0, 3]  # as near as 1 and 2, and first by index
    assert look_alikes(BY_HAND, 3) == [0, 3, 1]  # 1: (0.15 + 0.075) / 2; 2: 0.05
    assert look_alikes(BY_HAND, 4) == [0, 3, 1, 2]
    assert look_alikes(BY_HAND[::-1, ::-1], 3) == [0, 3, 2]  # the same people, numbered backwards: 3, 0, 1


def test_sharp_own_probabilities_do_not_decide():
    means = np.full((5, 5), 0.01)
    np.fill_diagonal(means, [0.1, 0.9, 0.2, 0.9, 0.3])
    means[2, 4] = 0.02
    assert look_alikes(means, 3) == [2, 4, 0]


@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.sampled_from([2, 50]))
def test_group_equals_a_plain_search(seed, people, levels):
    means = (
        np.random.default_rng(seed).integers(levels, size=(7, 7)) / 64
    )  # few levels: ties; sixty-fourths: exact sums
    similar = [[(means[i, j] + means[j, i]) / 2 for j in range(7)] for i in range(7)]
    pairs = [(i, j) for i in range(7) for j in range(i + 1, 7)]
    group = list(min(pairs, key=lambda pair: (-similar[pair[0]][pair[1]], pair)))
    while len(group) < people:
        outside = [i for i in range(7) if i not in group]
        group.append(min(outside, key=lambda i: (-sum(similar[i][j] for j in group), i)))
    assert look_alikes(means, people) == group


@pytest.mark.parametrize("people", [1, 5])
def test_group_that_does_not_fit_is_refused(people):
    with pytest.raises(ValueError, match=rf"people {people} is not within 2\.\.4"):
        look_alikes(BY_HAND, people)


def test_file_holds_the_group(finished_run, load, tmp_path):
    correlation.run(**finished_run(), people=5, out=tmp_path / "c.npz")
    with np.load(tmp_path / "c.npz", allow_pickle=False) as file:
        found = dict(file)
    trained = load()
    means, largest = mean_correlation(trained)
    group = look_alikes(means, 5)
    assert found["keys"].tolist() == [f"A/train/{label}" for label in group]
    assert found["matrix"].tolist() == [[means[i, j] for j in group] for i in group]
    first = [trained.data.labels.tolist().index(label) for label in group]
    assert np.array_equal(found["pictures"], load_data(trained.settings, finished_run()["stores"]).images[first])
    share = np.mean([sum(means[i, j] for j in group if j != i) for i in group])
    expected = {"mean_own": np.trace(means) / 16, "mean_p_max": largest, "share_in_group": share, "chance": 1 / 16}
    assert {name: float(found[name]) for name in expected} == pytest.approx(expected)
    assert json.loads(str(found["meta"]))["settings"]["condition"] == "fc"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"diffusion": "none"}, "none, a baseline"),
        ({"condition": "feature"}, "feature"),
        ({"condition": "hard"}, "hard"),
    ],
)
def test_run_without_a_correlation_is_refused(finished_run, tmp_path, changes, named):
    with pytest.raises(ValueError, match=rf"\(condition: {named}\); choose a run with fc, pcl or fc\+pcl"):
        correlation.run(**finished_run(**changes), people=3, out=tmp_path / "c.npz")
