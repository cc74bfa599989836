"""The statement of a step follows the code that computes it and nothing else; files appear whole or not at all."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dcac import provenance
from dcac.data.catalog import Own
from dcac.data.readers import made_with
from dcac.provenance import atomic, code, fingerprint, make_readable, manifest, sha256, write_json
from dcac.provenance.code import statement, steps
from dcac.provenance.keep import keep, kept_folder, put_back
from dcac.provenance.networks import network_input
from dcac.provenance.record import Input, ask, made_inputs, read_record

PACKAGE = Path(code.ROOT)
TRAIN = '''
"""Train. In: numbers. Out: a number."""
import logging
from toy.shared import mean

log = logging.getLogger(__name__)

def run(x):
    """Sum up."""
    if not x:
        reason = f"nothing in {x}"
        raise ValueError(f"{reason}; give numbers")
    log.info("starts with %d", len(x))
    return mean(x) + 1  # one more
'''
SHARED = """
def mean(x):
    return sum(x) / len(x)

def unused(x):
    return x
"""
TABLE = '''
"""Table. In: nothing. Out: a title."""
from . import words

def run():
    return words.TITLE
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A package with two steps; returns a function that rewrites one of its modules."""

    def write(module, text):
        (tmp_path / "toy" / f"{module}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        code._read.cache_clear()

    (tmp_path / "toy").mkdir()
    for module, text in {
        "__init__": "",
        "train": TRAIN,
        "shared": SHARED,
        "table": TABLE,
        "words": "TITLE = 'Results'",
    }.items():
        write(module, text)
    monkeypatch.setattr(code, "ROOT", tmp_path / "toy")
    monkeypatch.setattr(code, "PACKAGE", "toy")
    yield write
    code._read.cache_clear()


def test_steps_are_found_by_what_they_say_of_themselves(toy):
    assert steps() == {"train": "toy.train", "table": "toy.table"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# one more", "# a remark"),
        ("Sum up.", "Add."),
        ("starts with %d", "begins with %d of them"),
        ("nothing in", "not one number in all of"),
        ("; give numbers", "; give at least one"),
        ("return mean(x) + 1", "return (mean(x)\n            + 1)"),
        ("def run(x):", "def run(x: list[float]) -> float:"),
    ],
)
def test_what_computes_nothing_leaves_the_fingerprint(toy, old, new):
    before = fingerprint("train")
    assert old in TRAIN
    toy("train", TRAIN.replace(old, new))
    assert fingerprint("train") == before


@pytest.mark.parametrize(
    ("module", "text", "old", "new", "moved"),
    [
        ("train", TRAIN, "+ 1", "+ 2", {"train"}),
        ("train", TRAIN, "if not x:", "if x:", {"train"}),
        ("shared", SHARED, "sum(x)", "max(x)", {"train"}),
        ("shared", SHARED, "return x\n", "return 2 * x\n", set()),
        ("words", "TITLE = 'Results'", "Results", "Outcome", {"table"}),
    ],
)
def test_edit_moves_exactly_the_steps_that_compute_with_it(toy, module, text, old, new, moved):
    before = {step: fingerprint(step) for step in ("train", "table")}
    assert old in text
    toy(module, text.replace(old, new))
    after = {step: fingerprint(step) for step in ("train", "table")}
    assert {step for step in before if before[step] != after[step]} == moved


def test_import_inside_a_function_counts(toy):
    before = fingerprint("table")
    text = "def run():\n    from toy import words\n    from toy.shared import mean\n    return mean(words.TITLE)\n"
    toy("table", text)
    between = fingerprint("toy.table")
    toy("shared", SHARED.replace("sum", "max"))
    assert len({before, between, fingerprint("toy.table")}) == 3


def test_circular_imports_end(toy):
    toy("shared", "import toy.train\n" + SHARED)
    assert len(fingerprint("train")) == 12


def test_a_module_imported_for_what_it_does_counts(toy):
    toy("train", "import toy.words\n" + TRAIN)
    before = fingerprint("toy.train")
    toy("words", "TITLE = 'Outcome'")
    assert fingerprint("toy.train") != before


def test_every_step_of_the_workflow_has_a_fingerprint_of_twelve_hexadecimal_digits():
    for step in steps():
        digits = fingerprint(step)
        assert len(digits) == 12 and int(digits, 16) >= 0


