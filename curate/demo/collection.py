"""The demo's collection: the documentation of Python and of the libraries that curate installs.

A query is what a docstring's first sentence says, its labelled passage is the rest of that docstring. The
same function documented elsewhere is the unlabelled positive that every real collection has.
"""

import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from curate import sql_files
from curate.demo.articles import Article, article
from curate.demo.docstrings import MODULES, docstrings
from curate.errors import CurateError
from curate.shards import Json, write_text
from curate.workspace import Workspace

UNLABELED_LIBRARY = "polars"
QUERIES = {"test": 200, "dev": 200, "train": 2400}
DONE = "collection.json"


@dataclass(frozen=True)
class Collection:
    """What stands in `collection.json`: counts, and the versions that the texts come from."""

    passages: int
    queries: dict[str, int]
    """Split -> number of queries."""
    hidden: int
    """Pairs known to be relevant but not labelled: docstrings whose first sentence is the query too."""
    versions: dict[str, str]

    def text(self) -> str:
        """Return the collection for a terminal."""
        counts = ", ".join(f"{count:,} {split}" for split, count in self.queries.items())
        libraries = ", ".join(f"{library} {number}" for library, number in self.versions.items())
        return f"{self.passages:,} passages, queries: {counts}\nfrom the documentation of {libraries}"


def build_collection(folder: Path, modules: Mapping[str, str] = MODULES) -> Collection:
    """Write the collection to `folder` as a BEIR folder, unless it stands there, and say what it holds.

    `corpus.jsonl`, `queries.jsonl`, `unlabeled.jsonl`, `qrels/{train,dev,test}.tsv`; and, only to check what
    curation finds, `truth/hidden.tsv` and `truth/unlabeled.tsv`. The same versions give the same bytes. Raises
    CurateError where Python runs without docstrings.
    """
    if (folder / DONE).is_file():
        return Collection(**json.loads((folder / DONE).read_text("utf-8")))
    articles = [found for found in map(article, docstrings(modules)) if found]
    if not any(found.query for found in articles):
        raise CurateError(
            "no docstrings found: the demo reads them, and python -OO leaves them out. Run it without -OO."
        )
    passages, answers = split_up(articles)
    theirs = sorted((q for q, found in answers.items() if found[0].package == UNLABELED_LIBRARY), key=_draw)
    unlabeled = theirs[: len(theirs) // 2]
    labelled = {q: found for q, found in answers.items() if q not in set(unlabeled)}
    splits = deal(labelled)
    _lines(folder / "corpus.jsonl", ({"_id": i, "title": i, "text": text} for i, text in passages.items()))
    _lines(folder / "queries.jsonl", (_query(q, labelled) for split in splits.values() for q in split))
    _lines(folder / "unlabeled.jsonl", (_query(q, answers) for q in unlabeled))
    for split, queries in splits.items():
        _qrels(folder / "qrels" / f"{split}.tsv", ((labelled[q][0], labelled[q][0]) for q in queries))
    hidden = [(labelled[q][0], twin) for split in splits.values() for q in split for twin in labelled[q][1:]]
    _qrels(folder / "truth" / "hidden.tsv", hidden)
    _qrels(folder / "truth" / "unlabeled.tsv", ((answers[q][0], found) for q in unlabeled for found in answers[q]))
    counts = {split: len(queries) for split, queries in splits.items()} | {"unlabeled": len(unlabeled)}
    collection = Collection(len(passages), counts, len(hidden), _versions(modules))
    write_text(folder / DONE, json.dumps(asdict(collection), indent=1) + "\n")
    return collection


@dataclass(frozen=True)
class Check:
    """How curation judged what the demo knows to be relevant (`truth/`)."""

    known: int
    """Hidden positives among the candidates that were judged."""
    taken_out: int
    """Of these: no longer negatives."""
    pseudo_labels: int
    own_answers: int
    """Of these: the passage is the one that the query comes from."""

    def text(self) -> str:
        """Return the check for a terminal."""
        return "\n".join(
            [
                f"Of {self.known} candidates that are known to be relevant but have no label (their docstrings",
                f"begin with the very query), denoising took {self.taken_out} out of the negatives.",
                f"Of {self.pseudo_labels} pseudo-labels, {self.own_answers} name the docstring that asks.",
            ]
        )


def check(workspace: Workspace, folder: Path) -> Check:
    """Return what denoising and augmentation made of the pairs in `folder`/truth, which they never saw."""
    with workspace.connect() as connection:
        for view, file in (("hidden", "hidden.tsv"), ("own", "unlabeled.tsv")):
            connection.read_csv(str(folder / "truth" / file), sep="\t").create_view(view)
        return Check(**sql_files.select(connection, "demo/check").pl().to_dicts()[0])


def split_up(articles: Sequence[Article]) -> tuple[dict[str, str], dict[str, list[Article]]]:
    """Return the passages (name -> text) and the queries (text -> the articles that answer it).

    A passage that several docstrings share ("See the class") stands for none of them and is left out.
    """
    shared = Counter(found.passage for found in articles)
    kept = {found.name: found for found in articles if shared[found.passage] == 1}
    answers: dict[str, list[Article]] = {}
    for found in sorted(kept.values(), key=lambda one: (one.name.count("."), one.name)):
        if found.query:
            answers.setdefault(found.query, []).append(found)
    return {name: kept[name].passage for name in sorted(kept)}, answers


def deal(queries: Iterable[str]) -> dict[str, list[str]]:
    """Return the queries of each split, drawn by the hash of their texts; what is too many stays out."""
    drawn = sorted(queries, key=_draw)
    splits = {}
    for split, count in QUERIES.items():
        splits[split], drawn = drawn[:count], drawn[count:]
    return splits


def _draw(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _query(query: str, answers: Mapping[str, list[Article]]) -> Json:
    return {"_id": answers[query][0].name, "text": query}


def _lines(path: Path, rows: Iterable[Json]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _qrels(path: Path, pairs: Iterable[tuple[Article, Article]]) -> None:
    rows = (f"{query.name}\t{passage.name}\t1\n" for query, passage in pairs)
    write_text(path, "query-id\tcorpus-id\tscore\n" + "".join(rows))


def _versions(libraries: Iterable[str]) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for library in libraries:
        try:
            found.setdefault(library, version(library))
        except PackageNotFoundError:
            continue
    return found
