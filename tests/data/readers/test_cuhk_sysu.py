import io

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from dcac.data.imports.import_data import run
from dcac.data.readers import LayoutError
from dcac.data.store import read_split

PEOPLE = {  # person: [(frame, x, y, width, height, ishard)]
    "p1": [("s1.jpg", 2, 3, 10, 20, 0), ("s2.jpg", 0, 0, 8, 16, 1)],
    "p11422": [("s2.jpg", 30, 20, 90, 90, 0)],  # leaves the frame of 64 x 48
}


def person_mat(people=PEOPLE):
    scene = np.dtype([("imname", object), ("idlocate", object), ("ishard", object)])
    person = np.dtype([("idname", object), ("nAppear", object), ("scene", object)])
    rows = np.empty((1, len(people)), dtype=person)
    for column, (name, boxes) in enumerate(people.items()):
        scenes = np.empty((1, len(boxes)), dtype=scene)
        for index, (frame, *box, hard) in enumerate(boxes):
            scenes[0, index] = (frame, np.array([box], dtype=np.int32), hard)
        rows[0, column] = (name, len(boxes), scenes)
    buffer = io.BytesIO()
    savemat(buffer, {"Person": rows})
    return buffer.getvalue()


@pytest.fixture
def frames(picture):
    scenes = {f"CUHK-SYSU/Image/SSM/s{n}.jpg": picture(n, size=(64, 48)) for n in (1, 2, 3)}
    return scenes | {"CUHK-SYSU/annotation/Person.mat": person_mat()}


@pytest.mark.parametrize("kind", ["folder", "zip", "tgz"])
def test_boxes_are_cut_out_and_clipped(frames, pack, shrink, tmp_path, kind):
    card = shrink("CS", train=(2, 3, None))
    out = tmp_path / "CS.parquet"
    sidecar = run(pack(frames, kind), out, card=card).sidecar
    rows = read_split(out, "train").set_index("path")
    assert sidecar["layout"] == "frames"
    assert dict(rows.pid) == {
        "train/s1_p1_2_3_10_20.jpg": 1,
        "train/s2_p11422_30_20_90_90.jpg": 11422,
        "train/s2_p1_0_0_8_16.jpg": 1,
    }
    assert set(rows.camid) == {0}
    sizes = {path: Image.open(io.BytesIO(data)).size for path, data in rows.data.items()}
    assert sizes["train/s1_p1_2_3_10_20.jpg"] == (10, 20)
    assert sizes["train/s2_p11422_30_20_90_90.jpg"] == (34, 28)


def test_crop_shows_the_box(frames, pack, shrink, tmp_path):
    run(pack(frames), tmp_path / "CS.parquet", card=shrink("CS", train=(2, 3, None)))
    data = read_split(tmp_path / "CS.parquet", "train").set_index("path").data["train/s1_p1_2_3_10_20.jpg"]
    crop = np.asarray(Image.open(io.BytesIO(data)), dtype=float)
    frame = np.asarray(Image.open(io.BytesIO(frames["CUHK-SYSU/Image/SSM/s1.jpg"])), dtype=float)
    assert np.abs(crop - frame[3:23, 2:12]).mean() < 6  # JPEG 95 of noise


def test_box_without_frame_stops(read, frames):
    del frames["CUHK-SYSU/Image/SSM/s2.jpg"]
    with pytest.raises(LayoutError, match=r"p1 into s2.jpg"):
        read("CS", frames, "all")


def test_box_outside_its_frame_is_an_unreadable_image(pack, frames, shrink, tmp_path):
    frames["CUHK-SYSU/annotation/Person.mat"] = person_mat({"p7": [("s1.jpg", 64, 0, 5, 5, 0)]})
    with pytest.raises(ValueError, match="lies outside"):
        run(pack(frames), tmp_path / "CS.parquet", card=shrink("CS", train=(1, 1, None)))


@pytest.mark.parametrize(
    ("name", "layout", "pid"),
    [
        ("CUHK-SYSU/cropped_images/p11422_s16929_1.jpg", "cropped_images", 11422),
        ("CUHK-SYSU/cropped_image/p00001_n01_s00001_hard0.png", "cropped_image", 1),
        ("cuhksysu4reid/combine/00042_s0001_0000001_0.jpg", "cuhksysu4reid", 42),
    ],
)
def test_packages_of_crops(read, blank, labels, name, layout, pid):
    reading = read("CS", blank([name]), "all")
    assert (reading.layout, reading.strays) == (layout, [])
    assert labels(reading) == [("train", "train/" + name.rpartition("/")[2], pid, 0)]


def test_no_layout_stops(read, blank):
    with pytest.raises(LayoutError, match=r"Person\.mat"):
        read("CS", blank(["CUHK-SYSU/Image/SSM/s1.jpg"]), "all")


@pytest.mark.parametrize("content", [b"", b"no MATLAB file", person_mat()[:200]])
def test_damaged_annotation_is_named(read, frames, content):
    frames["CUHK-SYSU/annotation/Person.mat"] = content
    with pytest.raises(LayoutError, match=r"Person\.mat is no readable MATLAB file"):
        read("CS", frames, "all")


def test_annotation_without_people_is_named(read, frames):
    buffer = io.BytesIO()
    savemat(buffer, {"Img": 1})
    frames["CUHK-SYSU/annotation/Person.mat"] = buffer.getvalue()
    with pytest.raises(LayoutError, match=r"Person\.mat lacks Person"):
        read("CS", frames, "all")


def test_damaged_frame_makes_its_crops_unreadable(pack, frames, shrink, tmp_path):
    frames["CUHK-SYSU/Image/SSM/s2.jpg"] = b"no image"
    with pytest.raises(ValueError, match=r"2 of 3 images cannot be read(?s:.)*s2_p1_"):
        run(pack(frames), tmp_path / "CS.parquet", card=shrink("CS", train=(2, 3, None)))
