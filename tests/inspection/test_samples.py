"""Denoising is DDIM, the conditions are the ones named, and the file holds what the figure needs."""

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from safetensors.torch import load_file, save_file

from dcac.data.images import decode
from dcac.data.store import read_split
from dcac.inspection import samples
from dcac.inspection.samples import STARTS, condition, denoise, denoise_all, load_ddim, restore_model, spaced_images
from dcac.inspection.trained_run import open_trained
from dcac.model.diffusion import DiffusionPrior, load_schedule


class Oracle(torch.nn.Module):
    """Predict what a function says; remember what was asked."""

    def __init__(self, predict):
        super().__init__()
        self.predict, self.asked = predict, []

    def forward(self, noisy, steps, encoder_hidden_states, return_dict):
        assert not return_dict
        self.asked.append((noisy, steps.tolist(), encoder_hidden_states))
        return (self.predict(noisy, steps, encoder_hidden_states),)


@pytest.fixture
def oracle(prior_folder):
    """Return a function that makes a prior of the tiny world's schedule around a prediction."""
    return lambda predict: DiffusionPrior(Oracle(predict), load_schedule(prior_folder))


@pytest.fixture
def clean():
    return 3 * torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def sample(finished_run, prior_folder, latents, tmp_path):
    """Return a function that runs the step on a finished run and reads its file."""

    def start(run, count=3, **changes):
        files = {"prior": prior_folder, "latents": [latents], "out": tmp_path / "samples.npz"}
        samples.run(**{**run, **files, **changes}, count=count)
        with np.load(tmp_path / "samples.npz", allow_pickle=False) as file:
            return dict(file)

    return start


@pytest.fixture
def changed(tmp_path, from_elsewhere):
    """Return a function that copies a run, with its tensors changed by a function."""

    def copy(run, change):
        folder = tmp_path / "changed"
        shutil.copytree(run["run_folder"], folder)
        tensors = load_file(folder / "weights.safetensors")
        change(tensors)
        save_file(tensors, folder / "weights.safetensors")
        from_elsewhere(folder)
        return {**run, "run_folder": folder}

    return copy


@pytest.mark.parametrize("published", [{}, {"set_alpha_to_one": False, "clip_sample": True, "steps_offset": 1}])
def test_true_noise_leads_back_to_the_image_from_every_start(oracle, clean, tmp_path, published):
    """Whatever the prior's own scheduler says of sampling: Stable Diffusion's stops short of abar = 1."""
    config = {"beta_start": 8.5e-4, "beta_end": 0.012, "beta_schedule": "scaled_linear", **published}
    DDPMScheduler().save_pretrained(tmp_path / "scheduler")
    path = tmp_path / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    for start in STARTS:
        prior = oracle(lambda noisy, steps, context: noise)
        noisy = prior.add_noise(clean, noise, torch.full((4,), start))
        found = denoise(prior, load_ddim(tmp_path), noisy, torch.zeros(4, 1, 12), start=start)
        torch.testing.assert_close(found, clean, rtol=1e-3, atol=1e-3)
        asked = [steps for _, steps, _ in prior.unet.asked]
        spacing = (start + 1) // 50
        assert asked == [[start - spacing * k] * 4 for k in range(50)]


@pytest.mark.parametrize("start", STARTS)
def test_denoising_matches_the_update_formula_in_float64(oracle, prior_folder, clean, start):
    def predict(noisy, steps, context):
        return 0.7 * torch.tanh(noisy + 0.001 * steps[0]) + context.mean(dim=(1, 2))[:, None, None, None]

    context = torch.randn(4, 1, 12, generator=torch.Generator().manual_seed(2))
    found = denoise(oracle(predict), load_ddim(prior_folder), clean, context, start=start)
    beta = np.linspace(8.5e-4**0.5, 0.012**0.5, 1000) ** 2
    left = np.cumprod(1 - beta)
    x, spacing = clean.double().numpy(), (start + 1) // 50
    for t in range(start, -1, -spacing):
        noise = 0.7 * np.tanh(x + 0.001 * t) + context.double().numpy().mean(axis=(1, 2))[:, None, None, None]
        image = (x - np.sqrt(1 - left[t]) * noise) / np.sqrt(left[t])
        following = left[t - spacing] if t >= spacing else 1.0
        x = np.sqrt(following) * image + np.sqrt(1 - following) * noise
    np.testing.assert_allclose(found.numpy(), x, rtol=1e-3, atol=1e-4)


