"""Complete labels of some queries, in a file: the truth by which cutoffs and filters are measured."""

from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import BadInput
from curate.load.checked_rows import rows
from curate.load.input_files import Input

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("query_id", "passage_id", "relevance")


def hidden_labels(path: Path | None) -> "pa.Table":
    """Return the rows of a file of qrels, none without a file; raises BadInput for a row that is none."""
    import pyarrow as pa

    schema = pa.schema([("query_id", pa.string()), ("passage_id", pa.string()), ("relevance", pa.int64())])
    found = [] if path is None else rows(Input("qrels", path), _refuse, _ignore)
    return pa.Table.from_pylist([dict(zip(COLUMNS, values, strict=False)) for _, _, values in found], schema)


def _refuse(
    file: str,
    line: int,
    reason: str,
    text: str,  # noqa: ARG001
    query_id: str | None = None,  # noqa: ARG001
    split: str | None = None,  # noqa: ARG001
) -> None:
    raise BadInput(f"{file}:{line}: {reason}")


def _ignore(_count: int) -> None:
    """Show no progress: a file of labels is small."""
