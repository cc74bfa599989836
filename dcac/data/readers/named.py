"""Reader of pictures with names in Market-1501's style, `PERSON_cCAMERA...`, in folders of splits or in one folder."""

from dcac.data.archives import Source
from dcac.data.catalog import Own
from dcac.data.readers.entries import Entry, cameras_in, divided, kept_path, pictures
from dcac.data.readers.layout import LayoutError


def read_named(source: Source, own: Own) -> list[Entry]:
    """Read the folders of the splits where they are there, else the one folder that holds all pictures.

    The person is what stands before the first `_` of a name.

    Raises:
        LayoutError: Neither is there, or a name tells no person or no camera.
    """
    names = pictures(source)
    folders: dict[str, str | None] = dict(divided(names, deep=False) or {_only_folder(names): None})
    chosen = {name: folder for folder in folders for name in names if name.startswith(folder)}
    bases = {name: name[len(folder) :] for name, folder in chosen.items()}
    for name, base in bases.items():
        if "/" in base or not base.partition("_")[0] or "_" not in base:
            raise LayoutError(f"{name} is not named PERSON_cCAMERA...; rename it, or take it out of the folder")
    cameras = cameras_in(bases, own.camera)
    return [
        Entry(name, kept_path(name, base, folders, own), folders[chosen[name]], base.partition("_")[0], cameras[name])
        for name, base in bases.items()
    ]


def _only_folder(names: list[str]) -> str:
    folders = sorted({name.rpartition("/")[0] for name in names})
    if len(folders) > 1:
        raise LayoutError(
            f"the pictures lie in {len(folders)} folders, such as {folders[0]} and {folders[1]}; the layout `market` has one, "
            "or one a split"
        )
    return f"{folders[0]}/" if folders[0] else ""
