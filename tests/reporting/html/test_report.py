"""The suite on one page: what it shows, what it leaves out, and that equal files give equal bytes."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from dcac.data.store import Record, write_store
from dcac.evaluation import score
from dcac.features.feature_file import write_features
from dcac.reporting import records, report
from dcac.reporting.html.runs import duration
from dcac.suites import Variant


@pytest.fixture
def world(tmp_path, suite, rows_of_target):
    """Files of two methods trained on MA and tested on T: records, scores, features, runs, and pictures of real people."""
    generator = np.random.default_rng(0)
    pids, camids, split, paths = rows_of_target(generator)
    pictures = []
    for pid, camid, own, path in zip(pids, camids, split, paths, strict=True):
        stream = io.BytesIO()
        noise = generator.integers(0, 256, (32, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).save(stream, format="PNG")
        pictures.append(Record(own, int(pid), int(camid), "T", path, stream.getvalue()))
    write_store(pictures, tmp_path / "T.parquet", facts={"dataset": "T", "version": "1", "layout": "market"})
    files = [tmp_path / "T.parquet"]
    for name in ("baseline", "dcac"):
        meta = {"suite": "test", "variant": name, "sources": "MA", "seed": 1, "target": "T"}
        meta |= {"code": {"train": f"code-{name}"}, "data": {"dataset": "T"}}
        features = np.eye(8)[pids] + generator.normal(0, 0.8, (36, 8))
        own = tmp_path / f"features-{name}.npz"
        write_features(own, features=features, pids=pids, camids=camids, split=split, paths=paths, meta=meta)
        against = {} if name == "baseline" else {"against": tmp_path / "features-baseline.npz"}
        score.run(own, tmp_path / f"score-{name}.json", **against)
        files += [own, tmp_path / f"score-{name}.json", run_of(tmp_path, name)]
    scores = [path for path in files if path.name.startswith("score-")]
    records.run(scores=scores, out=tmp_path / "dg_single.csv")
    changes = {"domains": ("MA", "T"), "protocols": {"single-source": {"MA": ("T", "U")}}, "references": ()}
    return suite.model_copy(update=changes), [*files, tmp_path / "dg_single.csv"], tmp_path


def run_of(folder, name):
    """Write the report and the log of a run of two epochs."""
    own = folder / f"runs/{name}/MA/seed1"
    own.mkdir(parents=True)
    cost = {"seconds": 7200.0, "peak_memory_bytes": 2**31}
    (own / "run.json").write_text(json.dumps({**cost, "code": "code"}))
    lines = [{"event": "start", "device": "a <card>", "environment": {"torch": "2.15.0"}}]
    lines += [
        {"event": "epoch", "epoch": e, "loss_id": 3.0 / e, "images_per_second": 100.0 * e, "p_max": None}
        for e in (1, 2)
    ]
    (own / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"event": "end", **cost}]))
    return own / "run.json"


def written(world, variants, *, out="report.html", **changes):
    """Write the page and return it."""
    suite, inputs, folder = world
    published = folder / "published.csv"
    published.write_text("protocol,origin,method,order,sources,target,mAP,rank1,flags\n")
    given = {"suite": suite, "variants": variants, "cards": {}, "inputs": inputs, "published": published} | changes
    report.run(**given, out=[folder / out, (folder / out).with_suffix(".json")])
    return (folder / out).read_text(encoding="utf-8")


def data(page, name):
    """Return what a page holds for its scripts."""
    return json.loads(re.search(rf'id="{name}">(.*?)</script>', page, re.DOTALL)[1])


def test_equal_files_give_equal_bytes(world, variants):
    assert written(world, variants) == written(world, variants, out="again.html")


def test_each_number_leads_to_its_seeds_cameras_lists_and_cost(world, variants):
    page = written(world, variants)
    links = set(re.findall(r'href="#([^"]+)"', page))
    places = set(re.findall(r'id="([^"]+)"', page))
    assert {"score-baseline-MA-T", "score-dcac-MA-T"} <= links <= places
    section = page.partition('<section id="score-dcac-MA-T"')[2].partition("</section>")[0]
    score_of_dcac = json.loads((world[2] / "score-dcac.json").read_text())
    assert f"<td>{100 * score_of_dcac['mAP']:.1f}</td>" in section
    assert "By pair of cameras" in section and "match in camera 2" in section
    assert "seed 1: 2.0 h, 150 images/s, 2.00 GiB at most" in section
    assert section.count('<div class="list"') == 2 and section.count("data-picture") == 12


def test_the_difference_to_the_baseline_stands_beside_the_number(world, variants):
    page = written(world, variants)
    found = json.loads((world[2] / "score-dcac.json").read_text())["against"]["difference"]["mAP"]
    text = re.escape(f"{100 * found['mean']:+.2f} [")
    assert re.search(rf"<small>{text}[^<]+\]</small><small>[a-z ]+ in this pair of runs</small>", page)


def test_charts_hold_their_numbers_and_say_them_in_words(world, variants):
    charts = data(written(world, variants), "charts")
    curve = charts["cmc-MA-T"]
    assert {row["method"] for row in curve["data"]["values"]} == {"Baseline (ours)", "DCAC (ours)"}
    assert curve["encoding"]["color"]["scale"]["range"] == ["#112233", "#445566"]
    assert curve["description"].startswith("Queries with a match within rank 1 / 5 / 10, in percent: Baseline (ours) ")
    losses = charts["curve-MA-0"]
    assert losses["description"].endswith("Baseline (ours), seed 1: 3 to 1.5; DCAC (ours), seed 1: 3 to 1.5.")
    assert len(charts) == 3, "what no epoch has a number of is not drawn"


def test_real_people_are_blurred_or_left_out(world, variants):
    suite, *rest = world
    blurred = data(written(world, variants), "pictures")
    shown = data(written((suite.model_copy(update={"report_faces": "shown"}), *rest), variants), "pictures")
    assert len(blurred) == len(shown) > 6 and not set(blurred) & set(shown)
    page = written((suite.model_copy(update={"report_faces": "none"}), *rest), variants)
    assert data(page, "pictures") == [] and "Best and worst query" not in page


def test_what_is_missing_is_said_with_its_reason(world, variants):
    page = written(world, variants, told=["U: it is not in data_root."])
    missing = page.partition('id="missing"')[2]
    assert "<li>U: it is not in data_root.</li>" in missing
    assert "DCAC (ours) has no number on MA → U." in missing


def test_texts_are_escaped(world, variants):
    loud = variants | {"dcac": Variant("<b>DCAC</b>", {}, colour="#445566")}
    page = written(world, loud)
    assert "<b>DCAC" not in page and "&lt;b&gt;DCAC" in page and "a &lt;card&gt;" in page


def test_figures_stand_after_the_tables_with_their_words(world, variants):
    suite, inputs, folder = world
    (folder / "cmc.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    Image.new("RGB", (300, 150)).save(folder / "cmc.png")
    page = written((suite, [*inputs, folder / "cmc.svg"], folder), variants)
    section = page.partition('<section id="figure-cmc">')[2].partition("</section>")[0]
    title = suite.figures["cmc"].title
    assert 'src="data:image/svg+xml;base64,' in section and f'alt="{title}. The share of queries' in section
    assert 'href="#table-dg_single"' in section and page.index('id="tables"') < page.index('id="figures"')
    with pytest.raises(ValueError, match="unknown figure: 'other'"):
        written((suite, [*inputs, folder / "other.svg"], folder), variants)


def test_with_records_alone_the_page_has_its_tables(world, variants):
    suite, inputs, folder = world
    page = written((suite, inputs[-1:], folder), variants)
    assert "Behind the numbers" not in page and "Baseline (ours)" in page and 'href="#score' not in page


def test_files_of_no_use_are_refused(world, variants):
    suite, inputs, folder = world
    with pytest.raises(ValueError, match=r"notes\.txt is nothing that a report reads"):
        written((suite, [*inputs, folder / "notes.txt"], folder), variants)
    with pytest.raises(ValueError, match=r"no records \(.csv\)"):
        written((suite, inputs[:-1], folder), variants)
    with pytest.raises(ValueError, match="unknown table: 'other'"):
        written((suite, [folder / "other.csv"], folder), variants)


def test_times_are_written_in_the_unit_that_fits():
    assert [duration(seconds) for seconds in (0.26, 90, 5400)] == ["0.3 s", "1.5 min", "1.5 h"]
