"""The blocks of an export: ranges of keys that are written separately, which bounds memory and lost work.

Blocks are independent of each other, so two are made at once: DuckDB joins one while the other is compressed.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate import connections, sql_files
from curate.arrow_tables import regrouped
from curate.export.formats import Part
from curate.export.request import ExportRequest
from curate.shards import done, publish
from curate.training_set import LAST

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PASSAGES = 327_680
"""Approximate passages per block: the positives and negatives of its queries, or a part of the collection."""
ROW_GROUP = 16_384
AT_ONCE = 2
AUDIT = Part(".blocks/audit.parquet", "export/audit")
TABLES = ("export/queries", "export/negatives", "export/sources", "export/passages")


@dataclass(frozen=True)
class ExportBlock:
    """A range of query or passage keys, and the parts that are written from it."""

    number: int
    of: int
    first: int
    last: int
    items: int
    parts: tuple[Part, ...]

    @property
    def needs_tables(self) -> bool:
        """Whether its parts are made from the queries' joined tables."""
        return self.parts[0].over == "queries"


def blocks(request: ExportRequest, connection: "duckdb.DuckDBPyConnection") -> list[ExportBlock]:
    """Return all blocks of an export, the blocks of queries first."""
    parts = request.format.parts(request.settings["negatives"])
    of_queries = tuple(part for part in parts if part.over == "queries")
    of_passages = tuple(part for part in parts if part.over == "passages")
    size = max(1, PASSAGES // (request.settings["negatives"] + 1))
    found = _ranges(
        connection, "export/blocks", (*of_queries, AUDIT), {**request.parameters, "size": size, "last_key": LAST}
    )
    if of_passages:
        found += _ranges(connection, "export/passage_blocks", of_passages, {"size": PASSAGES})
    return found


def _ranges(
    connection: "duckdb.DuckDBPyConnection", query: str, parts: tuple[Part, ...], parameters: Mapping[str, Any]
) -> list[ExportBlock]:
    rows = sql_files.select(connection, query, **parameters).fetchall() or [(0, -1, 0)]
    return [
        ExportBlock(number, len(rows), first, last, items, parts)
        for number, (first, last, items) in enumerate(rows)
    ]


def is_done(request: ExportRequest, block: ExportBlock) -> bool:
    """Return whether every file of a block exists and is intact."""
    return all(done(path, request.job.lineage) for path in _targets(request, block))


def write_blocks(
    request: ExportRequest,
    connection: "duckdb.DuckDBPyConnection",
    todo: list[ExportBlock],
    advance: Callable[[int], None],
) -> None:
    """Write the files of the blocks in `todo`. The tables of each block live on a connection of their own."""

    def write(block: ExportBlock) -> int:
        with connections.remember(connection.cursor()) as own:
            _write_block(request, own, block)
        return block.items

    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for items in pool.map(write, todo):
                advance(items)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write_block(request: ExportRequest, connection: "duckdb.DuckDBPyConnection", block: ExportBlock) -> None:
    parameters = {**request.parameters, "first": block.first, "last": block.last}
    if block.needs_tables:
        request.training_set.create(connection, first=block.first, last=block.last)
        for table in TABLES:
            sql_files.execute(connection, table, **parameters)
    for part, target in zip(block.parts, _targets(request, block), strict=True):
        if done(target, request.job.lineage):
            continue
        rows = sql_files.select(connection, part.query, **{**parameters, **part.parameters})
        write = _write_parquet if part.is_parquet else _write_lines
        publish(target, partial(write, rows.to_arrow_reader(ROW_GROUP), part), request.job.lineage)


def _targets(request: ExportRequest, block: ExportBlock) -> list[Path]:
    return [request.staging / part.file(block.number, block.of) for part in block.parts]


def _write_parquet(reader: "pa.RecordBatchReader", part: Part, path: Path) -> int:
    import pyarrow.parquet as pq

    shape = part.shape or (lambda table: table)
    rows = 0
    schema = shape(reader.schema.empty_table()).schema
    # zstd already finds most repetitions in texts, so a dictionary would only cost time.
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, use_dictionary=False) as writer:
        for table in regrouped(reader, ROW_GROUP):
            writer.write_table(shape(table))
            rows += table.num_rows
    return rows


def _write_lines(reader: "pa.RecordBatchReader", part: Part, path: Path) -> int:  # noqa: ARG001
    """Write the bytes of a column of lines unchanged from Arrow's buffer."""
    import numpy as np

    rows = 0
    with path.open("wb") as stream:
        for batch in reader:
            column = batch.column(0)
            _, offsets, data = column.buffers()
            ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
            stream.write(memoryview(data)[ends[0] : ends[-1]])
            rows += len(column)
    return rows
