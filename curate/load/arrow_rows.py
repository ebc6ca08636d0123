"""Rows of raw values from Arrow files: the stream, which `datasets` saves, and the file, which is also Feather."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curate.load.table_rows import ROWS, TableRows

FILE = b"ARROW1"


class ArrowRows(TableRows):
    """The rows of an Arrow file with their numbers from 1; raises BadInput if a column is missing or repeated."""

    form = "Arrow"

    @staticmethod
    def _names(path: Path) -> list[str]:
        with _opened(path) as (schema, _batches, _tell):
            return list(schema.names)

    def _batches(self, places: list[str]) -> Iterator[Any]:
        before = 0
        with _opened(self.path) as (_schema, batches, tell):
            for whole in batches:
                whole.validate(full=True)
                for start in range(0, len(whole), ROWS):
                    yield whole.slice(start, ROWS).select(places)
                at = tell()
                self.advance(max(at - before, 0))
                before = max(at, before)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Iterator[Any], Any]]:
    """Yield the schema, the record batches and a function that returns how far the file is read."""
    import pyarrow as pa

    with pa.OSFile(str(path)) as file:
        if file.read(len(FILE)) == FILE:
            reader = pa.ipc.open_file(file)
            yield reader.schema, map(reader.get_batch, range(reader.num_record_batches)), file.tell
        else:
            file.seek(0)
            reader = pa.ipc.open_stream(file)
            yield reader.schema, iter(reader), file.tell
