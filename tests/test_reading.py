"""A damaged file of any kind ends in one sentence with its path and the remedy."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dcac.reading import load_tensors, naming_damaged_part, read_arrays, read_json

READERS = {
    "x.json": read_json,
    "x.safetensors": load_tensors,
    "x.npz": read_arrays,
}


@pytest.fixture
def whole(tmp_path):
    """Return a function that writes a good file of a kind."""

    def write(name):
        path = tmp_path / name
        if name == "x.json":
            path.write_text(json.dumps({"a": list(range(100))}))
        elif name == "x.safetensors":
            save_file({"a": torch.arange(100.0)}, path)
        else:
            np.savez_compressed(path, a=np.arange(100.0))
        return path

    return write


@pytest.mark.parametrize("name", READERS)
def test_a_whole_file_is_read(whole, name):
    assert list(READERS[name](whole(name), remedy="r")) == ["a"]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", READERS)
def test_a_half_copied_file_is_named(whole, name, share):
    path = whole(name)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=rf"^[^\n]*{name} is damaged or was copied in part \(.*\); do this$"):
        READERS[name](path, remedy="do this")


@pytest.mark.parametrize("name", READERS)
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(ValueError, match=rf"{name} does not exist; do this$"):
        READERS[name](tmp_path / name, remedy="do this")


@pytest.mark.parametrize("name", READERS)
def test_a_folder_in_a_files_place_is_named(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=rf"{name} is a folder, where a file should be; do this$"):
        READERS[name](tmp_path / name, remedy="do this")


@pytest.mark.parametrize("name", READERS)
def test_flipped_bytes_end_in_a_sentence_or_in_numbers(whole, name):
    content = whole(name).read_bytes()
    for place in range(0, len(content), 7):
        path = whole(name)
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            READERS[name](path, remedy="do this")
        except ValueError as error:
            assert str(path) in str(error) and str(error).endswith("; do this")


def test_json_of_another_shape_is_named(tmp_path):
    path = tmp_path / "x.json"
    for text, message in (("[1]", "holds a JSON list, not an object; do this"), ("{}", "lacks 'a'; do this")):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_json(path, keys=("a",), remedy="do this")


def test_json_without_end_is_named(tmp_path):
    (tmp_path / "x.json").write_text(100_000 * "[")
    with pytest.raises(ValueError, match=r"x.json is damaged or was copied in part \(RecursionError"):
        read_json(tmp_path / "x.json", remedy="do this")


def test_a_pickle_is_never_read(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"x.npz is damaged .*allow_pickle=False.*; do this"):
        read_arrays(tmp_path / "x.npz", remedy="do this")


@pytest.mark.parametrize(
    "part", ["unet/config.json", "unet/diffusion_pytorch_model.safetensors", "scheduler/scheduler_config.json"]
)
@pytest.mark.parametrize("bytes_kept", [0, 60])
def test_a_damaged_network_is_named_with_the_command_that_makes_it(prior_folder, tmp_path, part, bytes_kept):
    import shutil

    from dcac.model.diffusion import load_prior

    folder = shutil.copytree(prior_folder, tmp_path / "prior")
    (folder / part).write_bytes((folder / part).read_bytes()[:bytes_kept])
    with pytest.raises(ValueError, match=rf"{part.split('/')[0]} is damaged .*run `snakemake .*prior/manifest.json`"):
        load_prior(folder)


def test_an_absent_part_of_a_network_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"vae does not exist; .*manifest.json"), naming_damaged_part(tmp_path / "vae"):
        pass
