"""The diffusion prior: published sizes, noise schedule, noise loss, single-token attention, and LoRA."""

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import nn

from dcac.model.as_released import add_random_biases
from dcac.model.diffusion import (
    DiffusionPrior,
    SingleTokenAttention,
    load_prior,
    load_schedule,
    lora_targets,
    prepare_fine_tuning,
    use_single_token,
)
from dcac.seeding import torch_generator


def stable_diffusion():
    """Build the U-Net of Stable Diffusion v1.5 without memory."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
        return DiffusionPrior(unet, torch.empty(1000))


def count(parameters):
    return sum(parameter.numel() for parameter in parameters)


@pytest.fixture
def prior(prior_folder):
    return load_prior(prior_folder)


@pytest.fixture
def draws():
    """Latents, context, noise and steps of a batch of six."""
    generator = torch_generator(0, "draws")
    latents, noise = torch.randn(2, 6, 4, 8, 8, generator=generator)
    return {
        "latents": latents,
        "context": torch.randn(6, 1, 12, generator=generator),
        "noise": noise,
        "steps": torch.randint(0, 1000, (6,), generator=generator),
    }


def test_unet_has_the_published_size():
    prior = stable_diffusion()
    assert count(prior.parameters()) == 859_520_964
    assert prior.context_width == 768


@pytest.mark.parametrize(
    ("rank", "cross_qk", "expected"),
    [
        (1, "keep", 311_616),
        (8, "keep", 2_492_928),
        (32, "keep", 9_971_712),
        (8, "drop", 2_095_104),
        (32, "drop", 8_380_416),
    ],
)
def test_lora_has_the_published_size(settings, rank, cross_qk, expected):
    with torch.device("meta"):
        prior = stable_diffusion()
        settings = settings.model_copy(update={"lora_rank": rank, "lora_cross_attention_qk": cross_qk})
        trained = prepare_fine_tuning(prior, settings, 0)
    assert count(trained) == expected
    assert len(trained) == 2 * (144 if cross_qk == "keep" else 112)


def test_published_total_of_market(settings):
    """method.md section 9: encoder, BNNeck weight, classifier and prompts of 751 identities, LoRA of rank 8."""
    with torch.device("meta"):
        trained = prepare_fine_tuning(
            stable_diffusion(), settings.model_copy(update={"lora_rank": 8, "lora_cross_attention_qk": "keep"}), 0
        )
    assert 85_550_592 + 512 + 751 * (512 + 768) + count(trained) == 89_005_312


def test_lora_names_are_the_published_layers():
    unet = stable_diffusion().unet
    published = lora_targets(unet, ffn_output=False, cross_attention_qk=True)
    assert len(published) == 144
    block = "mid_block.attentions.0.transformer_blocks.0"
    assert {name.removeprefix(f"{block}.") for name in published if name.startswith(block)} == {
        *(f"attn{i}.{linear}" for i in (1, 2) for linear in ("to_q", "to_k", "to_v", "to_out.0")),
        "ff.net.0.proj",
    }
    assert len({name.split(".transformer_blocks.")[0] for name in published}) == 16
    live = lora_targets(unet, ffn_output=False, cross_attention_qk=False)
    assert {name.split(".", 3)[-1].rpartition("attn")[2] for name in set(published) - set(live)} == {"2.to_q", "2.to_k"}
    both = lora_targets(unet, ffn_output=True, cross_attention_qk=True)
    assert len(both) == 160 and {name.rpartition(".ff.")[2] for name in set(both) - set(published)} == {"net.2"}


def test_schedule_is_read_from_what_the_hubs_hold(prior_folder, tmp_path):
    """Stable Diffusion's own folders name PNDM, another sampler over the same noise."""
    from diffusers import PNDMScheduler

    betas = {"beta_start": 8.5e-4, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    PNDMScheduler(**betas, skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1).save_pretrained(
        tmp_path / "scheduler"
    )
    assert torch.equal(load_schedule(tmp_path), load_schedule(prior_folder))


def test_schedule_is_the_published_one(prior_folder):
    abar = load_schedule(prior_folder).double().numpy()
    betas = np.linspace(8.5e-4**0.5, 0.012**0.5, 1000) ** 2
    assert betas[500] == pytest.approx(0.0048150, abs=5e-8)
    np.testing.assert_allclose(abar, np.cumprod(1 - betas), rtol=2e-5)
    assert len(abar) == 1000 and 1 - abar[500] / abar[499] == pytest.approx(0.0048150, abs=1e-6)


def test_network_that_predicts_something_else_is_refused(prior_folder, tmp_path):
    shutil.copytree(prior_folder / "scheduler", tmp_path / "scheduler")
    path = tmp_path / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "prediction_type": "v_prediction"}))
    with pytest.raises(ValueError, match="predicts 'v_prediction'; DCAC needs a network that predicts 'epsilon'"):
        load_schedule(tmp_path)


