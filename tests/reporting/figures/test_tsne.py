"""The t-SNE figure shows the same people under every variant, and measures on the features, not on the plane."""

import numpy as np
import pytest

from dcac.features.feature_file import read_features, write_features
from dcac.reporting.figures.tsne import (
    CAMERA_COLOURS,
    Points,
    choose,
    draw_tsne,
    embed,
    neighbour_shares,
    same_points,
    scatter,
)

META = {"target": "winter", "sources": "campus", "seed": 0}
LABELS = {"baseline": "Baseline (ours)", "dcac": "DCAC (ours)"}


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a feature file of rows (split, pid, camid)."""

    def put(name, rows, *, seed=0, prefix=""):
        split, pids, camids = zip(*rows, strict=True)
        features = np.random.default_rng(seed).standard_normal((len(rows), 6)) + np.array(pids)[:, None]
        paths = [f"{prefix}{row}.png" for row in range(len(rows))]
        out = tmp_path / f"{name}.npz"
        write_features(out, features=features, pids=pids, camids=camids, split=split, paths=paths, meta=META)
        return out

    return put


def person(pid, *, cameras=(0, 1, 2), images=2, query=True):
    """Return the rows of a person: a query in the first camera, then gallery images in all of them."""
    return [("query", pid, cameras[0])] * query + [("gallery", pid, camera) for camera in cameras] * images


def ordered(*people):
    """Put queries first, as an extraction does."""
    return sorted((row for rows in people for row in rows), key=lambda row: row[0] != "query")


def test_distractors_and_people_of_one_camera_are_left_out(write):
    rows = ordered(person(0, query=False), person(3), person(4, cameras=(1,)), person(9))
    file = read_features(write("f", rows))
    assert sorted({rows[row][1] for row in choose(file)}) == [3, 9]
    assert len(choose(file)) == 14


def test_images_and_people_are_evenly_spaced_up_to_their_number(write):
    rows = ordered(*(person(pid, images=5) for pid in range(59)))
    chosen = choose(read_features(write("f", rows)))
    people = sorted({rows[row][1] for row in chosen})
    assert people == list(range(0, 59, 2))  # 30 of 59
    for pid in people:
        own = [row for row in chosen if rows[row][1] == pid]
        available = [row for row in range(len(rows)) if rows[row][1] == pid]
        assert len(own) == 12 and len(available) == 16
        assert (own[0], own[-1]) == (available[0], available[-1])
        assert max(np.diff([available.index(row) for row in own])) <= 2


def test_no_person_in_two_cameras_is_refused(write):
    path = write("f", ordered(person(1, cameras=(0,)), person(2, cameras=(1,))))
    with pytest.raises(ValueError, match="nobody in these features is seen by two cameras; choose another target"):
        draw_tsne({"dcac": path}, LABELS, title="t")


def test_every_variant_shows_the_same_images_with_its_own_features(write):
    rows = ordered(person(1), person(2))
    paths = {"baseline": write("a", rows, seed=1), "dcac": write("b", rows, seed=2)}
    points = same_points(paths)
    for variant, path in paths.items():
        with np.load(path) as file:
            assert np.array_equal(np.sort(points[variant].features, axis=0), np.sort(file["features"], axis=0))
            for feature, pid, camid in zip(*points[variant], strict=True):
                row = np.flatnonzero((file["features"] == feature).all(axis=1)).item()
                assert (file["pids"][row], file["camids"][row]) == (pid, camid)


def test_files_of_other_images_are_refused(write):
    rows = ordered(person(1), person(2))
    paths = {"baseline": write("a", rows), "dcac": write("b", rows, prefix="other")}
    with pytest.raises(ValueError, match=r"b\.npz holds other images than .*a\.npz; extract one target for both"):
        same_points(paths)


def test_shares_by_hand(monkeypatch):
    """Five directions at 0, 10, 20, 90 and 100 degrees, two neighbours each, lengths of no matter."""
    monkeypatch.setattr("dcac.reporting.figures.tsne.NEIGHBOURS", 2)
    angles, lengths = np.radians([0, 10, 20, 90, 100]), np.array([1, 5, 2, 1, 3])
    features = lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = Points(features, pids=np.array([1, 1, 2, 2, 2]), camids=np.array([0, 1, 0, 0, 1]))
    # nearest: 0 -> 1 2, 1 -> 0 2 (as near), 2 -> 1 0, 3 -> 4 2, 4 -> 3 2
    shares = neighbour_shares(points)
    assert shares.camera == pytest.approx((1 + 0 + 1 + 1 + 0) / 10)
    assert shares.camera_by_chance == pytest.approx((2 + 1 + 2 + 2 + 1) / 5 / 4)
    assert shares.person == pytest.approx((1 + 1 + 0 + 2 + 2) / 10)
    assert shares.person_at_most == pytest.approx((1 + 1 + 2 + 2 + 2) / 10)


def test_features_without_order_share_a_camera_as_often_as_chance():
    generator = np.random.default_rng(0)
    camids = generator.choice(3, size=400, p=[0.6, 0.3, 0.1])
    shares = neighbour_shares(Points(generator.standard_normal((400, 8)), np.arange(400), camids))
    assert shares.camera == pytest.approx(shares.camera_by_chance, abs=0.03)
    assert (shares.person, shares.person_at_most) == (0, 0)


def test_a_panel_a_variant_and_one_legend(write):
    rows = ordered(*(person(pid) for pid in range(1, 6)))
    paths = {name: write(name, rows, seed=seed) for seed, name in enumerate(("pretrained", "baseline", "dcac", "x"))}
    figure = draw_tsne(paths, LABELS, title="t")
    assert [axes.get_title() for axes in figure.axes] == ["pretrained", "Baseline (ours)", "DCAC (ours)", "x"]
    assert figure.get_suptitle().splitlines()[0] == "t"
    assert "5 people of winter in 35 images; trained on campus, seed 0" in figure.get_suptitle()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["camera 1", "camera 2", "camera 3"]
    points = same_points(paths)
    for axes, chosen in zip(figure.axes, points.values(), strict=True):
        shares = [f"{100 * share:.0f} %" for share in neighbour_shares(chosen)]
        words = "same camera {} (by chance {})\nsame person {} (at most {})".format(*shares)
        assert axes.get_xlabel() == words
        assert len(axes.collections) == 3 and len(axes.lines) == 35
        assert not len(axes.get_xticks()) and not len(axes.get_yticks())


def test_points_stand_at_their_places_in_their_cameras_colour_and_meet_in_the_centre():
    from matplotlib.colors import to_hex
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    places = np.array([[0.0, 0.0], [2.0, 2.0], [5.0, 1.0], [6.0, 1.0]])
    scatter(axes, places, Points(places, pids=np.array([8, 8, 9, 9]), camids=np.array([0, 4, 0, 4])))
    for found, camera, rows in zip(axes.collections, (0, 1), ([0, 2], [1, 3]), strict=True):
        assert np.array_equal(found.get_offsets(), places[rows])
        assert to_hex(found.get_facecolor()[0]) == CAMERA_COLOURS[camera].lower()
    assert [text.get_label() for text in axes.collections] == ["camera 1", "camera 5"]
    centres = [tuple(line.get_xydata()[0]) for line in axes.lines]
    assert centres == [(1, 1), (1, 1), (5.5, 1), (5.5, 1)]


def test_layout_is_the_same_every_time():
    features = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    assert np.array_equal(embed(features), embed(features.copy()))
    assert np.isfinite(embed(features[:5])).all()


def test_more_cameras_than_colours_differ_by_marker():
    from matplotlib.figure import Figure

    axes, cameras = Figure().subplots(), np.arange(15)
    scatter(axes, np.zeros((15, 2)), Points(np.zeros((15, 2)), pids=cameras, camids=cameras))
    looks = {(tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.tobytes()) for c in axes.collections}
    assert len(looks) == 15
