"""One run's model, data and optimiser, and the step that moves them."""

import logging
import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dcac.data.sampling import identity_batches
from dcac.data.training_set import TrainingSet
from dcac.data.views import Augmentation, draw_augmentation, test_view, train_view
from dcac.model.conditioning import correlation
from dcac.model.dcac import DCAC
from dcac.model.encoder import resolve_normalisation
from dcac.model.latents import DiffusionBatch, draw
from dcac.seeding import numpy_generator, torch_generator
from dcac.settings import Runtime, Settings
from dcac.training import diagnostics, memory, state
from dcac.training.backward import Batch, Losses, check_slices, sliced, whole
from dcac.training.hardware import Hardware
from dcac.training.journal import Journal, Stopped, StopSignal
from dcac.training.runtime import speed_up
from dcac.training.schedule import factor
from dcac.training.setup import Latents, build_model, build_optimiser, load_data, load_held_out, load_latents

EVALUATION_BATCH = 256  # images a forward pass of the memory build; source: authors' released code
HELD_OUT_BATCH = 64  # images a pass of the held-out noise loss, as in training
log = logging.getLogger(__name__)


class Trainer:
    """The parts of one run and the step that moves them."""

    def __init__(
        self,
        settings: Settings,
        stores,
        latents,
        encoder,
        prior,
        *,
        seed: int,
        hardware: Hardware,
        runtime: Runtime = Runtime(),
    ):
        settings = resolve_normalisation(settings, encoder)
        self.settings, self.seed, self.runtime = settings, seed, runtime
        self.hardware, self.device, self.scaler = hardware, hardware.device, hardware.scaler
        self.data: TrainingSet = load_data(settings, stores)
        self.labels = torch.from_numpy(self.data.labels)
        self.model: DCAC = build_model(
            settings, num_identities=self.data.num_identities, encoder=encoder, prior=prior, seed=seed
        ).to(self.device)
        self.sliced = runtime.micro_batch is not None or hardware.count > 1
        if self.sliced:
            check_slices(self.model.reid.backbone, settings.encoder_weights)
        speed_up(self.model, runtime)
        self.optimiser = build_optimiser(self.model, settings)
        noisy = self.model.prior is not None
        self.latents: Latents | None = load_latents(settings, latents, stores, prior) if noisy else None
        self.held_out = self._held_out(stores)

    def fit(self, folder: Path, identity: str, *, header: dict) -> dict:
        """Run all remaining epochs; return what the run's report says of time, memory and diagnostics."""
        for turn in (True, False):  # the main process first: it sets a foreign checkpoint aside
            if self.hardware.is_main == turn:
                progress = state.load(folder, identity, self.model, self.optimiser)
            self.hardware.wait()
        if progress.scaler:
            self.scaler.load_state_dict(progress.scaler)

        def save() -> None:
            progress.scaler = self.scaler.state_dict()
            if self.hardware.is_main:
                state.save(folder, identity, self.model, self.optimiser, progress)
            self.hardware.wait()

        journal = Journal(folder / "log.jsonl" if self.hardware.is_main else None, progress.log_bytes)
        if not progress.log_bytes:
            journal.write({"event": "start", **header})
        else:
            log.info("continues in epoch %d, after %d batches", progress.epoch, progress.batch)
        stop = StopSignal()
        for epoch in range(progress.epoch, self.settings.epochs + 1):
            self._epoch(epoch, progress, journal, save, stop)
            progress.epoch, progress.batch, progress.sums, progress.log_bytes = epoch + 1, 0, {}, journal.size
            save()
        cost = {"seconds": round(progress.seconds, 2), "peak_memory_bytes": self.hardware.peak_memory()}
        journal.write({"event": "end", **cost})
        epochs = journal.epochs()
        return {"epoch": epochs[-1] if epochs else {}, "epochs": epochs, **cost}

    def _epoch(self, epoch: int, progress: state.Progress, journal: "Journal", save, stop: "StopSignal") -> None:
        settings, started = self.settings, time.perf_counter()
        rate = factor(epoch, settings) * settings.learning_rate
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["multiplier"]
        if progress.memory is None or (progress.batch == 0 and settings.prototype_rebuild == "epoch"):
            progress.memory = self.build_memory()
        progress.memory = progress.memory.to(self.device)
        batches = self.batches(epoch)
        self.model.train()
        stepping, first = time.perf_counter(), progress.batch
        for batch in range(first, len(batches)):
            last = batch == len(batches) - 1
            losses, report = self.step(batches[batch], f"{epoch}/{batch}", progress, diagnose=last)
            progress.sums = {term: progress.sums.get(term, 0) + value for term, value in losses.items()}
            progress.batch = batch + 1
            if self.hardware.any(bool(stop.asked)) and not last:
                progress.seconds += time.perf_counter() - started
                save()
                raise Stopped(
                    f"stopped by {stop.asked or 'another process'} in epoch {epoch}; the same command continues"
                )
        means = {term: float(total) / len(batches) for term, total in progress.sums.items()}
        _check_finite(means, epoch)
        rate_of_images = batches[first:].size / (time.perf_counter() - stepping)
        if self.held_out is not None:
            size = self.runtime.micro_batch or HELD_OUT_BATCH
            report |= diagnostics.held_out_noise_loss(self.model, self.held_out, progress.memory, size=size)
        line = {"epoch": epoch, "lr": rate, **{f"loss_{k}": v for k, v in means.items()}, **report}
        seconds = time.perf_counter() - started
        progress.seconds += seconds
        cost = {
            "seconds": round(seconds, 2),
            "images_per_second": round(rate_of_images, 1),
            "peak_memory_bytes": self.hardware.peak_memory(),
        }
        journal.write({"event": "epoch", **line, **cost})

    def batches(self, epoch: int) -> np.ndarray:
        """Draw the batches of an epoch: int64 [batches, P * K], rows of the training images."""
        return identity_batches(
            self.data.labels,
            identities=self.settings.identities_per_batch,
            images=self.settings.images_per_identity,
            generator=numpy_generator(self.seed, "sampler", epoch),
        )

    def step(
        self, batch: np.ndarray, name: str, progress: state.Progress, *, diagnose: bool
    ) -> tuple[dict[str, Tensor], dict]:
        """Do one optimiser step; return the loss terms (detached) and, if asked, the gradient diagnostics."""
        settings, chosen = self.settings, torch.from_numpy(batch)
        images = self._view(chosen, name)
        labels = self.hardware.send(self.labels[chosen])
        drawn = self._draw(chosen, name) if self.model.prior is not None else None
        self.optimiser.zero_grad(set_to_none=True)
        embedding, terms, finish = self._losses(Batch(images, labels, progress.memory, drawn))
        weights = {"id": settings.id_weight, "prototype": settings.prototype_weight, "noise": settings.noise_weight}
        report = self._diagnose(terms, embedding, labels, progress.memory) if diagnose else {}
        self.scaler.scale(sum(weights[term] * value for term, value in terms.items())).backward()
        finish()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        with self._memory_precision():
            progress.memory = memory.update(
                progress.memory,
                embedding.direction,
                labels,
                momentum=settings.prototype_momentum,
                images=settings.images_per_identity,
                rule=settings.prototype_update,
            )
        return {term: value.detach() for term, value in terms.items()}, report

    @torch.no_grad()
    def build_memory(self) -> Tensor:
        """Embed the whole training set with the test view and average per identity."""
        self.model.eval()
        chunks = []
        size = self.runtime.micro_batch or EVALUATION_BATCH
        for start in range(0, len(self.data.images), size):
            batch = self.hardware.send(torch.from_numpy(self.data.images[start : start + size]))
            with self._memory_precision():
                chunks.append(self.model.reid.embed(test_view(batch, self.settings)))
        built = memory.build(torch.cat(chunks), self.labels.to(self.device), self.data.num_identities)
        return self.hardware.agree(built)

    def _losses(self, batch: Batch) -> Losses:
        with self.hardware.autocast():
            if not self.sliced:
                return whole(self.model, batch, self.settings)
            size = self.runtime.micro_batch or len(batch.images)
            return sliced(self.model, batch, self.settings, size=size, hardware=self.hardware)

    def _view(self, chosen: Tensor, name: str) -> Tensor:
        draws = draw_augmentation(len(chosen), self.settings, torch_generator(self.seed, "augment", name))
        images = self.hardware.send(torch.from_numpy(self.data.images[chosen.numpy()]))
        return train_view(images, Augmentation(*map(self.hardware.send, draws)), self.settings)

    def _draw(self, chosen: Tensor, name: str) -> DiffusionBatch:
        generator = torch_generator(self.seed, "diffusion", name)
        steps = len(self.model.prior.alphas_cumprod)
        drawn = draw(self.latents.train[chosen], self.latents.scaling_factor, steps, generator)
        return DiffusionBatch(*map(self.hardware.send, drawn))

    def _diagnose(self, terms: dict[str, Tensor], embedding, labels: Tensor, prototypes: Tensor) -> dict[str, float]:
        report = diagnostics.gradients(terms, embedding.feature, scale=self.scaler.get_scale())
        if self.model.prior is not None and self.settings.condition != "feature":
            report |= diagnostics.sharpness(correlation(embedding, labels, prototypes, self.settings).detach())
        return report

    def _held_out(self, stores: Sequence[Path]) -> diagnostics.HeldOut | None:
        if self.model.prior is None:
            return None
        steps = len(self.model.prior.alphas_cumprod)
        held_out = load_held_out(self.settings, stores, self.latents, steps, self.seed)
        if held_out is None:
            return None
        batch = DiffusionBatch(*(part.to(self.device) for part in held_out.batch))
        return diagnostics.HeldOut(held_out.images.to(self.device), batch)

    def _memory_precision(self):
        return self.hardware.autocast() if self.settings.memory_dtype == "autocast" else nullcontext()


def _check_finite(means: dict[str, float], epoch: int) -> None:
    broken = {term: value for term, value in means.items() if not math.isfinite(value)}
    if broken:
        raise ValueError(
            f"the losses {broken} of epoch {epoch} are not finite; lower learning_rate or use precision fp32"
        )
