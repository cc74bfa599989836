"""Sets of one's own: every layout is recognised, numbered and asserted, and every fault is named in one sentence."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from dcac.closed import ConfigError
from dcac.data.catalog import LOCAL, Card, load_cards, load_catalog
from dcac.data.imports import adding, import_data
from dcac.data.imports.counts import CountError
from dcac.data.imports.own_pictures import CopyError, MatchError
from dcac.data.imports.verifying import UnreadableError
from dcac.data.locate import locate
from dcac.data.readers import LayoutError
from dcac.data.store import read_sidecar, read_split
from dcac.demo import render

LABELS = ["split", "pid", "camid"]
FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}


@pytest.fixture(scope="module")
def own_card(catalog, tmp_path_factory):
    """The rows of the smoke suite's first domain, through the renderer's own card."""
    out = tmp_path_factory.mktemp("rendered") / "smoke-a.parquet"
    render.run(catalog["smoke-a"], out)
    return read_split(out, ["train", "query", "gallery"])


@pytest.fixture
def add(tmp_path, catalog):
    """Return a function that adds a set and returns what is printed; options as on the command line."""

    def call(path, *, code="LAB", replace=False, dry_run=False, **said):
        words = {"layout": None, "table": None, "camera": None, "cameras": True, "split": None, "seed": 1} | said
        return adding.run(
            path,
            code,
            adding.Said(**words),
            cards={name: card for name, card in catalog.items() if card.own is None},
            data_root=tmp_path / "data",
            out=tmp_path / LOCAL,
            replace=replace,
            dry_run=dry_run,
        )

    return call


@pytest.fixture
def added(add, tmp_path):
    """Return a function that adds a set, imports it by its card and returns its rows and sidecar."""

    def call(path, **said):
        add(path, **said)
        card = load_cards(tmp_path / LOCAL)["LAB"]
        out = tmp_path / "LAB.parquet"
        import_data.run(locate(card, tmp_path / "data"), out, card=card)
        sidecar = read_sidecar(out)
        return read_split(out, list(sidecar["counts"])), sidecar

    return call


def names(rows, form):
    """Name each rendered picture in a layout; `form` sees split, pid, camera (from 1), shot and the renderer's base name."""
    out = {}
    for row in rows.itertuples():
        base = row.path.partition("/")[2]
        pid, camera, shot = base.removesuffix(".jpg").split("_")
        place = {
            "split": row.split,
            "folder": FOLDERS[row.split],
            "pid": pid,
            "cam": camera[1:],
            "shot": shot,
            "base": base,
        }
        out[form.format(**place)] = row.data
    return out


def listed(rows, suffix, **columns):
    """Return a table of the rendered pictures, as the bytes of a file, beside the pictures in one heap."""
    content = pd.DataFrame(
        {"path": ["p/" + path.replace("/", "-") for path in rows["path"]], **rows[LABELS], **columns}
    )
    stream = io.BytesIO()
    content.to_csv(stream, index=False) if suffix == "csv" else content.to_parquet(stream)
    files = {f"p/{path.replace('/', '-')}": data for path, data in zip(rows["path"], rows["data"], strict=True)}
    return {**files, f"labels.{suffix}": stream.getvalue()}


DIVIDED = {
    "market": "set/{folder}/{base}",
    "torchreid": "deep/market1501/Market-1501-v15.09.15/{folder}/{base}",
    "named splits": "{split}/{base}",
    "pytorch": "pytorch/{split}/{pid}/{base}",
    "persons below splits": "LAB/{split}/{pid}/cam{cam}_{shot}.jpg",
    "within a folder of a split's name": "test/LAB/{split}/{pid}/{base}",
    "cameras below persons": "LAB/{split}/{pid}/{cam}/{shot}.jpg",
}


