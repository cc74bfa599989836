"""Building a run: parts that start alike, optimiser groups, latents in the order of the images."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from dcac.data.images import decode
from dcac.data.store import Record, read_split, write_store
from dcac.model import latents as latents_step
from dcac.model.latents import encode
from dcac.training.inputs import Inputs
from dcac.training.setup import build_model, build_optimiser, load_data, load_held_out, load_latents


@pytest.fixture
def build(encoder_folder, prior_folder, settings):
    """Return a function that builds a model, with changes to the settings."""

    def make(seed=0, **changes):
        changed = settings.model_copy(update=changes)
        return build_model(changed, Inputs([], encoder_folder, prior=prior_folder), num_identities=16, seed=seed)

    return make


def test_baseline_and_every_scheme_start_from_the_same_re_id_model(build):
    baseline = build(diffusion="none").state_dict()
    for changes in ({}, {"condition": "feature"}, {"bottleneck": "condition_net"}, {"diffusion": "all"}):
        model = build(**changes).state_dict()
        assert all(torch.equal(value, model[name]) for name, value in baseline.items())


@pytest.mark.parametrize(("updates", "momentum"), [(1, 0.1), (2, 0.19)])
def test_running_statistics_move_as_if_bnneck_were_applied_so_often(build, updates, momentum):
    """method.md section 10.1, number 4; outputs in train mode stay the same."""
    bnneck = build(bnneck_updates_per_step=updates).reid.bnneck.train()
    plain = torch.nn.BatchNorm1d(24)
    feature = torch.randn(8, 24, generator=torch.Generator().manual_seed(0))
    for _ in range(updates):
        expected = plain(feature)
    torch.testing.assert_close(bnneck(feature), expected)
    torch.testing.assert_close(bnneck.running_mean, plain.running_mean)
    torch.testing.assert_close(bnneck.running_var, plain.running_var)
    torch.testing.assert_close(bnneck.running_mean, momentum * feature.mean(dim=0))


def test_a_random_unet_repeats_for_one_seed_and_shares_nothing_with_the_pretrained_one(build):
    pretrained, first, again, other = (
        build(seed, diffusion="freeze", unet_weights=weights).prior.unet.state_dict()
        for seed, weights in ((0, "pretrained"), (0, "random"), (0, "random"), (1, "random"))
    )
    for name, value in first.items():
        assert torch.equal(value, again[name])
        constant = len(value.unique()) == 1  # of norms: 1 and 0 at the start
        assert constant or not (torch.equal(value, pretrained[name]) or torch.equal(value, other[name])), name


def test_a_random_unet_trains_the_same_parameters(build):
    opened = {}
    for weights in ("pretrained", "random"):
        model = build(unet_weights=weights)
        opened[weights] = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert opened["random"] == opened["pretrained"]


def test_feature_scheme_has_one_prompt_a_feature_value(build):
    assert build().prompts.table.shape == (16, 12)
    assert build(condition="feature").prompts.table.shape == (24, 12)


def test_optimiser_holds_exactly_what_trains_at_its_own_rate(build, settings):
    rates = {"prompt_lr_multiplier": 2.0, "lora_lr_multiplier": 3.0, "classifier_lr_multiplier": 4.0}
    settings = settings.model_copy(update=rates)
    model = build(freeze_patch_projection=True)
    optimiser = build_optimiser(model, settings)
    held = {id(parameter): group for group in optimiser.param_groups for parameter in group["params"]}
    for name, parameter in model.named_parameters():
        assert (id(parameter) in held) is parameter.requires_grad, name
        if parameter.requires_grad:
            expected = {"reid": 1.0, "prompts": 2.0, "prior": 3.0}[name.partition(".")[0]]
            expected = 4.0 if name == "reid.classifier.weight" else expected
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


def test_sgd_worked_by_hand(build, settings):
    """Two steps with gradient 1: v1 = 1 + 0.5 w0, v2 = 0.8 v1 + 1 + 0.5 w1, w moves by 0.1 v."""
    changes = {"optimiser": "sgd", "sgd_momentum": 0.8, "weight_decay": 0.5, "learning_rate": 0.1}
    model = build(diffusion="none")
    optimiser = build_optimiser(model, settings.model_copy(update=changes))
    weight = model.reid.bnneck.weight
    for _ in range(2):
        weight.grad = torch.ones_like(weight)
        optimiser.step()
    first = 1 - 0.1 * 1.5
    torch.testing.assert_close(weight.detach(), torch.full_like(weight, first - 0.1 * (0.8 * 1.5 + 1 + 0.5 * first)))


def test_latents_stand_in_the_order_of_the_images(
    settings, store, other_store, latents, other_latents, encoder_folder, prior_folder
):
    stores = [store, other_store]
    given = Inputs(stores, encoder_folder, [latents, other_latents], prior_folder)
    data, cached = load_data(settings, stores), load_latents(settings, given)
    assert len(data.images) == len(cached.train) == 128
    vae = AutoencoderKL.from_pretrained(prior_folder / "vae").eval()
    for path, rows in ((store, slice(0, 64)), (other_store, slice(64, 128))):
        images = decode(read_split(path, "train")["data"], height=32, width=32)
        torch.testing.assert_close(cached.train[rows], encode(vae, images, "cpu"), rtol=0, atol=1e-5)


def test_latents_must_match_the_sources_in_number_and_order(
    settings, store, other_store, latents, other_latents, encoder_folder, prior_folder
):
    stores = [store, other_store]
    with pytest.raises(ValueError, match="1 files of latents for 2 sources; give --latents once for every --store"):
        load_latents(settings, Inputs(stores, encoder_folder, [latents], prior_folder))
    with pytest.raises(ValueError, match="another version"):
        load_latents(settings, Inputs(stores, encoder_folder, [other_latents, latents], prior_folder))


def test_held_out_images_are_evenly_spaced_queries_with_fixed_draws(
    settings, store, latents, encoder_folder, prior_folder
):
    cached = load_latents(settings, Inputs([store], encoder_folder, [latents], prior_folder))
    first, again, other = (load_held_out(settings, [store], cached, 1000, seed) for seed in (0, 0, 1))
    images = decode(read_split(store, "query")["data"], height=32, width=16)
    chosen = [0, 2, 4, 6, 9, 11, 13, 15]  # 8 of 16
    expected = (torch.from_numpy(images[chosen]).float() / 255 - 0.5) / 0.5
    torch.testing.assert_close(first.images, expected)
    assert all(torch.equal(a, b) for a, b in zip(first.draws[0], again.draws[0], strict=True))
    assert not torch.equal(first.draws[0].noise, other.draws[0].noise)
    few = settings.model_copy(update={"diagnostic_images": 500})
    assert len(load_held_out(few, [store], cached, 1000, 0).images) == 16
    assert np.isfinite(first.draws[0].latents.numpy()).all()
    twice = load_held_out(settings.model_copy(update={"diagnostic_draws": 2}), [store], cached, 1000, 0)
    assert len(first.draws) == 1 and len(twice.draws) == 2
    assert torch.equal(twice.draws[0].noise, first.draws[0].noise)
    assert not torch.equal(twice.draws[1].noise, first.draws[0].noise)


@pytest.fixture
def mixed(store, prior_folder, tmp_path):
    """A source with a distractor in its gallery and one with train images only, and their latents."""
    rows = read_split(store, ("train", "query"))
    picture = {split: list(rows.loc[rows["split"] == split, "data"]) for split in ("train", "query")}
    layouts = {
        "MA": [("train", 1, 0), ("query", 1, 1), ("gallery", 0, 2), ("gallery", 1, 3), ("gallery", 2, 4)],
        "CS": [("train", 5, 5), ("train", 6, 6)],
    }
    paths = []
    for code, layout in layouts.items():
        records = [Record(split, pid, 0, code, f"{n}.png", picture["train"][8 * n]) for split, pid, n in layout]
        path = tmp_path / f"{code}.parquet"
        write_store(records, path, facts={"distractor_pid": 0 if code == "MA" else None})
        latents_step.run(store=path, prior=prior_folder, size=32, out=path.with_suffix(".safetensors"), device="cpu")
        paths.append(path)
    return paths


@pytest.fixture
def of_mixed(encoder_folder, prior_folder):
    """Return a function that gives sources of `mixed` as inputs of a run."""

    def inputs(stores):
        return Inputs(stores, encoder_folder, [path.with_suffix(".safetensors") for path in stores], prior_folder)

    return inputs


@pytest.mark.parametrize(("splits", "shown"), [("train", [0, 5, 6]), ("all", [0, 1, 3, 4, 5, 6])])
def test_latents_follow_the_training_rows_without_distractors(
    settings, store, mixed, of_mixed, prior_folder, splits, shown
):
    """Each image of `mixed` has a number; its latents must be those of the image that the Re-ID branch sees."""
    settings = settings.model_copy(update={"train_splits": splits})
    cached = load_latents(settings, of_mixed(mixed))
    originals = list(read_split(store, "train")["data"])
    images = [originals[8 * number] for number in shown]
    data = load_data(settings, mixed)
    assert np.array_equal(data.images, decode(images, height=32, width=16))
    vae = AutoencoderKL.from_pretrained(prior_folder / "vae").eval()
    expected = encode(vae, decode(images, height=32, width=32), "cpu")
    torch.testing.assert_close(cached.train, expected, rtol=0, atol=1e-5)


def test_sources_without_queries_hold_nothing_out(settings, mixed, of_mixed):
    both = load_latents(settings, of_mixed(mixed))
    assert len(load_held_out(settings, mixed, both, 1000, 0).images) == len(both.query) == 1
    alone = load_latents(settings, of_mixed(mixed[1:]))
    assert load_held_out(settings, mixed[1:], alone, 1000, 0) is None


def test_a_run_that_learns_from_its_queries_holds_nothing_out(settings, mixed, of_mixed):
    settings = settings.model_copy(update={"train_splits": "all"})
    cached = load_latents(settings, of_mixed(mixed))
    assert cached.query is None
    assert load_held_out(settings, mixed, cached, 1000, 0) is None
