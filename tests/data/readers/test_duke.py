import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcac.data.readers import LayoutError
from dcac.data.readers.duke import read_name

IMAGES = [
    "DukeMTMC-reID/bounding_box_train/0001_c2_f0046182.jpg",
    "DukeMTMC-reID/query/0005_c2_f0046985.jpg",
    "DukeMTMC-reID/bounding_box_test/0005_c8_f0046985.jpg",
    "DukeMTMC-reID/bounding_box_test/0009_c1_f0000001.jpg",
]


def lists(train, query, gallery):
    names = {"train": train, "query": query, "gallery": gallery}
    return {f"Occluded_Duke/{split}.list": "\r\n".join(names[split]).encode() for split in names}


def test_names():
    assert read_name("0005_c2_f0046985.jpg") == (5, 1)
    assert read_name("0005_c9_f0046985.jpg") is None
    assert read_name("0005_c2s1_000451_03.jpg") is None


@pytest.mark.parametrize("root", ["DukeMTMC-reID", "dukemtmcreid"])
def test_duke_in_both_folder_names(read, blank, labels, root):
    reading = read("D", blank(name.replace("DukeMTMC-reID", root) for name in IMAGES))
    assert labels(reading) == [
        ("gallery", "gallery/0005_c8_f0046985.jpg", 5, 7),
        ("gallery", "gallery/0009_c1_f0000001.jpg", 9, 0),
        ("query", "query/0005_c2_f0046985.jpg", 5, 1),
        ("train", "train/0001_c2_f0046182.jpg", 1, 1),
    ]


def test_market_is_no_duke(read, blank):
    names = [f"x/{folder}/0002_c1s1_000451_03.jpg" for folder in ("bounding_box_train", "query", "bounding_box_test")]
    assert len(read("D", blank(names)).strays) == 3


def test_occluded_duke_from_lists_finds_queries_in_any_folder(read, blank, labels):
    files = blank(IMAGES) | lists(
        ["0001_c2_f0046182.jpg"], ["0009_c1_f0000001.jpg"], ["0005_c8_f0046985.jpg", "0005_c2_f0046985.jpg"]
    )
    reading = read("OccD", files)
    assert reading.layout == "lists"
    assert labels(reading) == [
        ("gallery", "gallery/0005_c2_f0046985.jpg", 5, 1),
        ("gallery", "gallery/0005_c8_f0046985.jpg", 5, 7),
        ("query", "query/0009_c1_f0000001.jpg", 9, 0),
        ("train", "train/0001_c2_f0046182.jpg", 1, 1),
    ]
    assert {record.data.name for record in reading.records if record.split == "query"} == {IMAGES[3]}


def test_occluded_duke_converted(read, blank):
    files = blank(name.replace("DukeMTMC-reID", "Occluded_Duke") for name in IMAGES)
    assert read("OccD", files).layout == "market"


def test_listed_image_that_is_missing_stops(read, blank):
    files = blank(IMAGES) | lists(["0002_c2_f0000000.jpg"], [], [])
    with pytest.raises(LayoutError, match=r"0002_c2_f0000000\.jpg"):
        read("OccD", files)


def test_lists_without_images_stop(read):
    with pytest.raises(LayoutError, match="not beside them"):
        read("OccD", lists([], [], []))


@given(st.integers(0, 9999), st.integers(1, 8), st.integers(0, 10**7))
def test_every_well_formed_name_gives_its_numbers(pid, camera, frame):
    assert read_name(f"{pid:04d}_c{camera}_f{frame:07d}.jpg") == (pid, camera - 1)
    assert read_name(f"{pid:04d}_c1{camera}_f{frame:07d}.jpg") is None
    assert read_name(f"x/{pid:04d}_c{camera}_f{frame:07d}.jpg") is None
