"""A pre-trained network as an input: its folder, its manifest, and whether the two still agree."""

from collections.abc import Mapping
from pathlib import Path

from dcac.provenance.files import make_readable, manifest, write_json
from dcac.provenance.keep import keep, put_back
from dcac.provenance.record import KEY, Asked, Input, hash_json, read_record

MANIFEST = "manifest.json"
PARTS = {
    MANIFEST,
    "config.json",
    "model.safetensors",
    "vae",
    "unet",
    "scheduler",
}  # what a network's folder has some of


def network_input(folder: Path, part: str = "") -> Input:
    """Describe a network by the content of its files, whatever fetched or made them.

    Args:
        folder: holds the network and its manifest.
        part: only the files below this sub-folder act, such as `vae/`.

    Raises:
        ValueError: there is no manifest, or it lists no such file.
    """
    record = read_record(folder / MANIFEST)
    meaning = network_meaning(listed(folder), part)
    if meaning is None:
        raise ValueError(f"{folder / MANIFEST} lists no file of {part or folder}; make these weights again")
    return Input(record["recipe"] if record else meaning, meaning)


def network_meaning(files: Mapping[str, Mapping], part: str = "") -> str | None:
    """Hash names and sha256 of a network's files; None where there are none."""
    acting = {name: entry["sha256"] for name, entry in sorted(files.items()) if name.startswith(part)}
    return hash_json(acting) if acting else None


def finish_network(folder: Path, asked: Asked, notes: Mapping[str, object]) -> None:
    """Write the manifest of a network that is complete, and keep its files under what was asked for."""
    make_readable(folder)
    files = manifest(folder)
    record = asked.record(meaning=network_meaning(files))
    write_json(folder / MANIFEST, {"files": files, **notes, KEY: record})
    keep(asked, folder, [*files, MANIFEST])


def put_back_network(asked: Asked, folder: Path) -> bool:
    """Put a network back if it is kept; then no file of another one stays in its folder."""
    if not put_back(asked, folder):
        return False
    expected = {folder / name for name in (*listed(folder), MANIFEST)}
    for path in folder.rglob("*"):
        if path.is_file() and path not in expected:
            path.unlink()
    return True


def require_network_folder(folder: Path) -> None:
    """Refuse to make a network in a folder of something else, whose files would be listed as the network's, or go.

    Raises:
        ValueError: there are files, and none as a network has.
    """
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if folder.is_file() or (present and not present & PARTS):
        raise ValueError(
            f"{folder} is there and is no folder of a network; give a new folder, such as results/weights/NAME"
        )


def listed(folder: Path) -> dict[str, dict]:
    """Read the files that a network's manifest lists, with size and sha256.

    Raises:
        ValueError: the manifest is missing or damaged.
    """
    from dcac.reading import read_json  # brings NumPy, which planning does without

    path = folder / MANIFEST
    remedy = f"delete {folder} and run `snakemake {path}` to make these weights again"
    files = read_json(path, keys=("files",), remedy=remedy)["files"]
    whole = isinstance(files, dict) and all(isinstance(entry, dict) and "sha256" in entry for entry in files.values())
    if not whole:
        raise ValueError(f"{path} is damaged, its 'files' are no list of names with sha256; {remedy}")
    return files


def verify_network(folder: Path) -> None:
    """Refuse a network whose files are not those of its manifest, such as an older file left beside a new one.

    Raises:
        ValueError: a file is missing, was changed, or was added; the message names it.
    """
    expected, found = listed(folder), manifest(folder)
    for name, entry in expected.items():
        if name not in found:
            raise ValueError(f"{folder / name} is missing, though its manifest lists it; make these weights again")
        if found[name]["sha256"] != entry["sha256"]:
            raise ValueError(
                f"{folder / name} is not the file of its manifest (sha256 differs); make these weights again"
            )
    added = sorted(set(found) - set(expected))
    if added:
        raise ValueError(
            f"{folder / added[0]} is not in the manifest beside it; remove it, or make these weights again"
        )
