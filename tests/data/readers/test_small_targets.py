import pytest

from dcac.data.readers import LayoutError


def test_viper_cameras_and_zero_pid(read, blank, labels):
    names = ["VIPeR/cam_a/000_45.bmp", "VIPeR/cam_a/873_0.bmp", "VIPeR/cam_b/000_135.bmp", "VIPeR/cam_b/873_315.bmp"]
    assert labels(read("VIPeR", blank(names))) == [
        ("gallery", "gallery/000_135.bmp", 0, 1),
        ("gallery", "gallery/873_315.bmp", 873, 1),
        ("query", "query/000_45.bmp", 0, 0),
        ("query", "query/873_0.bmp", 873, 0),
    ]


def test_viper_people_must_be_the_same_in_both_cameras(read, blank):
    with pytest.raises(LayoutError, match="the first is 002"):
        read("VIPeR", blank(["V/cam_a/001_45.bmp", "V/cam_a/002_45.bmp", "V/cam_b/001_45.bmp", "V/cam_b/003_0.bmp"]))


def test_prid_never_joins_people_above_200(read, blank, labels):
    names = [f"prid_2011/single_shot/cam_a/person_{pid:04d}.png" for pid in (1, 200, 201, 385)]
    names += [f"prid_2011/single_shot/cam_b/person_{pid:04d}.png" for pid in (1, 200, 201, 749)]
    names += ["prid_2011/multi_shot/cam_a/person_0001/0001.png"]
    reading = read("PRID", blank(names))
    assert reading.dropped == {"cam_a only": 2}
    assert [row[2:] for row in labels(reading)] == [(1, 1), (200, 1), (201, 1), (749, 1), (1, 0), (200, 0)]
    assert not reading.strays


@pytest.mark.parametrize("root", ["underground_reid", "grid"])
def test_grid_keeps_its_distractors_in_both_roots(read, blank, labels, root):
    names = [
        f"{root}/probe/0001_1_25004_107_32_106_221.jpeg",
        f"{root}/gallery/0000_8_25008_169_19_94_224.jpeg",
        f"{root}/gallery/0001_2_25023_116_134_128_330.jpeg",
        f"{root}/features_and_partitions.mat",
    ]
    assert [(row[0], *row[2:]) for row in labels(read("GRID", blank(names)))] == [
        ("gallery", 0, 7),
        ("gallery", 1, 1),
        ("query", 1, 0),
    ]


@pytest.mark.parametrize(
    ("root", "layout"), [("i-LIDS_Pedestrian/Persons", "persons"), ("QMUL-iLIDS/images", "images")]
)
@pytest.mark.parametrize("kind", ["folder", "tgz"])
def test_ilids_has_no_cameras_and_uses_every_image_twice(read, blank, labels, root, layout, kind):
    reading = read("iLIDS", blank([f"{root}/0001001.jpg", f"{root}/0001002.jpg", f"{root}/0119001.jpg"]), kind=kind)
    assert reading.layout == layout
    assert [(row[0], *row[2:]) for row in labels(reading)] == [
        ("gallery", 1, 1),
        ("gallery", 1, 2),
        ("gallery", 119, 1),
        ("query", 1, 1),
        ("query", 1, 2),
        ("query", 119, 1),
    ]


@pytest.mark.parametrize("code", ["VIPeR", "PRID", "GRID", "iLIDS"])
def test_strangers_are_named(read, blank, code):
    places = {
        "VIPeR": ["cam_a", "cam_b"],
        "PRID": ["single_shot/cam_a", "single_shot/cam_b"],
        "GRID": ["probe", "gallery"],
        "iLIDS": ["Persons"],
    }
    names = [f"x/{place}/0001 (copy).jpg" for place in places[code]]
    assert read(code, blank(names)).strays == names


@pytest.mark.parametrize("code", ["VIPeR", "PRID", "GRID", "iLIDS", "MA", "D", "OccD", "C2"])
def test_other_trees_are_no_layout(read, blank, code):
    with pytest.raises(LayoutError):
        read(code, blank(["holiday/beach.jpg"]))
