"""What goes to a GPU and comes back from it, so that neither it nor the processor waits for the other."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

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
