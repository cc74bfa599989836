"""The cards: closed models, the figures of the facts sheets, and readers for every real set."""

import csv
from pathlib import Path

import pytest

from dcac.closed import parse
from dcac.data.catalog import Card, Network, load_catalog, require_accepted
from dcac.data.readers import READERS

FACTS = Path(__file__).with_name("dataset_counts.csv")  # what its columns mean: docs/datasets.md, section 0
REAL = ["MA", "D", "MS", "C3", "C2", "CS", "VIPeR", "PRID", "GRID", "iLIDS", "OccD"]


def test_cards_come_in_the_order_that_joins_sources(catalog):
    assert list(catalog)[: len(REAL) + 5] == [*REAL, "campus", "winter", "mall", "street", "broad"]


def test_every_real_set_has_a_reader(catalog):
    assert list(READERS) == [code for code, card in catalog.items() if card.status != "synthetic"]


def test_withdrawn_sets_name_no_link_and_need_consent(catalog):
    for code in ("D", "OccD"):
        card = catalog[code]
        assert card.status == "withdrawn"
        assert "http" not in card.model_dump_json()
        with pytest.raises(ValueError, match="withdrawn"):
            require_accepted(card, ["MA"])
        require_accepted(card, [code])
    require_accepted(catalog["MA"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lisence": "free"}, "lisence"),
        ({"status": "withdrawn", "page": "http://mirror"}, "no link"),
        ({"status": "withdrawn", "archives": [{"name": "a.zip", "drive": "1"}]}, "no link"),
        ({"status": "synthetic"}, "synthetic"),
        ({"layouts": {}}, "lacks layouts"),
        ({"variants": {"standard": {"train": {"image": 3}}}}, "image"),
        ({"archives": [{"name": "a.zip", "md5": "not hex"}]}, "md5"),
    ],
)
def test_faulty_card_is_refused(catalog, change, message):
    with pytest.raises(ValueError, match=message):
        Card.model_validate({**catalog["MA"].model_dump(), **change})


def test_misspelt_key_names_the_file_and_its_neighbour(tmp_path):
    (tmp_path / "datasets.yaml").write_text("MA:\n  nam: x\n  status: direct\n  terms: none\n")
    with pytest.raises(ValueError, match=r"datasets.yaml: MA(?s:.)*'nam'"):
        load_catalog(tmp_path / "datasets.yaml")


def test_unknown_variant_names_the_known_ones(catalog):
    assert catalog["C3"].variant()[0] == "detected"
    with pytest.raises(ValueError, match="detected, labeled"):
        catalog["C3"].variant("labelled")


ROWS = {  # (set, variant and split of the facts sheet) -> (code, variant, split) of the card
    ("Market-1501", "v15.09.15", "train"): ("MA", "standard", "train"),
    ("Market-1501", "v15.09.15", "query"): ("MA", "standard", "query"),
    ("Market-1501", "v15.09.15", "gallery ranked (pid -1 dropped)"): ("MA", "standard", "gallery"),
    ("DukeMTMC-reID", "-", "train"): ("D", "standard", "train"),
    ("DukeMTMC-reID", "-", "query"): ("D", "standard", "query"),
    ("DukeMTMC-reID", "-", "gallery"): ("D", "standard", "gallery"),
    ("MSMT17", "V1 or V2", "list_train"): ("MS", "train", "train"),
    ("MSMT17", "V1 or V2", "train+val"): ("MS", "train+val", "train"),
    ("MSMT17", "V1 or V2", "query"): ("MS", "train+val", "query"),
    ("MSMT17", "V1 or V2", "gallery"): ("MS", "train", "gallery"),
    ("CUHK02", "common split", "train (P1-P4)"): ("C2", "standard", "train"),
    ("CUHK02", "common split", "query (P5 cam1)"): ("C2", "standard", "query"),
    ("CUHK02", "common split", "gallery (P5 cam2)"): ("C2", "standard", "gallery"),
    ("PRID2011", "official single-shot", "query (cam_a)"): ("PRID", "standard", "query"),
    ("PRID2011", "official single-shot", "gallery (cam_b)"): ("PRID", "standard", "gallery"),
    ("GRID", "-", "probe"): ("GRID", "standard", "query"),
    ("GRID", "-", "gallery (250 + pid 0)"): ("GRID", "standard", "gallery"),
    ("i-LIDS", "QMUL", "total"): ("iLIDS", "standard", "gallery"),
    ("CUHK-SYSU", "Re-ID crops (Person.mat, all)", "all"): ("CS", "all", "train"),
    **{("CUHK03", f"NP {v}", s): ("C3", v, s) for v in ("detected", "labeled") for s in ("train", "query", "gallery")},
    **{("Occluded-Duke", "-", split): ("OccD", "standard", split) for split in ("train", "query", "gallery")},
}


