"""Say where each data set stands and which protocols that makes possible. In: cards, archives, files. Out: text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dcac.data.catalog import Card
from dcac.data.locate import known_names, locate
from dcac.data.readers import NO_READER, READERS
from dcac.data.store import read_sidecar

Cells = Mapping[str, Sequence[str]]  # sources joined with "+": targets


@dataclass(frozen=True)
class Standing:
    """Where one data set stands.

    Args:
        state: present, importable, rendered here, gone (a set of one's own), without reader, direct download, ask its owners,
            or withdrawn.
        hint: What to do next, or what is there.
        usable: Whether a protocol may count on it without anyone fetching anything.
    """

    code: str
    state: str
    hint: str
    usable: bool


def run(
    cards: Mapping[str, Card],
    *,
    data_root: Path,
    stores: Path,
    protocols: Mapping[str, Cells],
    accept_withdrawn: Sequence[str] = (),
) -> str:
    """Draw one line a data set, then one a protocol.

    Args:
        cards: All cards.
        data_root: Folder of archives and unpacked sets.
        stores: Folder of the normalised files.
        protocols: Protocol: {sources: targets}.
        accept_withdrawn: Codes of withdrawn sets that the user has decided to use.
    """
    standings = [stand(card, data_root=data_root, stores=stores, accepted=accept_withdrawn) for card in cards.values()]
    table = [(s.code, s.state, s.hint) for s in standings]
    usable = {s.code for s in standings if s.usable}
    table += [("", "", ""), *((name, *possible(cells, usable)) for name, cells in protocols.items())]
    widths = [max(len(row[column]) for row in table) for column in (0, 1)]
    return "\n".join(f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}".rstrip() for row in table)


def stand(card: Card, *, data_root: Path, stores: Path, accepted: Sequence[str] = ()) -> Standing:
    """Say where one data set stands."""
    store, found = stores / f"{card.code}.parquet", locate(card, data_root)
    if card.status == "withdrawn" and card.code not in accepted:
        hint = f"off; never downloaded, no link; accept_withdrawn: [{card.code}] turns on a copy held lawfully"
        return Standing(card.code, "withdrawn", hint, usable=False)
    if store.is_file():
        return Standing(card.code, "present", _describe(store), usable=True)
    if card.status == "synthetic":
        return Standing(card.code, "rendered here", f"dcac data render {card.code} --out {store}", usable=True)
    if card.own is None and card.code not in READERS:
        return Standing(card.code, "without reader", NO_READER, usable=False)
    if found is not None:
        hint = f"dcac data import {found} --dataset {card.code} --out {store}"
        return Standing(card.code, "importable", hint, usable=True)
    if card.own is not None:
        place = next(iter((*card.folders, *(archive.name for archive in card.archives))))
        hint = f"{data_root / place} is not there; bring it back, or dcac data add its new place --dataset {card.code} --replace"
        return Standing(card.code, "gone", hint, usable=False)
    names = known_names(card)
    if any(archive.downloadable for archive in card.archives):
        hint = f"dcac data fetch {card.code}, or put {names} into {data_root}"
        return Standing(card.code, "direct download", hint, usable=False)
    if card.status == "direct":
        hint = f"download by hand from {card.page}, put {names} into {data_root}"
        return Standing(card.code, "direct download", hint, usable=False)
    if card.status == "withdrawn":
        return Standing(card.code, "withdrawn", f"accepted, but {names} is not in {data_root}", usable=False)
    page = f" ({card.page})" if card.page else ""
    hint = f"{(card.ask or card.terms).rstrip('.')}{page}; then put {names} into {data_root}"
    return Standing(card.code, "ask its owners", hint, usable=False)


def possible(cells: Cells, usable: Iterable[str]) -> tuple[str, str]:
    """Count the cells (sources -> target) of a protocol that are possible, and name the sets the others lack."""
    needs = [{*sources.split("+"), target} for sources, targets in cells.items() for target in targets]
    lacking = [need - set(usable) for need in needs]
    missing = sorted(set().union(*lacking))
    done = sum(not lack for lack in lacking)
    return f"{done} of {len(needs)} possible", f"missing: {', '.join(missing)}" if missing else ""


def _describe(store: Path) -> str:
    try:
        sidecar = read_sidecar(store)
    except ValueError as error:
        return str(error)
    stamp = "" if sidecar.get("standard", True) else ", NON-STANDARD"
    return f"{sidecar.get('images')} images, version {sidecar.get('version')}, {sidecar.get('variant')}{stamp}"