def test_noisy_latents_equal_diffusers(prior, prior_folder, draws):
    scheduler = DDPMScheduler.from_pretrained(prior_folder / "scheduler")
    ours = prior.add_noise(draws["latents"], draws["noise"], draws["steps"])
    theirs = scheduler.add_noise(draws["latents"], draws["noise"], draws["steps"])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_noise_loss_equals_a_slow_loop(prior, draws):
    ours = prior.loss_per_image(**draws)
    for i in range(6):
        step = int(draws["steps"][i])
        abar = float(prior.alphas_cumprod[step])
        noisy = abar**0.5 * draws["latents"][i] + (1 - abar) ** 0.5 * draws["noise"][i]
        predicted = prior.unet(noisy[None], step, encoder_hidden_states=draws["context"][i][None]).sample[0]
        total = 0.0
        for true, guess in zip(draws["noise"][i].flatten().tolist(), predicted.flatten().tolist(), strict=True):
            total += (true - guess) ** 2
        assert ours[i].item() == pytest.approx(total / (4 * 8 * 8), rel=1e-4)


def test_perfect_prediction_costs_nothing(draws):
    class Oracle(nn.Module):
        def forward(self, noisy, steps, encoder_hidden_states, return_dict):
            return (draws["noise"],)

    loss = DiffusionPrior(Oracle(), torch.linspace(0.99, 0.01, 1000)).loss_per_image(**draws)
    assert loss.tolist() == [0.0] * 6


def test_single_token_attention_equals_the_full_one(prior_folder, draws):
    full = UNet2DConditionModel.from_pretrained(prior_folder / "unet")
    short = use_single_token(UNet2DConditionModel.from_pretrained(prior_folder / "unet"))
    names = [name for name, processor in short.attn_processors.items() if isinstance(processor, SingleTokenAttention)]
    assert names and all(".attn2." in name for name in names) and len(names) == len(short.attn_processors) // 2
    values, gradients = [], []
    for unet in (full, short):
        context = draws["context"].clone().requires_grad_()
        out = unet(draws["latents"], draws["steps"], encoder_hidden_states=context).sample
        out.square().mean().backward()
        values.append(out.detach())
        found = {name: parameter.grad for name, parameter in unet.named_parameters()}
        gradients.append({**found, "context": context.grad})
    torch.testing.assert_close(*values, rtol=0, atol=1e-5)
    assert gradients[0]["context"].abs().max() > 0
    for name, expected in gradients[0].items():
        position = name.partition(".transformer_blocks.0.")[2]
        if position.startswith(("attn2.to_q", "attn2.to_k", "norm2")):  # they feed the attention weights only
            assert gradients[1][name] is None and expected.abs().max() < 1e-7
        else:
            torch.testing.assert_close(gradients[1][name], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("tokens", [0, 2])
def test_single_token_attention_refuses_any_other_number_of_tokens(prior, draws, tokens):
    with pytest.raises(ValueError, match="exactly one context token"):
        prior.unet(draws["latents"], draws["steps"], encoder_hidden_states=torch.zeros(6, tokens, 12))


def test_lora_starts_as_the_identity(prior, prior_folder, draws, settings):
    before = prior.loss_per_image(**draws)
    prepare_fine_tuning(prior, settings, 0)
    assert torch.equal(prior.loss_per_image(**draws), before)


def test_lora_adds_alpha_over_rank_times_b_a(prior, settings):
    settings = settings.model_copy(update={"lora_rank": 4, "lora_alpha": 3.0})
    prepare_fine_tuning(prior, settings, 0)
    layer = prior.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn1.to_v
    generator = torch_generator(0)
    a, b, base = layer.lora_A["default"].weight, layer.lora_B["default"].weight, layer.base_layer.weight
    assert a.shape == (4, base.shape[1]) and b.shape == (base.shape[0], 4) and not b.any()
    with torch.no_grad():
        b.copy_(torch.randn(b.shape, generator=generator))
    x = torch.randn(5, base.shape[1], generator=generator)
    w, a, b = (value.detach().double().numpy() for value in (base, a, b))
    expected = x.double().numpy() @ (w + 3.0 / 4 * b @ a).T
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=0, atol=1e-5)


