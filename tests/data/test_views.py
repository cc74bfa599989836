"""The batched augmentation equals torchvision's, pixel for pixel, and draws from the published distributions."""

import math

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as tv

from dcac.data import views
from dcac.data.views import (
    draw_augmentation,
    draw_boxes,
    draw_flips,
    draw_offsets,
    erase,
    flip_and_crop,
    normalise,
    train_view,
)
from dcac.seeding import torch_generator

COUNT, HEIGHT, WIDTH, PAD = 12, 32, 16, 3


@pytest.fixture
def images():
    return torch.randint(0, 256, (COUNT, 3, HEIGHT, WIDTH), dtype=torch.uint8, generator=torch_generator(0, "images"))


def test_flip_pad_and_crop_equal_torchvision(images):
    generator = torch_generator(1, "draws")
    flips, offsets = draw_flips(COUNT, 0.5, generator), draw_offsets(COUNT, PAD, generator)
    assert flips.any() and not flips.all()
    ours = flip_and_crop(images, flips, offsets, PAD)
    for image, flipped, (top, left), got in zip(images, flips, offsets.tolist(), ours, strict=True):
        turned = tv.hflip(image) if flipped else image
        assert torch.equal(got, tv.crop(tv.pad(turned, [PAD]), top, left, HEIGHT, WIDTH))


def test_flip_alone_and_centre_crop_alone(images):
    centre = torch.full((COUNT, 2), PAD)
    assert torch.equal(flip_and_crop(images, torch.zeros(COUNT, dtype=torch.bool), centre, PAD), images)
    assert torch.equal(flip_and_crop(images, torch.ones(COUNT, dtype=torch.bool), centre, PAD), images.flip(-1))


def test_no_padding_leaves_the_image(images):
    none = torch.zeros(COUNT, dtype=torch.bool)
    assert torch.equal(flip_and_crop(images, none, draw_offsets(COUNT, 0, torch_generator(0)), 0), images)


def test_normalise_equals_torchvision(images):
    ours = normalise(images, mean=0.3, std=0.7)
    for image, got in zip(images, ours, strict=True):
        as_pil = tv.to_pil_image(image)
        torch.testing.assert_close(got, tv.normalize(tv.to_tensor(as_pil), [0.3] * 3, [0.7] * 3), rtol=0, atol=1e-6)


def test_normalise_takes_each_channel_by_its_own_mean_and_std(images):
    mean, std = (0.1, 0.4, 0.7), (0.2, 0.3, 0.6)
    ours = normalise(images, mean=mean, std=std)
    for index, image in enumerate(images):
        for channel in range(3):
            expected = (image[channel].double() / 255 - mean[channel]) / std[channel]
            torch.testing.assert_close(ours[index, channel].double(), expected, rtol=0, atol=1e-6)
    assert torch.equal(normalise(images, mean=(0.5,) * 3, std=(0.5,) * 3), normalise(images, mean=0.5, std=0.5))


def test_one_number_means_all_channels_and_is_computed_as_ever(images):
    assert torch.equal(normalise(images, mean=0.5, std=0.5), (images.float() / 255 - 0.5) / 0.5)


def test_black_border_becomes_minus_one(settings):
    white = torch.full((1, 3, HEIGHT, WIDTH), 255, dtype=torch.uint8)
    corner = flip_and_crop(white, torch.zeros(1, dtype=torch.bool), torch.zeros(1, 2, dtype=torch.int64), PAD)
    view = views.test_view(corner, settings)
    assert (view[0, :, :PAD] == -1).all() and (view[0, :, :, :PAD] == -1).all()
    assert (view[0, :, PAD:, PAD:] == 1).all()


def test_erase_equals_torchvision(images, settings):
    batch = views.test_view(images, settings)
    boxes = draw_boxes(COUNT, HEIGHT, WIDTH, settings, torch_generator(2, "boxes"))
    assert (boxes[:, 2] > 0).any() and (boxes[:, 2] == 0).any()
    ours = erase(batch, boxes, 0.25)
    for image, (top, left, height, width), got in zip(batch, boxes.tolist(), ours, strict=True):
        expected = tv.erase(image, top, left, height, width, torch.tensor(0.25)) if height else image
        assert torch.equal(got, expected)


def augmented(images, settings, *, seed):
    """Return the Re-ID view of images, with draws of one seed."""
    sized = settings.model_copy(update={"image_height": HEIGHT, "image_width": WIDTH})
    return train_view(images, draw_augmentation(len(images), sized, torch_generator(seed, "augment")), sized)


def test_train_view_is_its_parts_in_the_published_order(images, settings):
    """A slow second pipeline: torchvision on one image at a time, with the draws of the same generator."""
    settings = settings.model_copy(update={"pad_pixels": PAD, "erasing_fill": 0.5})
    ours = augmented(images, settings, seed=3)
    generator = torch_generator(3, "augment")
    flips = torch.rand(COUNT, generator=generator) < 0.5
    offsets = torch.randint(0, 2 * PAD + 1, (COUNT, 2), generator=generator).tolist()
    boxes = draw_boxes(COUNT, HEIGHT, WIDTH, settings, generator).tolist()
    for image, flipped, (top, left), box, got in zip(images, flips, offsets, boxes, ours, strict=True):
        cropped = tv.crop(tv.pad(tv.hflip(image) if flipped else image, [PAD]), top, left, HEIGHT, WIDTH)
        expected = tv.normalize(tv.convert_image_dtype(cropped), [0.5] * 3, [0.5] * 3)
        expected = tv.erase(expected, *box, torch.tensor(0.5)) if box[2] else expected
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)


