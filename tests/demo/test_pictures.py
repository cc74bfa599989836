"""The rendered pedestrians: pure functions of their names, told apart by a person, not by a histogram."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from dcac.demo.drawing.domains import DOMAINS
from dcac.demo.drawing.paint import Light, lay, loft, step, tube, wrap
from dcac.demo.drawing.streams import choose, stream
from dcac.demo.people.figure import paint_person
from dcac.demo.people.people import CAPTION_FIELDS, caption, draw_person
from dcac.demo.people.pose import ANKLE, HIP, SHIN, THIGH, Gait, View, draw_gait, ground, leg
from dcac.demo.picture import folds, person_of, render, render_broad, station_of
from dcac.demo.scene.camera import GROUNDS, SCENE_FIELDS, scene_caption
from dcac.demo.sheet import contact_sheet

LAMP = Light((0.0, 0.0, 1.0), ambient=0.5, sun=0.5)
STILL = Gait(phase=0.0, stride=0.0, swing=0.0, elbows=(0.2, 0.2), spread=0.1, lean=0.0, look=0.0)


def some(domain="campus", *, persons=2, cameras=2, shots=1, seed=5):
    return list(render(domain, persons=range(persons), cameras=range(cameras), shots=shots, seed=seed))


def pixels(jpeg):
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(int)


def painted(person, *, yaw):
    canvas = np.full((128, 64, 4), 0.5)
    canvas[..., 3] = 0.0
    view = View(scale=112.0, x=32.0, y=120.0, yaw=yaw, pitch=0.15)
    paint_person(canvas, person, view=view, gait=STILL, light=LAMP, folds=folds())
    return canvas


def test_same_seed_gives_the_same_bytes():
    assert [shown.jpeg for shown in some()] == [shown.jpeg for shown in some()]


def test_other_seed_gives_other_pictures():
    assert not {shown.jpeg for shown in some(seed=5)} & {shown.jpeg for shown in some(seed=6)}


def test_subset_equals_the_whole():
    whole = {(shown.person, shown.camera, shown.shot): shown.jpeg for shown in some(persons=3, cameras=3, shots=2)}
    station_of.cache_clear()
    part = list(render("campus", persons=range(2, 3), cameras=range(1, 3), shots=1, seed=5))
    assert [shown.jpeg for shown in part] == [whole[2, 1, 0], whole[2, 2, 0]]


def test_broad_subset_equals_the_whole():
    fewer = list(render_broad(persons=2, images_per_person=3, seed=5))
    more = list(render_broad(persons=3, images_per_person=3, seed=5))
    assert [shown.jpeg for shown in fewer] == [shown.jpeg for shown in more[:6]]


def test_drawn_people_keep_their_pinned_attributes():
    """A digest of rounded attributes: it moves when the drawing order or a palette moves, and only then."""
    people = [draw_person(stream(1, name, "person", 0), DOMAINS[name].palettes) for name in DOMAINS]
    text = ";".join(",".join(f"{value:.4f}" for value in caption(person)) for person in people)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "434671e1a7f982d7"


def test_painted_figure_keeps_its_pinned_bytes():
    person = draw_person(stream(1, "campus", "person", 0), DOMAINS["campus"].palettes)
    figure = np.round(np.round(painted(person, yaw=0.4)[..., :3], 6) * 255).astype(np.uint8)
    assert hashlib.sha256(figure.tobytes()).hexdigest()[:16] == "ed4ca208f4175331"


def test_every_person_camera_and_shot_is_named_and_differs():
    shown = some(persons=3, cameras=2, shots=2)
    names = [(one.person, one.camera, one.shot) for one in shown]
    assert names == [(p, c, s) for p in range(3) for c in range(2) for s in range(2)]
    assert len({one.jpeg for one in shown}) == 12


@pytest.mark.parametrize("domain", DOMAINS)
def test_picture_decodes_to_128_by_64_rgb(domain):
    picture = Image.open(io.BytesIO(some(domain, persons=1, cameras=1)[0].jpeg))
    assert (picture.format, picture.size, picture.mode) == ("JPEG", (64, 128), "RGB")


@pytest.mark.parametrize("domain", DOMAINS)
def test_picture_is_neither_black_nor_flat(domain):
    for shown in some(domain, persons=4, cameras=4):
        picture = pixels(shown.jpeg)
        assert 25 < picture.mean() < 220
        assert picture.std() > 8


def test_caption_names_every_field_within_0_and_1():
    for domain in DOMAINS:
        for index in range(40):
            words = caption(person_of(domain, index, seed=0))
            assert words.shape == (len(CAPTION_FIELDS),)
            assert words.dtype == np.float32
            assert words.min() >= 0 and words.max() <= 1


def test_caption_has_one_kind_of_each_garment():
    words = dict(zip(CAPTION_FIELDS, caption(person_of("mall", 3, seed=0)), strict=True))
    for group in ("top", "bottom", "bag", "pattern", "hair"):
        assert sum(value for name, value in words.items() if name.startswith(f"{group}=")) == 1


def test_caption_names_the_person_wherever_and_the_place_whoever_is_there():
    shown = some(persons=2, cameras=2, shots=2)
    people = {one.person: one.caption[: len(CAPTION_FIELDS)] for one in shown}
    places = {one.camera: one.caption[len(CAPTION_FIELDS) :] for one in shown}
    for one in shown:
        assert np.array_equal(one.caption, np.concatenate([people[one.person], places[one.camera]]))
    assert not np.array_equal(people[0], people[1]) and not np.array_equal(places[0], places[1])


def test_scene_caption_names_ground_light_and_cast_within_0_and_1():
    for domain in DOMAINS:
        for index in range(20):
            camera = station_of(domain, index, seed=0).camera
            words = dict(zip(SCENE_FIELDS, scene_caption(camera), strict=True))
            assert words[f"ground={camera.ground}"] == 1 and sum(words[f"ground={kind}"] for kind in GROUNDS) == 1
            assert words["cast_green"] == np.float32(camera.gain[1] / 2) and words["light_sun"] == np.float32(
                camera.light.sun
            )
            assert all(0 <= value <= 1 for value in words.values())


def test_people_of_a_domain_differ_in_what_a_caption_names():
    words = np.stack([caption(person_of("winter", index, seed=1)) for index in range(112)])
    distance = np.abs(words[:, None] - words[None]).sum(-1) + 9.0 * np.eye(len(words))
    assert distance.min() > 0.2


def test_broad_has_its_own_people_and_cameras():
    narrow = [name for name in DOMAINS if name != "broad"]
    people = {caption(person_of(name, index, seed=0)).tobytes() for name in narrow for index in range(40)}
    assert not people & {caption(person_of("broad", index, seed=0)).tobytes() for index in range(80)}
    cameras = {station_of(name, index, seed=0).camera for name in narrow for index in range(4)}
    assert station_of("broad", 0, seed=0).camera not in cameras


def test_broad_shows_each_person_at_different_cameras():
    shown = list(render_broad(persons=3, images_per_person=4, seed=2))
    for person in range(3):
        cameras = [one.camera for one in shown if one.person == person]
        assert len(set(cameras)) == 4
        assert all(0 <= camera < 64 for camera in cameras)


def test_more_images_than_cameras_are_refused():
    with pytest.raises(ValueError, match="65 images per person, but only 64 cameras"):
        next(render_broad(persons=1, images_per_person=65, seed=0))


def test_unknown_domain_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'beach'.*campus"):
        next(render("beach", persons=range(1), cameras=range(1), shots=1, seed=0))


def test_streams_depend_on_every_name_and_on_no_other_draw():
    first = stream(0, "campus", "person", 1).random(4)
    stream(0, "campus", "person", 2).random(99)
    assert np.array_equal(first, stream(0, "campus", "person", 1).random(4))
    assert not np.array_equal(first, stream(0, "campus", "person", 11).random(4))
    assert not np.array_equal(first, stream(1, "campus", "person", 1).random(4))


def test_choice_follows_its_weights():
    rng = np.random.default_rng(0)
    drawn = [choose(rng, {"never": 0.0, "often": 3.0, "seldom": 1.0}) for _ in range(2000)]
    assert drawn.count("never") == 0
    assert abs(drawn.count("often") / 2000 - 0.75) < 0.04


def test_still_feet_stand_on_the_ground_and_both_legs_have_their_length():
    left, right = (leg(STILL, side=side, hips=0.05) for side in (1, -1))
    assert abs(ground(left, right)) < 0.02
    hip, knee, ankle = (np.array(joint) for joint in left.joints[:3])
    assert np.isclose(np.linalg.norm(hip - knee), THIGH)
    assert np.isclose(np.linalg.norm(knee - ankle), SHIN)
    assert abs(HIP - THIGH - SHIN - ANKLE) < 0.005


def test_view_turns_left_of_the_body_to_the_right_of_the_picture():
    front, back = (View(scale=100.0, x=32.0, y=120.0, yaw=yaw, pitch=0.0) for yaw in (0.0, np.pi))
    assert front.place((0.1, 0.5, 0.0)) == pytest.approx((42.0, 70.0, 0.0))
    assert back.place((0.1, 0.5, 0.0))[0] == pytest.approx(22.0)


def test_tube_covers_the_area_of_a_capsule():
    canvas = np.zeros((60, 60, 4))
    lay(canvas, tube(canvas, [(20.0, 15.0), (20.0, 40.0)], radii=[6.0, 6.0]), colour=np.ones(3), light=LAMP)
    assert canvas[..., 3].sum() == pytest.approx(np.pi * 36 + 25 * 12, rel=0.02)


def test_loft_azimuth_turns_with_the_body():
    canvas = np.zeros((40, 40, 4))
    profile = [(5.0, 20.5, 10.0, 10.0), (35.0, 20.5, 10.0, 10.0)]
    for yaw in (0.0, 1.0, np.pi):
        surface = loft(canvas, profile, yaw=yaw)
        column = 20 - surface.columns.start
        assert surface.azimuth[10, column] == pytest.approx(float(wrap(np.array(-yaw))))


def test_solid_outside_the_canvas_paints_nothing():
    canvas = np.zeros((20, 20, 4))
    lay(canvas, tube(canvas, [(90.0, 90.0), (99.0, 99.0)], radii=[3.0, 3.0]), colour=np.ones(3), light=LAMP)
    assert not canvas.any()


def test_step_rises_around_its_edge():
    assert step(np.array([0.0, 1.0, 2.0]), 1.0, 1.0).tolist() == [0.0, 0.5, 1.0]
    assert step(np.array([0.0, 1.0, 2.0]), 1.0, -1.0).tolist() == [1.0, 0.5, 0.0]


def test_backpack_shows_from_behind_and_hardly_from_the_front():
    index = next(i for i in range(99) if person_of("campus", i, seed=0).bag == "backpack")
    person = person_of("campus", index, seed=0)
    bare = type(person)(**{**vars(person), "bag": "none"})
    change = {yaw: np.abs(painted(person, yaw=yaw) - painted(bare, yaw=yaw))[..., :3].sum() for yaw in (0.0, np.pi)}
    assert change[np.pi] > 3 * change[0.0]


def test_most_people_walk():
    gaits = [draw_gait(stream(0, "gait", index)) for index in range(300)]
    assert 0.7 < np.mean([gait.stride > 0.1 for gait in gaits]) < 0.9


def test_contact_sheet_lays_rows_out():
    rows = [[shown.jpeg for shown in some(persons=1, cameras=3)]] * 2
    sheet = contact_sheet(rows, scale=2)
    assert sheet.size == (3 * 64 * 2, 2 * 128 * 2)
    assert np.array_equal(np.asarray(sheet)[::2, ::2][:128, :64], pixels(rows[0][0]))


def test_contact_sheet_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no pictures"):
        contact_sheet([])


def stripes(picture):
    """Return an HSV histogram of 8 stripes over the middle of a picture, where the person walks."""
    hsv = np.asarray(Image.fromarray(picture.astype(np.uint8)).convert("HSV")).astype(int)[:, 16:48]
    bins = hsv[..., 0] // 32 * 16 + hsv[..., 1] // 64 * 4 + hsv[..., 2] // 64
    return np.concatenate([np.bincount(part.ravel(), minlength=128) for part in np.array_split(bins, 8)])


def average_precision(distance, person, camera):
    scores = []
    for query in range(len(person)):
        valid = (person != person[query]) | (camera != camera[query])
        order = np.argsort(distance[query][valid], kind="stable")
        ranks = np.flatnonzero((person[valid] == person[query])[order]) + 1
        scores.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    return np.mean(scores)


def test_colour_histogram_is_better_than_chance_and_weak():
    shown = some("mall", persons=24, cameras=4, seed=1)
    person, camera = (np.array([getattr(one, name) for one in shown]) for name in ("person", "camera"))
    features = np.stack([stripes(pixels(one.jpeg)) for one in shown])
    histogram = average_precision(np.abs(features[:, None] - features[None]).sum(-1), person, camera)
    chance = average_precision(np.random.default_rng(0).random((len(person), len(person))), person, camera)
    assert 1.5 * chance < histogram < 0.6
