"""The processes that train together: who has which part of a batch, and how tensors go between them.

A batch is global. Every process knows the whole of it and works on its own part, so that sizes need not be
exchanged, uneven parts cannot hang, and another number of processes trains on the same batches.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from curate.errors import BadSettings

if TYPE_CHECKING:
    import torch

PATIENCE = timedelta(hours=2)  # others wait while the first process reads tables or searches dev


@dataclass(frozen=True)
class World:
    """This process among those that train together; alone unless made by `join`."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and speaks to people."""
        return self.rank == 0

    def shares(self, count: int) -> list[range]:
        """Return which of `count` items each process works on: contiguous, sizes equal but for one."""
        return [range(count * r // self.size, count * (r + 1) // self.size) for r in range(self.size)]

    def share(self, count: int) -> range:
        """Return which of `count` items are this process's."""
        return self.shares(count)[self.rank]

    def gather(self, part: "torch.Tensor", counts: Sequence[int]) -> "torch.Tensor":
        """Return the rows of all processes in the order of their ranks; gradients go back where rows came from.

        part: counts[rank] x width. Every process's loss may use every row: the backward pass sums what they all
        say of a row, without a factor, so that the sum of the processes' losses has the gradient that one
        process with all rows would have.
        """
        return part if self.size == 1 else _gather().apply(part, list(counts), self.rank)

    def sum_gradients(self, parameters: "Iterable[torch.nn.Parameter]") -> None:
        """Replace every gradient by the sum over the processes; one that a process lacks counts as zero."""
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
        """Return the sums of numbers over the processes."""
        if self.size == 1:
            return list(values)
        import torch
        import torch.distributed as dist

        from curate.models.pretrained import device

        tensor = torch.tensor(values, dtype=torch.float64, device=device())
        dist.all_reduce(tensor)
        return [float(value) for value in tensor]

    def agree(self, values: Sequence[float]) -> bool:
        """Return, to all processes alike, whether every process has these values: integers below 2**40."""
        sums = self.total(values)
        other = any(total != self.size * value for total, value in zip(sums, values, strict=True))
        return self.total([float(other)]) == [0.0]

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.total([0.0])


def join(rank: int, size: int, place: str, device_number: int) -> World:
    """Return this process's world, once all `size` processes are there.

    place: where they meet, an address as `torch.distributed.init_process_group` takes it. device_number: this
    process's GPU on its machine. NCCL where there are GPUs, else gloo. Raises BadSettings on an Apple GPU, which
    neither of them knows.
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
    """Raise BadSettings where several processes cannot train."""
    from curate.models.pretrained import device

    if device() == "mps":
        raise BadSettings("an Apple GPU trains in one process; leave out --devices and torchrun")


def leave() -> None:
    """Take this process out of its world."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def _gather() -> Any:
    import torch
    import torch.distributed as dist

    class Gather(torch.autograd.Function):
        """Rows of all processes; backwards, the sum of all processes' gradients of this one's rows."""

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
