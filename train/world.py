"""The group of processes that train together: how they divide a batch and exchange tensors.

A batch is global. Every process knows the whole batch and works on its own part of it. The processes therefore
never exchange sizes, uneven parts cannot hang, and the batches do not depend on the number of processes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from curate.errors import BadSettings

if TYPE_CHECKING:
    import torch

PATIENCE = timedelta(hours=2)  # the other processes wait while the first one reads tables or searches dev


@dataclass(frozen=True)
class World:
    """This process's place among those that train together: alone by default, one of several after `join`."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes files and reports progress."""
        return self.rank == 0

    def shares(self, count: int) -> list[range]:
        """Return the contiguous range of `count` items that each process works on; sizes differ by at most one."""
        return [range(count * r // self.size, count * (r + 1) // self.size) for r in range(self.size)]

    def share(self, count: int) -> range:
        """Return the range of `count` items that this process works on."""
        return self.shares(count)[self.rank]

    def gather(self, part: "torch.Tensor", counts: Sequence[int]) -> "torch.Tensor":
        """Return the rows of all processes in rank order; gradients flow back to the process that a row came from.

        part: counts[rank] x width. Every process's loss may use every row. The backward pass sums the gradients
        that all processes compute for a row, without scaling. The sum of the processes' losses therefore has the
        same gradient as a single process with all rows.
        """
        return part if self.size == 1 else _gather().apply(part, list(counts), self.rank)

    def sum_gradients(self, parameters: "Iterable[torch.nn.Parameter]") -> None:
        """Replace every gradient by its sum over the processes; a missing gradient counts as zero."""
        if self.size == 1:
            return
        import torch
        import torch.distributed as dist

        every = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in every:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        together = torch.cat([parameter.grad.flatten() for parameter in every if parameter.grad is not None])
        dist.all_reduce(together)
        for parameter, summed in zip(every, torch.split(together, [p.numel() for p in every]), strict=True):
            parameter.grad = summed.view_as(parameter)

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sum of each value over the processes."""
        if self.size == 1:
            return list(values)
        import torch
        import torch.distributed as dist

        from curate.models.pretrained import device

        tensor = torch.tensor(values, dtype=torch.float64, device=device())
        dist.all_reduce(tensor)
        return [float(value) for value in tensor]

    def agree(self, values: Sequence[float]) -> bool:
        """Return whether every process has the same values, which must be integers below 2**40.

        All processes get the same answer.
        """
        sums = self.total(values)
        other = any(total != self.size * value for total, value in zip(sums, values, strict=True))
        return self.total([float(other)]) == [0.0]

    def wait(self) -> None:
        """Wait until all processes have reached this call."""
        self.total([0.0])


def join(rank: int, size: int, place: str, device_number: int) -> World:
    """Return this process's world once all `size` processes have joined.

    place: the address where they meet, as in `init_method` of `torch.distributed.init_process_group`.
    device_number: this process's GPU on its machine. The backend is NCCL if there are GPUs and gloo otherwise.
    Raises BadSettings on an Apple GPU, which neither backend supports.
    """
    import torch
    import torch.distributed as dist

    check_device()
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(device_number)
        backend = "nccl"
    dist.init_process_group(backend, init_method=place, rank=rank, world_size=size, timeout=PATIENCE)
    return World(rank, size)


def check_device() -> None:
    """Raise BadSettings if this machine's device cannot train with several processes."""
    from curate.models.pretrained import device

    if device() == "mps":
        raise BadSettings("training on an Apple GPU runs in one process; leave out --devices and torchrun")


def leave() -> None:
    """Take this process out of its world."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def _gather() -> Any:
    import torch
    import torch.distributed as dist

    class Gather(torch.autograd.Function):
        """Gather the rows of all processes; on the way back, sum all processes' gradients of this one's rows."""

        @staticmethod
        def forward(ctx: Any, part: torch.Tensor, counts: list[int], rank: int) -> torch.Tensor:
            ctx.counts, ctx.rank = counts, rank
            widest = part.new_zeros(max(counts), part.shape[1])
            widest[: len(part)] = part
            parts = [torch.empty_like(widest) for _ in counts]
            dist.all_gather(parts, widest)
            return torch.cat([rows[:count] for rows, count in zip(parts, counts, strict=True)])

        @staticmethod
        def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
            every = gradients[0].clone(memory_format=torch.contiguous_format)
            dist.all_reduce(every)
            return torch.split(every, ctx.counts)[ctx.rank], None, None

    return Gather
