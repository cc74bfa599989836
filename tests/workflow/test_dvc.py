"""DVC around Snakemake: one stage, and a round trip through a remote after which nothing is left to do."""

import json
import shutil

import pytest
import yaml

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def versioned(smoke, tmp_path_factory):
    """The finished smoke copy under git and DVC, with its results committed to both."""
    folder = tmp_path_factory.mktemp("dvc") / "copy"
    shutil.copytree(smoke.folder, folder)
    copy = smoke.at(folder)
    for command in (
        "git init -q",
        "dvc commit -f",
        "git add -A",
        "git -c user.name=A -c user.email=a@b.c commit -q -m Results",
    ):
        result = copy.run(*command.split())
        assert result.returncode == 0, result.stdout
    return copy


def test_a_second_reproduction_asks_snakemake_and_makes_nothing(versioned):
    before = (versioned.folder / "dvc.lock").read_bytes()
    result = versioned.run("dvc", "repro")
    assert result.returncode == 0, result.stdout
    assert "Nothing to be done" in result.stdout
    assert (versioned.folder / "dvc.lock").read_bytes() == before


def test_every_output_persists_and_metrics_show(versioned):
    stage = yaml.safe_load((versioned.folder / "dvc.yaml").read_text())["stages"]["reproduce"]
    assert all(options["persist"] for out in stage["outs"] + stage["metrics"] for options in out.values())
    assert {"baseline", "dcac"} <= set(shown_metrics(versioned)["dg_single"])


def test_a_clone_that_pulls_has_every_result_and_nothing_left_to_do(versioned, tmp_path):
    assert versioned.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "remote")).returncode == 0
    assert versioned.run("dvc", "push").returncode == 0
    assert versioned.run("git", "clone", "-q", ".", str(tmp_path / "clone")).returncode == 0
    clone = versioned.at(tmp_path / "clone")
    shutil.copy(versioned.folder / ".dvc/config", clone.folder / ".dvc/config")  # the remote, which is not committed
    assert not (clone.folder / "results/tables").exists() and not (clone.folder / ".snakemake").exists()
    assert "baseline" in shown_metrics(clone)["dg_single"], "headline numbers travel with git"
    result = clone.run("dvc", "pull")
    assert result.returncode == 0, result.stdout
    assert clone.planned() == {}, "what stands, stands by its record, whatever the times of its files"
    for name in ("tables/dg_single.md", "smoke/runs/dcac/smoke-a/seed0/weights.safetensors"):
        assert (clone.folder / "results" / name).read_bytes() == (versioned.folder / "results" / name).read_bytes()
    assert "hashes agree" in clone.run("dcac", "data", "check", "results/data/smoke-a.parquet").stdout
    assert not [path for path in (clone.folder / "results").rglob("*") if path.suffix in (".tmp", ".state")]


def test_what_is_temporary_never_enters_the_cache_and_another_umask_pulls_the_same(versioned, tmp_path):
    copy = versioned.at(tmp_path / "copy")
    shutil.copytree(versioned.folder, copy.folder, symlinks=True)
    run = copy.folder / "results/smoke/runs/dcac/smoke-a"
    temporary = (
        *(run / "seed0.state/checkpoint.pt", run / "seed0.state.previous/checkpoint.pt", run / ".seed0.host-1-a.tmp"),
        *(copy.folder / "results/.kept/train/x/weights", copy.folder / "results/data/.MA.fetching/part"),
    )
    for number, path in enumerate(temporary):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"temporary {number}", encoding="utf-8")
    (run / "seed0.published").write_text("wanted", encoding="utf-8")
    assert copy.run("dvc", "commit", "-f").returncode == 0
    cached = {path.read_bytes() for path in (copy.folder / ".dvc/cache").rglob("*") if path.is_file()}
    assert b"wanted" in cached and not [text for text in cached if text.startswith(b"temporary")]
    (run / "seed0.published").unlink()
    assert copy.run("dvc", "commit", "-f").returncode == 0
    for words in (["remote", "add", "-f", "-d", "store", str(tmp_path / "remote")], ["push"]):
        assert copy.run("dvc", *words).returncode == 0
    assert copy.run("git", "clone", "-q", ".", str(tmp_path / "clone")).returncode == 0
    clone = copy.at(tmp_path / "clone")
    shutil.copy(copy.folder / ".dvc/config", clone.folder / ".dvc/config")
    shutil.copy(copy.folder / "dvc.lock", clone.folder / "dvc.lock")
    result = clone.run("bash", "-c", "umask 077 && dvc pull && snakemake --cores 1 --dry-run")
    assert result.returncode == 0, result.stdout
    assert "Nothing to be done" in result.stdout
    assert clone.run("bash", "-c", "umask 077 && dvc repro").stdout.count("Nothing to be done") == 1


def shown_metrics(checkout):
    """Return what `dvc metrics show` prints, a table a key."""
    shown = json.loads(checkout.run("dvc", "metrics", "show", "--json").stdout)
    return next(iter(shown.values()))["data"]["results/metrics.json"]["data"]