@pytest.mark.parametrize("form", DIVIDED.values(), ids=DIVIDED.keys())
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_rendered_set_in_plain_files_is_the_set_of_its_own_card(own_card, added, pack, form, kind):
    rows, sidecar = added(pack(names(own_card, form), kind))
    assert rows[LABELS].equals(own_card[LABELS])
    assert rows["data"].tolist() == own_card["data"].tolist()
    assert sidecar["standard"] is True


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_is_the_set_of_its_own_card_and_keeps_its_other_columns(own_card, added, pack, tmp_path, suffix):
    heights = [float(place) for place in range(len(own_card))]
    notes = ["Zoë, seen twice", *[None] * (len(own_card) - 1)]
    rows, _ = added(pack(listed(own_card, suffix, height=heights, note=notes)))
    assert rows[LABELS].equals(own_card[LABELS])
    assert rows["data"].tolist() == own_card["data"].tolist()
    kept = pd.read_parquet(tmp_path / "LAB.parquet")
    assert kept["height"].tolist() == heights
    assert kept["note"].tolist()[0] == notes[0] and kept["note"].isna().sum() == len(notes) - 1


def test_prepared_folders_count_each_training_picture_once(own_card, added, pack):
    files = names(own_card, "pytorch/{split}/{pid}/{base}")
    whole = {name.replace("/train/", "/train_all/"): data for name, data in files.items() if "/train/" in name}
    held_out = {name.replace("/train/", "/val/"): data for name, data in list(files.items())[:3]}
    files = {name: data for name, data in files.items() if name.replace("/train/", "/val/") not in held_out}
    rows, _ = added(pack({**files, **whole, **held_out}))
    assert rows[LABELS].equals(own_card[LABELS])


def test_train_and_val_are_the_training_pictures_where_they_are_not_joined(own_card, added, pack):
    files = names(own_card, "{split}/{pid}/{base}")
    moved = dict.fromkeys(list(files)[:3])
    files = {name.replace("train/", "val/") if name in moved else name: data for name, data in files.items()}
    rows, sidecar = added(pack(files))
    assert sidecar["counts"]["train"] == {"ids": 12, "images": 48, "cameras": 2}
    assert sorted(rows["data"]) == sorted(own_card["data"])


UNDIVIDED = {
    "one folder": "{base}",
    "persons": "{pid}/cam{cam}_{shot}.jpg",
    "sub-folders": "{pid}/cam-{cam}/{shot}.jpg",
}


@pytest.mark.parametrize("form", UNDIVIDED.values(), ids=UNDIVIDED.keys())
def test_half_of_the_people_is_for_training_and_each_camera_has_a_query(own_card, added, pack, form):
    rows, sidecar = added(pack(names(own_card, form)), split="half", seed=3)
    people = {split: set(rows.loc[rows["split"] == split, "pid"]) for split in ("train", "query", "gallery")}
    assert len(people["train"]) == len(people["query"]) == 9
    assert people["query"] == people["gallery"] and not people["train"] & people["query"]
    queries = rows[rows["split"] == "query"]
    assert not queries.duplicated(["pid", "camid"]).any() and len(queries) == 18  # two cameras
    assert len(rows) == len(own_card) and sorted(rows["data"]) == sorted(own_card["data"])
    assert sidecar["queries_without_match"] == 0
    assert sidecar["own"]["split"] == "half" and sidecar["own"]["seed"] == 3


def test_another_seed_is_another_half_and_the_same_seed_the_same(own_card, add, pack, tmp_path):
    path, labels = pack(names(own_card, "{base}")), []
    for seed in (1, 1, 2):
        add(path, split="half", seed=seed, replace=True)
        labels.append(load_cards(tmp_path / LOCAL)["LAB"].own.labels)
    assert labels[0] == labels[1] != labels[2]


def test_everything_can_be_a_target(own_card, added, pack):
    rows, _ = added(pack(names(own_card, "{base}")), split="test")
    assert set(rows["split"]) == {"query", "gallery"}
    assert rows.groupby("split")["pid"].nunique().tolist() == [18, 18]
    assert len(rows) == len(own_card)


def test_a_test_folder_without_queries_is_divided(own_card, added, pack):
    files = names(own_card, "{split}/{pid}/{base}")
    files = {name.replace("query/", "test/").replace("gallery/", "test/"): data for name, data in files.items()}
    rows, _ = added(pack(files))
    counts = rows.groupby("split").size()
    assert counts["train"] == 48 and counts["query"] == 12 and counts["gallery"] == 12


