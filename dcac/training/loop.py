"""The training loop: epochs of steps, the memory between them, checkpoints and the log."""

import logging
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dcac.data.views import test_view
from dcac.methods import method_of
from dcac.methods.trained import TrainedModel
from dcac.model import as_released
from dcac.model.encoder import Embedding, resolve_normalisation
from dcac.settings import Runtime, Settings
from dcac.training import diagnostics, memory, state
from dcac.training.account import INTERVAL, Account, Pulse
from dcac.training.backward import Losses, check_slices, sliced, whole
from dcac.training.batches import Batch, Batches
from dcac.training.hardware import Hardware
from dcac.training.inputs import Inputs
from dcac.training.journal import Journal, Stopped, StopSignal
from dcac.training.runtime import speed_up
from dcac.training.schedule import factor
from dcac.training.setup import build_model, build_optimiser, load_data, load_held_out, load_latents
from dcac.training.step import joint_loss

EVALUATION_BATCH = 256  # images a forward pass of the memory build; source: authors' released code
HELD_OUT_BATCH = 64  # images a pass of the held-out noise loss, as in training
log = logging.getLogger(__name__)


class Training:
    """One run under way: its model, data and optimiser, and the loop that moves them."""

    def __init__(
        self,
        settings: Settings,
        inputs: Inputs,
        *,
        seed: int,
        hardware: Hardware,
        runtime: Runtime = Runtime(),
    ):
        settings = resolve_normalisation(settings, inputs.encoder)
        self.settings, self.runtime, self.hardware = settings, runtime, hardware
        self.device, self.scaler = hardware.device, hardware.scaler
        self.data = load_data(settings, inputs.stores)
        self.model: TrainedModel = build_model(settings, inputs, num_identities=self.data.num_identities, seed=seed)
        self.model.to(self.device)
        self.sliced = runtime.micro_batch is not None or hardware.count > 1
        if self.sliced:
            check_slices(self.model.reid.backbone, settings.encoder_weights)
        speed_up(self.model, runtime)
        self.optimiser = build_optimiser(self.model, settings)
        self.own_terms = [term.name for term in method_of(settings).terms]
        steps = self.model.noise_steps
        latents = load_latents(settings, inputs) if "latents" in method_of(settings).needs else None
        self.batches = Batches(self.data, latents, settings, seed=seed, noise_steps=steps, hardware=hardware)
        held_out = load_held_out(settings, inputs.stores, latents, steps, seed) if latents is not None else None
        self.held_out = held_out.to(self.device) if held_out is not None else None

    def fit(self, folder: Path, identity: str, *, header: dict) -> dict:
        """Run all remaining epochs; return what the run's report says of time, memory and diagnostics."""
        progress = self.restore(folder, identity)
        save = partial(self.save, folder, identity, progress)
        journal = Journal(folder / "log.jsonl" if self.hardware.is_main else None, progress.log_bytes)
        if not progress.log_bytes:
            journal.write({"event": "start", **header})
        else:
            log.info("continues in epoch %d, after %d batches", progress.epoch, progress.batch)
        stop = StopSignal()
        size = self.settings.identities_per_batch * self.settings.images_per_identity
        account = Account(folder if self.hardware.is_main else None, epochs=self.settings.epochs, images=size)
        for epoch in range(progress.epoch, self.settings.epochs + 1):
            journal.write({"event": "epoch", **self._epoch(epoch, progress, save, stop, account)})
            progress.epoch, progress.batch, progress.sums, progress.log_bytes = epoch + 1, 0, {}, journal.size
            save()
        cost = {"seconds": round(progress.seconds, 2), "peak_memory_bytes": self.hardware.peak_memory()}
        journal.write({"event": "end", **cost})
        epochs = journal.epochs()
        return {"epoch": epochs[-1] if epochs else {}, "epochs": epochs, **cost}

    def _epoch(
        self, epoch: int, progress: state.RunState, save: Callable[[], None], stop: StopSignal, account: Account
    ) -> dict:
        """Do the batches of an epoch that remain; return its line of the log."""
        started = time.perf_counter()
        rate = self.set_rate(epoch)
        self._renew_memory(progress)
        batches = self.batches.of_epoch(epoch)
        stepping, first = time.perf_counter(), progress.batch
        try:
            account.begin(first)
            report = self._steps(epoch, batches, progress, stop, account)
        except Stopped:
            progress.seconds += time.perf_counter() - started
            save()
            raise
        means = {term: float(total) / len(batches) for term, total in progress.sums.items()}
        _check_finite(means, epoch)
        rate_of_images = batches[first:].size / (time.perf_counter() - stepping)
        if self.held_out is not None and (
            epoch % self.settings.diagnostic_period == 0 or epoch == self.settings.epochs
        ):
            size = self.runtime.micro_batch or HELD_OUT_BATCH
            report |= self.model.report_held_out(self.held_out, progress.built(), size=size)
        seconds = time.perf_counter() - started
        progress.seconds += seconds
        line = {
            "epoch": epoch,
            "lr": rate,
            **{f"loss_{term}": mean for term, mean in means.items()},
            **report,
            "seconds": round(seconds, 2),
            "images_per_second": round(rate_of_images, 1),
            "peak_memory_bytes": self.hardware.peak_memory(),
        }
        account.end(epoch, len(batches), line)
        return line

    def _steps(
        self, epoch: int, batches: np.ndarray, progress: state.RunState, stop: StopSignal, account: Account
    ) -> dict[str, float]:
        """Do the steps of an epoch that remain; return the gradient diagnostics of the last."""
        report: dict[str, float] = {}
        self.model.train()
        for batch in range(progress.batch, len(batches)):
            last = batch == len(batches) - 1
            losses, report = self.step(batches[batch], f"{epoch}/{batch}", progress, diagnose=last)
            progress.sums = {term: progress.sums.get(term, 0) + value for term, value in losses.items()}
            progress.batch = batch + 1
            account.step(epoch, progress.batch, len(batches), progress.sums)
            if self.hardware.any(bool(stop.asked)) and not last:
                raise Stopped(
                    f"stopped by {stop.asked or 'another process'} in epoch {epoch}; the same command continues"
                )
        return report

    def step(
        self, rows: np.ndarray, name: str, progress: state.RunState, *, diagnose: bool
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Do one optimiser step; return the loss terms (detached) and, if asked, the gradient diagnostics."""
        batch = self.batches.batch(rows, name, progress.built())
        self.optimiser.zero_grad(set_to_none=True)
        embedding, terms, finish = self._losses(batch)
        report = self._diagnose(terms, embedding, batch) if diagnose else {}
        self.scaler.scale(joint_loss(terms, self.settings)).backward()
        finish()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        with self._memory_precision():
            progress.memory = memory.update(
                batch.memory,
                embedding.direction,
                batch.labels,
                momentum=self.settings.prototype_momentum,
                images=self.settings.images_per_identity,
                rule=self.settings.prototype_update,
            )
        return {term: value.detach() for term, value in terms.items()}, report

    @torch.no_grad()
    def build_memory(self) -> Tensor:
        """Embed the whole training set with the test view and average per identity."""
        self.model.eval()
        chunks, size, pulse = [], self.runtime.micro_batch or EVALUATION_BATCH, Pulse(INTERVAL)
        for start in range(0, len(self.data.images), size):
            images = self.hardware.send(torch.from_numpy(self.data.images[start : start + size]))
            with self._memory_precision():
                chunks.append(self.model.reid.embed(test_view(images, self.settings)))
            if pulse.due():
                log.info("memory: %d of %d images embedded", start + len(images), len(self.data.images))
        labels = self.batches.labels.to(self.device)
        return self.hardware.agree(memory.build(torch.cat(chunks), labels, self.data.num_identities))

    def _losses(self, batch: Batch) -> Losses:
        with self.hardware.autocast():
            if not self.sliced:
                return whole(self.model, batch, self.settings)
            size = self.runtime.micro_batch or len(batch.images)
            return sliced(self.model, batch, self.settings, size=size, hardware=self.hardware)

    def _diagnose(self, terms: dict[str, Tensor], embedding: Embedding, batch: Batch) -> dict[str, float]:
        scale = self.scaler.get_scale()
        report = diagnostics.gradients(terms, embedding.feature, scale=scale, own=self.own_terms)
        return report | self.model.report_batch(embedding, batch)

    def set_rate(self, epoch: int) -> float:
        """Set each part's learning rate to that of an epoch; return the rate of a part without a multiple."""
        rate = factor(epoch, self.settings) * self.settings.learning_rate
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["multiplier"]
        return rate

    def _renew_memory(self, progress: state.RunState) -> None:
        """Build the memory where an epoch starts with a new one, and put it on the device."""
        if progress.memory is None or (progress.batch == 0 and self.settings.prototype_rebuild == "epoch"):
            progress.memory = self.build_memory()
        progress.memory = progress.memory.to(self.device)

    def restore(self, folder: Path, identity: str) -> state.RunState:
        """Read the checkpoint of a run into networks, optimiser and scaler; without one the run begins."""
        for turn in (True, False):  # the main process first: it sets a foreign checkpoint aside
            if self.hardware.is_main == turn:
                progress = state.load(folder, identity, self.model, self.optimiser)
            self.hardware.wait()
        if progress.scaler:
            self.scaler.load_state_dict(progress.scaler)
        return progress

    def save(self, folder: Path, identity: str, progress: state.RunState) -> None:
        """Write the checkpoint of a run."""
        progress.scaler = self.scaler.state_dict()
        if self.hardware.is_main:
            state.save(folder, identity, self.model, self.optimiser, progress)
        self.hardware.wait()

    def _memory_precision(self) -> AbstractContextManager:
        return as_released.memory_precision(self.settings, self.hardware.autocast)


def _check_finite(means: dict[str, float], epoch: int) -> None:
    broken = {term: value for term, value in means.items() if not math.isfinite(value)}
    if broken:
        raise ValueError(
            f"the losses {broken} of epoch {epoch} are not finite; lower learning_rate or use precision fp32"
        )