def test_train_view_repeats_for_one_generator_and_leaves_its_input(images, settings):
    before = images.clone()
    first, second, other = (augmented(images, settings, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, second) and not torch.equal(first, other)
    assert torch.equal(images, before)


def test_share_of_flips_is_the_probability():
    share = draw_flips(20_000, 0.3, torch_generator(0)).float().mean().item()
    assert share == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 20_000))
    assert not draw_flips(100, 0.0, torch_generator(0)).any() and draw_flips(100, 1.0, torch_generator(0)).all()


def test_crop_corners_are_uniform_over_both_axes():
    offsets = draw_offsets(35_000, PAD, torch_generator(0))
    for axis in (0, 1):
        counts = torch.bincount(offsets[:, axis], minlength=2 * PAD + 1)
        assert len(counts) == 2 * PAD + 1
        assert ((counts - 5000).abs() < 4 * math.sqrt(5000)).all()
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 4 / math.sqrt(35_000)


def test_boxes_lie_inside_and_have_the_asked_area_and_aspect(settings):
    height, width = 256, 128
    boxes = draw_boxes(20_000, height, width, settings, torch_generator(0)).double()
    erased = boxes[boxes[:, 2] > 0]
    assert len(erased) / len(boxes) == pytest.approx(0.5, abs=4 * math.sqrt(0.25 / 20_000))
    top, left, tall, wide = erased.T
    assert (top >= 0).all() and (left >= 0).all() and (top + tall <= height).all() and (left + wide <= width).all()
    area = tall * wide / (height * width)
    assert area.min() > 0.02 - 0.003 and area.max() < 0.4 + 0.003  # whole pixels
    aspect = tall / wide
    assert aspect.min() > 0.28 and aspect.max() < 1 / 0.28


def test_boxes_follow_the_authors_law(settings):
    """Compare with the moments of the authors' erasing, measured over as many draws of the paper's size."""
    height, width = 256, 128
    settings = settings.model_copy(update={"erasing_probability": 1.0})
    boxes = draw_boxes(60_000, height, width, settings, torch_generator(0)).double()
    tall, wide = boxes[:, 2], boxes[:, 3]
    assert (tall > 0).all()
    assert (tall / wide).median().item() == pytest.approx(1.90, rel=0.02)
    assert (tall > wide).double().mean().item() == pytest.approx(0.81, rel=0.02)
    assert tall.mean().item() == pytest.approx(105, rel=0.02)
    assert wide.mean().item() == pytest.approx(62, rel=0.02)
    assert (tall * wide / (height * width)).mean().item() == pytest.approx(0.203, rel=0.02)
    for place, room in ((boxes[:, 0], height - tall), (boxes[:, 1], width - wide)):
        assert (place / room).mean().item() == pytest.approx(0.5, rel=0.02)


def test_aspect_is_uniform_where_every_box_fits(settings):
    changes = {"erasing_probability": 1.0, "erasing_min_area": 0.05, "erasing_max_area": 0.06}
    boxes = draw_boxes(20_000, 1000, 1000, settings.model_copy(update=changes), torch_generator(0)).double()
    ratios = (boxes[:, 2] / boxes[:, 3]).sort().values
    expected = torch.linspace(0.3, 1 / 0.3, len(ratios), dtype=torch.double)
    assert (ratios - expected).abs().max() < 0.05  # of a range of 3.03; whole pixels and chance


def test_box_is_drawn_a_hundred_times_at_most(settings):
    changes = {"erasing_probability": 1.0, "erasing_min_aspect": 1.0, "erasing_min_area": 0.9899, "erasing_max_area": 1}
    boxes = draw_boxes(20_000, 100, 100, settings.model_copy(update=changes), torch_generator(0))
    fits = (0.995**2 - 0.9899) / 0.0101  # a square of 99 pixels, by rounding
    assert (boxes[:, 2] > 0).double().mean().item() == pytest.approx(1 - (1 - fits) ** 100, abs=0.02)


def test_boxes_come_from_the_generator_alone(settings):
    with torch.random.fork_rng(devices=[]):
        first = draw_boxes(500, 256, 128, settings, torch_generator(4))
        before = torch.get_rng_state()
        torch.manual_seed(99)
        assert torch.equal(first, draw_boxes(500, 256, 128, settings, torch_generator(4)))
        assert not torch.equal(first, draw_boxes(500, 256, 128, settings, torch_generator(5)))
        torch.set_rng_state(before)
        draw_boxes(500, 256, 128, settings, torch_generator(4))
        assert torch.equal(torch.get_rng_state(), before)


def test_box_that_never_fits_erases_nothing(settings):
    huge = settings.model_copy(
        update={"erasing_probability": 1.0, "erasing_min_area": 1.0, "erasing_max_area": 1.0, "erasing_min_aspect": 1.0}
    )
    assert (draw_boxes(50, 16, 16, huge, torch_generator(0)) == 0).all()
