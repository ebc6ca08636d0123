"""How long mining takes on this machine: as in earlier runs, or else measured on a few texts, in seconds."""

import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.config import EXACT
from curate.job_record import Record
from curate.jobs import Job
from curate.mine.bm25_index import Bm25
from curate.mine.exact_search import exact
from curate.mine.request import MineRequest
from curate.mine.two_passes import SIZES
from curate.models.devices import times_as_fast
from curate.passages import passage_shards, passages
from curate.plan import Pace
from curate.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np

    from curate.models.encoder import Encoder, Side

PROBED = 32  # texts per batch when the speed of embedding is measured
INDEXED = 2_000  # passages of the index by which the speed of BM25 is measured
COMPARED = 32_768  # vectors with which queries are compared when the speed of search is measured


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
    rate = (
        measured[-1]
        if measured
        else _rate(encoder, texts, "passage") * times_as_fast(len(passage_shards(workspace)))
    )
    tokens = encoder.tokenize(texts, "passage").columns["input_ids"]
    return Pace(rate, float(tokens.lengths.mean()))


def search_seconds(workspace: Workspace, request: MineRequest, encoder: "Encoder") -> float | None:
    """Return how long it takes to embed the queries and to compare them with every passage.

    The rate is that of this encoder's newest run over the same passages, or else measured on this device. None: a
    faiss index searches, whose rate nothing small shows.
    """
    queries, total = len(request.queries.keys), sum(shard.rows for shard in passage_shards(workspace))
    (dense,) = [source for source in request.sources if source.settings["retriever"] == "dense"]
    for record in reversed(workspace.records("mine")):
        if _search(record) == _search(dense) and record.facts["queries"]:
            searching = record.seconds - record.facts["encode_seconds"]
            return float(queries / record.facts["queries"] * max(0.0, searching))
    if dense.settings["index"] != EXACT:
        return None
    with workspace.connect_lazily() as connection:
        texts = request.queries.texts(connection, request.queries.keys[: 4 * PROBED])
    rate = _rate(encoder, texts, "query", 1.0)
    vectors = next(encoder.encode(texts, "query")).array
    return queries / rate + queries * total * _seconds_of_a_pair(vectors, queries, request.settings.depth)


def _search(of: Record | Job) -> tuple[Any, ...]:
    """Return what decides how long the search of a query takes."""
    return (
        *(of.settings.get(key) for key in ("retriever", "index")),
        *(of.inputs.get(key) for key in ("passages", "encoder")),
    )


def _seconds_of_a_pair(vectors: "np.ndarray", queries: int, depth: int) -> float:
    """Return how long exact search on this device takes for each pair, with as many of the queries at once."""
    import numpy as np

    from curate.models.pretrained import device

    where = "cuda" if device() == "cuda" else "cpu"
    asked = np.resize(vectors, (min(queries, SIZES[where].queries), vectors.shape[1]))
    others = np.random.default_rng(0).standard_normal((COMPARED, vectors.shape[1]), np.float32)
    exact(asked, [others[:PROBED]], depth)  # warms up
    started = time.monotonic()
    exact(asked, [others], depth)
    return (time.monotonic() - started) / (len(asked) * COMPARED)


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
