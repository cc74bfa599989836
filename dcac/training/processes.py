"""Several processes that train one run together: each embeds its share of the batch, all hold the same weights."""

import os
from collections.abc import Iterable

import torch
from torch import Tensor


class Processes:
    """The processes of a run, as `accelerate launch` or `torchrun` started them; one when nobody did."""

    def __init__(self, device: str):
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = 0
        if self.count > 1:
            from accelerate import PartialState

            self.rank = PartialState(cpu=device == "cpu").process_index

    @property
    def is_main(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

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
        if self.count == 1:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.count)]
        torch.distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over the processes."""
        if self.count > 1:
            for tensor in tensors:
                torch.distributed.all_reduce(tensor)

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process, so that all stop at the same step."""
        if self.count == 1:
            return flag
        raised = torch.tensor(float(flag))
        if torch.distributed.get_backend() == "nccl":
            raised = raised.cuda()
        torch.distributed.all_reduce(raised)
        return bool(raised)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            torch.distributed.barrier()