@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_counts_are_those_of_the_facts_sheet(catalog, row):
    with FACTS.open(newline="") as file:
        facts = {(r["dataset"], r["variant"], r["split"]): r for r in csv.DictReader(file)}[row]
    code, variant, split = ROWS[row]
    counts = catalog[code].variants[variant].splits()[split]
    assert (str(counts.ids), str(counts.images)) == (facts["ids"], facts["images"])
    if counts.cameras is not None:
        assert str(counts.cameras) == facts["cameras"]


def test_sums_of_the_cards(catalog):
    def images(code, variant=None):
        return sum(split.images for split in catalog[code].variant(variant)[1].splits().values())

    assert images("MA") + catalog["MA"].variants["standard"].dropped["junk"] == 12936 + 3368 + 19732
    assert images("D") == 36411
    assert images("MS") == images("MS", "train") + 2373 == 126441
    assert (images("C3"), images("C3", "labeled")) == (14097, 14096)
    assert images("C2") == 7264
    assert images("VIPeR") == 1264
    assert images("PRID") + catalog["PRID"].variants["standard"].dropped["cam_a only"] == 385 + 749


@pytest.mark.parametrize("code", ["my set", "a_b", "a+b", "a/b", ".a", "none"])
def test_a_code_that_cannot_stand_among_sources_is_refused(tmp_path, code):
    path = tmp_path / "datasets.yaml"
    path.write_text(f"{code}: {{}}\n")
    with pytest.raises(
        ValueError, match=f"datasets.yaml: data set {code!r} (cannot be a name|is a word)".replace("+", ".")
    ):
        load_catalog(path)


def test_a_card_that_is_no_mapping_is_refused(tmp_path):
    (tmp_path / "datasets.yaml").write_text("MA: Market\n")
    with pytest.raises(ValueError, match=r"data set 'MA' is 'Market'; give `key: value` lines below it"):
        load_catalog(tmp_path / "datasets.yaml")


def test_rendered_network_needs_two_cameras():
    network = {"train_ids": 2, "test_ids": 2, "cameras": 1, "shots": 2, "seed": 1}
    with pytest.raises(ValueError, match="'cameras' is 1"):
        parse(Network, network, "card")


def test_code_with_an_underscore_is_refused_with_what_it_may_hold(tmp_path):
    (tmp_path / "datasets.yaml").write_text("my_set:\n  name: x\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"data set 'my_set' cannot be a name in a path; use letters .*, digits and -"):
        load_catalog(tmp_path / "datasets.yaml")


def test_a_split_beside_the_archive_acts_by_its_content(catalog, tmp_path):
    card, found = catalog["C3"], []
    assert card.beside == tuple(f"cuhk03_new_protocol_config_{variant}.mat" for variant in ("detected", "labeled"))
    (tmp_path / "cuhk03_release.zip").write_bytes(b"archive")
    for split in (None, b"one", b"two"):
        if split is not None:
            (tmp_path / card.beside[1]).write_bytes(split)
        found.append(card.made_from(tmp_path / "cuhk03_release.zip")["archive"])
    assert found[0] != found[1] != found[2]