def test_without_cameras_only_the_own_picture_is_left_out(own_card, added, pack):
    from dcac.evaluation.metrics import score_ranking

    rows, sidecar = added(pack(names(own_card, "{pid}/{cam}{shot}.jpg")), split="test", cameras=False)
    query, gallery = (rows[rows["split"] == split].reset_index(drop=True) for split in ("query", "gallery"))
    assert query["data"].tolist() == gallery["data"].tolist() and len(query) == len(own_card)
    every = own_card["data"].tolist()
    features = {split: np.eye(len(every))[[every.index(data) for data in part["data"]]] for split, part in
                (("query", query), ("gallery", gallery))}  # fmt: skip
    score = score_ranking(
        features["query"], query["pid"], query["camid"], features["gallery"], gallery["pid"], gallery["camid"]
    )
    assert score.num_valid_queries == len(own_card)
    assert score.matches.query.size == sum(n * (n - 1) for n in own_card.groupby("pid").size())
    assert sidecar["variant"] == "no-cameras"
    assert any("cameras are not known" in remark for remark in sidecar["remarks"])


MARKET = ["bounding_box_train/0001_c1_0.jpg", "bounding_box_train/0001_c2_0.jpg", "bounding_box_train/0002_c1_0.jpg"]
MARKET += ["query/0003_c1_0.jpg", "bounding_box_test/0003_c2_0.jpg", "bounding_box_test/0004_c2_0.jpg"]
PERSONS = ["train/0001/cam1_0.jpg", "train/0001/cam2_0.jpg", "train/0002/cam1_0.jpg"]
PERSONS += ["query/0003/cam1_0.jpg", "gallery/0003/cam2_0.jpg", "gallery/0004/cam2_0.jpg"]


@pytest.mark.parametrize(
    ("sound", "fault", "said", "sentence"),
    [
        (MARKET, "query/0003_0.jpg", {}, "1 picture (query/0003_0.jpg) of 7 name no camera by "),
        (MARKET, "query/c1.jpg", {}, "query/c1.jpg is not named PERSON_cCAMERA...; rename it, or take it out of the folder"),
        (MARKET, "query/0001_c1_9.jpg", {}, "1 pid (0001) in train and in test; a person who is learnt cannot be tested"),
        (MARKET, "query/0001_c1_9.jpg", {"split": "half"}, "1 pid (0001) in train and in test"),
        (MARKET, "gallery/0003_c2_9.jpg", {}, "bounding_box_test and gallery are both the gallery split; remove or rename one"),
        (MARKET, "train/0001_c2_9.jpg", {}, "bounding_box_train and train are both the train split"),
        (MARKET, "query/3_c1_9.jpg", {}, "the people 0003 and 3 are one number; rename one"),
        (MARKET, "query/0003_c01_9.jpg", {}, "the cameras 01 and 1 are one number; rename one"),
        (MARKET, "query/0003_c1_9.webp", {}, "1 picture (query/0003_c1_9.webp) of a kind that is not read; convert to JPEG or PNG"),
        (MARKET, "old/query/0003_c1_9.jpg", {}, None),
        (PERSONS, "query/0003/entrance_0.jpg", {}, "1 picture (query/0003/entrance_0.jpg) of 7 name no camera by "),
        (PERSONS, "query/0001/cam1_9.jpg", {}, "1 pid (0001) in train and in test"),
        (PERSONS, "test/0003/cam2_9.jpg", {}, "gallery and test are both the gallery split; remove or rename one"),
        (PERSONS, "Train/0001/cam2_9.jpg", {}, "Train and train are both the train split"),
        (PERSONS, "query/loose_cam1.jpg", {"layout": "folders"}, "query/loose_cam1.jpg lies in no person's folder"),
    ],
)  # fmt: skip
def test_a_fault_of_folders_is_named_in_one_sentence(add, fill, pack, tmp_path, sound, fault, said, sentence):
    files = fill(sound) | {fault: b"x"}
    if sentence is None:
        assert "layout market" in add(pack(files), **said)
        return
    with pytest.raises(LayoutError) as caught:
        add(pack(files), **said)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / LOCAL).exists()


