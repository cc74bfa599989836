"""A finished run comes back with its own images; other images are refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dcac.data.views import test_view as view
from dcac.features import extract
from dcac.inspection.trained_run import first_images, inputs_of, open_trained, write_arrays
from dcac.provenance.record import ask, read_record, sidecar_of
from dcac.settings import dump_settings, load_settings
from dcac.training.setup import load_data


@pytest.fixture
def load(finished_run):
    """Return a function that loads a finished DCAC run, with changes to the arguments."""

    def start(**changes):
        arguments = {**finished_run(), **changes}
        return open_trained(arguments.pop("run_folder"), arguments.pop("config"), **arguments)

    return start


def test_features_are_those_of_one_image_at_a_time(load, monkeypatch):
    monkeypatch.setattr(extract, "CPU_BATCH", 7)
    run = load()
    rows = np.arange(3, 30, 2)
    features = run.encode(rows)
    with torch.no_grad():
        for row, feature in zip(rows, features, strict=True):
            image = view(torch.from_numpy(run.data.images[row : row + 1]), run.settings)
            torch.testing.assert_close(run.reid.backbone(image)[0], feature, rtol=1e-4, atol=1e-5)
    assert torch.equal(run.encode(slice(3, 30, 2)), features)


def test_prototypes_are_unit_means_of_unit_features(load):
    run = load()
    features = run.encode(slice(None))
    directions = run.reid.embed(view(torch.from_numpy(run.data.images[:]), run.settings)).double().numpy()
    for label, prototype in enumerate(run.prototypes(features).numpy()):
        total = sum(directions[row] for row in range(len(directions)) if run.data.labels[row] == label)
        np.testing.assert_allclose(prototype, total / np.sqrt((total**2).sum()), atol=1e-5)


def test_images_are_normalised_as_the_encoder_was_trained(finished_run, load, encoder_folder, tmp_path):
    card = json.loads((encoder_folder / "config.json").read_text(encoding="utf-8"))
    card["pretrained_cfg"] = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    (tmp_path / "config.json").write_text(json.dumps(card), encoding="utf-8")
    (tmp_path / "model.safetensors").symlink_to(encoder_folder / "model.safetensors")
    asked = load_settings(finished_run()["config"]).model_copy(update={"pixel_mean": "encoder", "pixel_std": "encoder"})
    (tmp_path / "run.yaml").write_text(dump_settings(asked), encoding="utf-8")
    folder = shutil.copytree(finished_run()["run_folder"], tmp_path / "run")
    report = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps({**report, "settings": asked.model_dump(mode="json")}))
    found = load(run_folder=folder, config=tmp_path / "run.yaml", encoder=tmp_path).settings
    assert (found.pixel_mean, found.pixel_std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def test_settings_that_are_not_the_runs_own_are_refused_with_both_values(finished_run, load, tmp_path):
    asked = load_settings(finished_run()["config"]).model_copy(update={"condition_temperature": 0.7})
    (tmp_path / "run.yaml").write_text(dump_settings(asked), encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"trained with condition_temperature [\d.]+, .*run.yaml says 0.7; give the sett"
    ):
        load(config=tmp_path / "run.yaml")


@pytest.mark.parametrize("name", ["run.json", "weights.safetensors"])
def test_a_damaged_run_is_named_with_the_remedy(finished_run, load, tmp_path, name):
    folder = shutil.copytree(finished_run()["run_folder"], tmp_path / "run")
    (folder / name).write_bytes((folder / name).read_bytes()[:200])
    with pytest.raises(ValueError, match=rf"{name} is damaged .*; delete {folder} and train the run again"):
        load(run_folder=folder)


@pytest.mark.parametrize("name", ["reid.classifier.weight", "reid.bnneck.weight"])
def test_weights_that_lack_a_tensor_are_named_with_the_remedy(finished_run, load, tmp_path, from_elsewhere, name):
    folder = shutil.copytree(finished_run()["run_folder"], tmp_path / "run")
    from_elsewhere(folder)
    tensors = load_file(folder / "weights.safetensors")
    del tensors[name]
    save_file(tensors, folder / "weights.safetensors")
    with pytest.raises(
        ValueError, match=rf"weights.safetensors is damaged .*; delete {folder} and train the run again"
    ):
        load(run_folder=folder)


def test_weights_of_another_run_are_refused(finished_run, load, tmp_path):
    folder = shutil.copytree(finished_run()["run_folder"], tmp_path / "run")
    other = finished_run(classifier_std=2.0)["run_folder"]
    shutil.copy(other / "weights.safetensors", folder)
    with pytest.raises(
        ValueError, match=r"weights\.safetensors is not the file that run\.json beside it speaks of; put"
    ):
        load(run_folder=folder)


def test_weights_that_were_changed_are_refused(finished_run, load, tmp_path):
    folder = shutil.copytree(finished_run()["run_folder"], tmp_path / "run")
    tensors = load_file(folder / "weights.safetensors")
    identity = json.loads((folder / "run.json").read_text(encoding="utf-8"))["identity"]
    tensors["reid.bnneck.weight"] += 1
    save_file(tensors, folder / "weights.safetensors", metadata={"identity": identity})
    with pytest.raises(ValueError, match=r"is not the file that run\.json beside it speaks of"):
        load(run_folder=folder)


@pytest.mark.parametrize(("key", "value"), [("settings", "x"), ("data", None), ("seed", "0"), ("epoch", [])])
def test_a_report_of_other_kinds_is_damaged(finished_run, load, tmp_path, key, value):
    folder = shutil.copytree(finished_run()["run_folder"], tmp_path / "run")
    report = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps({**report, key: value}), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"run\.json is damaged, its '{key}' is .*; delete {folder} and train"):
        load(run_folder=folder)


def test_another_version_of_the_data_is_refused(load, other_store):
    with pytest.raises(ValueError, match=r"learnt from A, .* of B; give the normalised files it was trained on"):
        load(stores=[other_store])


def test_converted_run_is_checked_by_its_number_of_identities(finished_run, load, store, other_store, tmp_path):
    """run.json of a converted run names no data."""
    report = json.loads((finished_run()["run_folder"] / "run.json").read_text(encoding="utf-8"))
    (tmp_path / "run.json").write_text(json.dumps({**report, "data": {}}), encoding="utf-8")
    (tmp_path / "weights.safetensors").symlink_to(finished_run()["run_folder"] / "weights.safetensors")
    assert load(run_folder=tmp_path, stores=[other_store]).data.num_identities == 16
    with pytest.raises(ValueError, match="tells 16 identities apart, the given sources hold 32"):
        load(run_folder=tmp_path, stores=[store, other_store])


def test_first_image_is_the_first_in_the_order_of_the_files(finished_run, store, other_store):
    settings = load_settings(finished_run()["config"])
    data = load_data(settings, [other_store, store])
    expected = [data.labels.tolist().index(label) for label in range(data.num_identities)]
    assert first_images(data.labels).tolist() == expected


def test_file_holds_the_arrays_and_the_facts_of_the_run(finished_run, load, tmp_path):
    run, given = load(), finished_run()
    made_from = inputs_of(given["run_folder"], encoder=given["encoder"], stores=given["stores"])
    asked = ask("dcac.inspection.samples", {}, made_from)
    for name in ("a", "b"):
        write_arrays(tmp_path / f"{name}.npz", run, asked=asked, arrays={"share": 0.5, "keys": ["x", "yz"]})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert (float(file["share"]), file["keys"].tolist()) == (0.5, ["x", "yz"])
        meta = json.loads(str(file["meta"]))
    assert meta["run"] == run.report["identity"] and meta["settings"] == run.report["settings"] and meta["seed"] == 0
    assert meta["code"]["train"] == run.report["code"] and len(meta["code"]["samples"]) == 12
    record = read_record(sidecar_of(tmp_path / "a.npz"))
    assert record["identity"] == asked.identity and set(record["inputs"]) == {"run", "encoder", "data A"}
