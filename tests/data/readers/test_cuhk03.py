import io

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from dcac.data.archives import open_source
from dcac.data.imports.import_data import run
from dcac.data.readers import LayoutError
from dcac.data.readers.cuhk03 import Cell, own_data, read_cuhk03, read_name
from dcac.data.store import read_split

PACKAGE = ["bounding_box_train/0003_c1_21.png", "query/1467_c2_1.png", "bounding_box_test/1467_c1_3.png"]
# The images of a small cuhk-03.mat: (pair, person, view, column), all from 1, with label and use in the new protocol.
IMAGES = [
    ((1, 1, 1, 1), 1, "train_idx"),
    ((1, 1, 2, 6), 1, "train_idx"),
    ((1, 2, 1, 2), 2, "query_idx"),
    ((1, 2, 2, 7), 2, "gallery_idx"),
    ((2, 1, 1, 1), 844, "query_idx"),
    ((2, 1, 2, 10), 844, "gallery_idx"),
]


def pixels(place, variant):
    return np.random.default_rng([*place, len(variant)]).integers(0, 256, size=(7, 5, 3), dtype=np.uint8)


def raw_mat(variants=("detected", "labeled")):
    """Return the bytes of a file built as MATLAB 7.3 does: cells are references, arrays are transposed."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for variant in variants:
            outer = file.create_dataset(variant, (1, 5), dtype=h5py.ref_dtype)
            for pair in range(5):
                cells = file.create_dataset(f"#refs#/{variant}{pair}", (10, 2), dtype=h5py.ref_dtype)
                outer[0, pair] = cells.ref
                for person in range(2):
                    for column in range(10):
                        place = (pair + 1, person + 1, 1 if column < 5 else 2, column + 1)
                        known = place in [image[0] for image in IMAGES]
                        content = pixels(place, variant).transpose(2, 1, 0) if known else np.array([0, 0], np.uint64)
                        name = f"#refs#/{variant}{pair}_{person}_{column}"
                        cells[column, person] = file.create_dataset(name, data=content).ref
    return buffer.getvalue()


def config(images=IMAGES):
    names = np.array([[f"{p}_{n:03d}_{v}_{c:02d}.png"] for (p, n, v, c), _, _ in images], dtype=object)
    fields = {"filelist": names}
    fields["labels"] = np.array([[pid] for _, pid, _ in images], dtype=np.uint16)
    fields["camId"] = np.array([[place[2]] for place, _, _ in images], dtype=np.uint8)
    for use in ("train_idx", "query_idx", "gallery_idx"):
        fields[use] = np.array([[i + 1] for i, image in enumerate(images) if image[2] == use], dtype=np.uint16)
    buffer = io.BytesIO()
    savemat(buffer, fields)
    return buffer.getvalue()


def raw_files(**kwargs):
    mats = {f"cuhk03_release/cuhk03_new_protocol_config_{v}.mat": config(**kwargs) for v in ("detected", "labeled")}
    return {"cuhk03_release/cuhk-03.mat": raw_mat()} | mats


@pytest.mark.parametrize("root", ["cuhk03-np", "cuhk03np"])
@pytest.mark.parametrize("variant", ["detected", "labeled"])
def test_package_reads_the_variant_asked_for(read, blank, labels, root, variant):
    names = [f"{root}/{kind}/{name}" for kind in ("detected", "labeled") for name in PACKAGE]
    reading = read("C3", blank(names), variant)
    assert reading.layout == "new-protocol"
    assert labels(reading) == [
        ("gallery", "gallery/1467_c1_3.png", 1467, 0),
        ("query", "query/1467_c2_1.png", 1467, 1),
        ("train", "train/0003_c1_21.png", 3, 0),
    ]
    assert all(f"/{variant}/" in record.data.name for record in reading.records)


def test_labeled_is_never_taken_for_detected(read, blank):
    with pytest.raises(LayoutError, match="detected/bounding_box_train"):
        read("C3", blank(f"cuhk03-np/labeled/{name}" for name in PACKAGE), "detected")


def test_names():
    assert read_name("0003_c2_21.png") == (3, 1)
    assert read_name("0003_c3_21.png") is None
    assert read_name("0003_c1_21.jpg") is None


@pytest.mark.parametrize("kind", ["folder", "zip", "tgz"])
@pytest.mark.parametrize("variant", ["detected", "labeled"])
def test_raw_archive_gives_labels_and_pixels(pack, shrink, tmp_path, kind, variant):
    card = shrink("C3", variant=variant, train=(1, 2, 2), query=(2, 2, 1), gallery=(2, 2, 1))
    out = tmp_path / "out" / "C3.parquet"
    run(pack(raw_files(), kind), out, card=card, variant=variant)
    rows = read_split(out, ["train", "query", "gallery"])
    assert list(zip(rows.path, rows.pid, rows.camid, strict=True)) == [
        ("train/1_001_1_01.png", 1, 0),
        ("train/1_001_2_06.png", 1, 1),
        ("query/1_002_1_02.png", 2, 0),
        ("query/2_001_1_01.png", 844, 0),
        ("gallery/1_002_2_07.png", 2, 1),
        ("gallery/2_001_2_10.png", 844, 1),
    ]
    for path, data in zip(rows.path, rows.data, strict=True):
        place = tuple(int(field) for field in path.rpartition("/")[2].removesuffix(".png").split("_"))
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels(place, variant))
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []


def test_config_may_lie_beside_the_archive(pack, tmp_path):
    path = pack({"cuhk03_release/cuhk-03.mat": raw_mat()}, "zip")
    with open_source(path, max_bytes=1e8, max_ratio=100) as source:
        with pytest.raises(LayoutError, match=r"cuhk03_new_protocol_config_detected\.mat"):
            read_cuhk03(source, "detected")
        (tmp_path / "cuhk03_new_protocol_config_detected.mat").write_bytes(config())
        assert len(read_cuhk03(source, "detected").records) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (((1, 1, 2, 6), 2, "train_idx"), "two labels"),  # one person under two labels
        (((2, 1, 1, 1), 1, "train_idx"), "two people one label"),  # the collision of the renumbered train labels
    ],
)
def test_colliding_labels_are_refused(read, change, message):
    images = [change if change[0] == image[0] else image for image in IMAGES[:5]]
    with pytest.raises(LayoutError, match=message):
        read("C3", raw_files(images=images), "detected")


def test_empty_cell_is_no_image(read):
    reading = read("C3", raw_files(images=[((3, 1, 1, 1), 1, "train_idx")]), "detected", kind="folder")
    with pytest.raises(ValueError, match="empty cell"):
        reading.records[0].load()


def test_damaged_mat_makes_its_images_unreadable(pack, shrink, tmp_path):
    files = raw_files() | {"cuhk03_release/cuhk-03.mat": raw_mat()[:3000]}
    with pytest.raises(ValueError, match="6 of 6 images cannot be read"):
        run(
            pack(files), tmp_path / "C3.parquet", card=shrink("C3", train=(1, 2, 2), query=(2, 2, 1), gallery=(2, 2, 1))
        )


def test_config_without_a_field_is_named(read):
    buffer = io.BytesIO()
    savemat(buffer, {"labels": 1})
    files = raw_files() | {"cuhk03_release/cuhk03_new_protocol_config_detected.mat": buffer.getvalue()}
    with pytest.raises(LayoutError, match="lacks train_idx, query_idx, gallery_idx, filelist, camId"):
        read("C3", files, "detected")


def test_camera_of_config_and_file_name_must_agree(read):
    buffer = io.BytesIO()
    fields = {"filelist": "1_001_1_01.png", "labels": 1, "camId": 2, "train_idx": 1, "query_idx": [], "gallery_idx": []}
    savemat(buffer, fields)
    files = raw_files() | {"cuhk03_release/cuhk03_new_protocol_config_detected.mat": buffer.getvalue()}
    with pytest.raises(LayoutError, match=r"'1_001_1_01\.png' of camera 2"):
        read("C3", files, "detected")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"external": "outside"}, "takes its bytes from another file"),
        ({"shape": (3, 100_000, 1_000), "chunks": (3, 100, 100)}, "would take 300 MB"),
        ({"maxshape": (3, None, None), "chunks": (3, 20_000, 2_000)}, "would take 120 MB"),
        ({"chunks": (3, 8, 8), "fillvalue": 7}, "holds no bytes"),
    ],
)
def test_a_picture_whose_bytes_are_not_in_the_file_is_refused_before_it_is_read(tmp_path, options, fault):
    options = {"shape": (3, 8, 8), "dtype": "u1", **options}
    if "external" in options:
        (tmp_path / "secret").write_bytes(bytes(3 * 64))
        options["external"] = [(str(tmp_path / "secret"), 0, 3 * 64)]
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("picture", **options)
    with h5py.File(tmp_path / "a.mat") as file, pytest.raises(ValueError, match=fault):
        own_data(file["picture"])


def test_a_virtual_picture_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.mat", "w") as file:
        file["picture"] = np.zeros((3, 8, 8), np.uint8)
    layout = h5py.VirtualLayout((3, 8, 8), "u1")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.mat"), "picture", (3, 8, 8))
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_virtual_dataset("picture", layout)
    with h5py.File(tmp_path / "a.mat") as file, pytest.raises(ValueError, match="takes its bytes from another file"):
        own_data(file["picture"])


@pytest.mark.parametrize("what", ["group", "type"])
def test_what_is_no_array_is_refused_as_a_picture(tmp_path, what):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["picture"] = np.dtype("f8")
        file.create_group("group")
    with (
        h5py.File(tmp_path / "a.mat") as file,
        pytest.raises(ValueError, match=r"of .*a\.mat is a group or a type, where an array is expected"),
    ):
        own_data(file["group" if what == "group" else "picture"])


@pytest.mark.parametrize("damage", ["group", "nothing", "column", "numbers"])
def test_cell_that_leads_to_no_picture_says_so(tmp_path, damage):
    reference = h5py.special_dtype(ref=h5py.Reference)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        group, outer, inner = (
            file.create_group("group"),
            *(file.create_dataset(n, (1, 1), reference) for n in ("detected", "pair")),
        )
        outer[0, 0] = inner.ref
        if damage == "group":
            inner[0, 0] = group.ref
        elif damage == "numbers":
            del file["detected"]
            file["detected"] = np.ones((1, 1))
    cell = Cell(tmp_path / "a.mat", "detected", 0, 0, 1 if damage == "column" else 0)
    message = "is a group or a type" if damage == "group" else "refers to nothing|holds no bytes"
    with pytest.raises(ValueError, match=f"({message}).*get the original archive"):
        cell()
