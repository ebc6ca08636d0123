"""Cached embeddings: one float16 file per shard of passages or block of queries.

    embeddings/<16 digits of the encoder's fingerprint>/passages/<sha256 of the shard>.npy
                                                        queries/<digest of the texts>.npy

Row i belongs to text i of the shard. A file is reused as long as the encoder and the texts are the same. After a
later load, only the new shards are embedded.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import BadInput, NotAvailable
from curate.models.devices import shared_out
from curate.models.encoder import CHUNK, Encoder, Vectors
from curate.passages import PassageShard, passage_shards, passages
from curate.progress import Advance, Progress
from curate.shards import Lineage, digest, done, publish
from curate.token_store import TokenStore
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb
    import numpy as np


@dataclass
class Work:
    """The embedding work of one call: passages encoded, passages truncated, seconds."""

    encoded: int = 0
    truncated: int = 0
    seconds: float = 0.0

    def add(self, other: "Work") -> None:
        """Add work that was done at the same time."""
        self.encoded += other.encoded
        self.truncated += other.truncated
        self.seconds = max(self.seconds, other.seconds)


def embeddings_of(workspace: Workspace, encoder: Encoder, shard: PassageShard) -> Path:
    """Return the path of the embeddings of a shard, which need not exist yet."""
    return _folder(workspace, encoder) / "passages" / f"{shard.sha256}.npy"


def is_embedded(workspace: Workspace, encoder: Encoder, shard: PassageShard) -> bool:
    """Return whether the embeddings of a shard exist and are intact."""
    lineage = _lineage(encoder, "passages", shard.sha256)
    return done(embeddings_of(workspace, encoder, shard), lineage) is not None


def embedded_shards(workspace: Workspace, encoder: Encoder) -> list[Path]:
    """Return the files with embeddings of passages by this encoder, of whatever collection."""
    return sorted((_folder(workspace, encoder) / "passages").glob("*.npy"))


def embed_passages(workspace: Workspace, encoder: Encoder, progress: Progress, work: Work) -> list[Path]:
    """Embed passages that are not embedded yet; return the files of all embeddings, in the order of the keys."""
    shards = passage_shards(workspace)
    missing = [shard for shard in shards if not is_embedded(workspace, encoder, shard)]
    total, rest = sum(shard.rows for shard in shards), sum(shard.rows for shard in missing)
    with (
        progress.task("embedding", total, "passages", total - rest) as advance,
        shared_out(
            _embed_share, (workspace.root, encoder.without_weights(), encoder.fingerprint), missing, advance
        ) as share,
    ):
        done_here = _embed(workspace, encoder, share, share.advance)
    for one in (done_here, *share.results):
        work.add(one)
    return [embeddings_of(workspace, encoder, shard) for shard in shards]


def _embed_share(
    root: Path, encoder: Encoder, fingerprint: str, shards: Iterable[PassageShard], advance: Advance
) -> Work:
    """Embed shards in another process than that of the command.

    Raises NotAvailable if the encoder is another one on this device.
    """
    if encoder.fingerprint != fingerprint:
        raise NotAvailable(f"{encoder.path} computes other vectors on one of the devices. Leave out --devices")
    return _embed(Workspace(root), encoder, shards, advance)


def _embed(workspace: Workspace, encoder: Encoder, shards: Iterable[PassageShard], advance: Advance) -> Work:
    work, own = Work(), encoder.tokens("passage").own
    store = TokenStore(workspace, own) if own else None
    with workspace.connect_lazily() as connection:
        for shard in shards:
            target = embeddings_of(workspace, encoder, shard)
            chunks = _counted(_vectors(connection, encoder, store, shard, advance), work)
            lineage = _lineage(encoder, "passages", shard.sha256)
            publish(target, partial(_write, chunks=chunks, rows=shard.rows), lineage)
    return work


def _vectors(
    connection: "duckdb.DuckDBPyConnection",
    encoder: Encoder,
    store: TokenStore | None,
    shard: PassageShard,
    advance: Advance,
) -> Iterator[Vectors]:
    """Yield the vectors of a shard. The store has its tokens already, or gets them as they are made."""
    if store and store.has(shard):
        tokens = store.read(shard, CHUNK, encoder.tokens("passage").most)
        yield from encoder.encode_tokens(tokens, "passage", advance)
        return
    texts = (text for _, text in passages(connection, [shard]))
    with store.keeping(shard) if store else nullcontext() as keep:
        yield from encoder.encode(texts, "passage", advance, keep)


def embed_queries(workspace: Workspace, encoder: Encoder, texts: list[str]) -> "np.ndarray":
    """Return the embeddings of a block of queries (float16, texts x dimension); they are cached."""
    import numpy as np

    name = digest(texts)
    target = _folder(workspace, encoder) / "queries" / f"{name}.npy"
    lineage = _lineage(encoder, "queries", name)
    if not done(target, lineage):
        publish(target, partial(_write, chunks=encoder.encode(texts, "query"), rows=len(texts)), lineage)
    return np.load(target)  # type: ignore[no-any-return]


def load(paths: Iterable[Path]) -> Iterator["np.ndarray"]:
    """Yield the embeddings in files as memory-mapped arrays."""
    import numpy as np

    for path in paths:
        yield np.load(path, mmap_mode="r")


def without_tokens(paths: Iterable[Path]) -> "np.ndarray":
    """Return the numbers of the rows, over all files, whose texts have no token: their vectors are zero."""
    import numpy as np

    return np.flatnonzero(np.concatenate([~array.view(np.uint16).any(axis=1) for array in load(paths)]))


def _write(path: Path, chunks: Iterable[Vectors], rows: int) -> int:
    """Write one file chunk by chunk, so that a shard's vectors are never in memory all at once.

    Returns the number of rows. Raises BadInput if a vector does not fit into float16.
    """
    import numpy as np

    kept, row = None, 0
    for vectors in chunks:
        if kept is None:
            kept = np.lib.format.open_memmap(path, "w+", np.float16, (rows, vectors.array.shape[1]))
        with np.errstate(over="ignore"):
            kept[row : row + len(vectors.array)] = vectors.array
        if not np.isfinite(kept[row : row + len(vectors.array)]).all():
            raise BadInput("the encoder returned vectors that are too large for float16; try --normalize")
        row += len(vectors.array)
    if kept is not None:
        kept.flush()
    return row


def _counted(chunks: Iterable[Vectors], work: Work) -> Iterator[Vectors]:
    started = time.monotonic()
    for vectors in chunks:
        work.encoded += len(vectors.array)
        work.truncated += vectors.truncated
        yield vectors
    work.seconds += time.monotonic() - started


def _folder(workspace: Workspace, encoder: Encoder) -> Path:
    return workspace.root / "embeddings" / encoder.fingerprint[:16]


def _lineage(encoder: Encoder, kind: str, texts: str) -> Lineage:
    return Lineage("embed", encoder.fingerprint[:16], {}, {"encoder": encoder.fingerprint, kind: texts})
