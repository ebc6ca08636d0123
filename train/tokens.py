"""Token ids of texts as the model reads them, computed once and kept in a memory-mapped file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.ragged import Ragged, gathered
from curate.token_store import TokenStore
from curate.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.models.encoder import Encoder, Side

Tokenize = Callable[[npt.NDArray[Any], list[str], "Side"], Ragged]
"""Takes the keys of texts, the texts, and their side, `query` or `passage`; returns their token ids."""


def tokenize_by(encoder: "Encoder", workspace: Workspace) -> Tokenize:
    """Return a function that makes the tokens of texts, of passages from those that the workspace keeps."""
    own = encoder.tokens("passage").own
    store = TokenStore(workspace, own) if own else None

    def tokenize(keys: npt.NDArray[Any], texts: list[str], side: "Side") -> Ragged:
        if side == "query" or store is None:
            return encoder.tokenize(texts, side).columns["input_ids"]
        text_of = dict(zip(keys.tolist(), texts, strict=True))
        passages = encoder.tokens(side)
        alone = store.of(keys, lambda lacking: [text_of[key] for key in lacking.tolist()], passages.most)
        return passages.fitted(alone).columns["input_ids"]

    return tokenize


def write_tokens(path: Path, texts: "pa.RecordBatchReader", tokenize: Tokenize, side: "Side") -> int:
    """Write the rows of `texts` to an Arrow file, replacing the column `text` by `tokens`; return the row count.

    texts: sorted by `key`.
    """
    import pyarrow as pa

    others = [field for field in texts.schema if field.name != "text"]
    schema = pa.schema([*others, pa.field("tokens", pa.list_(pa.int32()))])
    rows = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in texts:
            tokens = tokenize(batch["key"].to_numpy(), batch["text"].to_pylist(), side)
            columns = [batch[field.name] for field in others]
            writer.write_batch(pa.record_batch([*columns, tokens.arrow()], schema=schema))
            rows += batch.num_rows
    return rows


class Tokens:
    """The rows of a file that `write_tokens` wrote, looked up by key."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self.table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        self.keys: npt.NDArray[Any] = self.column("key")
        self._parts = [Ragged.of_arrow(part) for part in self.table["tokens"].chunks]

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

    def ids(self, rows: npt.NDArray[np.int64]) -> Ragged:
        """Return the token ids of each row."""
        return gathered(self._parts, rows)

    def names(self, keys: npt.NDArray[Any]) -> list[str]:
        """Return the original ids of the rows with these keys."""
        return [str(self.table["id"][int(row)]) for row in self.at(keys)]
