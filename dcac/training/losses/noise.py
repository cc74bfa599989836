"""L_diff: the error of the predicted noise, which the model of a method with a diffusion prior computes."""

from dcac.training.losses.term import LossTerm

NOISE = LossTerm(name="noise", weight="noise_weight", label="noise", heading="‖∇ noise‖", loss=None)
