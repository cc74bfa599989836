"""A full disk is said in one sentence, whichever library met it."""

import errno

import pytest
import torch

from dcac.disk import DiskFull, naming_full_disk
from dcac.provenance import atomic


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 576 vs 470"),
        Exception("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_every_way_to_meet_a_full_disk_names_path_and_room(tmp_path, error):
    message = (
        rf"{tmp_path}/x could not be written whole: the disk.* is full \([\d.]+ MB free, 3.5 MB needed\); make room"
    )
    with pytest.raises(DiskFull, match=message), naming_full_disk(tmp_path / "x", needed=3_500_000):
        raise error


def test_an_error_that_a_full_disk_led_to_tells_the_same(tmp_path):
    with pytest.raises(DiskFull), naming_full_disk(tmp_path / "x"):
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError:
            raise RuntimeError("closed in haste")  # noqa: B904  (libraries do not chain either)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "I/O error"), ValueError("wrong"), KeyboardInterrupt()])
def test_other_errors_pass_untouched(tmp_path, error):
    with pytest.raises(type(error)) as caught, naming_full_disk(tmp_path / "x"):
        raise error
    assert caught.value is error


def test_torch_on_a_device_without_room_is_understood_and_leaves_no_temporary_file(tmp_path):
    with pytest.raises(DiskFull, match="could not be written whole"), atomic(tmp_path / "x") as temporary:
        temporary.touch()
        with open("/dev/full", "wb") as stream:
            torch.save({"a": torch.zeros(100_000)}, stream)
    assert not list(tmp_path.iterdir())