def test_lora_a_is_kaiming_uniform_and_repeats_for_one_seed(prior_folder, settings):
    def adapters(seed):
        prior = load_prior(prior_folder)
        prepare_fine_tuning(prior, settings.model_copy(update={"lora_rank": 64}), seed)
        return {name: value for name, value in prior.unet.named_parameters() if "lora_A" in name}

    before = torch.random.get_rng_state()
    first, second, other = adapters(1), adapters(1), adapters(2)
    assert torch.equal(before, torch.random.get_rng_state())
    for name, value in first.items():
        assert torch.equal(value, second[name]) and not torch.equal(value, other[name])
        bound = value.shape[1] ** -0.5  # a = sqrt(5): bound sqrt(6 / ((1 + 5) fan_in))
        assert value.abs().max() <= bound
        assert value.std().item() == pytest.approx(bound / 3**0.5, rel=0.15)


def test_adapters_have_no_random_bias(prior, settings):
    """The released code gives q, k and v random frozen biases; we do not (method.md section 10.1, number 1)."""
    prepare_fine_tuning(prior, settings, 0)
    for name, module in prior.unet.named_modules():
        if name.endswith((".to_q", ".to_k", ".to_v")):
            assert getattr(module, "base_layer", module).bias is None


@pytest.mark.parametrize("mode", ["lora", "all", "freeze"])
def test_mode_opens_its_own_parameters(prior, settings, mode):
    names = {name for name, _ in prior.unet.named_parameters()}
    trained = prepare_fine_tuning(prior, settings.model_copy(update={"diffusion": mode}), 0)
    opened = {name for name, parameter in prior.unet.named_parameters() if parameter.requires_grad}
    assert len(trained) == len(opened)
    if mode == "lora":
        assert opened and all("lora_" in name for name in opened)
    else:
        assert opened == (names if mode == "all" else set())


def test_dropping_dead_adapters_changes_no_gradient(prior_folder, settings, draws):
    gradients = []
    for cross_qk in ("keep", "drop"):
        prior = load_prior(prior_folder)
        prepare_fine_tuning(prior, settings.model_copy(update={"lora_cross_attention_qk": cross_qk}), 0)
        with torch.no_grad():
            for name, value in prior.unet.named_parameters():
                if "lora_" in name:
                    value.copy_(torch.randn(value.shape, generator=torch_generator(0, name)))
        prior.loss_per_image(**draws).mean().backward()
        gradients.append({n: v.grad for n, v in prior.unet.named_parameters() if v.requires_grad})
    keep, drop = gradients
    assert all(torch.equal(keep[name], grad) for name, grad in drop.items())
    dead = set(keep) - set(drop)
    assert dead and all(keep[name] is None for name in dead)


def test_random_biases_stay_frozen_and_within_their_bound(prior_folder, settings):
    def biases(seed, mode="lora"):
        prior = load_prior(prior_folder)
        choices = {"diffusion": mode, "lora_qkv_bias": "random_frozen", "lora_cross_attention_qk": "keep"}
        trained = prepare_fine_tuning(prior, settings.model_copy(update=choices), seed)
        layers = {n: m for n, m in prior.unet.named_modules() if n.endswith((".to_q", ".to_k", ".to_v"))}
        assert mode != "lora" or len(trained) == sum("lora_" in name for name, _ in prior.unet.named_parameters())
        return {name: getattr(layer, "base_layer", layer) for name, layer in layers.items()}

    first, again, other = biases(1), biases(1), biases(2)
    for name, layer in first.items():
        bound = layer.in_features**-0.5
        assert not layer.bias.requires_grad and layer.bias.abs().max() <= bound
        assert layer.bias.min() < 0 < layer.bias.max()
        assert torch.equal(layer.bias, again[name].bias) and not torch.equal(layer.bias, other[name].bias)
    assert all(layer.bias is None for mode in ("all", "freeze") for layer in biases(1, mode).values())


def test_full_size_network_gets_the_released_number_of_biases(settings):
    unet = stable_diffusion()
    before = sum(p.numel() for p in unet.parameters())
    add_random_biases(unet, settings.model_copy(update={"lora_qkv_bias": "random_frozen"}), 0)
    assert sum(p.numel() for p in unet.parameters()) - before == 74_880  # method.md section 9
    biases = [
        value for name, value in unet.named_parameters() if name.endswith(("to_q.bias", "to_k.bias", "to_v.bias"))
    ]
    assert len(biases) == 96 and not any(bias.requires_grad for bias in biases)
