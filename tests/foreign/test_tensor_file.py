"""Files of tensors: both formats, left-overs of a training are skipped, anything hostile is refused and never run."""

import os
import pickle
import sys
from collections import OrderedDict
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dcac.foreign.tensor_file import below, read_tensors

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(7)}


class Hostile:
    """A pickle that creates a file when it is read without care."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class ModelCheckpoint:
    """Plays the training framework's class of that name."""

    def __init__(self, folder):
        self.folder = folder


def _same(found, expected):
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
def test_torch_file_is_read_with_and_without_a_wrapper(tmp_path, wrapped, zipped):
    content = {"state_dict": OrderedDict(TENSORS), "epoch": 3} if wrapped else TENSORS
    torch.save(content, tmp_path / "a.ckpt", _use_new_zipfile_serialization=zipped)
    assert _same(read_tensors(tmp_path / "a.ckpt"), TENSORS)


def test_safetensors_file_is_read(tmp_path):
    save_file(TENSORS, tmp_path / "a.safetensors")
    assert _same(read_tensors(tmp_path / "a.safetensors"), TENSORS)


@pytest.mark.parametrize("place", ["alone", "beside", "among"])
def test_hostile_pickle_is_refused_and_never_executed(tmp_path, place):
    mark = tmp_path / "executed"
    pickle.loads(pickle.dumps(Hostile(mark)))
    assert mark.is_dir()  # the weapon works
    mark.rmdir()
    content = {
        "alone": Hostile(mark),
        "beside": {"state_dict": TENSORS, "callbacks": Hostile(mark)},
        "among": {**TENSORS, "b": Hostile(mark)},
    }[place]
    torch.save(content, tmp_path / "bad.ckpt")
    with pytest.raises(
        ValueError, match=r"more than plain tensors \(it names (posix|nt)\.mkdir\).*nothing in it was run"
    ):
        read_tensors(tmp_path / "bad.ckpt")
    assert not mark.exists()


def test_bare_hostile_pickle_is_refused_and_never_executed(tmp_path):
    mark = tmp_path / "executed"
    (tmp_path / "bad.pth").write_bytes(pickle.dumps(Hostile(mark), protocol=2))
    with pytest.raises(ValueError, match="refused"):
        read_tensors(tmp_path / "bad.pth")
    assert not mark.exists()


def test_left_overs_of_stable_diffusions_training_are_skipped(tmp_path, monkeypatch):
    framework = "pytorch_lightning.callbacks.model_checkpoint"
    monkeypatch.setattr(ModelCheckpoint, "__module__", framework)
    for name in ("pytorch_lightning", "pytorch_lightning.callbacks", framework):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules[framework].ModelCheckpoint = ModelCheckpoint
    callbacks = {ModelCheckpoint: {"best": np.float64(0.5)}, "instance": ModelCheckpoint("logs")}
    path = tmp_path / "sd.ckpt"
    torch.save({"state_dict": TENSORS, "callbacks": callbacks}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))  # as of that time
    monkeypatch.undo()
    assert "pytorch_lightning" not in sys.modules
    assert _same(read_tensors(path), TENSORS)


def test_stand_ins_are_forgotten_after_reading(tmp_path):
    torch.save(TENSORS, tmp_path / "a.ckpt")
    before = set(torch.serialization.get_safe_globals())
    read_tensors(tmp_path / "a.ckpt")
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize("content", [TENSORS["a.weight"], [1, 2], {}])
def test_file_without_a_dictionary_of_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="no dictionary of tensors"):
        read_tensors(tmp_path / "a.pth")


def test_value_that_is_no_tensor_is_named(tmp_path):
    torch.save({**TENSORS, "note": "text"}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="holds a str under 'note'"):
        read_tensors(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["cut.ckpt", "cut.safetensors", "empty.ckpt", "empty.safetensors"])
def test_damaged_file_is_refused_with_a_remedy(tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".ckpt":
        torch.save(TENSORS, path)
    else:
        save_file(TENSORS, path)
    path.write_bytes(path.read_bytes()[: 0 if name.startswith("empty") else -40])
    with pytest.raises(ValueError, match=f"{name}.*(fetch it again|get it as)"):
        read_tensors(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no\.pth is not a file"):
        read_tensors(tmp_path / "no.pth")


def test_below_takes_a_prefix_away():
    assert below("a.", {"a.b": 1, "aa.b": 2, "b.a.c": 3}) == {"b": 1}
