"""Loading of passages and queries: write the shards, then remove repeated rows.

The shards are written while the files are read, on the assumption that no row repeats an earlier one. This is
nearly always true. If a row does repeat another, the shards are written again without it, so that keys stay dense.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from curate import sql_files
from curate.arrow_tables import regrouped
from curate.jobs import Job
from curate.load.checked_rows import CheckedRow, rows
from curate.load.input_files import Input
from curate.load.lines import Advance
from curate.load.rejects import Rejects
from curate.shards import Manifest
from curate.text_hash import text_hashes

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SHARD = 16_384
COLUMNS = {"passages": ("passage_id", "title", "text"), "queries": ("query_id", "text", "split")}
KEY = {"passages": "passage_key", "queries": "query_key"}
BY_ID = {"passages": "load/passages_by_id", "queries": "load/queries_by_id"}


class Counts(NamedTuple):
    """What a load did with the rows of one table."""

    loaded: int = 0
    collapsed: int = 0
    """Rows that repeat a known one."""
    corrected: int = 0
    """Loaded rows that replace an older one."""


def load_texts(
    job: Job, table: str, files: list[Input], rejects: Rejects, staging: Path, advance: Advance
) -> Counts:
    """Write the shards of `passages` or `queries` and return the numbers of rows."""
    if not files:
        return Counts()
    with job.workspace.connect_lazily(memory_limit="500MB") as connection:
        base = len(connection.read_parquet([str(path) for path in job.workspace.shards(table)]))
        origins = staging / f"{table}.parquet"
        count = _write(
            job, table, base, (row for file in files for row in rows(file, rejects.add, advance)), origins
        )
        stand_on(connection, job, table)
        connection.read_parquet([str(origins)]).create_view("origins")
        sql_files.execute(connection, BY_ID[table])
        sql_files.execute(connection, "load/repeats")
        before = rejects.count
        reject_all(sql_files.select(connection, "load/repeats_refused"), rejects)
        rejects.claims.update(sql_files.select(connection, "load/repeats_claimed").fetchall())
        repeats = sql_files.select(connection, "load/repeated_keys").fetchnumpy()["key"]
    if len(repeats):
        _close_gaps(job, table, base, count, repeats)
    return Counts(count - len(repeats), len(repeats) - (rejects.count - before))


def stand_on(connection: "duckdb.DuckDBPyConnection", job: Job, table: str) -> None:
    """Make the table on `connection` include the rows of the unfinished `job`."""
    name = sql_files.SHARDS_OF.get(table, table)
    sql_files.prepare(connection, name)  # first, or the first statement that reads the table would undo this
    connection.read_parquet([str(path) for path in shards(job, table)]).create_view(name, replace=True)


def shards(job: Job, table: str) -> list[Path]:
    """Return the shards of a table, including those of the unfinished `job`."""
    return [*job.workspace.shards(table), *sorted(job.shard(table, 0).parent.glob("*.parquet"))]


def reject_all(refused: "duckdb.DuckDBPyRelation", rejects: Rejects) -> None:
    """Add every row (file, line, reason, text) of a relation to the rejects."""
    for batch in refused.to_arrow_reader(SHARD):
        for row in batch.to_pylist():
            rejects.add(**row)


def chunks(items: Iterable[CheckedRow], size: int) -> Iterator[list[CheckedRow]]:
    """Yield lists of `size` items; the last one may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def transposed(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return the columns of rows; for thousands of rows this is faster than `zip(*rows)`."""
    return [[row[place] for row in rows] for place in range(len(rows[0]))]


def _write(job: Job, table: str, base: int, found: Iterator[CheckedRow], origins: Path) -> int:
    """Write the shards and the origin of each row, and return the number of rows.

    A second thread hashes and writes while this one reads.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema({"key": pa.int32(), "file": pa.string(), "line": pa.int64()})
    count = 0
    with pq.ParquetWriter(origins, schema) as writer, ThreadPoolExecutor(1) as background:
        writing: Future[Any] | None = None
        for number, batch in enumerate(chunks(found, SHARD)):
            keys = range(base + count, base + count + len(batch))
            sources, lines, values = transposed(batch)
            writer.write_table(pa.table([keys, sources, lines], schema=schema))
            if writing:
                writing.result()
            writing = background.submit(_write_shard, job, table, number, keys, values)
            count += len(batch)
        if writing:
            writing.result()
    return count


def _write_shard(job: Job, table: str, number: int, keys: range, values: list[tuple[Any, ...]]) -> Manifest:
    import pyarrow as pa

    data: dict[str, Any] = dict(zip(COLUMNS[table], transposed(values), strict=True))
    data |= {KEY[table]: keys, "text_hash": text_hashes(_as_read(data))}
    schema = sql_files.schema(table)
    return job.write(table, number, lambda: [pa.Table.from_pydict(data, schema)])


def _as_read(data: dict[str, list[str]]) -> list[str]:
    """Return the texts as a model reads them (sql/macros/passage_text.sql)."""
    if "title" not in data:
        return data["text"]
    both = zip(data["title"], data["text"], strict=True)
    return [f"{title} {text}" if title else text for title, text in both]


def _close_gaps(job: Job, table: str, base: int, count: int, repeats: Any) -> None:
    """Write the shards again without the rows whose keys are in `repeats`.

    Each old shard is deleted after reading. The new shard of the same number is written later, because the
    remaining rows only move to earlier places.
    """
    import pyarrow as pa

    kept = _without(job, table, -(-count // SHARD), pa.array(repeats))
    for number, rest in enumerate(regrouped(kept, SHARD)):
        first = base + number * SHARD
        keys = pa.array(range(first, first + len(rest)), pa.int32())
        at = rest.schema.get_field_index(KEY[table])
        write_table(job, table, number, rest.set_column(at, rest.schema.field(at), keys))


def write_table(job: Job, table: str, number: int, rows: "pa.Table") -> None:
    """Write one Arrow table, as `regrouped` yields it, as a shard."""
    job.write(table, number, lambda: [rows])


def _without(job: Job, table: str, shards: int, repeats: Any) -> Iterator[Any]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for number in range(shards):
        path = job.shard(table, number)
        found = pq.read_table(path)
        Manifest.path(path).unlink()
        path.unlink()
        yield found.filter(pc.invert(pc.is_in(found[KEY[table]], value_set=repeats)))
