"""Importing: labels, counts, layouts and messages of every data set, on small archives made here."""

import io
import json

import pytest

from dcac.data.imports.counts import CountError, queries_without_match
from dcac.data.imports.import_data import images_fingerprint, run
from dcac.data.imports.verifying import Finding, UnreadableError
from dcac.data.readers import LayoutError
from dcac.data.store import Record, read_sidecar, read_split

MARKET = [
    "Market-1501-v15.09.15/bounding_box_train/0002_c1s1_000451_03.jpg",
    "Market-1501-v15.09.15/bounding_box_train/0002_c6s2_000452_01.jpg",
    "Market-1501-v15.09.15/bounding_box_train/0007_c2s3_070952_01.jpg",
    "Market-1501-v15.09.15/query/0001_c1s1_001051_00.jpg",
    "Market-1501-v15.09.15/bounding_box_test/-1_c1s1_000401_03.jpg",
    "Market-1501-v15.09.15/bounding_box_test/-1_c3s1_000401_03.jpg",
    "Market-1501-v15.09.15/bounding_box_test/0000_c1s1_000151_01.jpg",
    "Market-1501-v15.09.15/bounding_box_test/0001_c2s1_001051_03.jpg",
    "Market-1501-v15.09.15/gt_bbox/0001_c2s1_001051_00.jpg",
]
MARKET_COUNTS = {"train": (2, 3, 3), "query": (1, 1, 1), "gallery": (1, 2, 2), "dropped": {"junk": 2}}


@pytest.fixture
def market(fill, shrink):
    leftovers = {"Market-1501-v15.09.15/query/Thumbs.db": b"x", "__MACOSX/query/._0001_c1s1_001051_00.jpg": b"x"}
    return fill(MARKET) | leftovers, shrink("MA", **MARKET_COUNTS)


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tgz", "tar.xz"])
def test_market_labels_are_the_same_from_every_kind_of_archive(market, pack, tmp_path, kind):
    files, card = market
    imported = run(pack(files, kind), tmp_path / "MA.parquet", card=card)
    rows = read_split(tmp_path / "MA.parquet", ["train", "query", "gallery"])
    assert list(zip(rows.split, rows.path, rows.pid, rows.camid, strict=True)) == [
        ("train", "train/0002_c1s1_000451_03.jpg", 2, 0),
        ("train", "train/0002_c6s2_000452_01.jpg", 2, 5),
        ("train", "train/0007_c2s3_070952_01.jpg", 7, 1),
        ("query", "query/0001_c1s1_001051_00.jpg", 1, 0),
        ("gallery", "gallery/0000_c1s1_000151_01.jpg", 0, 0),
        ("gallery", "gallery/0001_c2s1_001051_03.jpg", 1, 1),
    ]
    assert rows.data[0] == files["Market-1501-v15.09.15/bounding_box_train/0002_c1s1_000451_03.jpg"]
    assert set(rows.domain) == {"MA"}
    assert imported.sidecar["standard"] is True
    assert imported.sidecar["ignored_files"] == 2
    assert imported.sidecar["dropped"] == {"junk": 2}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_archive_and_folder_give_the_same_bytes(market, pack, tmp_path):
    files, card = market
    hashes = set()
    for kind in ("folder", "zip", "tgz"):
        out = tmp_path / f"{kind}.parquet"
        hashes.add(run(pack(files, kind), out, card=card).sidecar["sha256"])
    renamed = {name.replace("Market-1501-v15.09.15", "deep/Market1501"): data for name, data in reversed(files.items())}
    hashes.add(run(pack(renamed, "zip", "renamed"), tmp_path / "renamed.parquet", card=card).sidecar["sha256"])
    assert len(hashes) == 1


def test_two_workers_find_what_one_finds(picture, pack, shrink, tmp_path):
    names = [f"m/bounding_box_train/{pid:04d}_c1s1_000001_00.jpg" for pid in range(1, 1200)]
    names += ["m/query/0001_c1s1_001051_00.jpg", "m/bounding_box_test/0001_c2s1_001051_03.jpg"]
    files = dict.fromkeys(names, picture())
    card = shrink("MA", train=(1199, 1199, 1), query=(1, 1, 1), gallery=(1, 1, 1))
    archive = pack(files, "tgz")
    sidecars = [run(archive, tmp_path / f"{n}.parquet", card=card, workers=n).sidecar for n in (1, 2)]
    assert sidecars[0] == sidecars[1]


