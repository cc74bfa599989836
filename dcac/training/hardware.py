"""The device, the precision and the processes of a run, as accelerate sets them up.

Several processes train one run together: each embeds its share of the batch, all hold the same weights.
"""

import atexit
import logging
import platform
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor

MIXED_PRECISION = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}  # ours -> accelerate's
MESSAGE = 2**26  # values in one message between processes: 256 MB of float32; small ones cost time, large ones memory
PATIENCE = timedelta(minutes=10)  # for a process that hangs; torch's own is 10 with NCCL, 30 with gloo
log = logging.getLogger(__name__)


class Hardware:
    """Where and how a run computes; several processes when `accelerate launch` or `torchrun` started them."""

    def __init__(self, device: str, precision: str):
        """Set up a device, `cpu` or `cuda`, for a precision, `fp32`, `bf16` or `fp16`; a CPU computes fp32 for fp16."""
        from accelerate import Accelerator, InitProcessGroupKwargs

        on_cpu = device == "cpu"
        if on_cpu and precision == "fp16":
            log.info("fp16 needs a GPU; this run computes in fp32")
            precision = "fp32"
        self.precision = precision
        bounded = InitProcessGroupKwargs(timeout=PATIENCE)
        self._accelerator = Accelerator(
            cpu=on_cpu, mixed_precision=MIXED_PRECISION[precision], kwargs_handlers=[bounded]
        )
        self.device: torch.device = self._accelerator.device
        if self.device.type != torch.device(device).type:
            raise ValueError(
                f"device is '{device}', but this machine offers '{self.device.type}'; use cpu, or a machine with a GPU"
            )
        self.count: int = self._accelerator.num_processes
        if self.count > 1:
            atexit.register(_leave)
        self.rank: int = self._accelerator.process_index
        self.scaler = self._accelerator.scaler or torch.amp.GradScaler(self.device.type, enabled=False)

    @property
    def is_main(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager:
        """Make the precision context of a forward pass."""
        return self._accelerator.autocast()

    def send(self, tensor: Tensor) -> Tensor:
        """Copy a tensor from the CPU to the device; the CPU does not wait for it."""
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    def loss_scale(self) -> Tensor:
        """What the gradient scaler multiplies losses with, on the device: reading it would make the CPU wait."""
        return self.scaler.scale(torch.ones((), device=self.device))

    def share(self, images: int) -> range:
        """Rows of the batch that this process embeds.

        Raises:
            ValueError: the batch does not divide evenly.
        """
        if images % self.count:
            raise ValueError(
                f"a batch of {images} images does not divide among {self.count} processes; change their number"
            )
        part = images // self.count
        return range(self.rank * part, (self.rank + 1) * part)

    def gather(self, rows: Tensor) -> Tensor:
        """Put the rows of all processes together, in the order of their shares; no gradient flows through."""
        return self._accelerator.gather(rows.contiguous()) if self.count > 1 else rows

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over the processes, many in one message."""
        if self.count == 1:
            return
        for group in messages(tensors, MESSAGE):
            joined = self._accelerator.reduce(torch.cat([tensor.flatten() for tensor in group]), reduction="sum")
            for tensor, total in zip(group, joined.split([tensor.numel() for tensor in group]), strict=True):
                tensor.copy_(total.view_as(tensor))

    def agree(self, tensor: Tensor) -> Tensor:
        """Give every process the main one's tensor: sums of many floats on GPUs differ in their last bits."""
        if self.count == 1:
            return tensor
        from accelerate.utils import broadcast

        return broadcast(tensor)

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process, so that all stop at the same step."""
        if self.count == 1:
            return flag
        return bool(self._accelerator.reduce(torch.tensor(float(flag), device=self.device), reduction="sum"))

    def wait(self) -> None:
        """Wait until all processes are here."""
        self._accelerator.wait_for_everyone()

    def facts(self) -> dict[str, str | int]:
        """Name the device (a GPU's product name, or cpu with its threads), the precision and the number of processes."""
        if self.device.type == "cuda":
            device = torch.cuda.get_device_name(self.device)
        else:
            device = f"cpu {cpu_name()}, {torch.get_num_threads()} thread(s)"
        return {"device": device, "precision": self.precision, "processes": self.count}

    def peak_memory(self) -> int:
        """Peak memory in bytes: of the device for CUDA, of the process otherwise."""
        import resource

        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _leave() -> None:
    """Leave the group of processes before the interpreter ends: its threads abort a process that ends without it."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def messages(tensors: Iterable[Tensor], most: int) -> Iterator[list[Tensor]]:
    """Group tensors into messages of at most `most` values, a larger tensor by itself."""
    group: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if group and size + tensor.numel() > most:
            yield group
            group, size = [], 0
        group.append(tensor)
        size += tensor.numel()
    if group:
        yield group


def cpu_name() -> str:
    """Name the processor's model as Linux does; elsewhere its architecture."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
