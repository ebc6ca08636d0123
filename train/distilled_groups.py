"""The groups by which a cross-encoder learns what an encoder says, written once with their texts.

The query of a group is a span of a passage that the run found. Its passages are three that the encoder finds for
it, at the top, near and far, and any other one. The encoder scores all four. No label and no query of the
collection is read, so that such groups are the same for all folds, and hold nothing back from them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.mine.exact_search import TopPassages, exact, pair_score
from curate.models.encoder import Encoder
from curate.progress import Progress
from curate.shards import Lineage, Manifest, done, drawn, publish
from curate.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np

POOL = 8_000
"""The passages from which spans are cut, and which are scored for them, at most."""
SPANS_OF_ONE = 8
"""The spans that are cut from one passage, at most."""
WINDOWS = ((0, 3), (3, 20), (20, 100))
"""The ranks, by the encoder, from which a group takes one passage each."""
WORDS = (4, 16)
CHARACTERS = (8, 32)
"""The lengths of spans: of texts in words, and of texts without spaces, such as Chinese."""

MOST_A_WORD = 15
"""A text with more characters a word, spaces included, is not cut at its spaces."""
LOST = 3
"""The tenths of the words that a span lacks, if it lacks some."""


@dataclass(frozen=True)
class Spans:
    """Spans of passages as queries, and the passages that are scored for them."""

    ids: list[str]
    passages: list[str]
    vectors: "np.ndarray"
    """Of the passages; float32, passages x dimension."""
    spans: list[str]
    """Span i is cut from passage i modulo the number of passages."""
    asked: "np.ndarray"
    """Of the spans; float32, spans x dimension."""


def write_distilled_groups(
    workspace: Workspace,
    path: Path,
    run_id: str,
    encoder: Encoder,
    groups: int,
    lineage: Lineage,
    progress: Progress,
) -> Manifest:
    """Write the pairs of `groups` groups to the Parquet file `path` unless it is done; return its manifest.

    Its rows are those of `write_groups`, with the encoder's score as `teacher`. There are fewer groups if the run
    found few passages, and smaller ones if it found hardly any. A span without a token has no group.
    """
    if before := done(path, lineage):
        return before
    import pyarrow as pa
    import pyarrow.parquet as pq

    pairs = list(_pairs(_spans(workspace, run_id, encoder, groups, progress), workspace.settings.seed))
    found = pairs[-1]["group_number"] + 1 if pairs else 0
    table = pa.Table.from_pylist(pairs, _schema().with_metadata({"groups": str(found)}))

    def write(target: Path) -> int:
        pq.write_table(table, target, compression="zstd")
        return len(pairs)

    return publish(path, write, lineage)


def groups_in(path: Path) -> int:
    """Return the number of groups in the file at `path`."""
    import pyarrow.parquet as pq

    return int(pq.read_schema(path).metadata[b"groups"])


def span(text: str, number: int) -> str:
    """Return a part of a text: some words in a row or, if it has hardly any spaces, characters.

    Every other span of words lacks some of them, so that its passage is not just the one that repeats it.
    """
    words, between, (shortest, longest) = text.split(), " ", WORDS
    if len(words) < shortest or len(text) > MOST_A_WORD * len(words):
        words, between, (shortest, longest) = list(text), "", CHARACTERS
    length = shortest + number % (longest - shortest + 1)
    first = number // 1_000 % max(1, len(words) - length + 1)
    chosen = words[first : first + length]
    if between and number // 1_000_000 % 2:
        chosen = [word for place, word in enumerate(chosen) if drawn(number, place) % 10 >= LOST] or chosen
    return between.join(chosen)


def _spans(workspace: Workspace, run_id: str, encoder: Encoder, groups: int, progress: Progress) -> Spans:
    import numpy as np

    seed = workspace.settings.seed
    with workspace.connect_lazily() as connection:
        found = sql_files.select(
            connection, "train/span_passages", run=run_id, seed=seed, most=POOL
        ).to_arrow_table()
    ids, passages = found["passage_id"].to_pylist(), found["passage"].to_pylist()
    groups = min(groups, SPANS_OF_ONE * len(passages))
    texts = [passages[number % len(passages)] for number in range(groups)]
    spans = [span(text, drawn(seed, "span", number)) for number, text in enumerate(texts)]
    with progress.task("embedding for the distillation", len(passages) + groups, "texts") as advance:
        vectors = np.concatenate([chunk.array for chunk in encoder.encode(passages, "passage", advance)])
        asked = np.concatenate([chunk.array for chunk in encoder.encode(spans, "query", advance)])
    return Spans(ids, passages, vectors, spans, asked)


def _pairs(spans: Spans, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the pairs of all groups, those of a group in the order of their windows."""
    found = exact(spans.asked, [spans.vectors], WINDOWS[-1][1])
    group = 0
    for number, query in enumerate(spans.spans):
        chosen = _chosen(spans, found, number, seed)
        if len(chosen) < 2:
            continue
        for slot, (place, score) in enumerate(chosen.items()):
            yield {
                "group_number": group,
                "slot": slot,
                "query_id": f"span of {spans.ids[number % len(spans.ids)]}",
                "passage_id": spans.ids[place],
                "query": query,
                "passage": spans.passages[place],
                "teacher": score,
            }
        group += 1


def _chosen(spans: Spans, found: TopPassages, number: int, seed: int) -> dict[int, float]:
    """Return the passages of a group, by their places, with the encoder's scores."""
    import numpy as np

    ranks = np.flatnonzero(found.keys[number] >= 0)
    chosen = {}
    for first, end in WINDOWS:
        window: Sequence[int] = ranks[first:end].tolist()
        if window:
            rank = window[drawn(seed, "rank", number, first) % len(window)]
            chosen[int(found.keys[number, rank])] = float(found.scores[number, rank])
    anywhere = drawn(seed, "anywhere", number) % len(spans.ids)
    if chosen and anywhere not in chosen and spans.vectors[anywhere].any():
        chosen[anywhere] = pair_score(spans.asked[number], spans.vectors[anywhere])
    return chosen


def _schema() -> Any:
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("query_id", "passage_id", "query", "passage")]
    return pa.schema([("group_number", pa.int32()), ("slot", pa.int32()), *texts, ("teacher", pa.float32())])
