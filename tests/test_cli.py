"""The command line: its shape, and that each command hands on what was typed."""

import hashlib
import io
import json
import re
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from dcac.cli import app
from dcac.cli_options import Panels
from dcac.data.store import Record, write_store
from dcac.features.feature_file import write_features
from dcac.foreign.network_card import NetworkCard
from dcac.provenance.code import steps

VIEW = {
    "height": 8,
    "width": 4,
    "resize": "bicubic",
    "channels": "rgb",
    "scale": 1,
    "mean": [0, 0, 0],
    "std": [1, 1, 1],
}
ROOT = Path(__file__).parents[1]
COMMANDS = get_command(app).commands
EVERY = {**COMMANDS, **{f"data {name}": command for name, command in COMMANDS["data"].commands.items()}}


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the project's configuration, in which commands are typed."""
    shutil.copytree(ROOT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("datasets.local.yaml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dcac(*words):
    """Type a command and return its result; a fault of the program is raised."""
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def picture(colour):
    stream = io.BytesIO()
    Image.new("RGB", (32, 64), colour).save(stream, format="PNG")
    return stream.getvalue()


def rules():
    """Return the text of every rule of the workflow under its name."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    parts = re.split(r"^(?:rule|use rule \w+ as) (\w+)(?::| with:)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_rule_step_module_and_log_folder_share_one_word():
    named = {"render": "data render", "import_data": "data import"}
    assert len(rules()) >= 15
    pattern = r'"python -m dcac --log \{log:q\} ((?:data )?[a-z_]+) |step="(\w+)"|"(cp) '
    for rule, text in rules().items():
        if (
            "shell:" not in text and "params:" not in text
        ):  # the same step on another machine: it has the log of the rule it uses
            assert not {"log:", "output:"} & set(text.split())
            continue
        word = next(filter(None, re.search(pattern, text).groups()))
        assert f"results/logs/{rule}" in text and f"results/benchmarks/{rule}" in text
        if word == "cp":  # a rule that only copies is no step
            assert rule.startswith("show_")
            continue
        assert word == named.get(rule, rule) and word in EVERY
        assert rule == "write_config" or rule in steps()


def test_help_lists_every_command_with_its_sentence():
    shown = " ".join(dcac("--help").stdout.split())
    for name, command in COMMANDS.items():
        assert re.search(rf"\b{name}\b", shown)
        assert command.help and command.help.strip()[0].isupper()


@pytest.mark.parametrize("name", [name for name in EVERY if name != "data"])
def test_every_command_has_an_example_and_every_parameter_its_help(name):
    command = EVERY[name]
    assert f"Example: dcac {name}" in command.help
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", None)] == []


def test_panels_of_the_help_stand_in_the_order_of_the_data():
    shown = dcac("--help").stdout
    places = [shown.index(f"─ {panel} ─") for panel in Panels.ORDER]
    assert places == sorted(places)


def test_help_of_data_names_each_of_its_commands():
    listed = re.search(r"status.*\.", COMMANDS["data"].help)[0].rstrip(".").split(", ")
    assert listed == list(COMMANDS["data"].commands)


@pytest.mark.parametrize("name", EVERY)
def test_help_of_a_command_needs_nothing_else(name):
    result = dcac(*name.split(), "--help")
    assert result.exit_code == 0 and "Usage:" in result.stdout


def test_a_misspelt_command_is_refused():
    result = dcac("trian")
    assert result.exit_code == 2 and "trian" in result.output


def test_data_status_reads_data_root_and_every_suite(project):
    data = project / "elsewhere"
    (data / "Market1501").mkdir(parents=True)
    config = yaml.safe_load((project / "config/config.yaml").read_text())
    (project / "config/config.yaml").write_text(yaml.safe_dump({**config, "data_root": str(data)}))
    lines = {line.split("  ")[0]: line for line in dcac("data", "status").stdout.splitlines()}
    assert "importable" in lines["MA"] and "elsewhere" in lines["MA"]
    assert "withdrawn" in lines["D"]
    assert {"demo: single-source", "paper: leave-one-out"} <= set(lines)


def test_data_fetch_puts_the_archive_into_data_root(project):
    (project / "served").mkdir()
    content = b"PK" + bytes(1000)
    (project / "served/set.zip").write_bytes(content)
    cards = yaml.safe_load((project / "config/datasets.yaml").read_text())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=project / "served")) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/set.zip"
        archive = {"name": "set.zip", "url": url, "sha256": hashlib.sha256(content).hexdigest()}
        cards["MA"]["archives"] = [{"name": "first.zip"}, archive]
        (project / "config/datasets.yaml").write_text(yaml.safe_dump(cards, sort_keys=False))
        result = dcac("data", "fetch", "MA", "--archive", "set.zip")
        server.shutdown()
    assert result.stdout.strip() == "data/set.zip"
    assert (project / "data/set.zip").read_bytes() == content


@pytest.fixture
def lab(project):
    """Pictures of three people by two cameras in data_root."""
    for place, name in enumerate(f"{pid}/cam{camera}_{shot}.png" for pid in "abc" for camera in "12" for shot in "12"):
        file = project / "data/lab" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture((place, 2 * place, 3 * place)))
    return project / "data/lab"


def test_a_set_that_was_added_is_imported_as_its_card_says(project, lab):
    shown = dcac("data", "add", lab, "--dataset", "LAB", "--split", "half", "--dry-run").stdout
    assert "Nothing is written" in shown and not (project / "config/datasets.local.yaml").exists()
    dcac("data", "add", lab, "--dataset", "LAB", "--split", "half")
    content = yaml.safe_load((project / "config/datasets.local.yaml").read_text())
    schema = json.loads((project / "config/schemas/datasets.json").read_text())
    assert not list(Draft202012Validator(schema).iter_errors(content))
    assert (
        content["LAB"]["folders"] == ["lab"]
        and yaml.safe_load(shown.partition("\n\n")[2].rpartition("\n\n")[0]) == content
    )
    status = dcac("data", "status").stdout
    assert re.search(r"LAB +importable +dcac data import data/lab --dataset LAB", status)
    box = dcac("data", "import", lab, "--dataset", "LAB", "--out", "LAB.parquet").stdout
    assert "train   |     2 |" in box and "version own, variant standard, layout folders" in box
    assert "12 images decode; labels, order, counts and hashes agree" in dcac("data", "check", "LAB.parquet").stdout


def test_options_of_cameras_that_contradict_each_other_are_refused(project, lab):
    result = dcac("data", "add", lab, "--dataset", "LAB", "--split", "test", "--no-cameras", "--camera", "cam(.)")
    assert result.exit_code == 2 and "contradict each other" in result.output


def test_data_fetch_of_an_unknown_set_names_the_known_ones(project):
    with pytest.raises(ValueError, match=r"unknown data set 'market'.*MA, D, MS"):
        dcac("data", "fetch", "market")


@pytest.fixture
def rendered(tmp_path):
    """A normalised file of three rendered pictures."""
    colours = ("red", "lime", "blue")
    records = [Record("train", pid, 0, "campus", f"{pid}.png", picture(c)) for pid, c in enumerate(colours)]
    write_store(records, tmp_path / "campus.parquet", facts={"layout": "rendered"})
    return tmp_path / "campus.parquet"


def test_data_sheet_draws_a_row_for_each_file(rendered, tmp_path):
    result = dcac("data", "sheet", rendered, rendered, "--out", tmp_path / "sheet.png", "--images", 2)
    assert result.exit_code == 0
    single = dcac("data", "sheet", rendered, "--out", tmp_path / "single.png", "--images", 2)
    assert single.exit_code == 0
    (width, height), (single_width, single_height) = (
        Image.open(tmp_path / name).size for name in ("sheet.png", "single.png")
    )
    assert width == single_width and height > 1.5 * single_height


def test_data_sheet_refuses_pictures_of_real_people(tmp_path):
    real = [Record("train", 1, 0, "MA", "1.png", picture("red"))]
    write_store(real, tmp_path / "MA.parquet", facts={"layout": "market"})
    with pytest.raises(ValueError, match="pictures of real people"):
        dcac("data", "sheet", tmp_path / "MA.parquet", "--out", tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()


class Loaded:
    """A network that gives fixed features."""

    card = NetworkCard.model_validate({"view": VIEW})

    def embed(self, pictures, *, unit_length):
        assert pictures == [Path("one.png"), Path("two.png")] and unit_length
        return np.eye(3)[[2, 0]]


@pytest.mark.parametrize("word", ["--network", "--run"])
def test_search_embeds_the_pictures_with_any_network_and_lists_the_nearest(tmp_path, monkeypatch, word):
    pytest.importorskip("faiss")
    asked = {}

    def load(path, **options):
        asked.update(options, path=path)
        return Loaded()

    monkeypatch.setattr("dcac.networks.load.load", load)
    monkeypatch.setattr("dcac.networks.made_by.require_made_by", lambda meta, path, network: asked.update(meta=meta))
    labels = {"pids": [9, 5, 6], "camids": [1, 0, 0], "split": ["query", "gallery", "gallery"]}
    paths = ["q.png", "a.png", "b.png"]
    write_features(tmp_path / "f.npz", features=np.eye(3)[[1, 0, 2]], **labels, paths=paths, meta={})
    result = dcac(
        "search", "one.png", "two.png", "--gallery", tmp_path / "f.npz", word, "net.onnx", "--card", "net.yaml",
        "--encoder", tmp_path / "encoder", "--out", tmp_path / "hits.csv", "--count", 1, "--device", "cpu",
    )  # fmt: skip
    loaded = {"path": "net.onnx", "card": Path("net.yaml"), "encoder": tmp_path / "encoder", "device": "cpu"}
    assert asked == {**loaded, "meta": {}}
    hits = pd.read_csv(tmp_path / "hits.csv")
    assert hits["path"].tolist() == ["b.png", "a.png"] and hits["pid"].tolist() == [6, 5]
    assert "b.png" in result.stdout


def test_evaluate_prints_a_line_a_target_and_files_results_by_the_network(project, monkeypatch):
    asked = {}
    for code in ("MA", "own"):
        path = project / ("results/data" if code == "MA" else "elsewhere") / f"{code}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    loaded = SimpleNamespace(name="nets/a net.onnx", card=Loaded.card)
    monkeypatch.setattr("dcac.networks.load.load", lambda path, **options: asked.update(options, path=path) or loaded)

    def run(**options):
        asked.update(options)
        return iter([(store.stem, {"metric": "cosine"}) for store in options["stores"]])

    monkeypatch.setattr("dcac.evaluation.evaluate.run", run)
    monkeypatch.setattr("dcac.evaluation.evaluate.lines", lambda code, record, _: [f"{code} {record['metric']}"])
    own = project / "elsewhere/own.parquet"
    result = dcac("evaluate", "a.onnx", "--target", "MA", "--target", own, "--card", "a.yaml", "--device", "cpu")
    assert result.stdout.splitlines() == ["MA cosine", "own cosine"]
    assert asked["stores"] == [Path("results/data/MA.parquet"), own] and asked["metric"] == "card"
    assert asked["out"] == Path("results/evaluate/nets-a-net.onnx") and asked["card"] == Path("a.yaml")


def test_evaluate_names_what_makes_a_target_that_is_not_there(project, monkeypatch):
    with pytest.raises(
        ValueError, match=r"no normalised file results/data/D.parquet; run `snakemake results/data/D.parquet`"
    ):
        dcac("evaluate", "a.onnx", "--target", "D")
    with pytest.raises(ValueError, match=r"no normalised file x/D.parquet; correct the path"):
        dcac("evaluate", "a.onnx", "--target", "x/D.parquet")


def test_weights_of_a_network_to_be_tested_are_brought_by_their_own_step(project):
    (project / "net.onnx").write_bytes(b"graph")
    cards = yaml.safe_load((project / "config/weights.yaml").read_text(encoding="utf-8"))
    cards["net"] = {"kind": "network", "source": "file", "path": "net.onnx", "terms": "none"}
    (project / "config/weights.yaml").write_text(yaml.safe_dump(cards), encoding="utf-8")
    assert dcac("weights", "net", "--out", "results/weights/net").exit_code == 0
    assert (project / "results/weights/net/net.onnx").read_bytes() == b"graph"
