"""The demo's collection: the documentation of Python and of the libraries that curate installs.

A query is the first sentence of a docstring, and its labelled passage is the rest of that docstring. The same
function documented elsewhere is an unlabelled positive, which every real collection has too.
"""

import json
import platform
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from curate import sql_files
from curate.counted import counted
from curate.demo.articles import Article, article
from curate.demo.docstrings import MODULES, docstrings
from curate.errors import BadSettings, CurateError
from curate.shards import Json, write_text
from curate.workspace import Workspace

UNLABELED_LIBRARY = "polars"
QUERIES = {"test": 200, "dev": 200, "train": 2400}
DONE = "collection.json"


@dataclass(frozen=True)
class Collection:
    """The contents of `collection.json`: counts, and the versions of the documented libraries."""

    passages: int
    queries: dict[str, int]
    """Split -> number of queries."""
    hidden: int
    """Pairs that are relevant but not labelled: other docstrings whose first sentence is the same query."""
    versions: dict[str, str]

    def text(self) -> str:
        """Return the collection for a terminal."""
        counts = ", ".join(f"{count:,} {split}" for split, count in self.queries.items())
        libraries = ", ".join(f"{library} {number}" for library, number in self.versions.items())
        return f"{counted(self.passages, 'passages')}, queries: {counts}\nfrom the documentation of {libraries}"


def build_collection(folder: Path, modules: Mapping[str, str] = MODULES) -> Collection:
    """Write the collection to `folder` as a BEIR folder, unless it exists already, and return its contents.

    The files are `corpus.jsonl`, `queries.jsonl`, `unlabeled.jsonl` and `qrels/{train,dev,test}.tsv`. Two more,
    `truth/hidden.tsv` and `truth/unlabeled.tsv`, only serve to check what curation finds. The same versions give
    the same bytes. `folder` appears only when it is complete. Raises CurateError if Python runs without
    docstrings, and BadSettings if `folder` holds anything else than such a collection.
    """
    if (folder / DONE).is_file():
        return Collection(**json.loads((folder / DONE).read_text("utf-8")))
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise BadSettings(
            f"{folder.resolve()} holds something else than the demo's collection. Give the demo another folder: "
            "curate demo FOLDER"
        )
    articles = [found for found in map(article, docstrings(modules)) if found]
    if not any(found.query for found in articles):
        raise CurateError(
            "no docstrings found. The demo reads docstrings, and python -OO removes them. Run it without -OO."
        )
    passages, answers = split_up(articles)
    theirs = sorted((q for q, found in answers.items() if found[0].package == UNLABELED_LIBRARY), key=_draw)
    unlabeled = theirs[: len(theirs) // 2]
    labelled = {q: found for q, found in answers.items() if q not in set(unlabeled)}
    splits = deal(labelled)
    work = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(work, ignore_errors=True)
    _lines(work / "corpus.jsonl", ({"_id": i, "title": i, "text": text} for i, text in passages.items()))
    _lines(work / "queries.jsonl", (_query(q, labelled) for split in splits.values() for q in split))
    _lines(work / "unlabeled.jsonl", (_query(q, answers) for q in unlabeled))
    for split, queries in splits.items():
        _qrels(work / "qrels" / f"{split}.tsv", ((labelled[q][0], labelled[q][0]) for q in queries))
    hidden = [(labelled[q][0], twin) for split in splits.values() for q in split for twin in labelled[q][1:]]
    _qrels(work / "truth" / "hidden.tsv", hidden)
    _qrels(work / "truth" / "unlabeled.tsv", ((answers[q][0], found) for q in unlabeled for found in answers[q]))
    counts = {split: len(queries) for split, queries in splits.items()} | {"unlabeled": len(unlabeled)}
    collection = Collection(len(passages), counts, len(hidden), _versions(modules))
    write_text(work / DONE, json.dumps(asdict(collection), indent=1) + "\n")
    work.replace(folder)
    return collection


@dataclass(frozen=True)
class Check:
    """The result of curation for the pairs that the demo knows to be relevant (`truth/`)."""

    known: int
    """Hidden positives among the judged candidates."""
    taken_out: int
    """Hidden positives that denoising took out of the negatives."""
    pseudo_labels: int
    own_answers: int
    """Pseudo-labels whose passage has the query as its own first sentence."""

    def text(self) -> str:
        """Return the check for a terminal."""
        return "\n".join(
            [
                f"{self.known} candidates have no label but are known to be relevant: their docstrings begin with",
                f"the query itself. Denoising took {self.taken_out} of them out of the negatives.",
                f"Of {self.pseudo_labels} pseudo-labels, {self.own_answers} name a docstring that begins with the "
                "query.",
            ]
        )


def check(workspace: Workspace, folder: Path) -> Check:
    """Return how denoising and augmentation treated the pairs in `folder`/truth, which they never saw."""
    with workspace.connect_lazily() as connection:
        for view, file in (("hidden", "hidden.tsv"), ("own", "unlabeled.tsv")):
            connection.read_csv(str(folder / "truth" / file), sep="\t").create_view(view)
        return Check(**sql_files.select(connection, "demo/check").pl().to_dicts()[0])


def split_up(articles: Sequence[Article]) -> tuple[dict[str, str], dict[str, list[Article]]]:
    """Return the passages (name -> text) and the queries (text -> the articles that answer it).

    A passage that several docstrings share ("See the class") describes none of them and is left out.
    """
    shared = Counter(found.passage for found in articles)
    kept = {found.name: found for found in articles if shared[found.passage] == 1}
    answers: dict[str, list[Article]] = {}
    for found in sorted(kept.values(), key=lambda one: (one.name.count("."), one.name)):
        if found.query:
            answers.setdefault(found.query, []).append(found)
    return {name: kept[name].passage for name in sorted(kept)}, answers


def deal(queries: Iterable[str]) -> dict[str, list[str]]:
    """Return the queries of each split, drawn by the hash of their texts. Surplus queries are left out."""
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