def test_wrong_counts_stop_with_the_box_and_write_nothing(market, pack, catalog, tmp_path):
    files, _ = market
    with pytest.raises(CountError, match=r"gallery +\| +1 \(expected 750\) \| +2 \(expected 15913\)") as caught:
        run(pack(files), tmp_path / "out" / "MA.parquet", card=catalog["MA"])
    assert "subset" in str(caught.value)
    assert "# cameras" in str(caught.value)
    assert "dropped: junk" in str(caught.value)
    assert "2 (expected 3819)" in str(caught.value)
    assert "--allow-different-counts" in str(caught.value)
    assert not list((tmp_path / "out").iterdir())


def test_allowed_wrong_counts_are_stamped_into_both_files(market, pack, catalog, tmp_path):
    import pyarrow.parquet as pq

    files, _ = market
    out = tmp_path / "MA.parquet"
    imported = run(pack(files), out, card=catalog["MA"], allow_different_counts=True)
    assert read_sidecar(out)["standard"] is False
    assert "gallery images 2, expected 15913" in read_sidecar(out)["deviations"]
    assert json.loads(pq.read_schema(out).metadata[b"dcac"])["standard"] is False
    assert "NON-STANDARD: train ids 2, expected 751" in imported.report


def test_pid_written_as_junk_elsewhere_is_a_deviation(market, fill, pack, tmp_path):
    files, card = market
    files |= fill(["Market-1501-v15.09.15/query/-1_c1s1_001051_00.jpg"])
    with pytest.raises(CountError, match=r"3 \(expected 2\)"):
        run(pack(files), tmp_path / "MA.parquet", card=card)


def test_unknown_file_among_the_images_stops(market, fill, pack, tmp_path):
    files, card = market
    files |= fill(["Market-1501-v15.09.15/query/0001_c1s1_001051_00 copy.jpg"])
    with pytest.raises(LayoutError, match=r"00 copy\.jpg"):
        run(pack(files), tmp_path / "MA.parquet", card=card)


def test_doubled_suffixes_of_the_genuine_archive_are_accepted_and_counted(fill, pack, shrink, tmp_path, caplog):
    doubled = {
        "0001_c1s1_001051_00.jpg": "0001_c1s1_001051_00.jpg.jpg",
        "-1_c3s1_000401_03.jpg": "-1_c3s1_000401_03.JPG",
    }
    names = [f"{place}/{doubled.get(base, base)}" for place, _, base in (name.rpartition("/") for name in MARKET)]
    with caplog.at_level("INFO"):
        imported = run(pack(fill(names), "zip"), tmp_path / "MA.parquet", card=shrink("MA", **MARKET_COUNTS))
    rows = read_split(tmp_path / "MA.parquet", "query")
    assert list(zip(rows.path, rows.pid, rows.camid, strict=True)) == [("query/0001_c1s1_001051_00.jpg.jpg", 1, 0)]
    assert imported.sidecar["standard"] is True
    assert "MA: 2 names were nearly of the known form" in caplog.text


def test_known_names_are_not_mentioned(market, pack, tmp_path, caplog):
    files, card = market
    with caplog.at_level("INFO"):
        run(pack(files), tmp_path / "MA.parquet", card=card)
    assert "nearly" not in caplog.text


def test_no_layout_shows_the_tree_expected_and_the_tree_found(fill, pack, catalog, tmp_path):
    with pytest.raises(LayoutError) as caught:
        run(pack(fill(["photos/holiday/beach.jpg"])), tmp_path / "MA.parquet", card=catalog["MA"])
    message = str(caught.value)
    assert "bounding_box_train/0002_c1s1_000451_03.jpg" in message
    assert "holiday/ (1 files)" in message
    assert "beach.jpg" in message


