"""Token ids of texts, computed once and kept in a memory-mapped file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.models.encoder import Side

Ids = npt.NDArray[np.int32]


def write_tokens(
    path: Path,
    texts: "pa.RecordBatchReader",
    tokenize: Callable[[list[str], "Side"], list[list[int]]],
    side: "Side",
) -> int:
    """Write the rows of `texts` to an Arrow file, replacing the column `text` by `tokens`; return the row count.

    texts: sorted by `key`; side: `query` or `passage`.
    """
    import pyarrow as pa

    others = [field for field in texts.schema if field.name != "text"]
    schema = pa.schema([*others, pa.field("tokens", pa.list_(pa.int32()))])
    rows = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in texts:
            tokens = pa.array(tokenize(batch["text"].to_pylist(), side), pa.list_(pa.int32()))
            columns = [batch[field.name] for field in others]
            writer.write_batch(pa.record_batch([*columns, tokens], schema=schema))
            rows += batch.num_rows
    return rows


class Tokens:
    """The rows of a file that `write_tokens` wrote, looked up by key."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self.table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        self.keys: npt.NDArray[Any] = self.column("key")
        batches = self.table["tokens"].chunks
        self._starts = np.cumsum([0, *map(len, batches)])
        self._parts = [(part.offsets.to_numpy(), part.values.to_numpy()) for part in batches]

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a numeric column."""
        column: npt.NDArray[Any] = self.table[name].to_numpy()
        return column

    def lists(self, name: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return a column of lists of numbers as offsets (the last one is the end) and all values in one array."""
        together = self.table[name].combine_chunks()
        return together.offsets.to_numpy(), together.values.to_numpy()

    def at(self, keys: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Return the row numbers of keys, all of which must be in the file."""
        return np.searchsorted(self.keys, keys)

    def ids(self, rows: npt.NDArray[np.int64]) -> list[Ids]:
        """Return the token ids of each row, as views into the mapped file."""
        parts = np.searchsorted(self._starts, rows, side="right") - 1
        found = []
        for row, part in zip(rows.tolist(), parts.tolist(), strict=True):
            offsets, values = self._parts[part]
            at = row - int(self._starts[part])
            found.append(values[offsets[at] : offsets[at + 1]])
        return found

    def names(self, keys: npt.NDArray[Any]) -> list[str]:
        """Return the original ids of the rows with these keys."""
        return [str(self.table["id"][int(row)]) for row in self.at(keys)]