ROWS = [
    ("a.jpg", "anna", "entrance", "train"),
    ("b.jpg", "anna", "yard", "train"),
    ("c.jpg", "bert", "yard", "train"),
    ("d.jpg", "cleo", "entrance", "query"),
    ("e.jpg", "cleo", "yard", "gallery"),
]


def with_table(fill, rows, header="path,pid,camid,split"):
    files = fill(sorted({row[0] for row in rows if not row[0].startswith("no-")}))
    return files | {"labels.csv": "\n".join([header, *(",".join(row) for row in rows)]).encode()}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([*ROWS, ("f.jpg", "cleo", "", "query")], "row 6 has no camid (1 of 6 rows have none); fill it in, or say --no-cameras"),
        ([*ROWS, ("f.jpg", "", "yard", "query")], "labels.csv: row 6 has no pid (1 of 6 rows have none); fill it in"),
        ([*ROWS, ("f.jpg", "anna", "yard", "query")], "1 pid (anna) in train and in test"),
        ([*ROWS, ("a.jpg", "anna", "yard", "query")], "labels.csv lists a.jpg as train and as query; remove one row"),
        ([*ROWS, ("a.jpg", "anna", "yard", "train")], "labels.csv lists a.jpg twice; remove one row"),
        ([*ROWS, ("f.jpg", "cleo", "yard", "qeury")], "labels.csv: split 'qeury' is none of train, val, query, probe, gallery, test"),
        ([*ROWS, ("no-f.jpg", "cleo", "yard", "query")], "labels.csv lists 1 picture (no-f.jpg) not in set; correct the paths"),
        (ROWS[:4], "there are query pictures but no gallery; add them, or say --split test to draw queries anew"),
    ],
)  # fmt: skip
def test_a_fault_of_a_table_is_named_in_one_sentence(add, fill, pack, tmp_path, rows, sentence):
    with pytest.raises(LayoutError) as caught:
        add(pack(with_table(fill, rows)))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / LOCAL).exists()


def test_people_and_cameras_may_have_names_and_the_map_is_kept(added, fill, pack):
    rows, sidecar = added(pack(with_table(fill, ROWS)))
    assert sidecar["own"]["pids"] == {"anna": 0, "bert": 1, "cleo": 2}
    assert sidecar["own"]["cameras"] == {"entrance": 0, "yard": 1}
    assert rows[LABELS].to_numpy().tolist() == [
        ["train", 0, 0], ["train", 0, 1], ["train", 1, 1], ["query", 2, 0], ["gallery", 2, 1]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cameras", "camids"),
    [(("0", "1"), [0, 1]), (("1", "2"), [0, 1]), (("2", "5"), [1, 4]), (("2", "10"), [1, 9]), (("1", "99999"), [0, 1])],
)
def test_cameras_count_from_0_or_from_1(added, fill, pack, cameras, camids):
    rows, _ = added(pack(fill([f"{pid}/cam{camera}.jpg" for pid in (7, 8) for camera in cameras])), split="test")
    assert sorted(set(rows["camid"])) == camids
    assert set(rows["pid"]) == {7, 8}


def test_a_table_may_lie_beside_the_pictures(added, fill, pack, tmp_path):
    files = with_table(fill, ROWS)
    (tmp_path / "table.csv").write_bytes(files.pop("labels.csv").replace(b",", b";"))
    rows, _ = added(pack(files), table=tmp_path / "table.csv")
    assert len(rows) == 5
    card = load_cards(tmp_path / LOCAL)["LAB"]
    before = card.made_from(tmp_path / "set")
    (tmp_path / "table.csv").write_bytes((tmp_path / "table.csv").read_bytes().replace(b"cleo", b"cloe"))
    assert card.made_from(tmp_path / "set") != before, "another table makes the import due"


