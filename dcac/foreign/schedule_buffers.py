"""The noise schedule's derived series, as the original diffusion code keeps them in its checkpoints."""

import torch
from torch import Tensor


def schedule_buffers(betas: Tensor) -> dict[str, Tensor]:
    """Derive the twelve series, each float32 [1000], from beta_t.

    Source:
        Ho et al. 2020, equations 2-7, with the posterior's variance for q(x_{t-1} | x_t, x_0).
    """
    betas = betas.double()
    alphas = 1 - betas
    now = alphas.cumprod(0)
    before = torch.cat([now.new_ones(1), now[:-1]])
    variance = betas * (1 - before) / (1 - now)
    series = {
        "betas": betas,
        "alphas_cumprod": now,
        "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": now.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - now).sqrt(),
        "log_one_minus_alphas_cumprod": (1 - now).log(),
        "sqrt_recip_alphas_cumprod": (1 / now).sqrt(),
        "sqrt_recipm1_alphas_cumprod": (1 / now - 1).sqrt(),
        "posterior_variance": variance,
        "posterior_log_variance_clipped": variance.clamp(min=1e-20).log(),  # it is 0 at the first step
        "posterior_mean_coef1": betas * before.sqrt() / (1 - now),
        "posterior_mean_coef2": (1 - before) * alphas.sqrt() / (1 - now),
    }
    return {name: value.float() for name, value in series.items()}
