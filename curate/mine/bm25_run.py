"""BM25 runs."""

import shutil
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

from curate.config import Language
from curate.job_record import Record
from curate.jobs import Job
from curate.mine.bm25_index import ANALYZER, Bm25
from curate.mine.candidates import Queries, as_table, finish, job_of, write_candidates
from curate.mine.exact_search import TopPassages
from curate.passages import passage_shards, passages
from curate.progress import Progress
from curate.shards import digest
from curate.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def bm25_job(queries: Queries, depth: int, language: Language) -> Job:
    """Return the job of a BM25 run."""
    return job_of(queries, "bm25", {"depth": depth, "language": language, "analyzer": ANALYZER}, {})


def mine_bm25(
    queries: Queries, depth: int, language: Language, progress: Progress, *, detected: bool = False
) -> Record:
    """Write a BM25 run over `queries`, unless it exists; return its record.

    detected: whether nobody named the language.
    """
    job = bm25_job(queries, depth, language)
    if job.record:
        return job.record
    index = _index(queries.workspace, job.inputs["passages"], language, progress)
    with queries.workspace.connect_lazily() as connection:

        def retrieve(keys: "np.ndarray", _number: int) -> "Iterator[pa.Table]":
            texts = queries.texts(connection, keys)
            found = _found(index, texts, queries.reach(depth))
            yield as_table(job.name, keys, queries.without_copies(connection, keys, found, depth))

        write_candidates(job, queries, retrieve, progress)
    return finish(job, queries, depth=depth, language=language, facts={"language_detected": detected})


def _found(index: Bm25, texts: list[str], depth: int) -> TopPassages:
    import numpy as np

    depth = min(depth, index.size)
    found = TopPassages(
        np.full((len(texts), depth), -1, np.int64), np.full((len(texts), depth), -np.inf, np.float32)
    )
    for row, text in enumerate(texts):
        for column, (score, key) in enumerate(index.search(text, depth)):
            found.keys[row, column], found.scores[row, column] = key, score
    return found


def _index(workspace: Workspace, passages_digest: str, language: Language, progress: Progress) -> Bm25:
    """Return the index of the passages that are loaded now; if it is missing, build it and delete older ones."""
    shards = passage_shards(workspace)
    name = digest(passages_digest, ANALYZER, language, version("tantivy"))[:16]  # tantivy stems
    folder = workspace.root / "indexes" / f"bm25-{name}"
    if Bm25.is_intact(folder):
        return Bm25(folder, language)
    for old in workspace.root.glob("indexes/*bm25-*"):
        shutil.rmtree(old)
    total = sum(shard.rows for shard in shards)
    with progress.task("indexing", total, "passages") as advance, workspace.connect_lazily() as connection:

        def counted() -> Iterator[tuple[int, str]]:
            for number, passage in enumerate(passages(connection, shards), 1):
                yield passage
                if number % 1000 == 0 or number == total:
                    advance(number % 1000 or 1000)

        return Bm25.build(folder, counted(), language)