def test_a_camera_pattern_of_ones_own(added, fill, pack):
    files = fill([f"{pid}/{place}-{shot}.jpg" for pid in "ab" for place in ("north", "south") for shot in "12"])
    rows, sidecar = added(pack(files), split="half", camera="([a-z]+)-")
    assert sidecar["own"]["cameras"] == {"north": 0, "south": 1}
    assert len(rows) == 8


@pytest.mark.parametrize(
    ("pattern", "why"), [("cam(", "no regular expression"), ("cam", "0 groups"), ("(c)(a)", "2 groups")]
)
def test_a_pattern_that_cannot_tell_a_camera_is_refused(add, fill, pack, pattern, why):
    with pytest.raises(ConfigError, match=why):
        add(pack(fill(["1/cam1.jpg", "1/cam2.jpg"])), split="test", camera=pattern)


@pytest.mark.parametrize(
    ("sound", "extra"),
    [
        (MARKET, ["bounding_box_test/-1_c1_0.jpg", "bounding_box_test/0000_c1_0.jpg"]),
        (PERSONS, ["gallery/-1/cam1_0.jpg", "gallery/0000/cam1_0.jpg"]),
    ],
)
def test_junk_and_distractors_of_market_names_are_as_in_market_1501(added, fill, pack, sound, extra):
    _, sidecar = added(pack(fill(sound + extra)))
    assert sidecar["dropped"] == {"junk": 1} and sidecar["distractor_pid"] == 0
    assert sidecar["counts"]["gallery"] == {"ids": 2, "images": 3, "cameras": 2}


def test_a_person_0_of_ones_own_is_a_person(added, fill, pack):
    _, sidecar = added(pack(fill([*MARKET, "bounding_box_test/0_c1_0.jpg"])))
    assert sidecar["distractor_pid"] is None and sidecar["counts"]["gallery"]["ids"] == 3


def test_a_layout_that_nobody_knows_shows_the_known_ones_and_the_tree(add, fill, pack):
    with pytest.raises(
        LayoutError, match=r"(?s)no layout fits .*layout market:.*layout folders:.*layout list:.*Found.*holiday/"
    ):
        add(pack(fill(["beach.jpg", "holiday/1/x.jpg", "holiday/2/y.jpg"])))


def test_two_sets_in_one_folder_are_not_guessed_between(add, fill, pack):
    files = fill([f"{place}/{name}" for place in ("new", "old") for name in MARKET])
    with pytest.raises(
        LayoutError, match="several folders hold train, query and gallery: new/, old/; give the path of one"
    ):
        add(pack(files))


def test_undivided_pictures_need_a_word_on_their_split(add, fill, pack):
    with pytest.raises(LayoutError, match=r"say --split half to train and test on them, or --split test to test only"):
        add(pack(fill(["1/cam1.jpg", "1/cam2.jpg"])))


@pytest.mark.parametrize(
    ("copy", "error"),
    [
        ("query/0003_c1_1.jpg", None),
        ("query/0003_c2_1.jpg", "one picture stands for two cameras: query/0003_c1_0.jpg and query/0003_c2_1.jpg"),
        ("bounding_box_train/0001_c1_1.jpg", "one picture stands for two people: query/0003_c1_0.jpg and train/0001_c1_1.jpg"),
    ],
)  # fmt: skip
def test_copies_of_one_picture_are_told_or_refused(add, fill, pack, copy, error):
    files = fill(MARKET)
    files[copy] = files["query/0003_c1_0.jpg"]
    if error is None:
        assert "remark: copies of another file of the same person and camera: 1;" in add(pack(files))
        return
    with pytest.raises(CopyError) as caught:
        add(pack(files))
    told = str(caught.value)
    assert all(name in told for name in error.partition(": ")[2].split(" and ")) and error.partition(":")[0] in told


