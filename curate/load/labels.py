"""Loading of qrels and annotations: stage them, match them with queries and passages, write the shards."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from curate import sql_files
from curate.arrow_tables import regrouped
from curate.jobs import Job
from curate.load.checked_rows import CheckedRow, rows
from curate.load.input_files import Input
from curate.load.lines import Advance
from curate.load.rejects import Rejects
from curate.load.texts import Counts, chunks, reject_all, stand_on, transposed, write_table

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SHARD = 1_000_000
STAGED = 65_536
COLUMNS = {
    "qrels": ("query_id", "passage_id", "relevance", "split", "source"),
    "annotations": (
        "query_id",
        "passage_id",
        "relevant",
        "annotator",
        "note",
        "sample_id",
        "judged_at",
        "inclusion",
    ),
}

OUTCOMES = {"qrels": "load/qrels_outcomes", "annotations": "load/annotations_outcomes"}
REFUSED = {"qrels": "load/qrels_refused", "annotations": "load/annotations_refused"}


def load_labels(
    job: Job, table: str, files: list[Input], rejects: Rejects, staging: Path, advance: Advance
) -> Counts:
    """Write the shards of `qrels` or `annotations` and return the numbers of rows.

    A label that differs from the one in force replaces it. The older one stays in the table, out of force.
    """
    if not files:
        return Counts()
    staged = staging / f"{table}.parquet"
    _stage(table, (row for file in files for row in rows(file, rejects.add, advance)), staged)
    with job.workspace.connect_lazily(memory_limit="500MB") as connection:
        stand_on(connection, job, "passages")
        stand_on(connection, job, "queries")
        connection.read_parquet([str(staged)]).create_view("arrivals")
        connection.register("new_claims", rejects.claims_table())
        sql_files.execute(connection, OUTCOMES[table])
        reject_all(sql_files.select(connection, REFUSED[table]), rejects)
        ((repeated, corrected),) = sql_files.select(connection, "load/label_counts").fetchall()
        return Counts(_write(job, table, connection), repeated, corrected)


def _stage(table: str, found: Iterable[CheckedRow], staged: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _staged_schema(table)
    count = 0
    with pq.ParquetWriter(staged, schema) as writer:
        for batch in chunks(found, STAGED):
            sources, lines, values = transposed(batch)
            numbers = range(count, count + len(batch))
            writer.write_table(pa.table([numbers, sources, lines, *transposed(values)], schema=schema))
            count += len(batch)


def _staged_schema(table: str) -> "pa.Schema":
    import pyarrow as pa

    final = sql_files.schema(table)
    columns = {"number": pa.int64(), "file": pa.string(), "line": pa.int64()}
    columns |= {name: final.field(name).type if name in final.names else pa.string() for name in COLUMNS[table]}
    return pa.schema(columns)


def _write(job: Job, table: str, connection: "duckdb.DuckDBPyConnection") -> int:
    import pyarrow as pa

    schema, revision = sql_files.schema(table), int(job.name.rpartition("-")[2])
    taken = sql_files.select(connection, "load/labels_taken", revision=revision).to_arrow_reader(STAGED)
    tables = (pa.Table.from_batches([batch]).select(schema.names).cast(schema) for batch in taken)
    count = 0
    for number, shard in enumerate(regrouped(tables, SHARD)):
        write_table(job, table, number, shard)
        count += len(shard)
    return count