def test_training_code_includes_the_whole_method_and_no_scoring():
    modules = statement("dcac.training.train")
    for name in (
        *("model.diffusion", "model.conditioning", "model.demo_vit", "losses.identity", "training.memory"),
        *("data.views", "seeding"),
    ):
        assert f"dcac.{name}" in modules
    aside = ("dcac.evaluation", "dcac.reporting", "dcac.suites", "dcac.foreign", "dcac.provenance", "dcac.cli")
    assert not [name for name in modules if name.startswith(aside)]


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the package, and a function that edits one of its files and tells which steps moved."""
    root = tmp_path / "dcac"
    shutil.copytree(PACKAGE, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "ROOT", root)
    before = {step: fingerprint(step) for step in steps()}

    def edit(path, old, new):
        text = (root / path).read_text(encoding="utf-8") if (root / path).exists() else ""
        assert old in text
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text.replace(old, new, 1), encoding="utf-8")
        code._read.cache_clear()
        after = {step: fingerprint(step) for step in steps()}
        return {step for step in before if before[step] != after[step]}

    yield edit
    code._read.cache_clear()


REPORTING = {"schemas", "table", "overhead_table", "figure", "report", "records", "metrics"}
OF_A_METHOD = {"train", "overhead", "samples"}
OF_A_SCHEME = {"train", "overhead", "samples", "correlation"}
OF_A_RUN = {"schemas", "train", "extract", "samples", "correlation", "overhead", "convert", "reference", "search"}
OF_A_RUN |= {"attention", "evaluate", "export"}


@pytest.mark.parametrize(
    ("path", "old", "new", "may_move", "must_move"),
    [
        ("reporting/figures/__init__.py", "KINDS = (", "NEW = 1\nKINDS = (NEW, ", {"figure"}, {"figure"}),
        ("reporting/figures/tsne.py", "PEOPLE = 30", "PEOPLE = 31", {"figure"}, {"figure"}),
        ("methods/__init__.py", "METHODS = (", "NEW = 1\nMETHODS = (NEW, ", {"train", "overhead"}, {"train"}),
        ("methods/dcac/__init__.py", '"entropy of p (nats)"', '"H of p (nats)"', set(), set()),
        ("methods/dcac/diagnostics.py", ".mean().item()", ".mean().item() + 1", OF_A_METHOD, {"train"}),
        ("declared.py", "known.reports", "{} | known.reports", set(), set()),
        ("losses/__init__.py", "TERMS = (", "NEW = 1\nTERMS = (NEW, ", {"train", "overhead"}, {"train"}),
        ("model/schemes/__init__.py", "SCHEMES = (", "NEW = 1\nSCHEMES = (NEW, ", OF_A_SCHEME, OF_A_SCHEME),
        ("model/schemes/pcl.py", "return logits", "return 1 * logits", OF_A_SCHEME, OF_A_SCHEME),
        ("reporting/tables/page.py", "class Page", "WORDS = 1\n\n\nclass Page", REPORTING, set()),
        ("demo/new_step.py", "", '"""New. In: a. Out: b."""\n\n\ndef run():\n    return 1\n', set(), set()),
        ("settings.py", "    epochs: Count\n", "    epochs: Count\n    focal: Count = 1\n", OF_A_RUN, {"train"}),
        ("training/card.py", "# Re-ID model", "# A Re-ID model", set(), set()),
        ("losses/identity.py", '"""L_id', '"""The loss L_id', set(), set()),
        ("losses/identity.py", "‖∇ ID‖", "‖∇ L_id‖", set(), set()),
        ("foreign/compvis.py", "def rename", "EXTRA = 1\n\n\ndef rename", {"convert", "weights"}, set()),
        (
            "losses/identity.py",
            "label_smoothing=smoothing",
            "label_smoothing=2 * smoothing",
            {"train", "overhead"},
            {"train"},
        ),
        ("evaluation/ranking/ranks.py", "return ", "return 1 and ", {"score", "evaluate"}, {"score"}),
        ("data/readers/viper.py", "return ", "return 1 and ", set(), set()),
        ("data/imports/import_data.py", "[:32]", "[:31]", {"adding", "import_data"}, {"import_data"}),
    ],
)
def test_an_edit_of_the_package_moves_what_it_touches(copied, path, old, new, may_move, must_move):
    moved = copied(path, old, new) - {"rehearse"}  # it runs through nearly all of them
    assert must_move <= moved <= may_move


@pytest.mark.parametrize(
    ("path", "moved"),
    [
        ("data/readers/viper.py", {"VIPeR"}),
        ("data/readers/duke.py", {"D"}),
        ("data/readers/dividing.py", {"LAB"}),
        ("data/readers/folders.py", {"LAB"}),
    ],
)
def test_an_edit_of_a_reader_makes_due_the_sets_that_it_reads(copied, catalog, path, moved):
    own = {"layout": "folders", "cameras": False, "split": "test", "seed": 1}
    lab = catalog["MA"].model_copy(update={"code": "LAB", "own": Own(**own)})
    cards = {code: card for code, card in catalog.items() if card.synthetic is None} | {"LAB": lab}
    before = {code: made_with(card) for code, card in cards.items()}
    copied(path, "return ", "return 1 and ")
    assert {code for code, card in cards.items() if made_with(card) != before[code]} == moved


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_another_interpreter_states_the_same_code(version):
    other = shutil.which(f"python{version}")
    program = (
        "import importlib.util, json, sys\n"
        "spec = importlib.util.spec_from_file_location('code_', sys.argv[1])\n"
        "sys.modules['code_'] = module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "print(json.dumps({step: module.fingerprint(step) for step in module.steps()}))\n"
    )
    words = [other or sys.executable, "-c", program, str(PACKAGE / "provenance/code.py")]
    result = subprocess.run(words, capture_output=True, text=True)
    if other is None or "No such" in result.stderr or "not found" in result.stderr:
        pytest.skip(f"python{version} is not installed here")
    assert json.loads(result.stdout) == {step: fingerprint(step) for step in steps()}


def test_what_was_made_is_kept_by_links_and_put_back_byte_for_byte(tmp_path):
    out = tmp_path / "results" / "run"
    out.mkdir(parents=True)
    (out / "weights.bin").write_bytes(b"weights")
    asked = ask("dcac.training.train", {"seed": 1}, {"data A": Input("recipe", "meaning")})
    keep(asked, out, ["weights.bin"])
    assert (out / "weights.bin").stat().st_nlink == 2
    (out / "weights.bin").unlink()
    assert put_back(asked, out) and (out / "weights.bin").read_bytes() == b"weights"
    another = ask("dcac.training.train", {"seed": 1}, {"data A": Input("recipe", "another")})
    assert another.identity != asked.identity and not put_back(another, out)


def test_an_identity_asks_what_its_inputs_mean_not_where_they_come_from():
    asked = [ask("dcac.training.train", {"seed": 1}, {"data A": Input(recipe, "content")}) for recipe in ("old", "new")]
    assert asked[0].identity == asked[1].identity and asked[0].recipe != asked[1].recipe


@pytest.mark.parametrize(
    "change",
    [
        {"meaning": None},
        {"settings": [1]},
        {"inputs": {"data": "hash"}},
        {"inputs": {"data": {"recipe": "a"}}},
        {"accepted": [{"code": "a"}]},
    ],
)
def test_a_record_in_part_is_no_record(tmp_path, change):
    whole = ask("dcac.training.train", {"seed": 1}, {"data": Input("recipe", "meaning")}).record()
    for record, found in ((whole, whole), (whole | change, None), ([whole], None)):
        write_json(tmp_path / "run.json", {"made": record})
        assert read_record(tmp_path / "run.json") == found
    (tmp_path / "run.json").write_text(100_000 * "[")
    assert read_record(tmp_path / "run.json") is None


def test_inputs_go_by_their_place_in_results_wherever_that_folder_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("results", "copies/store/results", "elsewhere"):
        (tmp_path / folder / "demo").mkdir(parents=True)
        (tmp_path / folder / "demo/a.csv").write_text(folder, encoding="utf-8")
    here, copy, other = (Path(folder, "demo/a.csv") for folder in ("results", "copies/store/results", "elsewhere"))
    assert list(made_inputs([here])) == list(made_inputs([copy])) == ["results/demo/a.csv"]
    assert list(made_inputs([tmp_path / here])) == ["results/demo/a.csv"]
    assert list(made_inputs([other])) == ["elsewhere/demo/a.csv"]
    both = made_inputs([here, copy])
    assert list(both) == [str(here), str(copy)], "two of one place go by their paths"
    assert both[str(here)].meaning == sha256(here) != both[str(copy)].meaning


def test_a_damaged_keeping_is_not_put_back(tmp_path, caplog):
    out = tmp_path / "results"
    out.mkdir()
    (out / "a.bin").write_bytes(b"right")
    asked = ask("dcac.training.train", {"seed": 1}, {})
    keep(asked, out, ["a.bin"])
    (kept_folder(asked, out) / "a.bin").unlink()
    (kept_folder(asked, out) / "a.bin").write_bytes(b"wrong")
    assert not put_back(asked, out) and "is damaged (a.bin)" in caplog.text
    assert (out / "a.bin").read_bytes() == b"right"


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = provenance.files.HOST
    left, own = tmp_path / f".a.txt.{host}-{ended.pid}.tmp", tmp_path / f".a.txt.{host}-1.tmp"
    for path in (left, own):
        path.write_text("half")
    with atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert not left.exists() and own.exists(), "only what no living process writes goes"


def test_environment_names_versions():
    found = provenance.environment()
    assert {"python", "platform", "dcac", "torch", "numpy"} <= set(found)
    assert all(isinstance(version, str) and version for version in found.values())


def test_manifest_lists_sizes_and_hashes_sorted_and_skips_what_keeps_books(tmp_path):
    for name in ("b.txt", "a/c.txt", "manifest.json", ".snakemake_timestamp"):
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


@pytest.mark.parametrize("files", [[], {"model.safetensors": "x"}, {"model.safetensors": {}}])
def test_manifest_of_another_shape_is_damaged(tmp_path, files):
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files}))
    with pytest.raises(ValueError, match=r"manifest\.json is damaged, its 'files' are no list of names with sha256"):
        network_input(tmp_path)
