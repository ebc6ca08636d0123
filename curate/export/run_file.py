"""A run as a file in TREC's form, for trec_eval, ir_measures, pyserini and `curate mine --run`."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from curate import sql_files
from curate.choose_run import chosen_run
from curate.counted import counted
from curate.errors import BadInput, BadSettings
from curate.shards import whole_file
from curate.workspace import Workspace, check_output

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import numpy.typing as npt

QUERIES = 256
"""Queries per batch."""


@dataclass(frozen=True)
class ExportedRun:
    """A run that was written as a TREC file."""

    run_id: str
    path: str
    """The file, or `-` for stdout."""
    queries: int
    candidates: int

    def text(self) -> str:
        """Return the outcome for a terminal."""
        found = f"{counted(self.candidates, 'candidates')} for {counted(self.queries, 'queries')}"
        return f"{self.path}: {found} of the run {self.run_id}."


def export_run(workspace: Workspace, run: str, path: Path | str, *, force: bool = False) -> ExportedRun:
    """Write a run to the file `path`, or to stdout if that is `-`, in TREC's form: qid Q0 docid rank score tag.

    The lines are in the order of the run, and the scores fall from line to line: trec_eval orders a query's lines
    by score in single precision and breaks ties by the passage's id. Tied scores are therefore lowered in their
    last bits, so that it sees the run as `curate evaluate` does. The tag is the run's id.

    Raises BadSettings for an unknown run, if the file exists, unless `force` replaces it, and if it is one of a
    workspace's own. Raises BadInput for
    an id with white space, which the form cannot hold; nothing is written then.
    """
    run_id = chosen_run(workspace, run)
    if str(path) != "-":
        _check_target(Path(path), force)
    with workspace.connect_lazily() as connection:
        _check_ids(connection, run_id)
        with _opened(path) as stream:
            counts = _write(connection, run_id, stream)
    return ExportedRun(run_id, str(path), *counts)


def _check_target(target: Path, force: bool) -> None:
    check_output(target)
    if target.is_dir():
        raise BadSettings(f"{target} is a folder. Give a file in it")
    if target.is_file() and not force:
        raise BadSettings(f"{target} exists already. Give another file, or replace it with --force")


@contextmanager
def _opened(path: Path | str) -> Iterator[TextIO]:
    """Yield a stream: a file appears whole or not at all, and a device or a pipe is written through."""
    target = Path(path)
    if str(path) == "-":
        yield sys.stdout
    elif target.exists() and not target.is_file():
        with target.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
    else:  # behind a symbolic link, the file that it names is written
        with (
            whole_file(target.resolve()) as temporary,
            temporary.open("w", encoding="utf-8", newline="\n") as stream,
        ):
            yield stream


def _check_ids(connection: "duckdb.DuckDBPyConnection", run_id: str) -> None:
    for what, name in sql_files.select(connection, "export/run_ids", run=run_id).fetchall():
        raise BadInput(
            f"the {what} id {name!r} has white space, which separates the columns of a TREC file. As a table: "
            f"curate sql \"from candidates where run_id = '{run_id}'\" --output FILE.parquet"
        )


def _write(connection: "duckdb.DuckDBPyConnection", run_id: str, stream: TextIO) -> tuple[int, int]:
    queries = candidates = 0
    for query_id, passage_ids, scores in _rows(connection, run_id):
        stream.writelines(_lines(query_id, passage_ids, falling(scores), run_id))
        queries, candidates = queries + 1, candidates + len(passage_ids)
    return queries, candidates


def _rows(connection: "duckdb.DuckDBPyConnection", run_id: str) -> Iterator[tuple[str, list[str], Any]]:
    for batch in sql_files.select(connection, "export/run", run=run_id).to_arrow_reader(QUERIES):
        for row in batch.to_pylist():
            yield row["query_id"], row["passage_ids"], row["scores"]


def _lines(query_id: str, passage_ids: list[str], scores: Iterable[Any], tag: str) -> Iterator[str]:
    for rank, (passage_id, score) in enumerate(zip(passage_ids, scores, strict=True), 1):
        yield f"{query_id} Q0 {passage_id} {rank} {score!s} {tag}\n"


def falling(scores: Iterable[float]) -> "npt.NDArray[np.float32]":
    """Return the scores in single precision, each lowered as little as makes it less than the one before."""
    import numpy as np

    # A float's bits, read as an integer, have the order of the floats (negative ones: after turning their bits).
    bits = np.asarray([*scores], np.float32).view(np.int32).astype(np.int64)
    places = np.where(bits < 0, np.int64(-(2**31)) - bits, bits)
    ranks = np.arange(len(places))
    lowered = np.minimum.accumulate(places + ranks) - ranks
    turned = np.where(lowered < 0, np.int64(-(2**31)) - lowered, lowered)
    return turned.astype(np.int32).view(np.float32)
