"""Approximate search with faiss, for collections where exact search takes too long.

faiss comes with the extras `cpu` and `gpu`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import BadSettings, NotAvailable
from curate.mine.exact_search import TopPassages
from curate.models.pretrained import device

if TYPE_CHECKING:
    import numpy as np

TRAINED_ON = 262_144  # maximum number of passages, evenly spaced
LISTS_PROBED = 16  # an IVF search looks into 1 of this many lists, but into 8 at least
MOST_ON_GPU = 2048  # faiss finds no more passages, and probes no more lists, on a GPU


def faiss() -> Any:
    """Return the module faiss, imported after torch; raises NotAvailable if it is not installed."""
    import torch  # noqa: F401  # must come first: both load an OpenMP runtime, and the order matters

    try:
        import faiss as module
    except ImportError as error:
        raise NotAvailable(
            "an approximate index needs faiss, on Linux with CUDA faiss-gpu", run="pip install faiss-cpu"
        ) from error
    return module


def build(factory: str, arrays: Callable[[], Iterable["np.ndarray"]], rows: int) -> Any:
    """Return a faiss index by inner product over the rows of `arrays()`, in their order.

    It is trained on evenly spaced rows, with faiss's own fixed seed. Raises BadSettings for a factory string that
    faiss does not accept, or that needs more passages than there are.
    """
    module = faiss()
    step = -(-rows // TRAINED_ON)
    try:
        sample = _every(step, arrays())
        index = module.index_factory(sample.shape[1], factory, module.METRIC_INNER_PRODUCT)
        index.train(sample)
        with _threads(
            1 if "HNSW" in factory or "NSG" in factory else None
        ):  # several threads would build another graph each time
            for chunk in (chunk for array in arrays() for chunk in _chunks(array)):
                index.add(chunk)
    except RuntimeError as error:
        reason = str(error).rpartition(": ")[2].strip()
        raise BadSettings(f"faiss cannot build the index '{factory}' of {rows:,} passages: {reason}") from error
    return index


def save(index: Any, path: Path) -> int:
    """Write an index to a file; return the number of passages in it."""
    faiss().write_index(index, str(path))
    return int(index.ntotal)


def read(path: Path) -> Any:
    """Return the index in a file."""
    return faiss().read_index(str(path))


@dataclass
class Index:
    """A faiss index, and its copy on all GPUs if it is searched there."""

    here: Any
    on_gpus: Any = None

    @classmethod
    def ready(cls, index: Any, depth: int) -> "Index":
        """Return an index that is searched for `depth` passages: on all GPUs if models run on one.

        It stays on the CPU if faiss has no GPU, or no form of this index for it (HNSW), or the GPUs no room.
        """
        module = faiss()
        probed = _look_wider(index, depth)
        if device() == "cuda" and module.get_num_gpus() and max(depth, probed) <= MOST_ON_GPU:
            with suppress(RuntimeError):
                return cls(index, module.index_cpu_to_all_gpus(index))
        return cls(index)

    def search(self, queries: "np.ndarray", depth: int) -> tuple["np.ndarray", "np.ndarray"]:
        """Return scores and keys as faiss does. If the memory of the GPUs is not enough, the CPU searches."""
        if self.on_gpus is not None:
            with suppress(RuntimeError):
                return self.on_gpus.search(queries, depth)  # type: ignore[no-any-return]
            self.on_gpus = None
        _look_wider(self.here, depth)
        return self.here.search(queries, depth)  # type: ignore[no-any-return]


def approximate(index: Index, queries: "np.ndarray", depth: int) -> TopPassages:
    """Return at most `depth` passages that an index finds for every query, in canonical order."""
    import numpy as np

    depth = min(depth, index.here.ntotal)
    scores, keys = index.search(queries.astype("float32"), depth)
    scores = np.where(keys < 0, -np.inf, scores).astype("float32")
    order = np.lexsort((keys, -scores))
    return TopPassages(np.take_along_axis(keys, order, 1), np.take_along_axis(scores, order, 1))


def recall(found: TopPassages, truth: TopPassages) -> float:
    """Return the share of the passages in `truth`, over all queries, that are also in `found`."""
    rows = zip(found.keys.tolist(), truth.keys.tolist(), strict=True)
    pairs = [(set(ours) - {-1}, set(exact) - {-1}) for ours, exact in rows]
    wanted = sum(len(exact) for _, exact in pairs)
    return sum(len(ours & exact) for ours, exact in pairs) / wanted if wanted else 1.0


def _look_wider(index: Any, depth: int) -> int:
    """Set how widely a search looks, for kinds of index that have a parameter for it; return how many lists."""
    space, probed = faiss().ParameterSpace(), 0
    with suppress(RuntimeError):
        lists = faiss().extract_index_ivf(index).nlist
        probed = min(lists, max(8, lists // LISTS_PROBED))
        space.set_index_parameter(index, "nprobe", probed)
    with suppress(RuntimeError):
        space.set_index_parameter(index, "efSearch", max(64, 2 * depth))
    return probed


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = faiss().omp_get_max_threads()
    faiss().omp_set_num_threads(count or before)
    try:
        yield
    finally:
        faiss().omp_set_num_threads(before)


def _chunks(array: "np.ndarray", size: int = 65_536) -> Iterator["np.ndarray"]:
    for at in range(0, len(array), size):
        yield array[at : at + size].astype("float32")


def _every(step: int, arrays: Iterable["np.ndarray"]) -> "np.ndarray":
    import numpy as np

    taken, start = [], 0
    for array in arrays:
        taken.append(array[-start % step :: step].astype("float32"))
        start += len(array)
    return np.concatenate(taken)


def agrees_with_exact() -> bool:
    """Return whether faiss finds what a matrix product finds, on a few vectors."""
    import numpy as np

    vectors = np.random.default_rng(0).standard_normal((256, 16), np.float32)
    found = approximate(Index.ready(build("Flat", lambda: [vectors], len(vectors)), 5), vectors[:8], 5)
    expected = np.argsort(-(vectors[:8] @ vectors.T), axis=1, kind="stable")[:, :5]
    return bool(np.array_equal(found.keys, expected))
