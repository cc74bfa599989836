"""Gather what of a suite may be published, in a folder or archive ready for upload, and say what may not."""

import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from dcac.planning import Plan
from dcac.provenance import manifest, write_json
from dcac.provenance.files import temporary_name
from dcac.provenance.record import read_record
from dcac.provenance.runs import require_own_weights
from dcac.suites import split_sources

ARCHIVE = ".tar"  # weights do not shrink
ROOMS = ("scores", "records", "tables", "overhead", "rehearsals")  # published whole
PICTURED = (
    "data",
    "samples",
    "correlation",
    "attention",
)  # rooms that hold pictures: a figure drawn from them shows some
FEATURES = "features stand for people's looks and can be matched with others; whoever has the data makes them anew"
PICTURES = "it shows pictures of a data set; see its terms"
WITHDRAWN = "they have learnt from a data set that is withdrawn"


def run(plan: Plan, out: Path, *, results: Path = Path("results")) -> list[str]:
    """Copy runs, scores, records, tables and figures of a suite, with checksums and the terms of all that they come from.

    Args:
        out: a folder that does not exist yet, or a file ending in .tar.

    Returns:
        Sentences: what was published, what was not and why, and on which terms its sources stand.

    Raises:
        ValueError: `out` exists, nothing of the suite is finished, or a run's weights are not those of its report.
    """
    if out.exists():
        raise ValueError(f"{out} exists; name a folder or archive that does not")
    suite = plan.project.suite
    held: dict[str, str] = {}
    files = list(chosen(plan, results / suite, held))
    if not files:
        raise ValueError(f"nothing of suite '{suite}' is finished in {results / suite}; run `snakemake` first")
    folder = temporary_name(out.with_suffix("") if out.suffix == ARCHIVE else out)
    try:
        for path in files:
            target = folder / path.relative_to(results)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        told = [*(f"not published: {what} ({why})" for what, why in held.items()), *terms(plan)]
        (folder / "TERMS.md").write_text(page(suite, told), encoding="utf-8")
        listed = manifest(folder)
        write_json(folder / "manifest.json", {"suite": suite, "files": listed})
        finish(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    size = sum(entry["bytes"] for entry in listed.values()) / 1e6
    return [f"{out}: {len(listed)} files, {size:.1f} MB", *told]


def chosen(plan: Plan, folder: Path, held: dict[str, str]) -> Iterator[Path]:
    """Yield the files that may be published; note in `held` what may not, with the reason."""
    for report in sorted(folder.glob("runs/*/*/seed*/run.json")):
        yield from of_run(plan, report.parent, held)
    for room in ROOMS:
        yield from sorted(path for path in (folder / room).rglob("*") if path.is_file() and not is_hidden(path, folder))
    for record in sorted(folder.glob("figures/*.json")):
        made = read_record(record)
        shown = made is None or any(part in PICTURED for path in made["inputs"] for part in Path(path).parts)
        if shown and not plan.suite.demo:
            held[f"figure {record.stem}"] = PICTURES
        else:
            yield from sorted(record.parent.glob(f"{record.stem}.*"))
    yield from (path for path in (folder / "metrics.json",) if path.is_file())
    if (folder / "features").is_dir():
        held["features"] = FEATURES


def of_run(plan: Plan, run_folder: Path, held: dict[str, str]) -> Iterator[Path]:
    """Yield the files of a finished run, whose weights must be its own; without them where its data are withdrawn."""
    require_own_weights(run_folder)
    codes = split_sources(run_folder.parent.name)
    withdrawn = any(plan.cards[code].status == "withdrawn" for code in codes if code in plan.cards)
    if withdrawn:
        held[f"weights of {'/'.join(run_folder.parts[-3:])}"] = WITHDRAWN
    yield run_folder.parent / "config.yaml"
    for path in sorted(path for path in run_folder.rglob("*") if path.is_file() and not is_hidden(path, run_folder)):
        if not (withdrawn and path.suffix == ".safetensors"):
            yield path


def terms(plan: Plan) -> Iterator[str]:
    """Say on which terms the data and networks stand that a suite is made from; their pictures and files are not published."""
    for code in plan.suite.domains:
        yield f"data {code}, {plan.cards[code].name}: {' '.join(plan.cards[code].terms.split())}"
    runs = [plan.settings(variant, sources) for variant, sources in plan.trainings()]
    names = [name for settings in runs for name in (settings.encoder_weights, settings.diffusion_weights)]
    for name in dict.fromkeys([*names, *plan.networks]):
        yield f"network {name}: {plan.weights[name].terms}"


def page(suite: str, told: Iterable[str]) -> str:
    """Write what travels with the files."""
    lines = "\n".join(f"- {line}" for line in told)
    return (
        f"# Terms of what was published of suite '{suite}'\n\n"
        "No picture of a data set and no pre-trained network is among these files. Weights have learnt from the sources in their "
        "paths, and whether they may be passed on is for the terms below to say.\n\n"
        f"{lines}\n"
    )


def finish(folder: Path, out: Path) -> None:
    """Put the folder, or an archive of it, in its place: whole or not at all."""
    if out.suffix != ARCHIVE:
        os.replace(folder, out)
        return
    staged = temporary_name(out)
    try:
        with tarfile.open(staged, "w") as archive:
            archive.add(folder, arcname=out.stem)
        os.replace(staged, out)
    finally:
        staged.unlink(missing_ok=True)


def is_hidden(path: Path, folder: Path) -> bool:
    """Tell whether a file is temporary: hidden, or of a training's resume state."""
    parts = path.relative_to(folder).parts
    return any(part.startswith(".") or part.endswith((".state", ".state.previous", ".tmp")) for part in parts)
