"""The rehearsal of a training of the tiny world: what it says, and what stops it."""

import json
from types import SimpleNamespace

import pytest

from dcac.data.store import read_split
from dcac.rehearsal import rehearse, trial
from dcac.settings import dump_settings
from dcac.suites import load_suite, load_variants


@pytest.fixture
def arguments(inputs, settings, target, config_dir, tmp_path):
    """A call of the step, for a suite that scores B."""
    config = tmp_path / "run.yaml"
    config.write_text(dump_settings(settings), encoding="utf-8")
    whole = load_suite("smoke", config_dir)
    protocols = {"single-source": {"A": ("B",)}}
    tables = {"dg_single": whole.tables["dg_single"]}
    whole = whole.model_copy(update={"protocols": protocols, "tables": tables, "domains": ("A", "B")})
    return {
        "config": config,
        "stores": inputs.stores,
        "latents": inputs.latents,
        "target": target,
        "encoder": inputs.encoder,
        "prior": inputs.prior,
        "suite": "smoke",
        "variant": "dcac",
        "sources": "A",
        "whole": whole,
        "variants": load_variants(config_dir),
        "published": config_dir / "published.csv",
        "out": tmp_path / "out/A.json",
        "device": "cpu",
    }


def test_a_rehearsal_says_card_memory_seconds_and_losses(arguments):
    rehearse.run(**arguments)
    told = json.loads(arguments["out"].read_text(encoding="utf-8"))
    assert told["device"].startswith("cpu") and told["peak_memory_bytes"] > 0 and told["batch"] == 16
    assert set(told["seconds"]) == {"hashes", "start", "canary", "resume", "trial"}
    for term in ("id", "prototype", "noise"):
        low, high = told["losses"][term]["band"]
        assert low <= told["losses"][term]["low"] <= told["losses"][term]["high"] <= high
        assert told["losses"][term]["band_source"]
    assert told["num_query"] == trial.PEOPLE * 2 and told["checkpoint_bytes"] < told["free_bytes"]
    assert told["seconds_expected"] > told["seconds_per_step"]
    assert [path.name for path in arguments["out"].parent.iterdir()] == ["A.json"], "nothing else is left"


def test_changed_data_stop_it_before_anything_is_computed(arguments):
    arguments["target"].write_bytes(arguments["target"].read_bytes() + b"!")
    with pytest.raises(ValueError, match=r"B\.parquet is not the file"):
        rehearse.run(**arguments)
    assert not arguments["out"].exists()


def test_a_disk_without_room_for_checkpoints_stops_it(arguments, monkeypatch):
    monkeypatch.setattr(rehearse.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(ValueError, match=r"0\.00 GB free beside one checkpoint of .* and 3 lie there at one time"):
        rehearse.run(**arguments)
    assert not list(arguments["out"].parent.iterdir())


def test_a_slice_has_the_first_people_of_query_and_gallery(target, tmp_path):
    trial.cut(target, tmp_path / "slice.parquet")
    rows, whole = (read_split(path, ["query", "gallery"]) for path in (tmp_path / "slice.parquet", target))
    both = sorted(set(whole[whole["split"] == "query"]["pid"]) & set(whole[whole["split"] == "gallery"]["pid"]))
    assert sorted(set(rows["pid"])) == both[: trial.PEOPLE]
    assert len(rows) == len(whole[whole["pid"].isin(both[: trial.PEOPLE])])


def test_sources_that_no_table_scores_are_named(arguments):
    with pytest.raises(ValueError, match="no table of the suite scores C2 on B"):
        trial.table_of(arguments["whole"], "C2", "B")
