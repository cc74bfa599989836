import pytest

from dcac.data.readers import LayoutError

PLACES = [(pair, view) for pair in range(1, 6) for view in (1, 2)]
NAMES = [f"P{pair}/cam{view}/{number:03d}_{shot}.png" for pair, view in PLACES for number in (1, 107) for shot in "ab"]


@pytest.mark.parametrize(("root", "layout"), [("cuhk02/Dataset/", "dataset"), ("cuhk02/", "pairs"), ("", "pairs")])
def test_both_roots(read, blank, root, layout):
    reading = read("C2", blank(root + name for name in NAMES))
    assert reading.layout == layout
    assert not reading.strays
    found = {(r.split, r.pid, r.camid) for r in reading.records}
    assert ("train", 10001, 0) in found
    assert ("train", 40107, 7) in found
    assert ("query", 50001, 8) in found
    assert ("gallery", 50001, 9) in found
    assert {split for split, pid, _ in found if pid < 50000} == {"train"}


def test_same_number_in_two_pairs_is_two_people_in_ten_cameras(read, blank):
    records = read("C2", blank(NAMES)).records
    assert len({record.pid for record in records}) == 10
    assert {record.camid for record in records} == set(range(10))
    assert len({(record.split, record.path) for record in records}) == len(NAMES)


def test_missing_pair_stops(read, blank):
    with pytest.raises(LayoutError, match="P1/cam1 to P5/cam2"):
        read("C2", blank(name for name in NAMES if not name.startswith("P4")))
