"""The files that a load reads: those that belong to the layout of a folder, and those that options name."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from curate.errors import BadInput, BadSettings
from curate.load.lines import require_file
from curate.load.shown import argument, printable, shown
from curate.suggest import curate_command

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
QUERY_SPLITS = SPLITS | {"eval": "test"}  # MS MARCO's eval queries are a test set without public labels
DATA = re.compile(r"\.(jsonl|tsv|csv|parquet|arrow)(\.(gz|zst))?$", re.IGNORECASE)
FOLDERS = {"corpus", "passages", "queries"}  # collections on a hub have a folder for each kind
PAPERS = re.compile(r"\.|readme|manifest\.json$", re.IGNORECASE)  # names of files that are skipped without a note


@dataclass(frozen=True)
class Input:
    """One file to load."""

    kind: str
    """One of passages, queries, unlabeled, qrels and annotations."""
    path: Path
    split: str | None = None
    """For qrels: train, dev or test. For queries: dev, test or None."""
    guessed: bool = False
    """Whether nothing names the split of these qrels, so that they are taken as train."""


@dataclass(frozen=True)
class InputFiles:
    """The files that a load reads, in reading order, and notes about the files that it leaves out."""

    inputs: tuple[Input, ...]
    notes: tuple[str, ...]


def by_name(kind: str, path: Path, name: str | None = None) -> Input:
    """Return a file as an input with the split in its name; qrels without a split are train.

    Queries in a train file get no split, because their labels decide whether they can train. name: the name that
    tells the split in place of the file's own.
    """
    name = name or path.name
    if kind == "qrels":
        split = split_in(name, SPLITS)
        return Input(kind, path, split or "train", guessed=split is None)
    split = split_in(name, QUERY_SPLITS) if kind == "queries" else None
    return Input(kind, path, None if split == "train" else split)


def split_in(name: str, splits: dict[str, str]) -> str | None:
    """Return the split that is a word in a file's name, or None; raises BadSettings if there are two."""
    found = _splits_in(name, splits)
    if len(found) > 1:
        given = curate_command("load", "--qrels", f"SPLIT={name}")
        raise BadSettings(
            f"{printable(name)} names two splits. Rename it; for qrels, give the split: {printable(given)}"
        )
    return next(iter(found), None)


def _splits_in(name: str, splits: dict[str, str]) -> set[str]:
    return {splits[word] for word in re.split(r"[^a-z]+", name.lower()) if word in splits}


def in_folder(folder: Path, given: Iterable[Input], other_form: Callable[[Path], BadInput | None]) -> InputFiles:
    """Return the files in a folder with the layout of BEIR or MS MARCO, in addition to those `given` by options.

    The folder's qrels are left out for a split that has qrels in `given`. other_form: returns the error about a
    file that is a training set or a run, else None. Raises BadInput for another layout.
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
        for refused in filter(None, map(other_form, _entries(folder))):
            raise refused
        raise BadInput(
            "neither a BEIR folder (corpus.jsonl, queries.jsonl, qrels/train.tsv, ...) nor an "
            "MS MARCO folder (collection.tsv, queries.train.tsv, ...). Name the files: "
            "--passages, --queries, --qrels",
            file=shown(folder),
        )
    given = list(given)
    taken = {file.split for file in given if file.kind == "qrels"}
    kept = tuple(file for file in inputs if file.kind != "qrels" or file.split not in taken)
    named = {os.path.realpath(file.path) for file in given}
    replaced = {file.path: file.split for file in inputs if file not in kept}
    rest = {*_entries(folder), *_entries(folder / "qrels")} - {file.path for file in kept}
    left_out = [path for path in sorted(rest) if os.path.realpath(path) not in named and _telling(path)]
    held_out = {file.split for file in kept if file.kind == "queries"} | {"train"}
    for path in left_out:
        if path not in replaced and _names_queries(path) and _splits_in(path.name, splits) - held_out:
            raise BadInput(
                f"{shown(path)} names dev or test but is not part of the layout, so that its queries could train. "
                f"Give it by an option{_option(path)}, rename it or move it away"
            )
    notes = [_note(path, replaced.get(path), other_form) for path in left_out]
    if not passages and not any(file.kind == "passages" for file in given):
        notes.append(
            f"{shown(folder)} has no passages: expected corpus.jsonl or collection.tsv. Labels can name only "
            "passages that were loaded before; to load others: --passages FILE"
        )
    return InputFiles(kept, tuple(notes))


def _names_queries(path: Path) -> bool:
    """Return whether a file in such a folder holds labels or queries by its name."""
    return _is_labels(path) or "queries" in re.split(r"[^a-z]+", path.name.lower())


def _is_labels(path: Path) -> bool:
    return path.parent.name == "qrels" or path.name.lower().startswith("qrels")


def _entries(folder: Path) -> list[Path]:
    """Return what a folder holds, sorted by name, without READMEs, hidden files and `manifest.json`.

    What is not a file is not left out: a link to nowhere in place of `corpus.jsonl` must not look like no corpus.
    Raises BadInput for a link to nowhere or a pipe in place of the folder.
    """
    if not folder.is_dir():
        if os.path.lexists(folder):
            require_file(folder)
        return []
    return [path for path in sorted(folder.iterdir()) if not PAPERS.match(path.name)]


def _telling(path: Path) -> bool:
    """Return whether a file or folder that is left out should be named: not a folder of something else."""
    return path.name.lower() in FOLDERS or not path.is_dir()


def _note(path: Path, replaced: str | None, other_form: Callable[[Path], BadInput | None]) -> str:
    """Return a note about a file that is left out, with its form or the option that would load it.

    replaced: the split for which an option gives other labels than this file's.
    """
    if replaced:
        return f"not loaded: {shown(path)}: --qrels gives other labels for {replaced}"
    if form := other_form(path):
        return f"not loaded: {form}"
    option = _option(path)
    return f"not loaded: {shown(path)}{f'; to load it{option}' if option else ': not part of the layout'}"


def _option(path: Path) -> str:
    """Return `: ` and the option that loads a file or folder, or nothing if its name tells no kind."""
    name, file = path.name.lower(), argument(path)
    if _is_labels(path):
        found = _splits_in(name, SPLITS)
        split = next(iter(found)) if len(found) == 1 else "SPLIT"
        return f": --qrels {split}={file}"
    if _names_queries(path):
        return f": --queries {file}"
    return f": --passages {file}" if name in FOLDERS else ""


def _by_stem(folder: Path) -> dict[str, Path]:
    """Return the data files of a folder by name without suffix, in lower case.

    Raises BadInput if two have the same name.
    """
    found: dict[str, Path] = {}
    for path in _entries(folder):
        stem = DATA.sub("", path.name).lower()
        if stem == path.name.lower():
            continue
        if stem in found:
            raise BadInput(
                f"{shown(folder)} holds both {printable(found[stem].name)} and {printable(path.name)}. "
                "Move one away, or name the files by options instead of giving the folder."
            )
        found[stem] = path
    return found


def in_order(inputs: Iterable[Input]) -> Iterator[Input]:
    """Yield the inputs kind by kind, with labels last because they refer to passages and queries."""
    files = list(inputs)
    return (file for kind in KINDS for file in files if file.kind == kind)
