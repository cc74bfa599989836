"""Decoding every image once."""

import hashlib

import pytest

from dcac.data.images import MAX_SIDE, image_problem
from dcac.data.imports.verifying import UnreadableError, refuse_or_drop, verify
from dcac.data.store import Record


def record(data, path="train/a.jpg"):
    return Record("train", 1, 0, "MA", path, data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_sound_images_have_no_problem(picture, kind):
    assert image_problem(picture(kind=kind)) == ""


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PPM", "WEBP", "TGA"])
def test_other_decoders_are_never_started(picture, kind):
    assert image_problem(picture(kind=kind)) == "no JPEG, PNG or BMP image"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_truncated_images_are_a_problem(picture, kind):
    whole = picture(kind=kind, size=(48, 96))
    for share in (0.05, 0.3, 0.6, 0.9):
        assert image_problem(whole[: int(len(whole) * share)])


@pytest.mark.parametrize("size", [(3, 16), (16, 3), (MAX_SIDE + 1, 4), (4, MAX_SIDE + 1)])
def test_absurd_sizes_are_a_problem(picture, size):
    assert f"{size[0]}x{size[1]} pixels" in image_problem(picture(kind="BMP", size=size))


def test_claimed_size_is_refused_before_memory_is_taken(picture):
    bomb = bytearray(picture(kind="BMP"))
    bomb[18:26] = (8_000).to_bytes(4, "little") * 2
    assert "8000x8000 pixels" in image_problem(bytes(bomb))


def test_findings_are_in_order_and_hash_the_bytes(picture):
    images = [picture(number) for number in range(3)]
    findings = verify([record(images[0]), record(b"none"), record(lambda: images[2])], workers=1)
    assert [finding.digest for finding in findings] == [
        hashlib.sha256(data).hexdigest() for data in (images[0], b"none", images[2])
    ]
    assert [bool(finding.problem) for finding in findings] == [False, True, False]


def test_image_that_cannot_be_read_is_a_finding(picture):
    def fail():
        raise OSError("bad sector")

    assert verify([record(fail)], workers=1)[0].problem == "OSError: bad sector"


def test_workers_must_be_positive():
    with pytest.raises(ValueError, match="0 workers"):
        verify([], workers=0)


def test_unreadable_images_are_listed_or_dropped(picture):
    records = [record(picture(), "train/good.jpg"), record(b"none", "train/bad.jpg")]
    findings = verify(records, workers=1)
    with pytest.raises(UnreadableError, match=r"1 of 2 images(?s:.)*train/bad\.jpg(?s:.)*--drop-unreadable"):
        refuse_or_drop(records, findings, drop=False)
    kept, problems = refuse_or_drop(records, findings, drop=True)
    assert kept == records[:1]
    assert problems[0].startswith("train/bad.jpg (")


def test_long_lists_of_unreadable_images_are_cut(picture):
    records = [record(b"none", f"train/{number}.jpg") for number in range(50)]
    with pytest.raises(UnreadableError, match="and 30 more"):
        refuse_or_drop(records, verify(records, workers=1), drop=False)
