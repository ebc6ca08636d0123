"""What goes to a GPU and comes back from it, so that neither it nor the processor waits for the other."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from curate.errors import NoSpace
from curate.models.pretrained import device

if TYPE_CHECKING:
    import numpy as np
    import torch

T = TypeVar("T")
Made = TypeVar("Made")


def sent(array: "np.ndarray[Any, Any]") -> "torch.Tensor":
    """Return an array as a tensor on the device. To a GPU it goes while that computes what it was given before."""
    import torch

    tensor, on = torch.from_numpy(array), device()
    return tensor.pin_memory().to(on, non_blocking=True) if on == "cuda" else tensor.to(on)


class Coming:
    """A tensor on its way from the device."""

    def __init__(self, tensor: "torch.Tensor") -> None:
        import torch

        self.arrived = torch.cuda.Event() if tensor.is_cuda else None  # type: ignore[no-untyped-call]
        self.tensor = tensor.to("cpu", non_blocking=tensor.is_cuda)
        if self.arrived:
            self.arrived.record()

    def array(self) -> "np.ndarray[Any, Any]":
        """Return the tensor as an array, as soon as it is there."""
        if self.arrived:
            self.arrived.synchronize()
        result: np.ndarray[Any, Any] = self.tensor.numpy()
        return result


def within_memory(
    batch: "np.ndarray[Any, Any]", compute: "Callable[[np.ndarray[Any, Any]], torch.Tensor]"
) -> "Iterator[tuple[np.ndarray[Any, Any], Coming]]":
    """Yield a batch, given by the indices of its texts, with what `compute` begins of it.

    If the device lacks memory, the two halves of the batch take its place, and so on. The last bits of a number
    depend on its batch, so that they may differ from those of a device with more memory. Raises NoSpace if a
    single text does not fit.
    """
    import torch

    try:
        begun = Coming(compute(batch))
    except torch.OutOfMemoryError as error:
        if len(batch) == 1:
            reason = str(error).partition(". ")[0]
            raise NoSpace(
                f"one text alone is too long for the memory of this device ({reason}). Cut it: --max-length"
            ) from error
        begun = None  # what the error holds is freed when this block ends
    if begun:
        yield batch, begun
        return
    torch.cuda.empty_cache()
    for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
        yield from within_memory(half, compute)


def one_ahead(begun: Iterable[T]) -> Iterator[T]:
    """Yield items in order. On a GPU, the next one is begun before an item is yielded, so that it has work."""
    if device() != "cuda":
        yield from begun
        return
    held: list[T] = []
    for item in begun:
        yield from held
        held = [item]
    yield from held


def at_once(begun: Iterable[T]) -> Iterable[T]:
    """Return the items. On a GPU, all of them are begun before the first is used."""
    return list(begun) if device() == "cuda" else begun


def prepared(items: Iterable[T], prepare: Callable[[T], Made]) -> Iterator[Made]:
    """Yield `prepare(item)` in order. On a GPU, a thread prepares the next item while one is used."""
    if device() != "cuda":
        yield from map(prepare, items)
        return
    with ThreadPoolExecutor(1) as pool:
        yield from (made.result() for made in one_ahead(pool.submit(prepare, item) for item in items))
