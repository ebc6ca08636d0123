"""Batches for training a dual-encoder: the texts to embed, and the role of every passage for every query."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from curate.ragged import Ragged, ranges

from . import training_rows
from .tokens import Tokens
from .world import World

Bools = npt.NDArray[np.bool_]
T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """One step's rows, in order.

    The masks below cover this process's queries and, with cross-batch negatives, the passages of all processes.
    """

    rows: int
    """The number of rows in the whole batch."""
    queries: Ragged
    """The tokens of this process's queries."""
    passages: Ragged
    """The tokens of this process's passages."""
    counts: list[int]
    """The number of passages of each process; without cross-batch negatives, only this process's number."""
    positive: Bools
    """Queries x passages: the positives in the query's own row."""
    negative: Bools
    """Queries x passages: the passages that count as negatives for the query."""
    slots: npt.NDArray[np.int64]
    """Queries x slots: the passages of the query's own row, and -1 for unused slots."""
    teacher: npt.NDArray[np.float32]
    """Queries x slots: the cross-encoder's logits, and NaN where there is none."""
    weights: npt.NDArray[np.float32]
    """Queries x targets, which are the first slots: 1 for a positive, the soft label of an uncertain candidate,
    and NaN for what is neither."""
    taught_rows: int
    """The number of rows in the whole batch that have two logits or more."""
    taught_pairs: int
    """The number of (positive, negative) pairs within the whole batch's rows for which both logits are known."""
    query_keys: npt.NDArray[Any]
    passage_keys: npt.NDArray[Any]
    """The query keys and the passage keys of all processes."""


class Batches:
    """The batches of a training, as one process sees them."""

    def __init__(self, folder: Path, world: World, *, cross_batch: bool) -> None:
        """Open the files that `training_rows.write` wrote.

        Without `cross_batch`, each process uses only its own passages as negatives.
        """
        self.world, self.cross_batch = world, cross_batch
        self.path = folder / training_rows.ROWS
        self.queries, self.passages = (
            Tokens(folder / training_rows.QUERIES),
            Tokens(folder / training_rows.PASSAGES),
        )
        self.text_keys = self.passages.column("text_key")
        self.masked = self.queries.lists("masked")

    def read(self, size: int, first: int = 0) -> Iterator[tuple[int, Batch]]:
        """Yield (step, batch), starting at step `first`."""
        for step, columns in training_rows.read(self.path, size, first):
            yield step, self.batch(columns)

    def batch(self, columns: training_rows.Columns) -> Batch:
        """Return the batch of the rows in `columns`."""
        row_of = columns["row_number"] - columns["row_number"][0]
        count = int(row_of[-1]) + 1
        starts = np.searchsorted(row_of, np.arange(count + 1))  # where each row's passages begin
        shares = self.world.shares(count)
        mine = shares[self.world.rank]
        own = slice(int(starts[mine.start]), int(starts[mine.stop]))
        counts = [int(starts[share.stop] - starts[share.start]) for share in shares]
        seen = slice(None) if self.cross_batch else own
        queries = self.queries.at(columns["query_key"][starts[mine.start : mine.stop]])
        in_store = self.passages.at(columns["passage_key"])
        row_of_mine = np.arange(mine.start, mine.stop)[:, None]
        own_row = row_of[seen][None, :] == row_of_mine
        positive = own_row & columns["label"][seen][None, :]
        unsure = own_row & ~np.isnan(columns["weight"][seen])[None, :] & ~positive
        # A row's own negatives count even if the mask excludes them: --no-denoised asks for that.
        negative = ~positive & ~unsure & ~(self._masked(queries, self.text_keys[in_store[seen]]) & ~own_row)
        slots = _slots(starts, mine)
        offset = own.start if seen is own else 0
        taught = _taught(columns, row_of, count)
        return Batch(
            rows=count,
            queries=self.queries.ids(queries),
            passages=self.passages.ids(in_store[own]),
            counts=counts if self.cross_batch else [counts[self.world.rank]],
            positive=positive,
            negative=negative,
            slots=np.where(slots >= 0, slots - offset, -1),
            teacher=_at(slots, columns["logit"]),
            weights=_targets(_at(slots, columns["weight"])),
            taught_rows=taught[0],
            taught_pairs=taught[1],
            query_keys=columns["query_key"][starts[:-1]],
            passage_keys=columns["passage_key"],
        )

    def names(self, batch: Batch) -> str:
        """Return the query and passage ids in a batch."""
        queries, passages = self.queries.names(batch.query_keys), self.passages.names(batch.passage_keys)
        return f"{' '.join(queries)} and {' '.join(passages)}"

    def _masked(self, queries: npt.NDArray[np.int64], text_keys: npt.NDArray[Any]) -> Bools:
        """Return queries x passages: whether the tables exclude the passage's text as a negative for the query."""
        offsets, values = self.masked
        sizes = offsets[queries + 1] - offsets[queries]
        rows_of = np.repeat(np.arange(len(queries)), sizes)
        keys = values[ranges(offsets[queries], sizes)]
        order = np.argsort(text_keys, kind="stable")
        first = np.searchsorted(text_keys[order], keys, side="left")
        hits = np.searchsorted(text_keys[order], keys, side="right") - first
        masked = np.zeros((len(queries), len(text_keys)), np.bool_)
        masked[np.repeat(rows_of, hits), order[ranges(first, hits)]] = True
        return masked


def ahead(items: Iterator[T], count: int = 2) -> Iterator[T]:
    """Yield items while a thread prepares the next `count`; an exception in the thread is raised here."""
    made: Queue[tuple[T | None, BaseException | None]] = Queue(count)
    over = Event()

    def put(item: T | None, error: BaseException | None) -> None:
        while not over.is_set():
            with suppress(Full):
                made.put((item, error), timeout=1.0)
                return

    def make() -> None:
        try:
            for item in items:
                put(item, None)
                if over.is_set():
                    return
            put(None, None)
        except BaseException as error:  # noqa: BLE001  (the consumer raises it)
            put(None, error)

    thread = Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if error:
                raise error
            if item is None:
                return
            yield item
    finally:
        over.set()


def _slots(starts: npt.NDArray[Any], mine: range) -> npt.NDArray[np.int64]:
    """Return queries x slots: the places in the columns of each of this process's rows; -1 for unused slots."""
    sizes = np.diff(starts)
    width = int(sizes.max())
    here = sizes[mine.start : mine.stop, None]
    places = starts[mine.start : mine.stop, None] + np.arange(width)[None, :]
    return np.where(np.arange(width)[None, :] < here, places, -1)


def _at(slots: npt.NDArray[np.int64], column: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the values of a column in the slots, and NaN in the unused ones."""
    return np.where(slots >= 0, column.astype(np.float32)[np.maximum(slots, 0)], np.float32("nan"))


def _targets(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the weights of the first slots, as many as some row has targets."""
    return weights[:, : int((~np.isnan(weights)).sum(axis=1).max(initial=1))]


def _taught(columns: training_rows.Columns, row_of: npt.NDArray[Any], count: int) -> tuple[int, int]:
    """Return how many rows have two logits or more, and how many (positive, negative) pairs have both logits."""
    known = ~np.isnan(columns["logit"].astype(np.float32))
    positives = np.bincount(row_of[known & columns["label"]], minlength=count)
    negatives = np.bincount(row_of[known & ~columns["label"]], minlength=count)
    return int((positives + negatives > 1).sum()), int((positives * negatives).sum())
