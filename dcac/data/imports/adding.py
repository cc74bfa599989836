"""Add a set of one's own. In: its folder or archive, and what the user says of it. Out: its card, in the cards of this clone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dcac.closed import ConfigError, is_blank, load_yaml, parse, require_names
from dcac.data.archives import Source
from dcac.data.catalog import NO_CAMERAS, OWN, STANDARD, Card, Limits, SetVariant, SplitCounts, require_new
from dcac.data.imports.counts import Comparison
from dcac.data.imports.import_data import examine, open_set
from dcac.data.readers.layout import LayoutError
from dcac.data.readers.own import DRAWN, recognise
from dcac.data.store import Record, count
from dcac.provenance import atomic
from dcac.provenance.seen import content_hash

HEAD = """\
# yaml-language-server: $schema=schemas/datasets.json
# Cards of this clone alone, as `dcac data add` writes them; what it does not know, such as comments, it does not keep.
"""
LIMITS = Limits(unpacked_gb=500, ratio=200)  # that no genuine archive of pictures reaches; source: ours
NOBODY = "0000"  # source: names of Market-1501
TERMS = "Your own pictures: you know what may be done with them."


@dataclass(frozen=True)
class Said:
    """What the user says of a set; None leaves it to be recognised."""

    layout: str | None
    table: Path | None
    camera: str | None
    cameras: bool
    split: str | None
    seed: int
    name: str | None = None


def run(
    path: Path,
    code: str,
    said: Said,
    *,
    cards: Mapping[str, Card],
    data_root: Path,
    out: Path,
    replace: bool = False,
    dry_run: bool = False,
    workers: int = 1,
) -> str:
    """Recognise and check a set, and write its card.

    Args:
        path: Folder or archive.
        code: Code of the set to be.
        cards: The project's own cards.
        data_root: Folder in which a set is named relative to it, so that the card holds wherever the folder lies.
        out: File of the cards of this clone.
        replace: Whether the code may be there already.
        dry_run: Whether nothing is written.

    Returns:
        The counts box, remarks, the card, and what to do next.

    Raises:
        ValueError: The code is taken, no layout fits, labels contradict each other, or pictures cannot be read.
    """
    require_names([code], "data set", marks="-", reserved=("none",))
    require_new(code, cards, out)
    others = {} if not out.is_file() or is_blank(out) else load_yaml(out)
    if code in others and not replace:
        raise ConfigError(f"{out} has a card of {code}; say --replace to write it anew, or choose another code")
    with open_set(path, LIMITS, inside=None, scratch=None) as source:
        card, sidecar, records = _describe(source, path, code, said, data_root, workers)
    _, wanted = card.variant()
    box = Comparison(count(records, distractor_pid=card.distractor_pid), sidecar["dropped"], wanted).box()
    if not dry_run:
        with atomic(out) as temporary:
            temporary.write_text(HEAD + _yaml({**others, code: _plain(card)}), encoding="utf-8")
    remarks = "".join(f"remark: {remark}\n" for remark in sidecar["remarks"])
    end = (
        f"Nothing is written (--dry-run); without it, this card goes into {out}."
        if dry_run
        else f"The card is in {out}: {code} is a data set like any other. Name it in a suite (config/suites/README.md), or, to "
        f"evaluate networks on it: dcac data import {path} --dataset {code} --out results/data/{code}.parquet"
    )
    return f"{_headline(card, path)}\n{box}\n{remarks}\n{_yaml({code: _plain(card)})}\n{end}"


def _describe(
    source: Source, path: Path, code: str, said: Said, data_root: Path, workers: int
) -> tuple[Card, dict, list[Record]]:
    """Examine a set under a card that expects nothing; return the card that expects what was found."""
    table = None if said.table is None else _table_name(said.table, source)
    how = recognise(source, layout=said.layout, table=table, camera=said.camera, cameras=said.cameras)
    own = {**how, "split": said.split or "keep", "seed": said.seed}
    variant = STANDARD if said.cameras else NO_CAMERAS
    unknown = SetVariant(train=SplitCounts(), query=SplitCounts(), gallery=SplitCounts())
    content: dict[str, Any] = {
        "code": code,
        "name": said.name or code,
        "status": OWN,
        "terms": TERMS,
        "layouts": {how["layout"]: DRAWN[how["layout"]]},
        "variants": {variant: unknown},
        "versions": [OWN],
        "limits": LIMITS,
        "own": own,
    }
    place = _place(path, data_root)
    content |= {"folders": [place]} if path.is_dir() else {"archives": [{"name": place, "sha256": content_hash(path)}]}
    card = parse(Card, content, f"card of {code}")
    records, sidecar = examine(
        source, card, variant=variant, wanted=unknown, workers=workers, allow_different_counts=True
    )
    recorded = _recorded(records, sidecar, variant)
    own["labels"] = sidecar["own"]["labels"]
    return parse(Card, {**content, **recorded}, f"card of {code}"), sidecar, records


def _recorded(records: list[Record], sidecar: Mapping[str, Any], variant: str) -> dict[str, Any]:
    """Return the counts and the fingerprint that a card asserts from now on."""
    nobody = _distractor(records, sidecar)
    uncounted = {"cameras"} if variant == NO_CAMERAS else set()
    counts: dict[str, Any] = {
        split: {key: number for key, number in cells.items() if number and key not in uncounted}
        for split, cells in count(records, distractor_pid=nobody).items()
    }
    return {
        "variants": {variant: {**counts, "dropped": sidecar["dropped"]}},
        "fingerprints": {f"{OWN}/{variant}": sidecar["fingerprint"]},
        "distractor_pid": nobody,
    }


def _distractor(records: list[Record], sidecar: Mapping[str, Any]) -> int | None:
    """Return pid 0 where it is called 0000, as Market-1501 calls its distractors, and only the gallery has it; else None."""
    splits = {record.split for record in records if record.pid == 0}
    return 0 if sidecar["own"]["pids"].get(NOBODY) == 0 and splits == {"gallery"} else None


def _place(path: Path, data_root: Path) -> str:
    """Name a file or folder relative to data_root where it lies there, else by its whole path."""
    whole, root = path.resolve(), data_root.resolve()
    return whole.relative_to(root).as_posix() if root in whole.parents else whole.as_posix()


def _table_name(table: Path, source: Source) -> str:
    """Name a table as a card does: within the set, or beside it, else by its whole path.

    Raises:
        LayoutError: It is in neither.
    """
    if table.as_posix() in source.names:
        return table.as_posix()
    if not table.is_file():
        raise LayoutError(f"the table {table} is neither a file nor in {source.path}; correct --list")
    whole, folder = table.resolve(), source.path.resolve()
    near = next((place for place in (folder, folder.parent) if place in whole.parents), None)
    return whole.as_posix() if near is None else whole.relative_to(near).as_posix()


def _headline(card: Card, path: Path) -> str:
    own = card.own
    if own is None:
        raise ValueError(f"{card.code} is no set of one's own")
    cameras = "without cameras" if not own.cameras else f"cameras by {own.camera or 'column camid'}"
    return f"{path}: layout {own.layout}, {cameras}, split {own.split}"


def _plain(card: Card) -> dict[str, Any]:
    return card.model_dump(mode="json", exclude={"code"}, exclude_defaults=True)


class _Dumper(yaml.SafeDumper):
    """YAML with texts of several lines as blocks."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _block)


def _yaml(content: Mapping[str, Any]) -> str:
    return yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=140)
