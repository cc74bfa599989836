"""Ranked lists show what scoring ranks: junk left out, AP as scored, queries where their words say."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dcac.data.store import Record, write_store
from dcac.evaluation import score
from dcac.features.feature_file import read_features, write_features
from dcac.reporting.figures.ranked_lists import choose, draw_ranked_lists, rank

LABELS = {"baseline": "Baseline (ours)", "dcac": "DCAC (ours)"}


@pytest.fixture
def target(tmp_path, rows_of_target):
    """A target of 6 queries and 30 gallery images with its normalised file, features of two methods, and a score."""
    generator = np.random.default_rng(0)
    pids, camids, split, paths = rows_of_target(generator)
    records = []
    for pid, camid, own, path in zip(pids, camids, split, paths, strict=True):
        stream = io.BytesIO()
        Image.new("RGB", (8, 16), tuple(int(v) for v in generator.integers(0, 256, 3))).save(stream, format="PNG")
        records.append(Record(own, int(pid), int(camid), "T", path, stream.getvalue()))
    write_store(records, tmp_path / "data/T.parquet", facts={"dataset": "T", "version": "1"})
    meta = {"target": "T", "sources": "A", "seed": 1, "code": {}, "data": {"dataset": "T"}}
    files = {}
    for name in LABELS:
        features = np.eye(8)[pids] + generator.normal(0, 0.8, (36, 8))
        files[name] = tmp_path / f"{name}.npz"
        write_features(files[name], features=features, pids=pids, camids=camids, split=split, paths=paths, meta=meta)
    score.run(files["baseline"], tmp_path / "T.json")
    return files, tmp_path / "T.queries.parquet", tmp_path / "data/T.parquet"


def test_lists_are_those_that_are_scored(target):
    files, queries, _ = target
    file, table = read_features(files["baseline"]), pd.read_parquet(queries)
    for row in range(6):
        own = rank(file, row)
        if np.isnan(table["ap"][row]):
            continue
        assert own.ap == pytest.approx(table["ap"][row], abs=1e-12)
        same = (file.gallery.pids == file.query.pids[row]) & (file.gallery.camids == file.query.camids[row])
        assert not same[own.rows].any(), "junk is left out"
        cosines = file.gallery.features @ file.query.features[row]
        cosines = cosines / np.linalg.norm(file.gallery.features, axis=1) / np.linalg.norm(file.query.features[row])
        wanted = [i for i in np.argsort(-cosines, kind="stable") if not same[i]][:10]
        assert own.rows.tolist() == wanted
        np.testing.assert_allclose(own.cosines, cosines[wanted], atol=1e-6)
        assert own.right.tolist() == (file.gallery.pids[wanted] == file.query.pids[row]).tolist()


def test_words_name_the_queries_at_quantiles_of_ap(target):
    files, queries, _ = target
    file, table = read_features(files["baseline"]), pd.read_parquet(queries)
    ap = table["ap"].to_numpy()
    found = choose(table, file, ["best", "worst", "median", 0.25, "query/02.png"])
    assert ap[found["best"]] == np.nanmax(ap) and ap[found["worst"]] == np.nanmin(ap)
    ordered = np.sort(ap[~np.isnan(ap)])
    assert ap[found["median"]] == ordered[(len(ordered) - 1) // 2]
    assert ap[found["quantile 0.25"]] == ordered[int(0.25 * (len(ordered) - 1))]
    assert found["02.png"] == 2
    with pytest.raises(ValueError, match=r"'query/99.png' is no query of the target; name a query image by its path"):
        choose(table, file, ["query/99.png"])


def test_the_figure_has_a_row_a_query_and_method_with_frames(target):
    from matplotlib.colors import to_hex

    files, queries, store = target
    figure = draw_ranked_lists(files, queries, store, LABELS, chosen=("best", "worst"), faces="blurred", title="t")
    texts = [text.get_text() for text in figure.texts]
    assert sum("DCAC (ours)\nAP" in text for text in texts) == sum("Baseline (ours)\nAP" in text for text in texts) == 2
    assert any("T, trained on A, seed 1" in text and "junk" not in text for text in texts)
    assert len(figure.axes) == 2 * (1 + 2 * 10)
    framed = [axes for axes in figure.axes if axes.get_xlabel()]
    colours = {to_hex(axes.spines["left"].get_edgecolor()) for axes in framed}
    assert len(framed) == 40 and colours == {"#009e73", "#d55e00"}


def test_files_of_other_images_are_refused(target, tmp_path):
    files, queries, store = target
    write_features(
        tmp_path / "o.npz", features=np.eye(2), pids=[1, 1], camids=[0, 1], split=["query", "gallery"], paths=["a", "b"],
        meta={"data": {"dataset": "T"}},
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"o.npz holds other images than .*baseline.npz"):
        draw_ranked_lists(
            {**files, "dcac": tmp_path / "o.npz"}, queries, store, LABELS, chosen=["best"], faces="shown", title="t"
        )
