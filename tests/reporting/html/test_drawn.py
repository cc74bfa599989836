"""Figures within a page: vector or picture, at their own size, and real people only as the suite allows."""

import base64
import io

import pytest
from PIL import Image

from dcac.reporting.html.drawn import VECTOR_LIMIT, drawn, embedded, hidden, left_out

KINDS = {
    "cmc": {},
    "samples": {"variants": ("dcac",)},
    "ranked_lists": {"variants": ("dcac",)},
    "attention": {"variants": ("dcac",), "faces": "shown"},
}


@pytest.fixture
def gallery(suite):
    """A suite of real data with a figure of each kind; attention shows faces as they are."""
    first = suite.figures["cmc"]
    entries = {
        name: type(first)(table=first.table, kind=name, title=f"Figure {name}", **more) for name, more in KINDS.items()
    }
    return suite.model_copy(update={"figures": entries, "demo": False})


def picture(folder, *, vectors, width=300):
    """Write a figure of so many bytes as SVG, and as PNG."""
    (folder / "f.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'>".ljust(vectors), encoding="utf-8")
    Image.new("RGB", (width, width // 2)).save(folder / "f.png")
    return folder / "f.svg"


def test_small_vectors_are_kept_and_large_ones_become_a_picture(tmp_path):
    small = embedded(picture(tmp_path, vectors=VECTOR_LIMIT))
    kind, _, content = small["address"].partition(",")
    assert kind == "data:image/svg+xml;base64" and base64.b64decode(content) == (tmp_path / "f.svg").read_bytes()
    assert (small["width"], small["height"]) == (192, 96), "150 pixels an inch, 96 of the page"
    large = embedded(picture(tmp_path, vectors=VECTOR_LIMIT + 1, width=3600))
    kind, _, content = large["address"].partition(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as opened:
        assert opened.size == (1800, 900)
    assert large["width"] == 2304


@pytest.mark.parametrize(
    ("faces", "shown"),
    [
        ("blurred", ["cmc", "ranked_lists"]),
        ("shown", ["cmc", "samples", "ranked_lists", "attention"]),
        ("none", ["cmc"]),
    ],
)
def test_real_people_are_shown_only_as_the_suite_allows(gallery, tmp_path, faces, shown):
    suite = gallery.model_copy(update={"report_faces": faces})
    files = dict.fromkeys(KINDS, picture(tmp_path, vectors=100))
    assert [figure["name"] for figure in drawn(suite, files)] == shown
    said = " ".join(left_out(suite, files))
    assert [name for name in KINDS if f"Figure {name}" in said] == [name for name in KINDS if name not in shown]


def test_rendered_people_are_shown_always(gallery):
    suite = gallery.model_copy(update={"demo": True, "report_faces": "none"})
    assert not any(hidden(suite, name) for name in KINDS)


def test_only_what_is_made_is_there_with_what_there_is_to_see(gallery, tmp_path):
    (figure,) = drawn(gallery, {"cmc": picture(tmp_path, vectors=100)})
    assert figure["title"] == "Figure cmc" and figure["seen"].endswith(".") and figure["shown"]
