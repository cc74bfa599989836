"""The derived series of the noise schedule, against loops over its definitions."""

import math

import pytest
import torch
from diffusers import DDPMScheduler

from dcac.foreign.schedule_buffers import schedule_buffers
from dcac.foreign.stable_diffusion import SCHEDULE


@pytest.fixture(scope="module")
def betas():
    """Stable Diffusion's schedule, as the loader reads it."""
    return DDPMScheduler(**SCHEDULE).betas


def test_schedule_is_linear_in_the_root(betas):
    low, high = math.sqrt(8.5e-4), math.sqrt(0.012)
    for step in (0, 1, 500, 999):
        assert betas[step].item() == pytest.approx((low + (high - low) * step / 999) ** 2, rel=1e-5)
    assert betas[500].item() == pytest.approx(0.0048150, abs=5e-8)  # method.md section 3


def test_each_series_follows_its_definition(betas):
    found = schedule_buffers(betas)
    assert len(found) == 12 and all(value.shape == (1000,) and value.dtype == torch.float32 for value in found.values())
    now = 1.0
    for step, beta in enumerate(betas.double().tolist()):
        before, now = now, now * (1 - beta)
        expected = {
            "betas": beta,
            "alphas_cumprod": now,
            "alphas_cumprod_prev": before,
            "sqrt_alphas_cumprod": math.sqrt(now),
            "sqrt_one_minus_alphas_cumprod": math.sqrt(1 - now),
            "log_one_minus_alphas_cumprod": math.log(1 - now),
            "sqrt_recip_alphas_cumprod": 1 / math.sqrt(now),
            "sqrt_recipm1_alphas_cumprod": math.sqrt(1 / now - 1),
            "posterior_variance": beta * (1 - before) / (1 - now),
            "posterior_log_variance_clipped": math.log(max(beta * (1 - before) / (1 - now), 1e-20)),
            "posterior_mean_coef1": beta * math.sqrt(before) / (1 - now),
            "posterior_mean_coef2": (1 - before) * math.sqrt(1 - beta) / (1 - now),
        }
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name][step].item() == pytest.approx(value, rel=1e-5, abs=1e-12), (name, step)


def test_posterior_mean_is_the_clean_latent_at_the_first_step(betas):
    found = schedule_buffers(betas)
    assert found["posterior_mean_coef1"][0] == 1 and found["posterior_mean_coef2"][0] == 0
