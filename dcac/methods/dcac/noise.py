"""L_diff: the error of the predicted noise, which DCAC's model computes image by image."""

from dcac.losses.term import LossTerm

NOISE = LossTerm(name="noise", weight="noise_weight", label="noise", heading="‖∇ noise‖", loss=None)
