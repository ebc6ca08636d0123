"""How long mining takes on this machine: as in earlier runs, or else measured on a few texts, in seconds."""

import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from curate.job_record import Record
from curate.mine.bm25_index import Bm25
from curate.mine.embeddings import passage_shards, passages
from curate.mine.request import MineRequest
from curate.models.devices import devices
from curate.plan import Pace
from curate.workspace import Workspace

if TYPE_CHECKING:
    from curate.models.encoder import Encoder, Side

PROBED = 32  # texts per batch when the speed of embedding is measured
INDEXED = 2_000  # passages of the index by which the speed of BM25 is measured
COMPARED = 10_000  # vectors with which queries are compared when the speed of search is measured


def bm25_seconds(workspace: Workspace, request: MineRequest) -> float:
    """Return how long a BM25 run takes: at the rate of the newest one, or else by an index of a few passages.

    The time of a query grows with the number of passages.
    """
    queries = len(request.queries.keys)
    for record in reversed(workspace.records("mine")):
        if record.settings.get("retriever") == "bm25" and record.seconds:
            return float(queries / record.facts["queries"] * record.seconds)
    total = sum(shard.rows for shard in passage_shards(workspace))
    with workspace.connect_lazily() as connection, tempfile.TemporaryDirectory() as folder:
        few = list(islice(passages(connection, passage_shards(workspace)), INDEXED))
        asked = request.queries.texts(connection, request.queries.keys[:PROBED])
        started = time.monotonic()
        index = Bm25.build(Path(folder) / "index", few, request.language)
        built = time.monotonic()
        for text in asked:
            index.search(text, min(request.settings.depth, index.size))
        searched = time.monotonic()
    share = total / len(few)
    return share * (built - started + queries / len(asked) * (searched - built))


def embedding_pace(workspace: Workspace, encoder: "Encoder") -> Pace:
    """Return how fast passages are embedded: as in the newest run of this encoder, or else as measured now."""
    with workspace.connect_lazily() as connection:
        texts = [text for _, text in islice(passages(connection, passage_shards(workspace)), 4 * PROBED)]
    measured = [rate for record in workspace.records("mine") if (rate := _rate_of(record, encoder))]
    rate = measured[-1] if measured else _rate(encoder, texts, "passage") * devices()
    tokens, _, _ = encoder.tokenize(texts, "passage")
    return Pace(rate, sum(map(len, tokens["input_ids"])) / len(texts))


def search_seconds(workspace: Workspace, request: MineRequest, encoder: "Encoder") -> float:
    """Return how long it takes to embed the queries and to compare them with every passage."""
    import numpy as np

    queries, total = len(request.queries.keys), sum(shard.rows for shard in passage_shards(workspace))
    with workspace.connect_lazily() as connection:
        texts = request.queries.texts(connection, request.queries.keys[: 4 * PROBED])
    rate = _rate(encoder, texts, "query", 1.0)
    vectors = next(encoder.encode(texts, "query")).array
    others = np.ones((COMPARED, vectors.shape[1]), np.float32)
    started = time.monotonic()
    np.matmul(vectors, others.T)
    a_pair = (time.monotonic() - started) / (len(vectors) * COMPARED)
    return queries / rate + queries * total * a_pair


def _rate_of(record: Record, encoder: "Encoder") -> float | None:
    if record.inputs.get("encoder") != encoder.fingerprint or not record.facts.get("encode_seconds"):
        return None
    return float(record.facts["passages_encoded"] / record.facts["encode_seconds"])


def _rate(encoder: "Encoder", texts: list[str], side: "Side", seconds: float = 2.0) -> float:
    """Return how many of such texts are embedded per second, measured for so many seconds."""
    list(encoder.encode(texts[:PROBED], side))  # loads the model and warms it up
    started, count = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        list(encoder.encode(texts, side))
        count += len(texts)
    return count / (time.monotonic() - started)
