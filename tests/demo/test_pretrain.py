"""Pre-training of the demo's networks on a store with captions and on one without, tiny."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from dcac.data.store import Record, write_store
from dcac.demo import pretrain_diffusion, pretrain_encoder
from dcac.demo.pretrain_diffusion import CaptionEncoder, EmptyPrompt
from dcac.demo.recipes import recipe
from dcac.model.diffusion import load_prior
from dcac.seeding import numpy_generator

DIFFUSION = {
    "data": "x",
    "image_size": 16,
    "batch": 2,
    "autoencoder_steps": 2,
    "unet_steps": 3,
    "seed": 1,
    "autoencoder_learning_rate": 1e-3,
    "unet_learning_rate": 1e-3,
    "unet_channels": [8, 16],
    "context_width": 8,
}
ENCODER = {"data": "x", "epochs": 1, "batch": 4, "learning_rate": 1e-3, "seed": 1}


def picture(generator):
    encoded = io.BytesIO()
    Image.fromarray(generator.integers(0, 256, (32, 16, 3), dtype=np.uint8)).save(encoded, format="PNG")
    return encoded.getvalue()


@pytest.fixture
def make_store(tmp_path):
    """Return a function that writes a store of rendered noise, with captions or without."""

    def write(name, *, images=6, captions=False):
        generator = numpy_generator(0, name)
        records = [
            Record("train", i % 3, 0, "x", f"{i}", picture(generator), tuple(generator.random(3)) if captions else None)
            for i in range(images)
        ]
        write_store(records, tmp_path / f"{name}.parquet", facts={"dataset": "x"})
        return tmp_path / f"{name}.parquet"

    return write


def pretrain(store, out):
    pretrain_diffusion.run(store=store, settings=recipe("diffusion", DIFFUSION), out=out, device="cpu")
    return json.loads((out / "manifest.json").read_text())


def test_prior_learns_from_pictures_without_captions(make_store, tmp_path):
    told = pretrain(make_store("bare"), tmp_path / "prior")
    assert {name for name in told if name.startswith("noise_")} == {"noise_null"}
    prior = load_prior(tmp_path / "prior")
    loss = prior.loss_per_image(
        latents=torch.zeros(2, 4, 4, 4),
        noise=torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0)),
        steps=torch.tensor([10, 900]),
        context=torch.zeros(2, 1, 8),
    )
    assert torch.isfinite(loss).all()


def test_prior_with_captions_tells_what_they_do(make_store, tmp_path):
    told = pretrain(make_store("told", captions=True), tmp_path / "prior")
    assert {name for name in told if name.startswith("noise_")} == {"noise_own", "noise_null", "noise_other"}


def test_empty_prompt_is_the_null_token_of_a_caption_encoder():
    torch.manual_seed(0)
    empty, told = EmptyPrompt(4), CaptionEncoder(2, 4)
    empty.null.data.copy_(told.null)
    dropped = torch.ones(3, dtype=torch.bool)
    assert torch.equal(empty(torch.zeros(3, 0), dropped), told(torch.rand(3, 2), dropped))
    empty(torch.zeros(3, 0), dropped).sum().backward()
    assert empty.null.grad.tolist() == [3.0] * 4


def test_encoder_says_what_a_set_without_captions_is_good_for(make_store, tmp_path):
    settings = recipe("encoder", ENCODER)
    with pytest.raises(
        ValueError, match=r"bare\.parquet has no captions.*can pre-train a diffusion prior.*a card of config"
    ):
        pretrain_encoder.run(store=make_store("bare"), settings=settings, out=tmp_path / "e", device="cpu")
    with pytest.raises(ValueError, match="holds 3 train images, not one batch of 4; lower `batch`"):
        pretrain_encoder.run(
            store=make_store("few", images=3, captions=True), settings=settings, out=tmp_path / "e", device="cpu"
        )


def test_encoder_contrasts_images_with_captions_and_pairs_equal_ones():
    """Worked by hand: with features and captions both mapped to themselves, equal captions share their target."""
    heads = pretrain_encoder.CaptionHeads(2, 2, hidden=2, joint=2)
    heads.image, heads.caption, heads.attributes = (torch.nn.Identity(),) * 3
    words = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    scores = torch.exp(words @ words.T / 0.07)
    shares = (scores / scores.sum(dim=1, keepdim=True)).log()
    expected = -((shares[0, 0] + shares[0, 1]) / 2 + (shares[1, 0] + shares[1, 1]) / 2 + shares[2, 2]) / 3
    torch.testing.assert_close(heads.loss(words, words), expected)
    apart = words + torch.tensor([[0.0, 0.0], [1e-3, 0.0], [0.0, 0.0]])  # another caption, if only just
    assert heads.loss(words, apart) > expected


def test_one_picture_is_not_enough_for_a_prior(make_store, tmp_path):
    with pytest.raises(ValueError, match="holds 1 train image; a prior learns from two or more"):
        pretrain(make_store("one", images=1), tmp_path / "prior")
