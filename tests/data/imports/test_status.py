"""Where each data set stands, and what that makes possible."""

import json

import pytest

from dcac.data.imports.status import possible, run, stand


@pytest.fixture
def places(tmp_path):
    for name in ("data", "stores"):
        (tmp_path / name).mkdir()
    return {"data_root": tmp_path / "data", "stores": tmp_path / "stores"}


@pytest.mark.parametrize(
    ("code", "state", "hint", "usable"),
    [
        ("MA", "direct download", "dcac data fetch MA, or put Market-1501-v15.09.15.zip (or a folder", False),
        ("PRID", "direct download", "download by hand from https://www.tugraz.at", False),
        ("MS", "ask its owners", "By e-mail", False),
        ("C2", "ask its owners", "request form", False),
        ("D", "withdrawn", "accept_withdrawn: [D]", False),
        ("OccD", "withdrawn", "accept_withdrawn: [OccD]", False),
        ("campus", "rendered here", "dcac data render campus", True),
    ],
)
def test_what_to_do_for_an_absent_set(catalog, places, code, state, hint, usable):
    standing = stand(catalog[code], **places)
    assert (standing.state, standing.usable) == (state, usable)
    assert hint in standing.hint


@pytest.mark.parametrize("name", ["Market-1501-v15.09.15", "Market1501"])
def test_unpacked_folder_is_importable(catalog, places, name):
    (places["data_root"] / name).mkdir()
    assert stand(catalog["MA"], **places).state == "importable"
    assert name in stand(catalog["MA"], **places).hint


def test_archive_is_importable(catalog, places):
    (places["data_root"] / "MSMT17_v2.zip").touch()
    assert stand(catalog["MS"], **places).usable


def test_withdrawn_set_at_hand_stays_off_until_accepted(catalog, places):
    (places["data_root"] / "DukeMTMC-reID").mkdir()
    (places["stores"] / "D.parquet").touch()
    assert not stand(catalog["D"], **places).usable
    assert stand(catalog["D"], **places, accepted=["D"]).state == "present"


def test_accepted_but_absent_set_names_its_archive(catalog, places):
    standing = stand(catalog["D"], **places, accepted=["D"])
    assert not standing.usable
    assert "DukeMTMC-reID.zip (or a folder or archive named DukeMTMC-reID, Duke) is not in" in standing.hint


def test_present_set_shows_its_stamp(catalog, places):
    (places["stores"] / "MA.parquet").touch()
    sidecar = {"images": 3, "version": "v1", "variant": "standard", "standard": False, "sha256": "0" * 64}
    (places["stores"] / "MA.json").write_text(json.dumps(sidecar))
    assert stand(catalog["MA"], **places).hint == "3 images, version v1, standard, NON-STANDARD"


def test_cells_need_all_sources_and_the_target():
    cells = {"MA": ["D", "MS"], "MA+D+MS": ["C3"]}
    assert possible(cells, ["MA", "MS", "C3"]) == ("1 of 3 possible", "missing: D")
    assert possible(cells, ["MA", "D", "MS", "C3"]) == ("3 of 3 possible", "")
    assert possible(cells, []) == ("0 of 3 possible", "missing: C3, D, MA, MS")


def test_table_has_a_line_for_every_set_and_protocol(catalog, places):
    (places["data_root"] / "MSMT17_v2.zip").touch()
    (places["data_root"] / "cuhk03-np.zip").touch()
    lines = run(catalog, **places, protocols={"single-source": {"MS": ["C3", "D"], "C3": ["MS"]}}).splitlines()
    assert [line.split()[0] for line in lines[: len(catalog)]] == list(catalog)
    assert lines[-1].split() == ["single-source", "2", "of", "3", "possible", "missing:", "D"]


def test_card_of_ones_own_without_a_reader_is_not_told_to_import(catalog, places):
    (places["data_root"] / "Market1501").mkdir()
    card = catalog["MA"].model_copy(update={"code": "mine"})
    standing = stand(card, **places)
    assert (standing.state, standing.usable) == ("without reader", False)
    assert "add its line to READERS" in standing.hint
