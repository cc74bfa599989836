"""Reader of folders that are named after the people they show, within folders of splits or without."""

import os

from dcac.data.archives import Source
from dcac.data.catalog import Own
from dcac.data.readers.entries import Entry, cameras_in, divided, kept_path, pictures
from dcac.data.readers.layout import LayoutError


def read_persons(source: Source, own: Own) -> list[Entry]:
    """Read `0001/cam2_000151.jpg`, `0001/cam2/000151.jpg`, or either below train, query and gallery.

    Raises:
        LayoutError: A picture lies in no person's folder, or its name does not tell its camera.
    """
    folders, inside = person_folders(pictures(source))
    cameras = cameras_in({name: below.partition("/")[2] for name, below in inside.items()}, own.camera)
    return [
        Entry(
            name,
            kept_path(name, below, folders, own),
            folders[name[: -len(below)]],
            below.partition("/")[0],
            cameras[name],
        )
        for name, below in inside.items()
    ]


def person_folders(names: list[str]) -> tuple[dict[str, str | None], dict[str, str]]:
    """Find the folders that hold a folder a person.

    Returns:
        Folder, ending in "/" or "", to split or None, and name of each picture in them to its path below them.

    Raises:
        LayoutError: A picture lies in no person's folder.
    """
    folders: dict[str, str | None] = dict(divided(names, deep=True) or {_common(names): None})
    inside = {name: name[len(folder) :] for folder in folders for name in names if name.startswith(folder)}
    loose = next((name for name, below in inside.items() if "/" not in below), None)
    if loose is not None:
        raise LayoutError(f"{loose} lies in no person's folder; move it into one, or take it out")
    return folders, inside


def _common(names: list[str]) -> str:
    """Return the folder that all pictures share; of a single person's pictures, the folder above that person."""
    shared = os.path.commonpath([name.rpartition("/")[0] for name in names])
    if all(name.rpartition("/")[0] == shared for name in names):
        shared = shared.rpartition("/")[0]
    return f"{shared}/" if shared else ""
