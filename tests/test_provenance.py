"""The fingerprint of a step follows its code and nothing else; files appear whole or not at all."""

import json
import os
import textwrap

import pytest

from dcac import provenance
from dcac.provenance import STEP_MODULES, atomic, fingerprint, make_readable, manifest, sha256, write_json

TRAIN = '''
"""Train."""
from toy.shared import mean

def train(x):
    """Sum up."""
    return mean(x) + 1  # one more
'''
SHARED = """
def mean(x):
    return sum(x) / len(x)
"""
TABLE = """
from . import words

def table():
    return words.TITLE
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A package with two steps; returns a function that rewrites one of its modules."""

    def write(module, text):
        (tmp_path / "toy" / f"{module}.py").write_text(textwrap.dedent(text), encoding="utf-8")

    (tmp_path / "toy").mkdir()
    for module, text in {
        "__init__": "",
        "train": TRAIN,
        "shared": SHARED,
        "table": TABLE,
        "words": "TITLE = 'Results'",
    }.items():
        write(module, text)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "toy" / "provenance.py"))
    monkeypatch.setattr(provenance, "PACKAGE", "toy")
    monkeypatch.setattr(provenance, "STEP_MODULES", {"train": "toy.train", "table": "toy.table"})
    return write


def test_comments_docstrings_and_layout_leave_the_fingerprint(toy):
    before = fingerprint("train")
    assert set(provenance._closure("toy.train")) == {"toy.train", "toy.shared"}
    toy(
        "train",
        '''
        """Another sentence."""
        # a remark
        from toy.shared import (
            mean,
        )


        def train(
            x,
        ):
            return (mean(x)
                    + 1)
        ''',
    )
    assert fingerprint("train") == before


@pytest.mark.parametrize(
    ("module", "old", "new", "moved"),
    [
        ("train", "+ 1", "+ 2", {"train"}),
        ("shared", "sum(x)", "max(x)", {"train"}),
        ("words", "Results", "Outcome", {"table"}),
    ],
)
def test_edit_moves_only_the_steps_that_import_the_module(toy, module, old, new, moved):
    before = {step: fingerprint(step) for step in ("train", "table")}
    text = {"train": TRAIN, "shared": SHARED, "words": "TITLE = 'Results'"}[module]
    toy(module, text.replace(old, new))
    after = {step: fingerprint(step) for step in ("train", "table")}
    assert {step for step in before if before[step] != after[step]} == moved


def test_import_inside_a_function_counts(toy):
    before = fingerprint("table")
    toy("table", "def table():\n    from toy import words\n    from toy.shared import mean\n    return words.TITLE\n")
    between = fingerprint("table")
    toy("shared", SHARED.replace("sum", "max"))
    assert len({before, between, fingerprint("table")}) == 3


def test_circular_imports_end(toy):
    toy("shared", "import toy.train\n" + SHARED)
    assert len(fingerprint("train")) == 12


@pytest.mark.parametrize("step", sorted(STEP_MODULES))
def test_every_step_has_a_fingerprint_of_twelve_hexadecimal_digits(step):
    digits = fingerprint(step)
    assert len(digits) == 12 and int(digits, 16) >= 0
    assert STEP_MODULES[step] in provenance._closure(STEP_MODULES[step])


def test_training_code_includes_the_whole_method_and_no_scoring():
    modules = provenance._closure(STEP_MODULES["train"])
    for name in (
        "model.diffusion",
        "model.conditioning",
        "training.losses",
        "training.memory",
        "data.views",
        "seeding",
    ):
        assert f"dcac.{name}" in modules
    assert not [name for name in modules if name.startswith(("dcac.evaluation", "dcac.reporting"))]


def test_environment_names_versions():
    found = provenance.environment()
    assert {"python", "platform", "dcac", "torch", "numpy"} <= set(found)
    assert all(isinstance(version, str) and version for version in found.values())


def test_manifest_lists_sizes_and_hashes_sorted_and_skips_itself(tmp_path):
    for name in ("b.txt", "a/c.txt", "manifest.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of "abc", FIPS 180-2 example
    assert list(manifest(tmp_path).items()) == [
        ("a/c.txt", {"bytes": 3, "sha256": digest}),
        ("b.txt", {"bytes": 3, "sha256": digest}),
    ]
    assert sha256(tmp_path / "b.txt") == digest


def test_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "deep" / "out.txt"
    with atomic(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_json_refuses_not_a_number(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"loss": float("nan")})
    write_json(tmp_path / "x.json", {"loss": 1.5})
    assert json.loads((tmp_path / "x.json").read_text()) == {"loss": 1.5}


def test_files_written_for_one_user_are_opened_as_the_mask_says(tmp_path):
    import torch
    from safetensors.torch import save_file

    before = os.umask(0o027)
    try:
        with atomic(tmp_path / "a.safetensors") as temporary:
            save_file({"a": torch.zeros(1)}, temporary)
        (tmp_path / "folder" / "deep").mkdir(parents=True)
        (tmp_path / "folder" / "deep" / "b").touch(mode=0o600)
        make_readable(tmp_path / "folder")
    finally:
        os.umask(before)
    for name in ("a.safetensors", "folder/deep/b"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o640, name