def test_copies_do_not_match_each_other_where_cameras_are_not_known(added, fill, pack):
    files = fill([f"{pid}/{shot}.jpg" for pid in "ab" for shot in "123"])
    files["a/4.jpg"] = files["a/1.jpg"]
    rows, _ = added(pack(files), split="test", cameras=False)
    assert sorted(rows.loc[(rows["split"] == "query") & (rows["pid"] == 0), "camid"]) == [0, 0, 1, 2]


def test_a_person_of_one_camera_and_a_query_without_match_are_told(add, fill, pack):
    told = add(pack(fill([*MARKET, "query/0005_c1_0.jpg", "bounding_box_test/0005_c1_1.jpg"])))
    assert "remark: queries without a match by another camera in the gallery: 1 of 2; scores leave them out" in told
    assert "remark: test people seen by one camera only: 2 of 3; they match nobody" in told


def test_queries_that_never_match_are_refused(add, fill, pack):
    files = fill([name for name in MARKET if name != "bounding_box_test/0003_c2_0.jpg"])
    with pytest.raises(MatchError, match=r"no query has a match by another camera .*--no-cameras"):
        add(pack(files))


def test_draws_leave_every_query_a_match(added, fill, pack):
    shots = {"a": "1112", "b": "12", "c": "1", "d": "123", "e": "1122"}  # person: cameras of the pictures
    files = fill([f"{pid}/cam{camera}_{n}.jpg" for pid, cameras in shots.items() for n, camera in enumerate(cameras)])
    rows, sidecar = added(pack(files), split="test")
    queries = rows[rows["split"] == "query"].groupby("pid").size()
    people = {name: queries.get(pid, 0) for name, pid in sidecar["own"]["pids"].items()}
    assert sidecar["queries_without_match"] == 0
    assert people["c"] == 0 and people["b"] == 1 and people["e"] == 2
    assert people["a"] >= 1 and people["d"] in (1, 2)


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


