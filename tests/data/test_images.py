"""Decoding gives the pixels that Pillow gives, in the order of the input."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dcac.data.images import MAX_SIDE, PictureError, decode, image_problem, opened, upright


def encode(image, kind="PNG"):
    stream = io.BytesIO()
    image.save(stream, format=kind)
    return stream.getvalue()


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, size=(11, 7, 3), dtype=np.uint8)


def test_image_of_the_right_size_keeps_its_pixels(pixels):
    out = decode([encode(Image.fromarray(pixels))], height=11, width=7)
    assert out.shape == (1, 3, 11, 7) and out.dtype == np.uint8
    assert np.array_equal(out[0].transpose(1, 2, 0), pixels)


def test_resize_squashes_bicubically(pixels):
    image = Image.fromarray(pixels)
    (ours,) = decode([encode(image)], height=16, width=8)
    assert np.array_equal(ours.transpose(1, 2, 0), np.asarray(image.resize((8, 16), Image.Resampling.BICUBIC)))
    assert not np.array_equal(ours.transpose(1, 2, 0), np.asarray(image.resize((8, 16), Image.Resampling.BILINEAR)))


def test_resize_is_that_of_torchvision(pixels):
    from torchvision.transforms import InterpolationMode, Resize

    image = Image.fromarray(pixels)
    (ours,) = decode([encode(image)], height=32, width=16)
    theirs = Resize((32, 16), interpolation=InterpolationMode.BICUBIC)(image)
    assert np.array_equal(ours.transpose(1, 2, 0), np.asarray(theirs))


def test_order_of_many_images_is_kept():
    images = [encode(Image.new("RGB", (4, 8), (shade, 0, 255 - shade))) for shade in range(100)]
    out = decode(images, height=8, width=4)
    assert out[:, 0, 0, 0].tolist() == list(range(100))
    assert out[:, 2, 7, 3].tolist() == list(range(255, 155, -1))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_every_colour_mode_becomes_rgb(mode, pixels):
    image = Image.fromarray(pixels).convert(mode)
    (ours,) = decode([encode(image)], height=11, width=7)
    assert np.array_equal(ours.transpose(1, 2, 0), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["JPEG", "BMP"])
def test_other_formats_are_read(kind, pixels):
    data = encode(Image.fromarray(pixels), kind)
    (ours,) = decode([data], height=11, width=7)
    assert np.array_equal(ours.transpose(1, 2, 0), np.asarray(Image.open(io.BytesIO(data))))


def test_no_images_give_an_empty_array():
    assert decode([], height=8, width=4).shape == (0, 3, 8, 4)


def test_number_of_workers_changes_nothing(monkeypatch, pixels):
    images = [encode(Image.fromarray(np.roll(pixels, shift))) for shift in range(9)]
    results = []
    for threads in ("1", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        results.append(decode(images, height=16, width=8))
    assert np.array_equal(*results)


def grey16(values):
    stream = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(stream, format="PNG")
    return stream.getvalue()


def test_sixteen_bit_grey_is_scaled_and_not_clipped_to_white():
    ramp = np.tile(np.linspace(0, 65535, 64), (128, 1))
    decoded = decode([grey16(ramp)], height=128, width=64)
    assert np.abs(decoded[0, 0].astype(int) - (ramp.astype(int) >> 8)).max() <= 1
    assert (decoded[0, 0] == decoded[0, 1]).all() and (decoded[0, 0] == decoded[0, 2]).all()


def png16(pixels, *, colour, transparent):
    """Write a 16-bit PNG with a transparent colour, which Pillow does not write."""
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 2 if colour else 0, 0, 0, 0)
    chunks = {b"IHDR": header, b"tRNS": struct.pack(f">{len(transparent)}H", *transparent)}
    chunks |= {b"IDAT": zlib.compress(raw), b"IEND": b""}
    parts = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_transparent_grey_of_16_bits_is_hidden_and_its_neighbours_are_not():
    ramp = np.arange(40_000, 40_064).reshape(8, 8)
    (ours,) = decode([png16(ramp, colour=False, transparent=[40_003])], height=8, width=8)
    assert np.array_equal(ours[0], np.where(ramp == 40_003, 0, ramp >> 8))


def test_transparent_colour_of_16_bits_is_refused_since_8_bits_cannot_tell_it():
    colours = np.full((8, 8, 3), 40_000)
    data = png16(colours, colour=True, transparent=[40_000, 40_000, 40_001])
    assert "16-bit colours of which one is transparent" in image_problem(data)
    with pytest.raises(PictureError, match="picture 2 of 2 cannot be used: 16-bit colours"):
        decode([encode(Image.new("RGB", (8, 8))), data], height=8, width=8)


@pytest.mark.parametrize(
    "read", [lambda data: decode([data], height=8, width=8), upright, lambda data: opened(data).__enter__()]
)
def test_pixel_bomb_is_refused_before_it_is_unpacked(read):
    bomb = bytearray(encode(Image.new("RGB", (8, 8)), "BMP"))
    bomb[18:26] = (MAX_SIDE + 1).to_bytes(4, "little") * 2
    with pytest.raises(PictureError, match=r"4097x4097 pixels, outside 4\.\.4096 a side"):
        read(bytes(bomb))


def test_truncated_picture_is_counted(pixels):
    whole = encode(Image.fromarray(pixels))
    with pytest.raises(PictureError, match="picture 3 of 3 cannot be used: OSError: "):
        decode([whole, whole, whole[:-200]], height=8, width=8)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_colours_behind_full_transparency_stay_hidden(mode):
    picture = Image.new(mode, (8, 16), (200, 90, 30, 0) if mode == "RGBA" else (200, 0))
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    assert decode([stream.getvalue()], height=16, width=8).max() == 0


@pytest.mark.parametrize("mode", ["L", "P", "CMYK"])
def test_every_mode_shows_its_colours(mode):
    stream = io.BytesIO()
    Image.new("RGB", (8, 16), (102, 102, 102)).convert(mode).save(stream, format="JPEG" if mode == "CMYK" else "PNG")
    decoded = decode([stream.getvalue()], height=16, width=8).astype(int)
    assert np.abs(decoded - 102).max() <= 6


def test_nothing_but_pictures_of_the_three_formats_is_opened():
    with pytest.raises(
        PictureError, match=r"picture 1 of 1 cannot be used: no JPEG, PNG or BMP image; `dcac data check`"
    ):
        decode([b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n"], height=8, width=8)


def test_a_photograph_is_turned_as_its_exif_says():
    picture = Image.new("RGB", (4, 2))
    picture.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter, clockwise
    stream = io.BytesIO()
    picture.save(stream, format="PNG", exif=exif)
    turned = decode([upright(stream.getvalue())], height=4, width=2)
    assert turned[0, 0, 0, 1] == 255 and turned[0].sum() == 3 * 255
    assert upright(grey16(np.zeros((2, 2)))) == grey16(np.zeros((2, 2)))


def test_a_turned_photograph_in_cmyk_is_turned_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.new("CMYK", (4, 2), (0, 0, 0, 255)).save(stream, format="JPEG", exif=exif)
    with Image.open(io.BytesIO(upright(stream.getvalue()))) as turned:
        assert turned.size == (2, 4) and turned.mode == "RGB"
