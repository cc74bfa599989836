"""The workflow from elsewhere: as the file that other tools look for, and as a module of a repository that holds only `config/`."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "config/README.md").read_text(encoding="utf-8")


@pytest.fixture
def elsewhere(checkout, tmp_path):
    """A repository with a configuration and the Snakefile of config/README.md, and nothing else of the project."""
    code = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL)[1]
    assert code.count("/path/to/dcac") == 1
    repository = checkout.at(tmp_path / "repository")
    repository.environment["PYTHONPATH"] = str(ROOT)
    shutil.copytree(checkout.folder / "config", repository.folder / "config")
    (repository.folder / "workflow").mkdir()
    code = code.replace("/path/to/dcac", str(ROOT))
    (repository.folder / "workflow/Snakefile").write_text(code, encoding="utf-8")
    return repository


def test_both_places_of_the_snakefile_plan_the_same(checkout):
    plans = [checkout.planned("--snakefile", place, suite="smoke") for place in ("Snakefile", "workflow/Snakefile")]
    assert plans[0] == plans[1] and plans[0]["train"] == 4 and plans[0]["all"] == 1


@pytest.mark.slow
def test_a_repository_with_a_configuration_alone_runs_the_workflow(elsewhere):
    planned = elsewhere.planned(suite="smoke")
    assert planned["train"] == 4 and planned["all"] == 1
    elsewhere.snakemake("results/data/smoke-b.parquet", suite="smoke")
    assert sorted(path.name for path in (elsewhere.folder / "results/data").iterdir()) == [
        "smoke-b.json",
        "smoke-b.parquet",
    ]
    planned = elsewhere.planned(suite="smoke")
    assert planned["render"] == 2, "what was rendered stands"


@pytest.mark.slow
def test_a_suite_without_data_does_not_start_there_either(elsewhere):
    result = elsewhere.run("snakemake", "--cores", "1", "--config", "suite=paper")
    assert result.returncode != 0 and "No data set of this suite is at hand" in result.stdout


def test_the_catalogue_finds_what_it_asks_for():
    told = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))
    assert told["usage"]["software-stack-deployment"] == {"conda": True} and told["usage"]["report"] is True
    assert (ROOT / "workflow/Snakefile").is_file()
    named = {
        name for row in re.findall(r"^\| (`.+?) \|", README, flags=re.MULTILINE) for name in re.findall(r"`(.+?)`", row)
    }
    assert all(list(Path(ROOT / "config").glob(name)) for name in named) and len(named) >= 9
