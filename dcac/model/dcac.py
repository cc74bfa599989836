"""The joint forward pass: Re-ID losses and, where a prior is present, the noise loss that flows back into them."""

import torch
from torch import Tensor, nn

from dcac.model.conditioning import Prompts
from dcac.model.diffusion import DiffusionPrior
from dcac.model.encoder import Embedding, ReIDModel
from dcac.model.latents import DiffusionBatch
from dcac.model.schemes import scheme_of
from dcac.settings import Settings


class DCAC(nn.Module):
    """Re-ID model, and for DCAC the prompts and the diffusion prior; the baseline has neither."""

    def __init__(self, reid: ReIDModel, settings: Settings, prior: DiffusionPrior | None, prompts: Prompts | None):
        super().__init__()
        self.reid = reid
        self.prior = prior
        self.prompts = prompts
        self.settings = settings
        self.scheme = scheme_of(settings)

    def context(self, embedding: Embedding, labels: Tensor, memory: Tensor) -> Tensor:
        """Condition token c [B, 1, width] of a batch."""
        return self.prompts(self.scheme.weights(embedding, labels, memory, self.settings))

    def uninformed_context(self, count: int) -> Tensor:
        """Condition token without information [count, 1, width]: p = 1 / N; a zero token for the `feature` scheme."""
        table = self.prompts.table
        level = self.scheme.uninformed(len(table))
        return self.prompts(torch.full((count, len(table)), level, device=table.device))

    def noise_loss(self, embedding: Embedding, labels: Tensor, memory: Tensor, batch: DiffusionBatch) -> Tensor:
        """L_diff, the mean noise-prediction error of the batch; its gradient reaches the encoder through c."""
        context = self.context(embedding, labels, memory)
        return self.prior.loss_per_image(batch.latents, context, batch.noise, batch.steps).mean()
