"""The training data of a dual-encoder, drawn by SQL, tokenized once, and read step by step from three files.

models/<name>.checkpoint/
  rows.parquet    the passages of every training row: the query's positives first, then the others
  queries.arrow   the queries: their tokens, and the texts that may not serve as negatives for them
  passages.arrow  the tokens of all passages that occur in a row
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate import sql_files
from curate.counted import counted
from curate.errors import BadSettings
from curate.shards import Lineage, Manifest, done, publish
from curate.training_set import TrainingSet
from curate.workspace import Workspace

from .parquet_stream import record_batches, write_stream
from .tokens import Tokenize, write_tokens

if TYPE_CHECKING:
    import duckdb

    from curate.models.encoder import Side

ROWS, QUERIES, PASSAGES = "rows.parquet", "queries.arrow", "passages.arrow"
BATCH = 8192
Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Counts:
    """The size of the training data."""

    queries: int
    pseudo_labelled: int
    """How many of the queries are unlabeled and have a pseudo-label."""
    short: int
    """Queries with fewer hard negatives than requested."""
    without: int
    """Queries without any hard negative; `short` includes them."""
    soft: int
    """Queries with uncertain candidates as soft labels."""


def count(workspace: Workspace, training_set: TrainingSet, parameters: Mapping[str, Any]) -> Counts:
    """Return the size of the training data; raises BadSettings if there is nothing to train on."""
    with workspace.connect_lazily() as connection:
        return _draw(connection, training_set, parameters)


def write(
    workspace: Workspace,
    folder: Path,
    training_set: TrainingSet,
    parameters: Mapping[str, Any],
    tokenize: Tokenize,
    lineage: Lineage,
    first: int | None = None,
) -> Manifest:
    """Write the three files to `folder` unless all are there already; return the manifest of the rows.

    first: how many rows are written; by default all.
    Memory use is bounded: DuckDB spills to disk, and only one batch of texts is held at a time.
    """
    paths = [folder / name for name in (ROWS, QUERIES, PASSAGES)]
    standing = [done(path, lineage) for path in paths]
    if standing[0] and all(standing):
        return standing[0]
    with workspace.connect_lazily() as connection:
        counts = asdict(_draw(connection, training_set, parameters))
        sql_files.execute(connection, "train/rows", **parameters)
        if first is not None:
            sql_files.execute(connection, "train/first_rows", rows=first)
        sql_files.execute(connection, "train/texts", **parameters)
        slots = sql_files.select(connection, "train/row_slots", **parameters).to_arrow_reader(BATCH)
        rows = publish(paths[0], partial(write_stream, rows=slots, counts=counts), lineage)
        sides: list[tuple[Path, Side, str]] = [
            (paths[1], "query", "train/row_queries"),
            (paths[2], "passage", "train/row_passages"),
        ]
        for path, side, query in sides:
            texts = sql_files.select(connection, query, **parameters).to_arrow_reader(BATCH)
            publish(path, partial(write_tokens, texts=texts, tokenize=tokenize, side=side), lineage)
    return rows


def counts_in(path: Path) -> tuple[Counts, int]:
    """Return the counts stored in the rows file at `path`, and the number of pairs in it."""
    import pyarrow.parquet as pq

    file = pq.read_metadata(path)
    return Counts(*(int(file.metadata[field.name.encode()]) for field in fields(Counts))), int(file.num_rows)


def read(path: Path, size: int, first: int = 0) -> Iterator[tuple[int, Columns]]:
    """Yield (step, columns) with `size` training rows per step, starting at step `first`; the last may be smaller.

    Columns: row_number, query_key, passage_key, label, logit (NaN: not scored) and weight (1 for a positive, the
    soft label of an uncertain candidate, NaN for a negative), with one entry per passage.
    """
    import pyarrow.dataset as ds

    wanted = ["row_number", "query_key", "passage_key", "label", "logit", "weight"]
    held: Columns = {}
    for batch in record_batches(path, ds.field("row_number") >= first * size, BATCH, wanted):
        part = {name: batch[name].to_numpy(zero_copy_only=False) for name in wanted}
        held = {name: np.concatenate([held[name], part[name]]) for name in wanted} if held else part
        steps = held["row_number"] // size
        # A step is complete only once a row of a later step has been read.
        while len(steps) and steps[0] != steps[-1]:
            end = int(np.searchsorted(steps, steps[0], side="right"))
            yield int(steps[0]), {name: column[:end] for name, column in held.items()}
            held = {name: column[end:] for name, column in held.items()}
            steps = steps[end:]
    if held and len(held["row_number"]):
        yield int(held["row_number"][0] // size), held


def _draw(
    connection: "duckdb.DuckDBPyConnection", training_set: TrainingSet, parameters: Mapping[str, Any]
) -> Counts:
    training_set.create(connection)
    sql_files.execute(connection, "train/soft_labels", **parameters)
    [found] = sql_files.select(connection, "train/row_counts", **parameters).fetchall()
    counts = Counts(*found)
    if not counts.queries:
        raise BadSettings(
            "nothing to train on: no query that may train has a labelled positive. Load some",
            run="curate load --qrels train=FILE",
        )
    if parameters["hard_negatives"] and counts.without == counts.queries:
        raise BadSettings(
            f"{counted(counts.queries, 'queries have', 'query has')} no hard negative in "
            f"{', '.join(training_set.runs)}. "
            "Run: curate mine --split train, then curate denoise; or train without them: --hard-negatives 0"
        )
    return counts