def odd_pictures():
    """Return pictures of every kind, and the colour of the upper left corner that each shows."""
    plain = Image.new("RGB", (8, 16), (200, 100, 50))
    upper = plain.copy()
    upper.paste((0, 0, 250), (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    return {
        "grey.png": (encoded(Image.new("L", (8, 16), 90), "PNG"), (90, 90, 90)),
        "deep.png": (encoded(Image.fromarray(np.full((16, 8), 90 * 256 + 7, np.uint16)), "PNG"), (90, 90, 90)),
        "rgba.png": (encoded(Image.new("RGBA", (8, 16), (200, 100, 50, 255)), "PNG"), (200, 100, 50)),
        "palette.png": (encoded(plain.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"), (200, 100, 50)),
        "cmyk.jpg": (encoded(plain.convert("CMYK"), "JPEG", quality=100), (200, 100, 50)),
        "large.bmp": (encoded(plain.resize((80, 160)), "BMP"), (200, 100, 50)),
        "turned.jpg": (encoded(upper, "JPEG", quality=100, exif=exif), (200, 100, 50)),
    }


def test_pictures_of_odd_kinds_are_read_right(add, pack, tmp_path):
    from dcac.data.images import decode

    odd = odd_pictures()
    files = {f"1/cam{place}_{name}": data for place, (name, (data, _)) in enumerate(odd.items())}
    told = add(pack(files), split="test")
    assert "remark: photographs that are turned as their EXIF orientation says: 1" in told
    card = load_cards(tmp_path / LOCAL)["LAB"]
    import_data.run(tmp_path / "set", tmp_path / "LAB.parquet", card=card)
    rows = read_split(tmp_path / "LAB.parquet", ["query", "gallery"])
    pixels = decode(rows["data"].tolist(), height=16, width=8)
    for path, image in zip(rows["path"], pixels, strict=True):
        wanted = odd[path.rpartition("/")[2].partition("_")[2]][1]
        assert np.abs(image[:, 1, 1].astype(int) - wanted).max() <= 6, path


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut off"])
def test_unreadable_files_are_named_with_the_remedy(add, fill, pack, data):
    with pytest.raises(UnreadableError, match=r"(?s)1 of 7 images cannot be read:.*0003_c2_9.*Replace or remove them"):
        add(pack(fill(MARKET) | {"query/0003_c2_9.jpg": data}))


def test_what_was_added_is_asserted(add, fill, pack, tmp_path):
    path = pack(fill(MARKET))
    add(path)
    card, out = load_cards(tmp_path / LOCAL)["LAB"], tmp_path / "LAB.parquet"
    (path / "query/0003_c1_0.jpg").rename(path / "query/0003_c3_0.jpg")
    with pytest.raises(
        CountError, match=r"people, cameras, splits or names of LAB are not those that were added; bring them back"
    ):
        import_data.run(path, out, card=card)
    (path / "query/0003_c3_0.jpg").rename(path / "query/0003_c1_0.jpg")
    (path / "query/0003_c1_0.jpg").write_bytes(fill(["a.jpg", "b.jpg", "c.jpg"] * 9 + ["z.jpg"])["z.jpg"] + b"0")
    with pytest.raises(CountError, match=r"the pictures of LAB are not those that were added .*--replace"):
        import_data.run(path, out, card=card)
    (path / "query/0003_c1_0.jpg").unlink()
    with pytest.raises((CountError, LayoutError)):
        import_data.run(path, out, card=card)
    assert not out.exists()


def test_a_dry_run_writes_nothing_and_a_second_card_must_be_meant(add, fill, pack, tmp_path):
    path = pack(fill(MARKET))
    assert "Nothing is written" in add(path, dry_run=True)
    assert not (tmp_path / LOCAL).exists()
    add(path)
    with pytest.raises(ConfigError, match=r"has a card of LAB; say --replace"):
        add(path)
    add(path, code="LAB2")
    add(path, replace=True)
    assert list(load_cards(tmp_path / LOCAL)) == ["LAB", "LAB2"]


@pytest.mark.parametrize("code", ["MA", "ma", "viper", "none", "a+b", "a b"])
def test_a_code_that_is_taken_or_no_name_is_refused(add, fill, pack, code):
    with pytest.raises(ConfigError):
        add(pack(fill(MARKET)), code=code)


def test_cards_of_the_clone_come_last_and_may_not_take_a_code(add, fill, pack, tmp_path, config_dir):
    add(pack(fill(MARKET)))
    (tmp_path / "datasets.yaml").write_bytes((config_dir / "datasets.yaml").read_bytes())
    assert list(load_catalog(tmp_path / "datasets.yaml"))[-1] == "LAB"
    content = yaml.safe_load((tmp_path / LOCAL).read_text())
    (tmp_path / LOCAL).write_text(yaml.safe_dump({"MA": content["LAB"]}))
    with pytest.raises(ConfigError, match=r"datasets.local.yaml: MA is the code of Market-1501 .* choose another code"):
        load_catalog(tmp_path / "datasets.yaml")
    (tmp_path / LOCAL).write_text("# nothing left\n")
    assert "LAB" not in load_catalog(tmp_path / "datasets.yaml")


def test_a_set_in_data_root_is_named_relative_to_it(add, fill, pack, tmp_path):
    (tmp_path / "data").mkdir()
    add(pack(fill(MARKET), "zip", "data/lab"))
    card = load_cards(tmp_path / LOCAL)["LAB"]
    assert card.archives[0].name == "lab.zip" and card.archives[0].sha256
    assert locate(card, Path(tmp_path / "data")) == tmp_path / "data/lab.zip"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"own": None}, "has `own:`"),
        ({"variants": {"no-cameras": {"train": {}}}}, "a set of one's own has one"),
        ({"own": {"layout": "list", "cameras": True, "split": "keep", "seed": 1}}, "has one"),
        ({"own": {"layout": "market", "cameras": True, "split": "keep", "seed": 1}}, "tells cameras by `camera`"),
    ],
)
def test_a_card_of_ones_own_that_contradicts_itself_is_refused(add, fill, pack, tmp_path, changes, message):
    add(pack(fill(MARKET)))
    card = load_cards(tmp_path / LOCAL)["LAB"].model_dump()
    with pytest.raises(ValueError, match=message):
        Card.model_validate({**card, **changes})
