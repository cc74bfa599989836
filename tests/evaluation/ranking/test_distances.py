"""Stand-ins never stray farther than their bound says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcac.evaluation.ranking.distances import measure


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@given(
    seed=st.integers(0, 10_000),
    width=st.sampled_from([1, 7, 300]),
    offset=st.sampled_from([0, 1, 1e3, 1e8]),
    scale=st.sampled_from([1e-20, 1, 1e20]),
)
@settings(deadline=None, max_examples=60)
def test_stand_in_stays_within_its_error(metric, seed, width, offset, scale):
    generator = np.random.default_rng(seed)
    query, gallery = (scale * (generator.standard_normal((rows, width)) + offset) for rows in (4, 30))
    geometry = measure(query, gallery, metric=metric)
    factors, errors = geometry.stand_ins(slice(None))
    rough = factors.astype(np.float64) @ geometry.gallery_stand_in.T.astype(np.float64)
    single = (factors @ geometry.gallery_stand_in.T).astype(np.float64)
    half = 1.0 if metric == "cosine" else 0.5  # the euclidean distance is the whole square, a stand-in half of it
    for row in range(4):
        exact = geometry.exact(row, np.arange(30)) * half * geometry.scale**2
        for values in (rough, single):
            strayed = (values[row] - values[row, 0]) - (exact - exact[0])
            assert np.abs(strayed).max() <= 2 * errors[row]


def test_error_is_small_enough_to_be_of_use():
    generator = np.random.default_rng(0)
    geometry = measure(generator.standard_normal((5, 512)), generator.standard_normal((50, 512)), metric="cosine")
    assert geometry.stand_ins(slice(None))[1].max() < 1e-4 * geometry.scale**2


def test_distance_does_not_depend_on_the_company(make_target):
    target = make_target(0, width=300)
    geometry = measure(target.query_features, target.gallery_features, metric="cosine")
    together = geometry.exact(3, np.arange(60))
    alone = [geometry.exact(3, np.array([row]))[0] for row in range(60)]
    assert together.tolist() == alone


def test_equal_rows_have_equal_distances():
    generator = np.random.default_rng(0)
    row = generator.standard_normal(700).astype(np.float32)
    gallery = np.stack([row, generator.standard_normal(700).astype(np.float32), row])
    distances = measure(gallery[1:2], gallery, metric="cosine").exact(0, np.arange(3))
    assert distances[0] == distances[2]


def test_many_columns_are_evaluated_in_parts(monkeypatch, make_target, slow_distance):
    monkeypatch.setattr("dcac.evaluation.ranking.distances.VALUES_AT_A_TIME", 30)
    target = make_target(0)
    geometry = measure(target.query_features, target.gallery_features, metric="euclidean")
    wanted = slow_distance(target.query_features, target.gallery_features, "euclidean")[2]
    np.testing.assert_allclose(geometry.exact(2, np.arange(60)), wanted, rtol=1e-12)
