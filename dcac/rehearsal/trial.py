"""All that follows a training, on a slice: features of a few people, their score, its record and a table."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file

from dcac.data.store import Record, iter_split, read_sidecar, read_split, write_store
from dcac.evaluation import score
from dcac.features import extract
from dcac.features.targets import TEST_SPLITS
from dcac.provenance import write_json
from dcac.reporting import records, table
from dcac.settings import Settings, load_settings
from dcac.suites import Suite, Variant, split_sources
from dcac.training.loop import Training
from dcac.training.state import learnt_state

PEOPLE = 8  # of the slice


def run_through(
    training: Training,
    *,
    names: Mapping[str, str | int],
    target: Path,
    config: Path,
    encoder: Path,
    suite: Suite,
    variants: Mapping[str, Variant],
    published: Path,
    folder: Path,
) -> dict[str, int]:
    """Write a run as training does, extract, score and tabulate it on a slice of a target.

    Args:
        names: suite, variant, sources and seed.
        target: normalised file that the slice is cut from.
        config: merged settings of the run.
        folder: empty, for what is written on the way.

    Returns:
        How many queries and gallery images were ranked.

    Raises:
        ValueError: the suite has no table of these sources and target.
    """
    run_folder, sliced = folder / "run", folder / f"{target.stem}.parquet"
    write_run(training, run_folder, names, load_settings(config))
    cut(target, sliced)
    extract.run(
        run_folder=run_folder,
        config=config,
        encoder=encoder,
        stores=[sliced],
        names=dict(names),
        out=folder / "features",
        device=training.device.type,
    )
    scored = folder / f"scores/{target.stem}.json"
    ranked = score.run(folder / f"features/{target.stem}.npz", scored)
    collected, name = folder / "records.csv", table_of(suite, str(names["sources"]), target.stem)
    records.run(scores=[scored], out=collected)
    page = [folder / f"{name}{suffix}" for suffix in (".md", ".tex", ".csv")]
    table.run(name=name, suite=suite, variants=variants, records=collected, published=published, out=page)
    return {key: ranked[key] for key in ("num_query", "num_gallery")}


def write_run(training: Training, folder: Path, names: Mapping[str, str | int], settings: Settings) -> None:
    """Write what learnt of a model as a run that others read."""
    folder.mkdir()
    tensors = {name: value.contiguous().cpu() for name, value in learnt_state(training.model).items()}
    save_file(tensors, folder / "weights.safetensors", metadata={"identity": "rehearsal"})
    training.model.publish(folder)
    report = {
        "identity": "rehearsal",
        "code": "rehearsal",
        "settings": settings.model_dump(mode="json"),
        "seed": names["seed"],
        "data": dict.fromkeys(split_sources(str(names["sources"])), ""),
        "epoch": {},
    }
    write_json(folder / "run.json", report)


def cut(store: Path, out: Path) -> None:
    """Write the first people that stand in query and gallery of a normalised file as one of their own."""
    rows = read_split(store, TEST_SPLITS, images=False)
    query, gallery = (set(rows.loc[rows["split"] == split, "pid"]) for split in TEST_SPLITS)
    chosen = sorted(query & gallery)[:PEOPLE]
    kept = [
        Record(row.split, row.pid, row.camid, row.domain, row.path, row.data)
        for part in iter_split(store, TEST_SPLITS)
        for row in part[part["pid"].isin(chosen)].itertuples()
    ]
    facts = {**{key: read_sidecar(store).get(key) for key in ("version", "standard")}, "dataset": "slice"}
    write_store(kept, out, facts=facts)


def table_of(suite: Suite, sources: str, target: str) -> str:
    """Name the first table of scores that has a cell of these sources and this target."""
    for name, entry in suite.tables.items():
        if entry.kind == "scores" and target in suite.protocols[entry.protocol].get(sources, ()):
            return name
    raise ValueError(f"no table of the suite scores {sources} on {target}; give a target of one of its protocols")
