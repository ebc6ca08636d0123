"""What `curate mine` would do, and how long it takes."""

import time
from itertools import islice
from typing import Any

from curate.job_record import Record
from curate.mine.embeddings import is_embedded, passage_shards, passages
from curate.mine.stage import Request
from curate.models.encoder import Encoder
from curate.plan import Plan
from curate.workspace import Workspace

PROBED = 32  # passages at a time, until two seconds are over


def plan_mine(workspace: Workspace, *, split: str = "train", **options: Any) -> Plan:
    """Return what `mine` with the same arguments would do; embeds for two seconds where no rate is known."""
    request = Request.of(workspace, split, **options)
    queries = len(request.questions.keys)
    job = request.jobs()[-1]
    if job.record:
        return Plan("mine", "queries", queries, queries, 0.0, [f"The run is there: {job.job}"])
    notes = [f"Makes the run {job.job}: {queries:,} queries, depth {request.settings.depth}."]
    if not request.encoder:
        return Plan("mine", "queries", queries, 0, _bm25_seconds(workspace, queries), notes)
    shards = passage_shards(workspace)
    total = sum(shard.rows for shard in shards)
    cached = sum(shard.rows for shard in shards if is_embedded(workspace, request.encoder, shard))
    rest = total - cached
    if not rest:
        return Plan("mine", "queries", queries, 0, None, [*notes, "Every passage is embedded."])
    seconds = rest / _rate(workspace, request.encoder)
    return Plan("mine", "passages to embed", total, cached, seconds, notes + list(request.encoder.recipe.notes))


def _bm25_seconds(workspace: Workspace, queries: int) -> float | None:
    rates = [
        record.facts["queries"] / record.seconds
        for record in workspace.records("mine")
        if record.settings.get("retriever") == "bm25" and record.seconds
    ]
    return queries / rates[-1] if rates else None


def _rate(workspace: Workspace, encoder: Encoder) -> float:
    """Return how many passages are embedded a second: as in the newest run of this encoder, or measured now."""
    measured = [rate for record in workspace.records("mine") if (rate := _rate_of(record, encoder))]
    return measured[-1] if measured else _probe(workspace, encoder)


def _rate_of(record: Record, encoder: Encoder) -> float | None:
    if record.inputs.get("encoder") != encoder.fingerprint or not record.facts.get("encode_seconds"):
        return None
    return float(record.facts["passages_encoded"] / record.facts["encode_seconds"])


def _probe(workspace: Workspace, encoder: Encoder, seconds: float = 2.0) -> float:
    with workspace.connect() as connection:
        texts = (text for _, text in passages(connection, passage_shards(workspace)))
        first = list(islice(texts, PROBED))
        list(encoder.encode(first, "passage"))  # loads the model, and warms it
        started, count = time.monotonic(), 0
        while time.monotonic() - started < seconds:
            batch = list(islice(texts, PROBED)) or first
            list(encoder.encode(batch, "passage"))
            count += len(batch)
        return count / (time.monotonic() - started)