def test_two_data_sets_in_one_folder_are_not_guessed_between(market, pack, tmp_path):
    files, card = market
    files |= {name.replace("Market-1501-v15.09.15", "old"): data for name, data in files.items()}
    with pytest.raises(LayoutError, match=r"Market-1501-v15.09.15/, old/"):
        run(pack(files), tmp_path / "MA.parquet", card=card)


@pytest.mark.parametrize("kind", ["folder", "zip", "tgz"])
def test_one_of_several_sets_is_read_from_inside(market, pack, tmp_path, kind):
    files, card = market
    both = {f"{top}/{name}": data for top in ("one", "two") for name, data in files.items()}
    both["two/Market-1501-v15.09.15/query/0009_c1s1_000001_00.jpg"] = next(iter(files.values()))
    path = pack(both, kind, "several")
    with pytest.raises(
        LayoutError, match=r"one/Market-1501-v15\.09\.15/, two/Market.*; name one of them with --inside"
    ):
        run(path, tmp_path / "MA.parquet", card=card)
    run(pack(files, kind, "alone"), tmp_path / "alone.parquet", card=card)
    imported = run(path, tmp_path / "MA.parquet", card=card, inside="one/")
    assert (tmp_path / "MA.parquet").read_bytes() == (tmp_path / "alone.parquet").read_bytes()
    assert imported.sidecar["archive"]["inside"] == "one/"
    with pytest.raises(ValueError, match=r"holds nothing in 'three/'; at its top are: one/, two/"):
        run(path, tmp_path / "MA.parquet", card=card, inside="three")


@pytest.mark.parametrize("kind", ["folder", "zip", "tgz"])
def test_archive_within_an_archive_is_read(market, pack, tmp_path, kind):
    files, card = market
    inner = pack(files, "tgz", "inner").read_bytes()
    path = pack({"sets/market.tgz": inner, "readme.txt": b"x"}, kind, "outer")
    with pytest.raises(LayoutError, match=r"read one with --inside, such as --inside 'sets/market\.tgz'"):
        run(path, tmp_path / "MA.parquet", card=card)
    assert run(path, tmp_path / "MA.parquet", card=card, inside="sets/market.tgz").sidecar["images"] == 6
    assert not [left for left in tmp_path.iterdir() if left.name.startswith(".dcac")]


@pytest.mark.parametrize(
    ("cameras", "message"), [((1, 1), "all are of camera 0"), ((2, 3), "2 cameras are told apart")]
)
def test_set_that_nothing_can_be_scored_on_is_refused_at_import(fill, pack, shrink, tmp_path, cameras, message):
    names = [f"m/bounding_box_train/0002_c{camera}s1_000451_03.jpg" for camera in (1, 2)]
    names += [f"m/query/0001_c{cameras[0]}s1_001051_00.jpg"]
    names += [f"m/bounding_box_test/{pid:04}_c{cameras[pid > 1]}s1_001052_00.jpg" for pid in (1, 3)]
    number = len(set(cameras))
    card = shrink("MA", train=(1, 2, 2), query=(1, 1, 1), gallery=(2, 2, number))
    with pytest.raises(CountError, match=rf"not one of 1 queries has a gallery image .* camera \({message}\)"):
        run(pack(fill(names)), tmp_path / "MA.parquet", card=card)
    assert not (tmp_path / "MA.parquet").exists()


def test_train_images_of_one_camera_are_no_fault(fill, pack, shrink, tmp_path):
    names = [f"CUHK-SYSU/cropped_images/p{pid}_s16929_1.jpg" for pid in (11422, 11423)]
    run(pack(fill(names)), tmp_path / "CS.parquet", card=shrink("CS", train=(2, 2, 1)))


def test_folders_that_parse_like_labels_do_not_matter(fill, pack, shrink, tmp_path):
    names = [name.replace("Market-1501-v15.09.15", "9999_c3s1_run_12_c3/Market1501") for name in MARKET]
    run(pack(fill(names)), tmp_path / "MA.parquet", card=shrink("MA", **MARKET_COUNTS))
    assert set(read_split(tmp_path / "MA.parquet", "train").pid) == {2, 7}


def damaged(files, base, data):
    name = next(name for name in files if name.endswith(base))
    return files | {name: data}


