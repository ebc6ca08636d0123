"""The tokens of passages, made once for all models with one tokenizer and prompt: one file per shard of passages.

    indexes/tokens/<16 digits of the fingerprint of what makes them>/<sha256 of the shard>.arrow

Row i of the column `tokens` belongs to passage i of the shard: its tokens without special ones, never cut. The
files are read memory-mapped. They are derived: without them the same tokens are made of the texts.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from curate import sql_files
from curate.passages import PassageShard, passage_shards, passages
from curate.progress import Progress
from curate.shards import Lineage, done, published
from curate.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from curate.models.text_tokens import TextTokens
    from curate.ragged import Ragged

FOLDER = "indexes/tokens"
CHUNK = 4096  # texts that are tokenized together, and whose tokens are in memory at once
OPEN = 256  # files that stay open, because the blocks of a scoring read the same ones again
Keep = Callable[["Ragged"], None]
"""Takes the tokens of the next passages of a shard."""


class TokenStore:
    """The tokens of a workspace's passages, as `tokens` makes them."""

    def __init__(self, workspace: Workspace, tokens: "TextTokens") -> None:
        """Read nothing yet."""
        self.workspace, self.tokens = workspace, tokens
        self._rows = lru_cache(OPEN)(self._mapped)

    @cached_property
    def shards(self) -> list[PassageShard]:
        """The shards of passages, in the order of the keys."""
        return passage_shards(self.workspace)

    def path(self, shard: PassageShard) -> Path:
        """Return the file of a shard, which need not exist yet."""
        return self.workspace.root / FOLDER / self.tokens.fingerprint[:16] / f"{shard.sha256}.arrow"

    def has(self, shard: PassageShard) -> bool:
        """Return whether the tokens of a shard are there and intact."""
        return done(self.path(shard), self._lineage(shard)) is not None

    def write(self, progress: Progress) -> None:
        """Make the files that are missing."""
        missing = [shard for shard in self.shards if not self.has(shard)]
        total, rest = (sum(shard.rows for shard in shards) for shards in (self.shards, missing))
        if not missing:
            return
        with (
            progress.task("tokenizing", total, "passages", total - rest) as advance,
            self.workspace.connect_lazily() as connection,
        ):
            for shard in missing:
                texts = (text for _, text in passages(connection, [shard]))
                with self.keeping(shard) as keep:
                    while chunk := list(islice(texts, CHUNK)):
                        keep(self.tokens.of(chunk))
                        advance(len(chunk))

    @contextmanager
    def keeping(self, shard: PassageShard) -> Iterator[Keep]:
        """Yield a function that adds tokens to the file of a shard, which is there once the block has ended."""
        import pyarrow as pa

        schema = pa.schema([("tokens", pa.list_(pa.int32()))])
        with (
            published(self.path(shard), shard.rows, self._lineage(shard)) as path,
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_file(sink, schema) as file,
        ):
            yield lambda tokens: file.write_batch(pa.record_batch([tokens.arrow()], schema=schema))

    def read(self, shard: PassageShard, size: int, most: int) -> "Iterator[Ragged]":
        """Yield the first `most` tokens of the passages of a shard that is there, `size` passages at a time."""
        import numpy as np

        from curate.ragged import gathered

        parts = self._rows(shard)
        for start in range(0, shard.rows, size):
            yield gathered(parts, np.arange(start, min(start + size, shard.rows)), most)

    def of(
        self,
        keys: "npt.NDArray[np.int64]",
        texts_of: "Callable[[npt.NDArray[np.int64]], Sequence[str]]",
        most: int | None = None,
    ) -> "Ragged":
        """Return the tokens of passages, or the first `most` of each.

        texts_of: gives the texts of those whose tokens are not there, by their keys. It is called at most once.
        """
        import numpy as np

        from curate.ragged import below, gathered

        ends = np.cumsum([shard.rows for shard in self.shards])
        shard_of = np.searchsorted(ends, keys, side="right")
        found, order = [], []
        for number in np.unique(shard_of).tolist():
            shard, at = self.shards[number], np.flatnonzero(shard_of == number)
            if shard in self._there:
                with suppress(FileNotFoundError):  # it may be deleted at any time
                    found.append(gathered(self._rows(shard), keys[at] - ends[number] + shard.rows, most))
                    order.append(at)
        lacking = np.delete(np.arange(len(keys)), np.concatenate([np.empty(0, np.int64), *order]))
        if len(lacking):
            found.append(self.tokens.of(texts_of(keys[lacking]), most))
        return below(found).take(np.argsort(np.concatenate([*order, lacking])))

    def _mapped(self, shard: PassageShard) -> "list[Ragged]":
        """Return the rows of a file, memory-mapped."""
        import pyarrow as pa

        from curate.ragged import Ragged

        file = pa.ipc.open_file(pa.memory_map(str(self.path(shard))))
        batches = [file.get_batch(number) for number in range(file.num_record_batches)]
        return [Ragged.of_arrow(batch.column(0)) for batch in batches]

    @cached_property
    def _there(self) -> set[PassageShard]:
        """The shards whose files were intact when they were first asked for."""
        return {shard for shard in self.shards if self.has(shard)}

    def _lineage(self, shard: PassageShard) -> Lineage:
        made_by = self.tokens.fingerprint
        text = {"text": sql_files.code("macros/passage_text")}
        return Lineage("tokens", made_by[:16], text, {"tokens": made_by, "passages": shard.sha256})
