"""Which files a load reads: those that folders hold by their layout, and those that options name."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from curate.errors import BadInput, BadSettings

KINDS = ("passages", "queries", "unlabeled", "qrels", "annotations")
SPLITS = {
    "train": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "eval": "dev",
    "test": "test",
}
QUERY_SPLITS = SPLITS | {"eval": "test"}  # MS MARCO's eval queries are a test whose labels nobody has
DATA = re.compile(r"\.(jsonl|tsv|parquet)(\.(gz|zst))?$", re.IGNORECASE)
PAPERS = re.compile(r"\.|readme|manifest\.json$", re.IGNORECASE)  # beginnings of names that need no word


@dataclass(frozen=True)
class Input:
    """One file to load."""

    kind: str
    """passages, queries, unlabeled, qrels or annotations."""
    path: Path
    split: str | None = None
    """Of qrels: train, dev or test. Of queries: dev, test or none."""
    guessed: bool = False
    """Whether nothing said the split of qrels, so that they are taken as train."""


@dataclass(frozen=True)
class InputFiles:
    """What a load reads, in the order in which it is read, and what it leaves out."""

    inputs: tuple[Input, ...]
    notes: tuple[str, ...]


def by_name(kind: str, path: Path) -> Input:
    """Return a file as an input of the split in its name; qrels without one are train.

    Queries of train have no split of their own: it is the labels that say which of them can train.
    """
    if kind == "qrels":
        split = split_in(path.name, SPLITS)
        return Input(kind, path, split or "train", guessed=split is None)
    split = split_in(path.name, QUERY_SPLITS) if kind == "queries" else None
    return Input(kind, path, None if split == "train" else split)


def split_in(name: str, splits: dict[str, str]) -> str | None:
    """Return the split that stands as a word in a file's name; raises BadSettings for two of them."""
    found = {splits[word] for word in re.split(r"[^a-z]+", name.lower()) if word in splits}
    if len(found) > 1:
        raise BadSettings(f"{name} names two splits. Rename it; for qrels, say which one: --qrels SPLIT={name}")
    return next(iter(found), None)


def in_folder(folder: Path, given: Iterable[Input]) -> InputFiles:
    """Return what a folder in the layout of BEIR or MS MARCO holds, beside what the options have `given`.

    A split that the options give qrels for is left out. Raises BadInput for a folder of another layout.
    """
    by_stem = _by_stem(folder)
    marco = "collection" in by_stem
    passages = by_stem.get("collection" if marco else "corpus")
    queries = [by_stem.get(f"queries.{word}") for word in SPLITS] if marco else [by_stem.get("queries")]
    labels = {stem.removeprefix("qrels."): path for stem, path in by_stem.items() if stem.startswith("qrels.")}
    labels |= _by_stem(folder / "qrels")
    inputs = [Input("passages", passages)] if passages else []
    inputs += [by_name("queries", path) for path in queries if path]
    inputs += [Input("unlabeled", path) for path in [by_stem.get("unlabeled")] if path]
    splits = QUERY_SPLITS if marco else SPLITS
    inputs += [Input("qrels", labels[word], split) for word, split in splits.items() if word in labels]
    if not inputs:
        raise BadInput(
            f"{folder}: neither a BEIR folder (corpus.jsonl, queries.jsonl, qrels/train.tsv, ...) nor an MS MARCO "
            "one (collection.tsv, queries.train.tsv, ...). Name its files: --passages, --queries, --qrels"
        )
    given = list(given)
    taken = {file.split for file in given if file.kind == "qrels"}
    kept = tuple(file for file in inputs if file.kind != "qrels" or file.split not in taken)
    rest = {*_files(folder), *_files(folder / "qrels")} - {file.path for file in kept}
    named = {file.path.resolve() for file in given}
    return InputFiles(kept, tuple(_left_out(path) for path in sorted(rest) if path.resolve() not in named))


def _files(folder: Path) -> list[Path]:
    """Return the files of a folder by name, those aside that are about the data."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in paths if path.is_file() and not PAPERS.match(path.name)]


def _left_out(path: Path) -> str:
    """Return which option would load a file that its folder's layout does not ask for."""
    name = path.name.lower()
    if path.parent.name == "qrels" or name.startswith("qrels"):
        return f"not loaded: {path}; with: --qrels {split_in(name, SPLITS) or 'SPLIT'}={path}"
    if name.startswith("queries"):
        return f"not loaded: {path}; with: --queries {path}"
    return f"not loaded: {path}: no part of the layout"


def _by_stem(folder: Path) -> dict[str, Path]:
    """Return the data files of a folder by their names without endings; raises BadInput for two of a name."""
    found: dict[str, Path] = {}
    for path in _files(folder):
        stem = DATA.sub("", path.name)
        if stem == path.name:
            continue
        if stem in found:
            raise BadInput(
                f"{folder} holds {found[stem].name} and {path.name}. Which one? "
                "Move one away, or give the files by options instead of the folder."
            )
        found[stem] = path
    return found


def in_order(inputs: Iterable[Input]) -> Iterator[Input]:
    """Yield the inputs kind by kind: labels last, since they name what the others hold."""
    files = list(inputs)
    return (file for kind in KINDS for file in files if file.kind == kind)