@pytest.mark.parametrize("content", [b"", b"no image at all", b"<html>sign in</html>"])
def test_non_image_is_refused_by_name(market, pack, tmp_path, content):
    files, card = market
    with pytest.raises(UnreadableError, match=r"0007_c2s3_070952_01\.jpg"):
        run(pack(damaged(files, "0007_c2s3_070952_01.jpg", content)), tmp_path / "MA.parquet", card=card)
    assert not (tmp_path / "MA.parquet").exists()


def test_truncated_and_oversized_images_are_refused(market, picture, pack, tmp_path):
    files, card = market
    files = damaged(files, "0007_c2s3_070952_01.jpg", picture(size=(64, 128))[:-400])
    files = damaged(files, "0002_c6s2_000452_01.jpg", picture(size=(5000, 8)))
    with pytest.raises(UnreadableError, match=r"2 of 6 images(?s:.)*5000x8 pixels(?s:.)*0007_c2s3"):
        run(pack(files), tmp_path / "MA.parquet", card=card)


def test_unreadable_images_are_dropped_on_request_and_counted(market, pack, tmp_path):
    files, card = market
    files = damaged(files, "0007_c2s3_070952_01.jpg", b"no image")
    imported = run(pack(files), tmp_path / "MA.parquet", card=card, drop_unreadable=True)
    assert imported.sidecar["images"] == 5
    assert imported.sidecar["standard"] is False
    assert len(imported.sidecar["unreadable"]) == 1
    assert "NON-STANDARD: dropped unreadable train/0007_c2s3_070952_01.jpg" in imported.report


def test_withdrawn_set_needs_consent(fill, pack, shrink, tmp_path):
    names = [
        f"DukeMTMC-reID/{place}"
        for place in (
            "bounding_box_train/0001_c2_f0046182.jpg",
            "query/0005_c2_f0046985.jpg",
            "bounding_box_test/0005_c8_f0000001.jpg",
            "bounding_box_test/7000_c1_f0000001.jpg",
        )
    ]
    card = shrink("D", train=(1, 1, 1), query=(1, 1, 1), gallery=(2, 2, 2))
    path = pack(fill(names))
    with pytest.raises(ValueError, match=r"withdrawn.*accept_withdrawn"):
        run(path, tmp_path / "D.parquet", card=card)
    run(path, tmp_path / "D.parquet", card=card, accept_withdrawn=["D"])
    rows = read_split(tmp_path / "D.parquet", ["train", "query", "gallery"])
    assert list(zip(rows.pid, rows.camid, strict=True)) == [(1, 1), (5, 1), (5, 7), (7000, 0)]


def test_synthetic_set_is_not_imported(catalog, tmp_path):
    with pytest.raises(ValueError, match="dcac data render campus"):
        run(tmp_path, tmp_path / "x.parquet", card=catalog["campus"])


def test_card_without_a_reader_says_where_one_goes(market, pack, tmp_path):
    files, card = market
    with pytest.raises(ValueError, match="mine cannot be imported: no reader is known for this code; add its line"):
        run(pack(files), tmp_path / "a.parquet", card=card.model_copy(update={"code": "mine"}))


def test_query_without_another_camera_is_counted():
    def image(split, pid, camid):
        return Record(split, pid, camid, "MA", f"{split}{pid}{camid}", b"")

    records = [image("query", 1, 0), image("query", 2, 0), image("query", 3, 0)]
    records += [image("gallery", 1, 0), image("gallery", 1, 1), image("gallery", 2, 0)]
    assert queries_without_match(records) == 2


def test_images_shared_by_train_and_test_are_reported(market, picture, pack, tmp_path):
    files, card = market
    same = picture(99)
    files = damaged(damaged(files, "0007_c2s3_070952_01.jpg", same), "0001_c2s1_001051_03.jpg", same)
    assert run(pack(files), tmp_path / "MA.parquet", card=card).sidecar["images_in_train_and_test"] == 1


