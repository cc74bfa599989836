"""Archives and folders are found under every name that code bases of the field give them."""

import pytest

from dcac.data.locate import known_names, locate, plain

NAMES = {
    "MA": [
        "market1501",
        "Market-1501",
        "Market",
        "market-1501-v15.09.15",
        "Market-1501-v15.09.15.zip",
        "market1501.zip",
    ],
    "D": ["dukemtmc-reid", "DukeMTMC-reID", "dukemtmcreid", "Duke", "duke.zip"],
    "MS": ["msmt17", "MSMT17_V1", "msmt17_v2", "MSMT17", "MSMT17_V2.zip", "msmt17.tar.gz"],
    "C3": ["cuhk03", "CUHK03", "cuhk03_release", "cuhk03-np", "CUHK03_NP"],
    "C2": ["cuhk02", "CUHK02.tar"],
    "CS": ["CUHK-SYSU", "cuhk_sysu", "cuhksysu"],
    "VIPeR": ["viper", "VIPeR", "VIPeR.v1.0.zip"],
    "PRID": ["prid2011", "prid_2011", "PRID2011", "prid"],
    "GRID": ["grid", "GRID", "underground_reid"],
    "iLIDS": ["ilids", "QMUL-iLIDS", "i-LIDS_Pedestrian.tgz", "iLIDS"],
    "OccD": ["Occluded_Duke", "occluded-duke", "Occluded-DukeMTMC-reID"],
}


@pytest.mark.parametrize(("code", "name"), [(code, name) for code, names in NAMES.items() for name in names])
def test_names_of_other_code_bases_are_seen_as_one_set(catalog, tmp_path, code, name):
    path = tmp_path / name
    path.touch() if name.endswith(("zip", "gz", "tar")) else path.mkdir()
    real = (card for card in catalog.values() if card.synthetic is None)
    assert {card.code: locate(card, tmp_path) for card in real if locate(card, tmp_path)} == {code: path}


def test_no_two_sets_share_a_name(catalog):
    names = [plain(name) for card in catalog.values() for name in {plain(name) for name in card.folders}]
    assert len(names) == len(set(names))


def test_the_card_s_own_name_comes_first(catalog, tmp_path):
    for name in ("market1501", "Market-1501-v15.09.15"):
        (tmp_path / name).mkdir()
    assert locate(catalog["MA"], tmp_path) == tmp_path / "Market-1501-v15.09.15"


@pytest.mark.parametrize(
    "name", ["market1501.txt", ".market1501", "market1501.zip.part", ".Market-1501-v15.09.15.zip.part"]
)
def test_other_files_are_no_data_set(catalog, tmp_path, name):
    (tmp_path / name).touch()
    assert locate(catalog["MA"], tmp_path) is None


def test_root_that_is_not_there_holds_nothing(catalog, tmp_path):
    assert locate(catalog["MA"], tmp_path / "no") is None


def test_names_are_said_to_people(catalog):
    said = known_names(catalog["MA"])
    assert said == "Market-1501-v15.09.15.zip (or a folder or archive named Market-1501-v15.09.15, Market1501, Market)"
