"""What every reader shares: finding the root of a known tree, and labelling files by their whole base name."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from dcac.data.archives import Source
from dcac.data.store import Record

MARKET_FOLDERS = {"bounding_box_train": "train", "query": "query", "bounding_box_test": "gallery"}
JUNK = -1  # Market's pid for boxes that show nobody in particular
SUFFIX = re.compile(r"(\.(?:jpe?g|png|bmp))\1*\Z", re.IGNORECASE)  # Market-1501 itself holds names in .jpg.jpg
UNKNOWN = "unknown"  # the version where neither folder nor content tells


class LayoutError(ValueError):
    """No accepted layout fits, or its parts contradict each other."""


@dataclass(frozen=True)
class Member:
    """Reads one file of a source when called; workers can be sent it."""

    source: Source
    name: str

    def __call__(self) -> bytes:
        return self.source.read(self.name)


@dataclass
class Reading:
    """What a reader found.

    Args:
        layout: Key of the card's layouts.
        version: Release of the data set, or UNKNOWN.
        records: Images with labels as on disk; their data are read later.
        dropped: Images left out on purpose, by reason.
        strays: Files in the folders of images whose name has not the known form.
        nearly: Images whose name has the known form but for its suffix, which is doubled or in capitals.
        facts: What the sidecar keeps of how a set of one's own was read.
    """

    layout: str
    version: str
    records: list[Record] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    strays: list[str] = field(default_factory=list)
    nearly: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)


def find_root(names: Iterable[str], *required: str) -> str | None:
    """Find the one folder that holds all required files or folders.

    Args:
        names: Files of a source.
        required: Relative paths below the folder looked for.

    Returns:
        The folder as a prefix, "" or ending in "/"; None when there is none.

    Raises:
        LayoutError: Several folders fit, so the source holds more than one data set.
    """
    known = _with_parents(names)
    first = required[0]
    candidates = (path[: -len(first)] for path in known if path == first or path.endswith("/" + first))
    roots = sorted(root for root in candidates if all(root + path in known for path in required))
    if len(roots) > 1:
        listed = ", ".join(root or "(top)" for root in roots)
        raise LayoutError(f"several folders look like the data set: {listed}; name one of them with --inside")
    return roots[0] if roots else None


def below(source: Source, folder: str) -> Iterator[tuple[str, str]]:
    """Yield name and path below the folder of each file in it, folder ending in "/"."""
    for name in source.names:
        if name.startswith(folder):
            yield name, name[len(folder) :]


def plain_name(name: str) -> str:
    """Return a name with its suffix once and in small letters: `a.jpg` of `a.jpg.jpg` and of `a.JPG`."""
    return SUFFIX.sub(lambda match: match[1].lower(), name)


def by_plain_name(names: Collection[str]) -> dict[str, str]:
    """Map names and their plain forms to the names; a name that is plain itself comes before one that is nearly so."""
    return {plain_name(name): name for name in names} | {name: name for name in names}


def find_name(known: dict[str, str], name: str) -> str | None:
    """Return the file of this very name, else one that has it but for its suffix; known is of `by_plain_name`."""
    return known.get(name) or known.get(plain_name(name))


def read_folders(
    source: Source,
    reading: Reading,
    *,
    domain: str,
    folders: dict[str, str],
    read_name: Callable[[str], tuple[int, int] | None],
    inside: str = "",
) -> Reading:
    """Add the images that lie directly in some folders.

    Args:
        folders: Folder, without a final "/", to split.
        read_name: Turns a base name, its suffix once and in small letters, into pid and camid (from 0), or None when the
            name has not the known form.
        inside: Folder, ending in "/", that keeps equal base names of one split apart in the paths stored.

    Returns:
        The reading given, filled; paths keep the names on disk. Junk is dropped and counted, files of unknown form
        become strays.
    """
    for folder, split in folders.items():
        for name, base in below(source, folder + "/"):
            plain = plain_name(base)
            labels = None if "/" in base else read_name(plain)
            if labels is None:
                reading.strays.append(name)
                continue
            if plain != base:
                reading.nearly.append(name)
            if labels[0] == JUNK:
                reading.dropped["junk"] += 1
            else:
                reading.records.append(Record(split, *labels, domain, f"{split}/{inside}{base}", Member(source, name)))
    return reading


def read_market_style(
    source: Source, *, layout: str, version: str, domain: str, read_name: Callable[[str], tuple[int, int] | None]
) -> Reading | None:
    """Read bounding_box_train, query and bounding_box_test, or return None where these folders are not."""
    root = find_root(source.names, *MARKET_FOLDERS)
    if root is None:
        return None
    folders = {root + folder: split for folder, split in MARKET_FOLDERS.items()}
    return read_folders(source, Reading(layout, version), domain=domain, folders=folders, read_name=read_name)


def tree(names: Iterable[str], *, depth: int = 3, width: int = 8) -> str:
    """Draw the upper part of a tree of files: folders with their numbers of files, then a few file names."""
    folders: dict[str, list[str]] = {}
    totals: Counter[str] = Counter()
    for name in names:
        parent, _, base = name.rpartition("/")
        folders.setdefault(parent, []).append(base)
        for prefix in _prefixes(parent):
            totals[prefix] += 1
    lines = [f"  {base}" for base in _some(sorted(folders.get("", [])), width)]
    for folder in _some(sorted(path for path in totals if path.count("/") < depth), 4 * width):
        indent = "  " * (folder.count("/") + 1)
        lines.append(f"{indent}{folder.rpartition('/')[2]}/ ({totals.get(folder, '?')} files)")
        lines += [f"{indent}  {base}" for base in _some(sorted(folders.get(folder, [])), 2)]
    return "\n".join(lines) or "  (no files)"


def _with_parents(names: Iterable[str]) -> set[str]:
    known: set[str] = set()
    for name in names:
        known.add(name)
        parent = name.rpartition("/")[0]
        while parent and parent not in known:
            known.add(parent)
            parent = parent.rpartition("/")[0]
    return known


def _prefixes(folder: str) -> list[str]:
    parts = folder.split("/") if folder else []
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def _some(names: list[str], limit: int) -> list[str]:
    return names if len(names) <= limit else [*names[:limit], "..."]
