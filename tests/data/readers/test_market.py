import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcac.data.readers.market import read_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("0002_c1s1_000451_03.jpg", (2, 0)),
        ("1501_c6s4_001877_05.jpg", (1501, 5)),
        ("-1_c3s2_000401_03.jpg", (-1, 2)),
        ("0000_c5s1_000151_01.jpg", (0, 4)),
        ("0002_c7s1_000451_03.jpg", None),  # no camera 7
        ("0002_c10s1_000451_03.jpg", None),
        ("x0002_c1s1_000451_03.jpg", None),
        ("0002_c1s1_000451_03.jpg.tmp", None),
        ("0002_c1s1_000451_03.jpg\n", None),
        ("0002_c1s1_000451_03.png", None),
        ("-2_c1s1_000451_03.jpg", None),
        ("Thumbs.db", None),
    ],
)
def test_names(name, expected):
    assert read_name(name) == expected


@given(st.integers(0, 9999), st.integers(1, 6), st.integers(1, 9), st.integers(0, 10**6), st.integers(0, 99))
def test_every_well_formed_name_gives_its_numbers(pid, camera, sequence, frame, box):
    assert read_name(f"{pid:04d}_c{camera}s{sequence}_{frame:06d}_{box:02d}.jpg") == (pid, camera - 1)


@given(st.text(alphabet="-0123456789_csjpg.x", max_size=30))
def test_no_other_text_is_a_name(text):
    if not re.match(r"^(-1|[0-9]{4})_c[1-6]s[0-9]_[0-9]+_[0-9]+\.jpg$", text):
        assert read_name(text) is None
