"""Pictures decoded once: equal to decoding them, shared, and made again when anything they depend on moves."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dcac.data import pictures
from dcac.data.images import decode
from dcac.data.pictures import Pictures, View, decoded
from dcac.data.store import Record, read_split, write_store
from dcac.data.training_set import load_training_set
from dcac.provenance.record import sidecar_of

VIEW = View(height=32, width=16, resize="bicubic")


@pytest.fixture
def placed(store, tmp_path):
    """A copy of data set A inside a folder `results`."""
    folder = tmp_path / "results/data"
    folder.mkdir(parents=True)
    for path in (store, store.with_suffix(".json")):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / store.name


@pytest.fixture
def decodings(monkeypatch):
    """The number of images of every call of the decoder."""
    calls = []

    def counting(images, **view):
        calls.append(len(images))
        return decode(images, **view)

    monkeypatch.setattr(pictures, "decode", counting)
    return calls


def cached(store):
    """Files of decoded pictures beside the store's folder."""
    return sorted(path.name for path in (store.parents[1] / ".cache").glob("*.npy"))


def expected(store, split="train", view=VIEW):
    """Decode all pictures of a split here and now."""
    return decode(list(read_split(store, split)["data"]), **view._asdict())


def test_pictures_are_decoded_once_and_equal_to_decoding_them(placed, decodings):
    first, second = decoded(placed, "train", VIEW), decoded(placed, "train", VIEW)
    assert np.array_equal(first, expected(placed)) and np.array_equal(first, second)
    assert decodings == [64]
    assert isinstance(first, np.memmap) and isinstance(second, np.memmap)


def test_outside_of_results_nothing_is_written(store, decodings):
    before = sorted(store.parent.iterdir())
    assert np.array_equal(decoded(store, "train", VIEW), expected(store))
    assert decodings == [64] and sorted(store.parent.iterdir()) == before


def test_split_size_and_filter_each_have_a_file(placed, decodings):
    for split, view in (("train", VIEW), ("query", VIEW), ("train", VIEW._replace(width=8))):
        assert np.array_equal(decoded(placed, split, view), expected(placed, split, view))
    bilinear = View(16, 8, "bilinear")
    assert np.array_equal(decoded(placed, "train", bilinear), expected(placed, "train", bilinear))
    assert len(cached(placed)) == 4 and decodings == [64, 16, 64, 64]


def test_other_data_under_the_same_name_replace_the_old_pictures(placed, other_store, decodings):
    before = decoded(placed, "train", VIEW)
    old = before.copy()
    for source, target in ((other_store, placed), (other_store.with_suffix(".json"), placed.with_suffix(".json"))):
        target.write_bytes(source.read_bytes())
    assert np.array_equal(decoded(placed, "train", VIEW), expected(other_store))
    assert len(cached(placed)) == 1 and decodings == [64, 64]
    assert np.array_equal(before, old)  # whoever has mapped them goes on


@pytest.mark.parametrize("moved", ["digest", "PIL"])
def test_another_decoder_decodes_again(placed, decodings, monkeypatch, moved):
    decoded(placed, "train", VIEW)
    if moved == "digest":
        monkeypatch.setattr(pictures, "digest", lambda _: "another")
    else:
        monkeypatch.setattr(pictures.PIL, "__version__", "0.0")
    decoded(placed, "train", VIEW)
    assert decodings == [64, 64] and len(cached(placed)) == 1


@pytest.mark.parametrize("damage", ["flipped", "cut", "no sidecar", "emptied"])
def test_damaged_pictures_are_decoded_again(placed, decodings, damage):
    decoded(placed, "train", VIEW)
    (name,) = cached(placed)
    path = placed.parents[1] / ".cache" / name
    content = bytearray(path.read_bytes())
    if damage == "no sidecar":
        sidecar_of(path).unlink()
    else:
        content[-1] ^= 1
        path.write_bytes({"flipped": content, "cut": content[:-100], "emptied": b""}[damage])
    assert np.array_equal(decoded(placed, "train", VIEW), expected(placed))
    assert decodings == [64, 64]


def test_who_comes_at_the_same_time_waits_and_decodes_nothing(placed):
    program = (
        "import sys, logging; logging.basicConfig(level=20)\n"
        "from pathlib import Path; from dcac.data.pictures import View, decoded\n"
        "decoded(Path(sys.argv[1]), 'train', View(128, 64, 'bicubic'))"
    )

    def start(_):
        return subprocess.run(
            [sys.executable, "-c", program, placed], check=True, capture_output=True, text=True
        ).stderr

    with ThreadPoolExecutor(3) as pool:
        said = "".join(pool.map(start, range(3)))
    assert said.count("written for this and other processes") == 1


def test_writing_to_mapped_pictures_changes_no_file(placed):
    first = decoded(placed, "train", VIEW)
    first[:] = 0
    assert np.array_equal(decoded(placed, "train", VIEW), expected(placed))


def test_where_nothing_can_be_written_pictures_are_held_in_memory(placed, monkeypatch, caplog):
    def refused(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr("dcac.provenance.shared._write", refused)
    found = decoded(placed, "train", VIEW)
    assert np.array_equal(found, expected(placed)) and not isinstance(found, np.memmap)
    assert "holds it in memory" in caplog.text


def test_row_groups_follow_each_other(placed, monkeypatch, store, decodings):
    rows = read_split(store, "train")
    records = [Record("train", row.pid, row.camid, "A", row.path, row.data) for row in rows.itertuples()]
    monkeypatch.setattr("dcac.data.store.ROWS_PER_GROUP", 30)
    write_store(records, placed, facts={"dataset": "A"})
    assert np.array_equal(decoded(placed, "train", VIEW), expected(store))
    assert decodings == [30, 30, 4]


def test_rows_of_several_arrays_are_those_of_their_concatenation():
    generator = np.random.default_rng(0)
    parts = [generator.integers(0, 256, size=(count, 3, 2, 2), dtype=np.uint8) for count in (5, 0, 3)]
    places = np.array([7, 0, 4, 5, 2])
    whole = np.concatenate(parts)[places]
    joined = Pictures(parts, places)
    assert joined.shape == (5, 3, 2, 2) and np.array_equal(joined, whole)
    for rows in (np.array([4, 0, 0]), slice(1, 4), np.array([], dtype=np.int64), slice(None)):
        assert np.array_equal(joined[rows], whole[rows])
        assert np.array_equal(joined.rows(rows)[:], whole[rows])
    assert np.array_equal(joined[2], whole[2])
    joined[:][:] = 0
    assert np.array_equal(joined, whole)


def test_training_sets_of_two_sources_map_both(placed, other_store):
    both = load_training_set([placed, other_store], train_splits="all", height=32, width=16)
    alone = [expected(path, split) for path in (placed, other_store) for split in ("train", "query")]
    assert np.array_equal(both.images, np.concatenate(alone))
