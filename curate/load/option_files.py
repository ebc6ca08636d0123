"""The files that the options of a load name, directly or as folders of files of one kind."""

from collections.abc import Iterable
from pathlib import Path

from curate.errors import BadSettings
from curate.load.input_files import DATA, SPLITS, Input, by_name
from curate.load.recognize import kind_by_name
from curate.load.saved_dataset import saved_files
from curate.load.shown import argument, printable

QUERIES = {"queries", "unlabeled"}


def given_inputs(kind: str, given: Iterable[str | Path]) -> list[Input]:
    """Return the inputs that an option names; raises BadSettings for a folder that also holds another kind."""
    if kind == "qrels":
        return [file for each in given for file in _labels(each)]
    return [file for each in given for file in _by_name(kind, Path(each))]


def _labels(given: str | Path) -> list[Input]:
    """Return the inputs of `[SPLIT=]FILE`; without SPLIT, each file has the split in its name, or else train."""
    split, equals, name = str(given).partition("=")
    if not equals or isinstance(given, Path) or "/" in split:
        return _by_name("qrels", Path(given))
    if split not in SPLITS:
        raise BadSettings(
            f"--qrels {printable(str(given))}: no split '{printable(split)}'; the splits are {', '.join(SPLITS)}"
        )
    return [Input("qrels", path, SPLITS[split]) for _, path in _files("qrels", Path(name))]


def _by_name(kind: str, path: Path) -> list[Input]:
    return [by_name(kind, file, name) for name, file in _files(kind, path)]


def _files(kind: str, path: Path) -> list[tuple[str, Path]]:
    """Return (the name that may tell the split, file) for the data files of a folder, sorted by name.

    A file, or a folder without data files, stands for itself.
    """
    if kind == "annotations" or not path.is_dir():
        return [(path.name, path)]
    saved = saved_files(path)
    if saved:
        return saved
    found = sorted(file for file in path.iterdir() if DATA.search(file.name))
    for file in found:
        other = kind_by_name(file.name)
        if other not in (None, kind) and not {kind, other} <= QUERIES:
            raise BadSettings(
                f"--{kind} {argument(path)}: {printable(file.name)} has the name of a file of {other}. Give the "
                "files instead of the folder, or load the whole collection",
                run=f"curate load {argument(path)}",
            )
    return [(file.name, file) for file in found or [path]]
