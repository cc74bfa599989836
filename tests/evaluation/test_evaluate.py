"""Any network is embedded and scored on any target, a line each; memory does not grow with the target's images."""

import io
import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from dcac.data import store as data_store
from dcac.data.store import Record, write_store
from dcac.evaluation import evaluate
from dcac.features.feature_file import read_features
from dcac.foreign.network_card import NetworkCard, PartCard
from dcac.networks.network import BatchSize, Network
from dcac.provenance.record import Input

VIEW = {
    "height": 16,
    "width": 8,
    "resize": "bilinear",
    "channels": "rgb",
    "scale": 1,
    "mean": [0, 0, 0],
    "std": [1, 1, 1],
}


class Colours:
    """Mean colours of the upper and the lower half."""

    batch = BatchSize(1, 64)

    def __call__(self, images):
        return {"features": images.unflatten(2, (2, -1)).mean(dim=(3, 4)).flatten(1).numpy()}


def network(**card):
    given = PartCard.model_validate({"view": VIEW, **card})
    return Network(
        "models/colours.onnx", NetworkCard.model_validate({"view": VIEW, **card}), given, Colours(), Input("c", "c")
    )


@pytest.fixture
def write_target(tmp_path):
    """Return a function that writes a target of people in two colours, photographed with noise by two cameras."""

    def write(code, people, shots=1, size=(32, 16)):
        generator = np.random.default_rng(0)
        records = []
        for pid in range(people):
            colours = generator.integers(0, 256, (2, 1, 3))
            for camera, split in enumerate(("query", "gallery")):
                for shot in range(shots if camera else 1):
                    pixels = (
                        np.kron(colours, np.ones((size[0] // 2, size[1], 1)))
                        + generator.normal(0, 30, (*size, 3))
                        + generator.normal(0, 40)
                    )
                    stream = io.BytesIO()
                    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, format="PNG")
                    records.append(Record(split, pid, camera, code, f"{split}/{pid}_{shot}.png", stream.getvalue()))
        path = tmp_path / f"data/{code}.parquet"
        write_store(records, path, facts={"dataset": code, "version": "1"})
        return path

    return write


def test_both_metrics_are_given_where_the_card_fixes_none(write_target, tmp_path):
    target = write_target("A", 12)
    ((code, record),) = evaluate.run(network=network(), stores=[target], out=tmp_path / "out")
    assert code == "A" and record["metric"] == "cosine" and record["other_metric"]["metric"] == "euclidean"
    first, second = evaluate.lines(code, record, network())
    assert first.startswith("A        cosine    mAP ") and second.split()[0] == "euclidean" and "[" in second
    assert record["mAP"] != record["other_metric"]["mAP"]
    assert (tmp_path / "out/A.npz").is_file() and (tmp_path / "out/A.json").is_file()
    meta = read_features(tmp_path / "out/A.npz").meta
    assert meta["sources"] == "none" and meta["variant"] == "models-colours.onnx"
    assert meta["network"]["card"]["view"]["height"] == 16 and meta["settings"]["evaluation_resize"] == "bilinear"


@pytest.mark.parametrize(
    ("card", "asked", "used"),
    [("euclidean", "card", "euclidean"), (None, "cosine", "cosine"), ("euclidean", "cosine", "cosine")],
)
def test_the_card_fixes_the_metric_unless_one_is_asked_for(write_target, tmp_path, card, asked, used):
    ((_, record),) = evaluate.run(
        network=network(metric=card), stores=[write_target("A", 8)], out=tmp_path / "out", metric=asked
    )
    assert record["metric"] == used and "other_metric" not in record


def test_a_target_that_the_network_learnt_from_is_marked(write_target, tmp_path):
    chosen = network(trained_on=["A"], metric="cosine")
    found = dict(
        evaluate.run(network=chosen, stores=[write_target("A", 8), write_target("B", 8)], out=tmp_path / "out")
    )
    shown = {code: next(evaluate.lines(code, record, chosen)) for code, record in found.items()}
    assert shown["A"].endswith("(the network was trained on this set)") and "trained" not in shown["B"]
    assert found["A"]["meta"]["sources"] == "A"


def test_results_never_lie_among_the_data(write_target):
    target = write_target("A", 4)
    before = target.with_suffix(".json").read_text()
    with pytest.raises(ValueError, match=r"A.json, which belongs to .*A.parquet; give another name or folder"):
        list(evaluate.run(network=network(), stores=[target], out=target.parent))
    assert target.with_suffix(".json").read_text() == before and "sha256" in json.loads(before)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("results/demo/runs/dcac/campus/seed0", "demo-runs-dcac-campus-seed0"),
        ("../my nets/osnet x1.onnx", "my-nets-osnet-x1.onnx"),
        ("/", "network"),
    ],
)
def test_a_path_becomes_one_word(name, word):
    assert evaluate.word_of(name) == word


def test_the_same_network_embeds_a_target_once(write_target, tmp_path, monkeypatch):
    """In a results folder features are put back by their record; another card, or another file, embeds anew."""
    target, out = write_target("A", 6), tmp_path / "results/evaluate/net"
    calls = []
    monkeypatch.setattr(
        Colours, "__call__", lambda self, images: calls.append(1) or {"f": images.mean(dim=(2, 3)).numpy()}
    )
    for given, wanted in ((network(), 2), (network(), 2), (network(feature={"normalise": True}), 4)):
        list(evaluate.run(network=given, stores=[target], out=out))
        assert len(calls) == wanted  # one for the queries, one for the gallery
    assert (abs((read_features(out / "A.npz").query.features.astype(float) ** 2).sum(axis=1) - 1) < 1e-5).all()


def test_memory_does_not_grow_with_the_targets_images(write_target, tmp_path, monkeypatch):
    """Four times the images, in row groups of one size: the peak grows by no more than the features themselves."""
    monkeypatch.setattr(data_store, "ROWS_PER_GROUP", 50)

    def peak(code, people):
        target = write_target(code, people, size=(64, 32))
        list(evaluate.run(network=network(metric="cosine"), stores=[write_target("W", 4)], out=tmp_path / "warm"))
        tracemalloc.start()
        list(evaluate.run(network=network(metric="cosine"), stores=[target], out=tmp_path / code))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few, many = peak("F", 100), peak("M", 400)
    pixels = 2 * 300 * 64 * 32 * 3  # of the further images, decoded
    assert many - few < pixels / 4, f"{few} bytes for 200 images, {many} for 800"
