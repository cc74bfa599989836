import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcac.data.readers import LayoutError
from dcac.data.readers.msmt17 import read_name

NAME = "{0:04d}_{1:03d}_{2:02d}_0303morning_0008_0.jpg"


def entry(pid, number, camera):
    return f"{pid:04d}/" + NAME.format(pid, number, camera)


LISTED = {
    "train": [entry(0, 0, 1), entry(1, 0, 15)],
    "val": [entry(0, 1, 2)],
    "query": [entry(0, 0, 10)],
    "gallery": [entry(0, 1, 11), entry(1, 0, 3)],
}


def official(version, *, root=None):
    train, test = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}[version]
    root = root or f"MSMT17_{version}"
    files = {}
    for part, names in LISTED.items():
        lines = [f"{name} {int(name[:4])}\n" for name in names]
        files[f"{root}/list_{part}.txt"] = "".join(lines).encode()
        folder = train if part in ("train", "val") else test
        files |= {f"{root}/{folder}/{name}": b"" for name in names}
    return files


@pytest.mark.parametrize("version", ["V1", "V2"])
@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
def test_lists_give_pids_cameras_and_version(read, labels, version, kind):
    reading = read("MS", official(version), "train+val", kind=kind)
    assert (reading.version, reading.layout) == (version, f"lists-{version.lower()}")
    assert labels(reading) == [
        ("gallery", "gallery/" + entry(0, 1, 11), 0, 10),
        ("gallery", "gallery/" + entry(1, 0, 3), 1, 2),
        ("query", "query/" + entry(0, 0, 10), 0, 9),
        ("train", "train/" + entry(0, 0, 1), 0, 0),
        ("train", "train/" + entry(1, 0, 15), 1, 14),
        ("train", "val/" + entry(0, 1, 2), 0, 1),
    ]


def test_same_name_in_train_and_test_reads_its_own_file(read):
    files = official("V1")
    assert set(LISTED["train"]).isdisjoint(LISTED["query"])  # the folders 0000 are shared, the two people are not
    same = entry(0, 7, 1)
    files |= {f"MSMT17_V1/train/{same}": b"train", f"MSMT17_V1/test/{same}": b"test"}
    files["MSMT17_V1/list_train.txt"] += f"{same} 0\n".encode()
    files["MSMT17_V1/list_query.txt"] += f"{same} 0\n".encode()
    found = {r.split: r.data.name for r in read("MS", files, "train+val").records if r.path.endswith(same)}
    assert found == {"train": f"MSMT17_V1/train/{same}", "query": f"MSMT17_V1/test/{same}"}


def test_variant_train_drops_val(read):
    reading = read("MS", official("V2"), "train")
    assert reading.dropped == {"val": 1}
    assert not [record for record in reading.records if record.path.startswith("val/")]


def test_pid_is_the_second_field_of_the_list_not_the_folder(read):
    files = official("V1")
    files["MSMT17_V1/list_query.txt"] = f"{entry(0, 0, 10)} 77\n".encode()
    assert [record.pid for record in read("MS", files, "train+val").records if record.split == "query"] == [77]


@pytest.mark.parametrize(("name", "version"), [("MSMT17_V2", "V1"), ("MSMT17_v1", "V2")])
def test_one_version_under_the_name_of_the_other_is_refused(read, name, version):
    with pytest.raises(LayoutError, match=f"are those of {version}"):
        read("MS", official(version, root=name), "train+val")
    with pytest.raises(LayoutError, match=f"are those of {version}"):
        read("MS", official(version, root="any"), "train+val", kind="zip", name=name)


def test_missing_and_twice_listed_images_stop(read):
    files = official("V1")
    del files[f"MSMT17_V1/test/{entry(0, 0, 10)}"]
    with pytest.raises(LayoutError, match=entry(0, 0, 10)):
        read("MS", files, "train+val")
    files = official("V1")
    files["MSMT17_V1/list_val.txt"] += files["MSMT17_V1/list_train.txt"]
    with pytest.raises(LayoutError, match="twice"):
        read("MS", files, "train+val")


def test_unlisted_image_is_a_stray(read):
    files = official("V1") | {f"MSMT17_V1/test/{entry(9, 9, 9)}": b""}
    assert read("MS", files, "train+val").strays == [f"MSMT17_V1/test/{entry(9, 9, 9)}"]


@pytest.mark.parametrize("line", ["no list at all", f"{entry(0, 0, 10)}", f"{entry(0, 0, 0)} 0", "../x_0_01_y.jpg 0"])
def test_malformed_list_line_is_named(read, line):
    files = official("V1")
    files["MSMT17_V1/list_query.txt"] = f"{entry(0, 0, 10)} 0\n{line}\n".encode()
    with pytest.raises(LayoutError, match=r"line 2 of MSMT17_V1/list_query.txt"):
        read("MS", files, "train+val")


def test_folders_without_lists_are_not_guessed(read):
    files = {name: data for name, data in official("V1").items() if not name.endswith(".txt")}
    with pytest.raises(LayoutError, match="four lists"):
        read("MS", files, "train+val")


def test_converted_cameras_have_two_digits(read, blank, labels):
    names = ["bounding_box_train/0000_c1_0.jpg", "query/0000_c12_0.jpg", "bounding_box_test/3059_c15_8_x.jpg"]
    reading = read("MS", blank(f"MSMT17/{name}" for name in names), "train+val")
    assert (reading.layout, reading.version) == ("converted", "unknown")
    assert [row[2:] for row in labels(reading)] == [(3059, 14), (0, 11), (0, 0)]


@given(st.integers(0, 5000), st.integers(1, 15), st.text(alphabet="0123456789_abc", max_size=12))
def test_converted_names_round_trip(pid, camera, rest):
    assert read_name(f"{pid:04d}_c{camera}_{rest}.jpg") == (pid, camera - 1)
    assert read_name(f"{pid:04d}_c0_{rest}.jpg") is None
    assert read_name(f"{pid:04d}_c{camera}{rest.replace('_', '')}x.jpg") is None
