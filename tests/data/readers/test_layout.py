import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcac.data.readers.layout import LayoutError, find_root, tree

FOLDERS = ("bounding_box_train", "query")


@pytest.mark.parametrize("root", ["", "Market1501/", "a/b/c/"])
def test_root_is_found_at_any_depth(root):
    assert find_root([f"{root}bounding_box_train/x.jpg", f"{root}query/y.jpg", f"{root}readme.txt"], *FOLDERS) == root


def test_root_needs_every_part_in_one_place():
    assert find_root(["a/bounding_box_train/x.jpg", "b/query/y.jpg"], *FOLDERS) is None


def test_part_of_a_folder_name_is_no_folder():
    assert find_root(["my_bounding_box_train/x.jpg", "my_query/y.jpg"], *FOLDERS) is None


def test_two_roots_are_named():
    names = [f"{root}/{folder}/x.jpg" for root in ("new", "old") for folder in FOLDERS]
    with pytest.raises(LayoutError, match="new/, old/"):
        find_root(names, *FOLDERS)


def test_root_may_be_told_by_a_file():
    assert find_root(["x/list.txt", "x/train/a.jpg"], "list.txt", "train") == "x/"


@given(st.lists(st.lists(st.sampled_from(["a", "b", "query", "x.jpg"]), min_size=1, max_size=4).map("/".join)))
def test_root_agrees_with_a_slow_search(names):
    folders = {"/".join(name.split("/")[:end]) for name in names for end in range(len(name.split("/")))} | {""}
    places = {f"{folder}/" if folder else "" for folder in folders}
    everything = folders | set(names)
    expected = sorted(place for place in places if f"{place}query" in everything and f"{place}a" in everything)
    if len(expected) > 1:
        with pytest.raises(LayoutError):
            find_root(names, "query", "a")
    else:
        assert find_root(names, "query", "a") == (expected[0] if expected else None)


def test_tree_counts_files_and_stays_short():
    names = [f"set/train/{number:05d}.jpg" for number in range(5000)] + ["set/readme.txt"]
    drawing = tree(names)
    assert "set/ (5001 files)" in drawing
    assert "train/ (5000 files)" in drawing
    assert "readme.txt" in drawing
    assert len(drawing.splitlines()) < 10
    assert tree([]) == "  (no files)"
