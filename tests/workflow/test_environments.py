"""The locked environments: what stands in them, and a suite whose rules really run in them."""

import ast
import json
import os
import re
import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from dcac.data.store import read_split

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
KNOWN = [*PROJECT["dependencies"], *(pin for pins in PROJECT["optional-dependencies"].values() for pin in pins)]
SUITE = """
extends: smoke
seeds: [0]
variants: [baseline]
references: [histogram]
remark: null
protocols: {in-domain: null}
tables: {in_domain: null, ablation: null, overhead: null}
figures: {diagnostics: null, samples: null, look_alikes: null, tsne: null, ranked_lists: null, attention: null}
"""


def pins(name):
    """Return what an environment holds, package -> requirement."""
    content = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text(encoding="utf-8"))
    lines = next(entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))
    return {requirement.name.lower().replace("_", "-"): requirement for requirement in map(Requirement, lines)}


@pytest.mark.parametrize("name", ["light", "torch", "whole"])
def test_every_pin_is_exact_and_allowed_by_pyproject(name):
    held, allowed = pins(name), {r.name.lower().replace("_", "-"): r for r in map(Requirement, KNOWN)}
    for package, requirement in held.items():
        (exact,) = requirement.specifier
        assert exact.operator == "==", requirement
        assert package not in allowed or allowed[package].specifier.contains(exact.version), requirement


def test_environments_hold_what_they_are_for_and_no_more():
    light, heavy, whole = map(pins, ("light", "torch", "whole"))
    assert not {"torch", "torchvision", "timm", "diffusers", "snakemake", "dvc", "nvidia-cublas"} & set(light)
    assert not {"snakemake", "snakemake-executor-plugin-slurm", "dvc", "faiss-cpu"} & set(heavy)
    assert {Requirement(pin).name.lower().replace("_", "-") for pin in PROJECT["dependencies"]} <= set(whole)
    for package in light:
        assert str(light[package]) == str(heavy[package]) == str(whole[package]), "one version everywhere"


def test_the_lock_names_packages_of_pyproject():
    names = {requirement.name for requirement in map(Requirement, KNOWN)}
    tree = ast.parse((ROOT / "envs/lock.py").read_text(encoding="utf-8"))
    (light,) = (node for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "LIGHT")
    listed = {node.value for node in ast.walk(light) if isinstance(node, ast.Constant)}
    assert listed and listed <= names


@pytest.fixture(scope="module")
def walked(tmp_path_factory, checkout_in):
    """A small suite that has run with `--use-conda`, no dcac installed in any environment and none on PYTHONPATH."""
    folder = tmp_path_factory.mktemp("conda")
    (folder / "bin").mkdir()
    shutil.copy(ROOT / "tests/workflow/stand_in_conda.py", folder / "bin/conda")
    (folder / "bin/activate").write_text('. "$1/bin/activate"\n', encoding="utf-8")
    probe = ["uv", "pip", "install", "--target", folder / "probe", "--no-deps", str(pins("light")["tqdm"])]
    reached = subprocess.run(probe, capture_output=True, text=True, check=False)
    if reached.returncode:
        pytest.skip(f"packages cannot be installed here: {reached.stderr.strip().splitlines()[-1]}")
    (folder / "clone").mkdir()
    checkout = checkout_in(folder / "clone")
    (checkout.folder / "config/suites/small.yaml").write_text(SUITE, encoding="utf-8")
    checkout.edit("config/config.yaml", "suite: demo ", "suite: small ")
    with_conda(checkout, folder)
    checkout.snakemake("--use-conda", "--conda-prefix", str(folder / "envs"))
    return checkout


def with_conda(checkout, folder):
    """Let the commands of a checkout find the stand-in, and dcac in no other way than from the folder itself."""
    checkout.environment.pop("PYTHONPATH")
    checkout.environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{checkout.environment['PATH']}"
    checkout.environment["STAND_IN_PACKAGES"] = sysconfig.get_path("purelib")


def environments(checkout):
    """Return the environments that were made."""
    return sorted(path for path in (checkout.folder.parent / "envs").iterdir() if path.is_dir())


@pytest.mark.slow
def test_every_rule_runs_in_an_environment_that_holds_only_its_packages(walked):
    assert len(environments(walked)) == 2
    (light,) = (path for path in environments(walked) if not list(path.rglob("outer.pth")))
    installed = {path.name.partition("-")[0].lower() for path in light.rglob("*.dist-info")}
    assert "pandas" in installed and not {"torch", "torchvision", "timm", "dcac", "snakemake"} & installed
    results = walked.folder / "results"
    score = json.loads((results / "small/scores/baseline/smoke-a/seed0/smoke-b.json").read_text(encoding="utf-8"))
    assert score["environment"]["torch"] == "absent"
    log = (results / "small/runs/baseline/smoke-a/seed0/log.jsonl").read_text(encoding="utf-8")
    assert "absent" not in log.splitlines()[0]
    assert (results / "tables/dg_single.md").is_file() and (results / "figures/cmc.png").is_file()


@pytest.mark.slow
def test_the_light_environment_imports_data(walked):
    (light,) = (path for path in environments(walked) if not list(path.rglob("outer.pth")))
    for row in read_split(walked.folder / "results/data/smoke-a.parquet", ["train", "query", "gallery"]).itertuples():
        pid, camera, shot = Path(row.path).stem.split("_")
        file = walked.folder / f"data/lab/{row.split}/{pid}/cam{camera[1:]}_{shot}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(row.data)
    python = str(light / "bin/python")
    for words in ("add data/lab --dataset LAB", "import data/lab --dataset LAB --out results/data/LAB.parquet"):
        result = walked.run(python, "-m", "dcac", "data", *words.split())
        assert result.returncode == 0, result.stdout
    assert walked.run(python, "-c", "import torch").returncode != 0


@pytest.mark.slow
def test_changing_environments_makes_nothing_due(walked):
    prefix = ("--conda-prefix", str(walked.folder.parent / "envs"))
    assert walked.planned() == {}
    assert walked.planned("--use-conda", *prefix) == {}
    file = walked.folder / "envs/torch.yaml"
    file.write_text(re.sub(r"timm==[\d.]+", "timm==1.0.27", file.read_text(encoding="utf-8")), encoding="utf-8")
    assert walked.planned("--use-conda", *prefix) == {}


@pytest.mark.slow
def test_two_clones_that_share_environments_run_their_own_code(walked, tmp_path):
    shutil.copytree(walked.folder, tmp_path / "other", symlinks=True)
    other = walked.at(tmp_path / "other")
    with_conda(other, walked.folder.parent)
    other.edit("dcac/reporting/metrics.py", ".mean() * 100", ".mean() * 1000")
    before = environments(walked)
    made = other.jobs(other.snakemake("--use-conda", "--conda-prefix", str(walked.folder.parent / "envs")))
    assert made == {"all": 1, "metrics": 1, "show_metrics": 1}, "its own code plans"
    ours, theirs = (json.loads((c.folder / "results/metrics.json").read_text()) for c in (walked, other))
    assert theirs["dg_single"]["baseline"]["mAP"] == pytest.approx(10 * ours["dg_single"]["baseline"]["mAP"], abs=0.1)
    assert environments(walked) == before, "no environment is made twice"
