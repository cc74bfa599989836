"""A copy of the project in a temporary folder, in which tests may change configuration and code, and type what a page says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = (
    "Snakefile",
    "workflow",
    "profiles",
    "config",
    "dcac",
    "envs",
    "pyproject.toml",
    "dvc.yaml",
    ".dvcignore",
    ".dvc",
    ".gitignore",
)

LEFT_OUT = ("__pycache__", "cache", "tmp", "datasets.local.yaml")  # of a developer's own clone


class Checkout:
    """A working copy and the commands typed in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        binaries = str(Path(sys.executable).parent)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(folder),
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
        }

    @classmethod
    def fresh(cls, folder: Path) -> "Checkout":
        """Copy what the workflow needs of the project."""
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns(*LEFT_OUT))
            else:
                shutil.copy(source, folder / part)
        return cls(folder)

    def at(self, folder: Path) -> "Checkout":
        """Return the same commands in another folder."""
        return Checkout(folder)

    def run(self, *command: str) -> subprocess.CompletedProcess:
        """Run a command in the copy and return it with its output, both streams together."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    def snakemake(self, *words: str, suite: str | None = None) -> str:
        """Run Snakemake successfully and return what it printed."""
        chosen = ["--config", f"suite={suite}"] if suite else []
        result = self.run("snakemake", "--cores", "2", *words, *chosen)
        assert result.returncode == 0, result.stdout
        return result.stdout

    def planned(self, *words: str, suite: str | None = None) -> dict[str, int]:
        """Return how many jobs of each rule a dry run plans."""
        return self.jobs(self.snakemake("--dry-run", *words, suite=suite))

    @staticmethod
    def jobs(output: str) -> dict[str, int]:
        """Return how many jobs of each rule an output of Snakemake names."""
        return job_counts(output)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace one text in a file of the copy."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        file.write_text(text.replace(old, new), encoding="utf-8")


def job_counts(output: str) -> dict[str, int]:
    """Read the first table `Job stats` of Snakemake's output."""
    lines = output.partition("Job stats:")[2].splitlines()
    counts = {}
    for line in lines[3:]:
        name, _, count = line.rpartition(" ")
        if name.strip() in ("", "total"):
            break
        counts[name.strip()] = int(count)
    return counts


class Page:
    """A page of the book that tells what to write and to type: its blocks of code, in their order."""

    BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', flags=re.MULTILINE | re.DOTALL)

    def __init__(self, name: str):
        self.blocks = self.BLOCK.findall((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8"))

    @property
    def commands(self) -> list[str]:
        """The lines of all `sh` blocks, without their comments."""
        text = "".join(text for language, _, text in self.blocks if language == "sh")
        return [re.sub(r"\s+# .*", "", line) for line in text.splitlines()]

    def follow(self, checkout: Checkout) -> dict[str, str]:
        """Write each titled block, apply each `diff`, type each command of `sh`; return what each command said."""
        said = {}
        for language, title, text in self.blocks:
            if language == "sh":
                for line in text.splitlines():
                    command = re.sub(r"\s+# .*", "", line)
                    result = checkout.run("bash", "-c", command)
                    assert result.returncode == 0, f"{command}\n{result.stdout}"
                    said[command] = result.stdout
            elif language == "diff":
                lines = text.splitlines(keepends=True)
                old, new = ("".join(line[1:] for line in lines if line[0] != sign) for sign in "+-")
                checkout.edit(title, old, new)
            elif title:
                (checkout.folder / title).parent.mkdir(parents=True, exist_ok=True)
                (checkout.folder / title).write_text(text, encoding="utf-8")
        return said


@pytest.fixture(scope="session")
def page():
    """Return the class that reads a page of the book."""
    return Page


@pytest.fixture(scope="session")
def checkout_in():
    """Makes a fresh working copy in a folder."""
    return Checkout.fresh


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    """A fresh working copy."""
    return Checkout.fresh(tmp_path)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Checkout:
    """A working copy in which the smoke suite has run from end to end."""
    checkout = Checkout.fresh(tmp_path_factory.mktemp("smoke"))
    checkout.edit("config/config.yaml", "suite: demo ", "suite: smoke ")
    checkout.first_run = checkout.snakemake()
    return checkout


@pytest.fixture
def finished(smoke, tmp_path):
    """A copy of the finished smoke suite to break things in."""
    folder = tmp_path / "copy"
    shutil.copytree(smoke.folder, folder, symlinks=True)
    return smoke.at(folder)