def test_known_checksum_is_compared(market, pack, tmp_path):
    files, card = market
    path = pack(files, "zip", "Market-1501-v15.09.15")
    assert (
        run(path, tmp_path / "a.parquet", card=card).sidecar["archive"]["checksum"] == "WITHOUT the sha256 of the card"
    )
    import hashlib

    archive = card.archives[0].model_copy(update={"sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    right = card.model_copy(update={"archives": (archive,)})
    assert run(path, tmp_path / "b.parquet", card=right).sidecar["archive"]["checksum"] == "with the sha256 of the card"


def test_fingerprint_names_the_version_of_a_layout_that_does_not_tell(fill, pack, shrink, tmp_path):
    names = [
        "MSMT17/bounding_box_train/0000_c1_0.jpg",
        "MSMT17/query/0000_c12_0.jpg",
        "MSMT17/bounding_box_test/0000_c7_1.jpg",
    ]
    card = shrink("MS", train=(1, 1, 1), query=(1, 1, 1), gallery=(1, 1, 1))
    path = pack(fill(names))
    first = run(path, tmp_path / "a.parquet", card=card).sidecar
    assert first["version"] == "unknown"
    told = card.model_copy(update={"fingerprints": {"V2/train+val": first["fingerprint"]}})
    assert run(path, tmp_path / "b.parquet", card=told).sidecar["version"] == "V2"


def test_fingerprint_is_that_of_the_set_of_images():
    first, second, other = (Finding(digest, "") for digest in "abc")
    assert images_fingerprint([first, second]) == images_fingerprint([second, first])
    assert images_fingerprint([first, second]) != images_fingerprint([first, other])
    assert images_fingerprint([first]) != images_fingerprint([first, first])


def test_images_of_another_version_are_refused(market, pack, tmp_path):
    files, card = market
    path = pack(files)
    found = run(path, tmp_path / "a.parquet", card=card).sidecar["fingerprint"]
    known = card.model_copy(update={"fingerprints": {"v15.09.15/standard": "00ff", "v2/standard": found}})
    with pytest.raises(CountError, match=f"{found} is that of v2"):
        run(path, tmp_path / "a.parquet", card=known)
    imported = run(path, tmp_path / "a.parquet", card=known, allow_different_counts=True)
    assert (imported.sidecar["version"], imported.sidecar["standard"]) == ("unknown", False)
    assert imported.sidecar["remarks"] == []


def test_images_that_nobody_knows_are_a_remark(market, pack, tmp_path):
    files, card = market
    path = pack(files)
    known = card.model_copy(update={"fingerprints": {"v15.09.15/standard": "00ff"}})
    imported = run(path, tmp_path / "a.parquet", card=known)
    assert (imported.sidecar["version"], imported.sidecar["standard"]) == ("v15.09.15", True)
    assert f"remark: fingerprint {imported.sidecar['fingerprint']} is not the one listed for" in imported.report
    same = card.model_copy(update={"fingerprints": {"v15.09.15/standard": imported.sidecar["fingerprint"]}})
    again = run(path, tmp_path / "b.parquet", card=same)
    assert (again.sidecar["remarks"], again.sidecar["standard"]) == ([], True)
    assert "remark" not in again.report


def test_zip_member_with_a_wrong_checksum_is_an_unreadable_image(market, pack, tmp_path):
    files, card = market
    path = pack(files, "zip")
    data = bytearray(path.read_bytes())
    needle = files["Market-1501-v15.09.15/query/0001_c1s1_001051_00.jpg"]
    data[data.index(needle) + len(needle) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UnreadableError, match=r"query/0001_c1s1_001051_00\.jpg"):
        run(path, tmp_path / "MA.parquet", card=card)


def test_png_bytes_are_kept_as_they_are(picture, pack, shrink, tmp_path):
    from PIL import Image

    names = {f"VIPeR/cam_{side}/{pid:03d}_45.bmp": picture(pid, kind="BMP") for side in "ab" for pid in (0, 873)}
    run(pack(names), tmp_path / "V.parquet", card=shrink("VIPeR", query=(2, 2, 1), gallery=(2, 2, 1)))
    rows = read_split(tmp_path / "V.parquet", "gallery")
    assert rows.data[1] == picture(873, kind="BMP")
    assert Image.open(io.BytesIO(rows.data[1])).format == "BMP"
