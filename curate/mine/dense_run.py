"""Dense runs: embeddings, and exact search or a faiss index over them."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from curate.config import EXACT
from curate.counted import counted
from curate.job_record import Record
from curate.jobs import Job
from curate.mine.agreement import measure
from curate.mine.candidates import Queries, as_table, finish, job_of, write_candidates
from curate.mine.embeddings import Work, embed_passages, embed_queries, load, without_tokens
from curate.mine.exact_search import SCORE, TopPassages, exact
from curate.models.encoder import Encoder
from curate.passages import passage_shards
from curate.progress import Progress
from curate.shards import Lineage, canonical, digest, done, publish

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

SPARE = 1000  # more passages that faiss looks for, because those without tokens are dropped
SAMPLE = 200  # queries that measure the recall of an approximate index

Search = Callable[["np.ndarray", int], TopPassages]
"""A function from the vectors of queries and a depth to the best passages."""


def dense_job(queries: Queries, encoder: Encoder, settings: dict[str, Any]) -> Job:
    """Return the job of a dense run. The same model under another path gives the same run."""
    score = {"score": SCORE} if settings["index"] == EXACT else {}
    return job_of(queries, "dense", {**in_identity(settings), **score}, {"encoder": encoder.fingerprint})


def in_identity(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that decide a run together with the encoder's fingerprint."""
    return {name: settings[name] for name in ("depth", "index")}


def mine_dense(queries: Queries, encoder: Encoder, settings: dict[str, Any], progress: Progress) -> Record:
    """Write a dense run over `queries`, unless it exists; return its record.

    settings: depth, index, and the encoder with its options as they were given.
    """
    job = dense_job(queries, encoder, settings)
    if job.record:
        return job.record
    depth, index, work = settings["depth"], settings["index"], Work()
    agreed = _agreement(queries, encoder, progress)
    files = embed_passages(queries.workspace, encoder, progress, work)
    tokenless = without_tokens(files)
    search = partial(_exact, files) if index == EXACT else _faiss(job, files, tokenless, progress)
    with queries.workspace.connect_lazily() as connection:

        def vectors(keys: "np.ndarray") -> "np.ndarray":
            return embed_queries(queries.workspace, encoder, queries.texts(connection, keys))

        def retrieve(keys: "np.ndarray", _number: int) -> "Iterator[pa.Table]":
            found = search(vectors(keys), queries.reach(depth))
            yield as_table(job.name, keys, queries.without_copies(connection, keys, found, depth))

        write_candidates(job, queries, retrieve, progress)
        silent = sum(int((~vectors(keys).any(axis=1)).sum()) for keys in queries.blocks())
    recall = None if index == EXACT else _recall(queries, encoder, search, partial(_exact, files), depth)
    model_id = _write_model(job, encoder)
    facts = {
        "passages_encoded": work.encoded,
        "passages_truncated": work.truncated,
        "passages_without_tokens": len(tokenless),
        "queries_without_tokens": silent,
        "encode_seconds": round(work.seconds, 3),
        "notes": list(encoder.spec.notes),
        "options": settings,
        **agreed,
    }
    row = {"depth": depth, "model_id": model_id, "index": index, "recall": recall}
    return finish(job, queries, facts=facts, **row)


def _agreement(queries: Queries, encoder: Encoder, progress: Progress) -> dict[str, Any]:
    """Return how far an encoder by another back end than torch agrees with it, as a fact of the run.

    It is measured and told once: then a record knows it.
    """
    records = queries.workspace.records("mine")
    is_known = any(
        record.inputs.get("encoder") == encoder.fingerprint and "agreement" in record.facts for record in records
    )
    if encoder.backend == "torch" or is_known:
        return {}
    found = measure(queries, encoder, progress)
    progress.say(found.text)
    return {"agreement": asdict(found)}


def _exact(files: "list[Path]", queries: "np.ndarray", depth: int) -> TopPassages:
    return exact(queries, load(files), depth)


def _faiss(job: Job, files: "list[Path]", tokenless: "np.ndarray", progress: Progress) -> Search:
    """Return the search in a faiss index; the index is built unless it exists in the workspace.

    The index holds every passage, so that the numbers of its rows are those of the passages. Passages without
    tokens are dropped from what it finds, and a query without tokens finds nothing.
    """
    import numpy as np

    from curate.mine import faiss_search

    workspace, factory = job.workspace, str(job.settings["index"])
    facts = {"encoder": job.inputs["encoder"], "passages": job.inputs["passages"]}
    name = digest(facts, factory)[:16]
    path = workspace.root / "indexes" / f"faiss-{name}.index"
    lineage = Lineage("index", f"faiss-{name}", {"factory": factory}, facts)
    if not done(path, lineage):
        rows = sum(shard.rows for shard in passage_shards(workspace))
        progress.say(f"building the index {factory} over {counted(rows, 'passages')}")
        publish(path, partial(faiss_search.save, faiss_search.build(factory, lambda: load(files), rows)), lineage)
    spare = min(len(tokenless), SPARE)
    index = faiss_search.Index.ready(
        faiss_search.read(path), job.settings["depth"] + 1 + spare
    )  # 1 for its own copy

    def search(queries: "np.ndarray", depth: int) -> TopPassages:
        found = faiss_search.approximate(index, queries, depth + spare)
        return found.without(np.isin(found.keys, tokenless) | ~queries.any(axis=1, keepdims=True)).top(depth)

    return search


def _recall(queries: Queries, encoder: Encoder, search: Search, truth: Search, depth: int) -> float:
    """Return the recall@depth of `search` against `truth` on a sample of the queries."""
    from curate.mine.faiss_search import recall

    workspace = queries.workspace
    parameters = {"split": queries.split, "seed": workspace.settings.seed, "size": SAMPLE}
    texts = workspace.select("mine/sample", **parameters)["text"].to_list()
    vectors = embed_queries(workspace, encoder, texts)
    return recall(search(vectors, depth), truth(vectors, depth))


def _write_model(job: Job, encoder: Encoder) -> str:
    """Write the encoder's row of the table `models`, unless another run already did; return its id.

    The id stays the same when the model's folder is renamed.
    """
    known = job.workspace.scan("models").filter(fingerprint=encoder.fingerprint, role="encoder").collect()
    if not known.is_empty():
        return str(known["model_id"][0])
    row = {
        "model_id": encoder.model_id,
        "role": "encoder",
        "path": encoder.path,
        "fingerprint": encoder.fingerprint,
        "settings": canonical({**encoder.settings, "similarity": encoder.spec.similarity}),
    }
    job.write_rows("models", [row])
    return encoder.model_id