def test_starts_and_conditions_share_one_noise_an_image(oracle, prior_folder, clean):
    prior, tokens = oracle(lambda noisy, steps, context: torch.zeros_like(noisy)), torch.randn(3, 4, 1, 12)
    denoise_all(prior, load_ddim(prior_folder), clean, tokens, seed=0)
    noises = []
    for call in range(0, 300, 50):
        noisy, steps, context = prior.unet.asked[call]
        assert steps == [STARTS[call // 150]] * 4 and torch.equal(context, tokens[call // 50 % 3])
        alpha = prior.alphas_cumprod[steps[0]]
        noises.append((noisy - alpha.sqrt() * clean) / (1 - alpha).sqrt())
    for noise in noises[1:]:
        torch.testing.assert_close(noise, noises[0], rtol=1e-4, atol=1e-4)
    assert len({round(value, 4) for value in noises[0].mean(dim=(1, 2, 3)).tolist()}) == 4
    assert 0.9 < noises[0].std() < 1.1


@pytest.mark.parametrize("scheme", ["fc", "pcl", "fc+pcl", "feature", "hard"])
def test_tokens_are_the_images_own_an_empty_one_and_the_next_images(finished_run, prior_folder, scheme):
    run = dict(finished_run(condition=scheme))
    folder = run.pop("run_folder")
    trained = open_trained(folder, run.pop("config"), **run)
    model, chosen = restore_model(trained, prior_folder), spaced_images(trained.data.labels, 5)
    with torch.no_grad():
        (own, null, other), p_max = condition(model, trained, chosen)
        p = slow_weights(trained, chosen)
        table = model.prompts.table.double()
        torch.testing.assert_close(own[:, 0], (p @ table).float(), rtol=1e-3, atol=1e-4)
    for i in range(5):
        assert torch.equal(other[i], own[(i + 1) % 5])
        empty = torch.zeros(12) if scheme == "feature" else table.mean(dim=0).float()
        torch.testing.assert_close(null[i, 0], empty, rtol=1e-4, atol=1e-5)
    assert np.isnan(p_max).all() if scheme == "feature" else np.allclose(p_max, p.amax(dim=1), rtol=1e-3)
    assert len(own[:, 0, 0].unique()) == 5


def slow_weights(trained, chosen):
    """Return what mixes the prompts, from unit features and class scores in float64."""
    settings, labels = trained.settings, trained.data.labels
    embedding = trained.reid.head(trained.encode(slice(None)))
    directions, scores = embedding.direction.double(), embedding.logits.double()
    memory = torch.stack([directions[labels == label].sum(dim=0) for label in range(16)])
    memory = memory / memory.norm(dim=1, keepdim=True)
    by_class = (scores[chosen] / settings.condition_temperature).softmax(dim=1)
    by_prototype = (directions[chosen] @ memory.T / settings.prototype_temperature).softmax(dim=1)
    return {
        "fc": by_class,
        "pcl": by_prototype,
        "fc+pcl": (by_class + by_prototype) / 2,
        "feature": directions[chosen],
        "hard": torch.eye(16, dtype=torch.float64)[labels[chosen]],
    }[settings.condition]


def test_restored_model_is_the_trained_one_in_eval_mode(finished_run, prior_folder):
    run = dict(finished_run(bottleneck="condition_net"))
    folder = run.pop("run_folder")
    model = restore_model(open_trained(folder, run.pop("config"), **run), prior_folder)
    state = model.state_dict()
    tensors = load_file(folder / "weights.safetensors")
    assert all(torch.equal(value, state[name]) for name, value in tensors.items())
    assert any("lora" in name and value.any() for name, value in tensors.items())
    assert not any(module.training for module in model.modules())


def test_file_holds_pictures_samples_and_errors(finished_run, store, sample, tmp_path):
    found = sample(finished_run())
    size = (3, 32, 32)
    shapes = {"pictures": (3, *size), "decoded": (3, *size), "samples": (2, 3, 3, *size)}
    assert all((found[name].shape, found[name].dtype) == (shape, np.uint8) for name, shape in shapes.items())
    assert (found["error"].shape, found["error"].dtype) == ((2, 3, 3), np.float64)
    assert (found["p_max"].shape, found["p_max"].dtype) == ((3,), np.float64)
    assert found["starts"].dtype == np.int64 and found["starts"].tolist() == [499, 999]
    assert found["conditions"].tolist() == ["own", "null", "other"]
    assert found["keys"].tolist() == ["A/train/0", "A/train/8", "A/train/15"]
    rows = read_split(store, "train")
    first = [rows[rows["pid"] == pid]["data"].iloc[0] for pid in (0, 8, 15)]
    assert np.array_equal(found["pictures"], decode(first, height=32, width=32))
    assert json.loads(str(found["meta"]))["settings"]["diffusion"] == "lora"
    assert found["samples"].std() > 0 and (found["error"][1] > found["error"][0]).all()
    before = (tmp_path / "samples.npz").read_bytes()
    sample(finished_run())
    assert (tmp_path / "samples.npz").read_bytes() == before


def test_errors_and_pictures_belong_to_the_same_latents(finished_run, prior_folder, latents, sample, monkeypatch):
    """What is off by a constant errs by its square; what is not off shows what the autoencoder keeps."""
    means = load_file(latents)["train"][[0, 32, 60], :4]

    def give(offset):
        def found(prior, scheduler, noisy, context, *, start):
            return 0.7 * means + offset * start

        monkeypatch.setattr(samples, "denoise", found)
        return sample(finished_run())

    vae = samples.load_autoencoder(prior_folder, "cpu")

    @torch.no_grad()
    def pixels(latent):
        return np.clip(np.round(255 * (vae.decode(latent).sample.double().numpy() / 2 + 0.5)), 0, 255)

    found = give(0.001)
    np.testing.assert_allclose(found["error"], np.square([[[0.499] * 3] * 3, [[0.999] * 3] * 3]), rtol=1e-5)
    for start, pictures in zip((0.499, 0.999), found["samples"], strict=True):
        assert np.abs(pictures - pixels(means + start / 0.7)).max() <= 1
    found = give(0)
    assert not found["error"].any()
    assert (found["samples"] == found["decoded"]).all()
    assert np.abs(found["decoded"] - pixels(means)).max() <= 1


def test_without_prompts_the_condition_changes_nothing(finished_run, changed, sample):
    told = sample(finished_run(), count=2)
    assert len(np.unique(told["error"][1], axis=0)) == 3
    silent = sample(changed(finished_run(), lambda tensors: tensors["prompts.table"].zero_()), count=2)
    for name in ("samples", "error"):
        assert all(np.array_equal(silent[name][:, 0], silent[name][:, other]) for other in (1, 2))


def test_baseline_has_nothing_to_sample_from(finished_run, sample):
    with pytest.raises(ValueError, match=r"has no prior to sample from .* choose a variant that has one"):
        sample(finished_run(diffusion="none"))


def test_prior_of_another_run_is_refused(finished_run, changed, sample):
    def widen(tensors):
        tensors["prior.unet.other.weight"] = torch.zeros(3)

    with pytest.raises(ValueError, match="not the network this run was trained with"):
        sample(changed(finished_run(), widen))


@pytest.mark.parametrize("count", [1, 17])
def test_count_that_does_not_fit_is_refused(finished_run, sample, count):
    with pytest.raises(ValueError, match=rf"count {count} is not within 2\.\.16"):
        sample(finished_run(), count=count)
