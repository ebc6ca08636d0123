"""BM25 beside bm25s with PyStemmer: MRR@10 and Recall@100 over all labelled queries of a collection.

    python benchmarks/bm25.py COLLECTION [--ids PREFIX] [--stemmer NAME]

COLLECTION is a BEIR folder. `--ids en-` keeps the passages and queries whose ids begin so. curate looks for the
language itself. bm25s (pip install bm25s PyStemmer) gets the stemmer of that language, or `--stemmer`. It runs
with and without its stemmer and its stop words, at its default k1 = 1.5, and without a stemmer also on pairs of
characters. The best of these is chosen for each measure.
"""

import argparse
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise
from pathlib import Path

import bm25s
import numpy as np
import Stemmer

from curate.bootstrap import interval
from curate.mine.bm25_index import Bm25
from curate.mine.language import LOOKED_AT, language_of_texts

DEPTH = 100
STOP_WORDS = {"english": "en", "german": "de", "dutch": "nl", "french": "fr", "spanish": "es", "portuguese": "pt"}
STOP_WORDS |= {"italian": "it", "russian": "ru", "swedish": "sv", "norwegian": "no", "turkish": "tr"}
UNSPACED = re.compile("[\u4e00-\u9fff\u0e00-\u0e7f]+|[a-z0-9]+")

Found = Callable[[list[str]], Iterable[list[int]]]


def main() -> None:
    """Measure both tools, print a Markdown row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--ids", default="", help="the beginning of the ids to keep")
    parser.add_argument("--stemmer", help="PyStemmer's stemmer for bm25s")
    options = parser.parse_args()
    corpus = {row["_id"]: f"{row.get('title', '')} {row['text']}".strip() for row in rows(options, "corpus.jsonl")}
    relevant = labels(options.collection, options.ids)
    queries = [row["text"] for row in rows(options, "queries.jsonl") if row["_id"] in relevant]
    answers = [relevant[row["_id"]] for row in rows(options, "queries.jsonl") if row["_id"] in relevant]
    keys = {passage_id: key for key, passage_id in enumerate(corpus)}
    sought = [{keys[passage_id] for passage_id in answer} for answer in answers]
    texts = list(corpus.values())
    language = language_of_texts(islice(texts, LOOKED_AT))
    with tempfile.TemporaryDirectory() as folder:
        index = Bm25.build(Path(folder) / "index", enumerate(texts), language)
        ours = measures(([key for _, key in index.search(query, DEPTH)] for query in queries), sought)
    stemmer = options.stemmer or (language if language != "none" else None)
    theirs = [measures(found, sought) for found in bm25s_settings(texts, queries, stemmer)]
    cells = [f"{options.collection.name} {options.ids.rstrip('-')}".strip(), language, f"{len(queries):,}"]
    for name in ("MRR@10", "Recall@100"):
        best = max((their[name] for their in theirs), key=np.mean)
        difference = interval(ours[name] - best, seed=0)
        cells += [f"{ours[name].mean():.4f}", f"{best.mean():.4f}"]
        cells += [f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"]
    print("| " + " | ".join(cells) + " |", flush=True)


def rows(options: argparse.Namespace, name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a file whose ids are kept."""
    with (options.collection / name).open(encoding="utf-8") as lines:
        yield from (row for line in lines if (row := json.loads(line))["_id"].startswith(options.ids))


def labels(collection: Path, beginning: str) -> dict[str, set[str]]:
    """Return the relevant passages of each query, over train, dev and test."""
    relevant: dict[str, set[str]] = {}
    for split in ("train", "dev", "test"):
        for line in (collection / "qrels" / f"{split}.tsv").read_text("utf-8").splitlines()[1:]:
            query_id, passage_id, score = line.split("\t")
            if float(score) > 0 and query_id.startswith(beginning):
                relevant.setdefault(query_id, set()).add(passage_id)
    return relevant


def measures(found: Iterable[list[int]], sought: list[set[int]]) -> dict[str, "np.ndarray"]:
    """Return both measures, one value per query."""
    values = []
    for keys, relevant in zip(found, sought, strict=True):
        first = next((1 / rank for rank, key in enumerate(keys[:10], 1) if key in relevant), 0.0)
        values.append((first, len(relevant & set(keys)) / len(relevant)))
    array = np.array(values)
    return {"MRR@10": array[:, 0], "Recall@100": array[:, 1]}


def bm25s_settings(texts: list[str], queries: list[str], stemmer: str | None) -> Iterator[list[list[int]]]:
    """Yield what bm25s finds for the queries, in each setting."""
    for stem in {None, stemmer}:
        for stop_words in {None, STOP_WORDS.get(stemmer or "")}:
            settings = {"stopwords": stop_words, "stemmer": Stemmer.Stemmer(stem) if stem else None}
            quiet = {"return_ids": False, "show_progress": False}
            yield bm25s_finds(*(bm25s.tokenize(each, **settings, **quiet) for each in (texts, queries)))
    if stemmer is None:
        yield bm25s_finds(*([pairs(text) for text in each] for each in (texts, queries)))


def bm25s_finds(texts: list[list[str]], queries: list[list[str]]) -> list[list[int]]:
    """Return the keys of the passages found for each query, best first."""
    index = bm25s.BM25(method="lucene")
    index.index(texts, show_progress=False)
    keys, scores = index.retrieve(queries, k=min(DEPTH, len(texts)), show_progress=False)
    return [row[score > 0].tolist() for row, score in zip(keys, scores, strict=True)]


def pairs(text: str) -> list[str]:
    """Return the words of a text, and pairs of characters where there are no spaces."""
    runs = UNSPACED.findall(text.lower())
    found = [[run] if run.isascii() or len(run) == 1 else map("".join, pairwise(run)) for run in runs]
    return [word for words in found for word in words]


if __name__ == "__main__":
    main()
