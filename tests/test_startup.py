"""Which heavy packages a step's module brings when it is imported: none that the step can do without."""

import json
import subprocess
import sys

import pytest

from dcac.provenance.code import steps

HEAVY = ("torch", "torchvision", "timm", "diffusers", "transformers", "peft", "accelerate")
HEAVY += ("pandas", "matplotlib", "scipy", "sklearn", "h5py", "faiss", "snakemake", "requests")
BROUGHT = {  # packages -> the steps that bring these and no other
    (): [
        "adding",
        "checking",
        "fetching",
        "import_data",
        "status",
        "render",
        "score",
        "search",
        "schemas",
        "network_files",
    ],
    ("pandas",): ["reference", "records", "table", "overhead_table", "figure", "report", "metrics"],
    ("torch",): ["weights", "convert", "latents"],
    ("torch", "pandas"): ["train", "rehearse", "overhead", "extract", "correlation", "samples", "embed", "evaluate"],
    ("torch", "torchvision", "timm", "pandas"): ["pretrain_encoder", "attention", "export"],
    HEAVY: ["pretrain_diffusion"],  # once for all runs, and diffusers brings nearly everything
}


def loaded(code):
    """Return the heavy packages that some code loads in a fresh interpreter."""
    ending = f"\nimport sys, json; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    result = subprocess.run([sys.executable, "-c", code + ending], check=True, stdout=subprocess.PIPE, text=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_every_step_is_listed_once():
    assert sorted(step for group in BROUGHT.values() for step in group) == sorted(steps())


@pytest.mark.parametrize("brought", BROUGHT, ids=lambda brought: "+".join(brought) or "nothing")
def test_steps_bring_only_what_they_need(brought):
    """Steps of one group share an interpreter: what one of them brought too much would be seen."""
    modules = ", ".join(steps()[step] for step in BROUGHT[brought])
    assert loaded(f"import dcac.cli, {modules}") <= set(brought)


def test_the_command_line_and_the_plan_bring_nothing_heavy():
    assert loaded("import dcac.cli, dcac.standing") == set()


@pytest.mark.parametrize("kind", ["chance", "histogram"])
def test_references_without_a_network_load_none(kind, store, encoder_folder, settings, tmp_path):
    """One store serves as query and gallery; the reference runs to its end."""
    from dcac.data.store import Record, read_split, write_store
    from dcac.settings import dump_settings

    rows = read_split(store, "query")
    records = [
        Record(("query", "gallery")[n % 2], row.pid, row.camid, "T", f"{n}.png", row.data)
        for n, row in enumerate(rows.itertuples())
    ]
    write_store(records, tmp_path / "T.parquet", facts={"dataset": "T", "version": "1"})
    (tmp_path / "run.yaml").write_text(dump_settings(settings), encoding="utf-8")
    code = f"""
from pathlib import Path
from dcac.features import reference
from dcac.settings import load_settings
folder = Path({str(tmp_path)!r})
reference.run(
    reference={kind!r}, settings=load_settings(folder / "run.yaml"), encoder=Path({str(encoder_folder)!r}),
    stores=[folder / "T.parquet"], names={{"suite": "s", "variant": {kind!r}, "sources": "none", "seed": 0}},
    out=folder, device="cpu",
)
"""
    assert loaded(code) == {"pandas"}
    assert (tmp_path / "T.npz").is_file()
