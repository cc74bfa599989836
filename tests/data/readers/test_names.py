"""Every reader takes names whose suffix is doubled or in capitals, and ignores what operating systems leave behind."""

import pytest

from dcac.data.readers.layout import plain_name

FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
MARKET = [f"m/{folder}/1488_c1s6_023021_00.jpg" for folder in FOLDERS]
DUKE = [f"d/{folder}/0005_c2_f0046985.jpg" for folder in FOLDERS]
OCCLUDED = {f"Occluded_Duke/{split}.list": b"0005_c2_f0046985.jpg" for split in ("train", "query", "gallery")}
LISTED = "0000/0000_000_01_0303morning_0008_0.jpg"
MSMT17 = {f"MSMT17_V1/list_{part}.txt": f"{LISTED} 0".encode() for part in ("train", "query")}
MSMT17 |= {f"MSMT17_V1/list_{part}.txt": b"" for part in ("val", "gallery")}
TREES = {  # code, variant: images, other files
    ("MA", "standard"): (MARKET, {}),
    ("D", "standard"): (DUKE, {}),
    ("OccD", "standard"): (DUKE, {}),
    ("OccD", "lists"): (DUKE, OCCLUDED),
    ("MS", "train+val"): ([f"s/{folder}/0042_c13_0007.jpg" for folder in FOLDERS], {}),
    ("MS", "train"): ([f"MSMT17_V1/{folder}/{LISTED}" for folder in ("train", "test")], MSMT17),
    ("C3", "detected"): ([f"c/detected/{folder}/0003_c1_21.png" for folder in FOLDERS], {}),
    ("C2", "standard"): ([f"P{pair}/cam{view}/0001_a.png" for pair in range(1, 6) for view in (1, 2)], {}),
    ("CS", "standard"): (["x/cropped_images/p12_s34_56.jpg"], {}),
    ("VIPeR", "standard"): (["VIPeR/cam_a/000_45.bmp", "VIPeR/cam_b/000_135.bmp"], {}),
    ("PRID", "standard"): ([f"p/single_shot/cam_{side}/person_0001.png" for side in "ab"], {}),
    ("GRID", "standard"): ([f"grid/{side}/0001_1_25004_107_32_106_221.jpeg" for side in ("probe", "gallery")], {}),
    ("iLIDS", "standard"): (["i-LIDS_Pedestrian/Persons/0001001.jpg"], {}),
}


@pytest.fixture(params=TREES, ids="-".join)
def tree(request):
    """Return code, variant, images and other files of one tree."""
    return *request.param, *TREES[request.param]


@pytest.mark.parametrize("change", ["doubled", "capitals", "doubled in capitals"])
def test_nearly_known_names_are_read_and_told(read, fill, labels, tree, change):
    code, variant, names, others = tree
    plain = read(code, fill(names) | others, variant)
    assert not plain.nearly
    changed = [near(name, change) for name in names]
    reading = read(code, fill(changed) | others, variant, name="near")
    assert sorted(set(reading.nearly)) == sorted(changed)
    assert not reading.strays
    assert [row[2:] for row in labels(reading)] == [row[2:] for row in labels(plain)]
    assert [record.load() for record in reading.records] == [record.load() for record in plain.records]
    if not others:  # elsewhere a list gives the path
        assert {record.path.rpartition("/")[2] for record in reading.records} == {
            name.rpartition("/")[2] for name in changed
        }


@pytest.mark.parametrize("suffix", [".tmp", ".jpg.tmp", ".gif", " copy.jpg", ".jpg.", ""])
def test_other_suffixes_stay_strays(read, fill, blank, suffix):
    strange = MARKET[1].removesuffix(".jpg") + suffix
    assert read("MA", fill(MARKET) | blank([strange])).strays == [strange]


def test_leftovers_are_ignored(read, fill, labels, tree):
    code, variant, names, others = tree
    places = {name.rpartition("/")[0] for name in names}
    files = fill(names) | others
    for base in ("Thumbs.db", "thumbs.db", ".DS_Store", "desktop.ini", "Desktop.ini"):
        # two that differ only in capitals are one file on some systems
        left = {f"{place}/{base}": b"x" for place in places}
        left |= {f"__MACOSX/{name.rpartition('/')[0]}/._{name.rpartition('/')[2]}": b"x" for name in names}
        reading = read(code, files | left, variant, kind="zip", name=base)
        assert not reading.strays and not reading.nearly
        assert labels(reading) == labels(read(code, files, variant, kind="zip", name=f"plain-{base}"))


def test_exact_name_comes_before_a_near_one(read, fill):
    reading = read("OccD", fill([*DUKE, *(name + ".jpg" for name in DUKE)]) | OCCLUDED)
    assert [record.data.name for record in reading.records] == DUKE
    assert not reading.nearly


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", "a.jpg"),
        ("a.jpg.jpg", "a.jpg"),
        ("a.jpg.jpg.jpg", "a.jpg"),
        ("a.JPG", "a.jpg"),
        ("A.jpg.Jpg", "A.jpg"),
        ("a.png.PNG", "a.png"),
        ("d.jpg/a.jpeg", "d.jpg/a.jpeg"),
        ("a.jpg.png", "a.jpg.png"),
        ("a.jpg\n", "a.jpg\n"),
        ("a.JPG.tmp", "a.JPG.tmp"),
    ],
)
def test_plain_names(name, expected):
    assert plain_name(name) == expected


def near(name, change):
    stem, _, suffix = name.rpartition(".")
    ends = {"doubled": 2 * f".{suffix}", "capitals": f".{suffix.upper()}"}
    return stem + ends.get(change, f".{suffix}.{suffix.upper()}")
