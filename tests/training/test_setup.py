"""Building a run: parts that start alike, optimiser groups, latents in the order of the images."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from dcac.data.images import decode
from dcac.data.store import read_split
from dcac.model.latents import encode
from dcac.training.setup import build_model, build_optimiser, load_data, load_held_out, load_latents


@pytest.fixture
def build(encoder_folder, prior_folder, settings):
    """Return a function that builds a model, with changes to the settings."""

    def make(seed=0, **changes):
        changed = settings.model_copy(update=changes)
        return build_model(changed, num_identities=16, encoder=encoder_folder, prior=prior_folder, seed=seed)

    return make


def test_baseline_and_every_scheme_start_from_the_same_re_id_model(build):
    baseline = build(diffusion="none").state_dict()
    for changes in ({}, {"condition": "feature"}, {"bottleneck": "condition_net"}, {"diffusion": "all"}):
        model = build(**changes).state_dict()
        assert all(torch.equal(value, model[name]) for name, value in baseline.items())


def test_feature_scheme_has_one_prompt_a_feature_value(build):
    assert build().prompts.table.shape == (16, 12)
    assert build(condition="feature").prompts.table.shape == (24, 12)


def test_optimiser_holds_exactly_what_trains_at_its_own_rate(build, settings):
    settings = settings.model_copy(update={"prompt_lr_multiplier": 2.0, "lora_lr_multiplier": 3.0})
    model = build(freeze_patch_projection=True)
    optimiser = build_optimiser(model, settings)
    held = {id(parameter): group for group in optimiser.param_groups for parameter in group["params"]}
    for name, parameter in model.named_parameters():
        assert (id(parameter) in held) is parameter.requires_grad, name
        if parameter.requires_grad:
            expected = {"reid": 1.0, "prompts": 2.0, "prior": 3.0}[name.partition(".")[0]]
            assert held[id(parameter)]["multiplier"] == expected
            assert held[id(parameter)]["weight_decay"] == settings.weight_decay
    assert not model.reid.bnneck.bias.requires_grad and not model.reid.backbone.patch_embed.proj.weight.requires_grad


def test_weight_decay_is_l2_inside_adam(build, settings):
    """One step of Adam worked by hand: the decay is added to the gradient, not to the weight (which AdamW would do)."""
    settings = settings.model_copy(update={"weight_decay": 0.5, "learning_rate": 0.01})
    model = build(diffusion="none")
    optimiser = build_optimiser(model, settings)
    weight = model.reid.bnneck.weight
    weight.grad = torch.full_like(weight, -0.5)  # cancels the decay of a weight of 1
    optimiser.step()
    torch.testing.assert_close(weight.detach(), torch.ones_like(weight))


def test_latents_stand_in_the_order_of_the_images(settings, store, other_store, latents, other_latents, prior_folder):
    stores = [store, other_store]
    data, cached = load_data(settings, stores), load_latents([latents, other_latents], stores)
    assert len(data.images) == len(cached.train) == 128
    vae = AutoencoderKL.from_pretrained(prior_folder / "vae").eval()
    for path, rows in ((store, slice(0, 64)), (other_store, slice(64, 128))):
        images = decode(read_split(path, "train")["data"], height=32, width=32)
        torch.testing.assert_close(cached.train[rows], encode(vae, images, "cpu"), rtol=0, atol=1e-5)


def test_latents_must_match_the_sources_in_number_and_order(store, other_store, latents, other_latents):
    with pytest.raises(ValueError, match="1 files of latents for 2 sources; give --latents once for every --store"):
        load_latents([latents], [store, other_store])
    with pytest.raises(ValueError, match="another version"):
        load_latents([other_latents, latents], [store, other_store])


def test_held_out_images_are_evenly_spaced_queries_with_fixed_draws(settings, store, latents):
    cached = load_latents([latents], [store])
    first, again, other = (load_held_out(settings, [store], cached, 1000, seed) for seed in (0, 0, 1))
    images = decode(read_split(store, "query")["data"], height=32, width=16)
    chosen = [0, 2, 4, 6, 9, 11, 13, 15]  # 8 of 16
    expected = (torch.from_numpy(images[chosen]).float() / 255 - 0.5) / 0.5
    torch.testing.assert_close(first.images, expected)
    assert all(torch.equal(a, b) for a, b in zip(first.batch, again.batch, strict=True))
    assert not torch.equal(first.batch.noise, other.batch.noise)
    few = settings.model_copy(update={"diagnostic_images": 500})
    assert len(load_held_out(few, [store], cached, 1000, 0).images) == 16
    assert np.isfinite(first.batch.latents.numpy()).all()
