"""A wrong option is named before anything is read: exit code 2 and no result."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dcac.cli import app
from dcac.cli_given import named_networks
from dcac.cli_options import as_arguments
from dcac.settings import dump_settings
from dcac.suites import load_suite, run_settings


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that gives a command in an empty folder and returns its exit code and its words."""
    monkeypatch.chdir(tmp_path)

    def give(*words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        return result.exit_code, " ".join(result.output.replace("│", " ").split())

    return give


TRAIN = ["train", "--config", "c.yaml", "--encoder", "e", "--out", "o"]
EXTRACT = [
    "extract",
    "--run",
    "r",
    "--config",
    "c",
    "--encoder",
    "e",
    "--suite",
    "s",
    "--variant",
    "v",
    "--sources",
    "x",
    "--out",
    "o",
]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*TRAIN, "--seed", "1", "a.parquet", "./a.parquet"], "a.parquet is given twice"),
        ([*TRAIN, "--seed", "1", "a.parquet", "b/a.parquet"], "has the name of a.parquet"),
        ([*TRAIN, "--seed", "1", "a.parquet", *["l.safetensors"] * 2], "is given twice"),
        ([*TRAIN, "--seed", "1", "l.safetensors"], "no normalised file (.parquet)"),
        ([*TRAIN, "--seed", "1", "a.parquet", "run.json"], "run.json is neither a normalised file"),
        ([*TRAIN, "--seed", "-1", "a.parquet"], "'--seed'"),
        (
            [*TRAIN, "--seed", "1", "a.parquet", "--device", "gpu"],
            "'gpu' is no device; write cpu, cuda or auto",
        ),
        ([*EXTRACT, "--seed", "1", *["t.parquet"] * 2], "t.parquet is given twice"),
        (["records", "a.json", "b/../a.json", "--out", "r.csv"], "is given twice; give one of them"),
        (["records", "a.json", "--out", "a.json"], "a.json does not end in .csv"),
        (["metrics", "a.csv", "a.csv", "--out", "m.json"], "a.csv is given twice"),
        (["metrics", "a.csv", "b/a.csv", "--out", "m.json"], "b/a.csv has the name of a.csv"),
        ([*TRAIN, "--seed", "1", "--seed", "2", "a.parquet"], "--seed is given twice; give one of them"),
        (["data", "render", "campus", "--out", "a.parquet", "--out", "b.parquet"], "--out is given twice"),
        (["score", "f.npz", "--out", "f.npz"], "f.npz does not end in .json"),
        (["score", "f.npz", "--out", "f.json", "--device", "gpu"], "'gpu' is no device"),
        (["score", "f.npz", "--out", "f.json", "--max-rank", "0"], "'--max-rank'"),
        (
            ["latents", "a.parquet", "--prior", "p", "--size", "8", "--out", "a.parquet"],
            "end in .safetensors",
        ),
        (["write_config", "--suite", "s", "--variant", "v", "--sources", "x", "--out", "c.json"], "end in .yaml"),
        (["figure", "f", "r.csv", "--suite", "s", "--out", "r.csv"], "r.csv does not end in .pdf or .svg or .png"),
        (
            ["table", "t", "r.csv", "--suite", "s", "--published", "p", "--out", "t.htm"],
            "end in .md or .html or .tex or .csv",
        ),
        (["data", "import", "a.zip", "--dataset", "MA", "--out", "x.json"], "x.json does not end in .parquet"),
        (["data", "render", "campus", "--out", "x.json"], "x.json does not end in .parquet"),
        (["data", "sheet", "a.parquet", "--out", "a.parquet"], "a.parquet does not end in .png"),
        (["data", "check", "a.parquet", "--workers", "0"], "'--workers'"),
    ],
)
def test_a_wrong_option_is_a_wrong_use(run, tmp_path, words, message):
    code, said = run(*words)
    assert code == 2 and message in said
    assert not list(tmp_path.iterdir())


def test_a_run_is_not_written_over_something_else(run, tmp_path):
    (tmp_path / "run").mkdir()
    code, said = run("convert", "run", "--out", "run/weights.safetensors")
    assert code == 2 and "does not end in .pth" in said


def test_a_variants_name_is_not_given_to_the_settings_of_another(tmp_path, config_dir, monkeypatch):
    monkeypatch.chdir(Path(config_dir).parent)
    settings = run_settings(load_suite("smoke"), "dcac", "smoke-a")
    (tmp_path / "c.yaml").write_text(dump_settings(settings))
    names = ["--suite", "smoke", "--sources", "smoke-a", "--seed", "0", "b.parquet", "--out", "o"]
    words = ["extract", "--run", "no-run", "--config", str(tmp_path / "c.yaml"), "--encoder", "e", *names]
    refused = CliRunner().invoke(app, [*words, "--variant", "baseline"])
    assert "c.yaml says method 'dcac', but variant 'baseline' of suite 'smoke' has 'baseline'" in str(refused.exception)
    for variant in ("dcac", "my-own-name"):
        assert "no-run/run.json does not exist" in str(
            CliRunner().invoke(app, [*words, "--variant", variant]).exception
        )


def test_measurements_are_filed_under_the_sources_they_were_made_on(run):
    names = ["--variant", "v", "--sources", "MA", "--out", "o.json", "C3.parquet"]
    result = CliRunner().invoke(app, ["overhead", "--config", "c.yaml", "--encoder", "e", *names])
    assert "--sources MA, but the normalised files given are those of C3" in str(result.exception)


@pytest.mark.parametrize(
    ("args", "known", "read"),
    [
        (["--store", "a.parquet", "--seed", "0"], ["--seed"], ["--seed", "0", "a.parquet"]),
        (["--store=a", "--latents", "b", "name"], [], ["name", "a", "b"]),
        (["--records", "r.csv", "table"], [], ["table", "r.csv"]),
        (["p.png", "--store", "a"], ["--store"], ["p.png", "--store", "a"]),
        (["--store"], [], ["--store"]),
    ],
)
def test_files_of_former_options_are_arguments(args, known, read):
    assert as_arguments(args, known) == read


def test_further_networks_are_named_with_their_folders():
    assert named_networks(None) == {}
    given = ["teacher=weights/clip/manifest.json", "critic=weights/a=b"]
    assert named_networks(given) == {"teacher": Path("weights/clip"), "critic": Path("weights/a=b")}
    for wrong in (["weights/clip"], ["=weights/clip"], ["teacher="], ["teacher=a", "teacher=b"]):
        with pytest.raises(ValueError, match="is not NAME=FOLDER, each name once"):
            named_networks(wrong)
