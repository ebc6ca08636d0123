"""The files that the options of a load name, directly or as folders of files of one kind."""

from collections.abc import Iterable
from pathlib import Path

from curate.errors import BadSettings
from curate.load.input_files import DATA, SPLITS, Input, by_name
from curate.load.recognize import kind_by_name

QUERIES = {"queries", "unlabeled"}


def given_inputs(kind: str, given: Iterable[str | Path]) -> list[Input]:
    """Return the inputs that an option names; raises BadSettings for a folder that also holds another kind."""
    if kind == "qrels":
        return [file for each in given for file in _labels(each)]
    return [by_name(kind, path) for each in given for path in _files(kind, Path(each))]


def _labels(given: str | Path) -> list[Input]:
    """Return the inputs of `[SPLIT=]FILE`; without SPLIT, each file has the split in its name, or else train."""
    split, equals, name = str(given).partition("=")
    if not equals or isinstance(given, Path) or "/" in split:
        return [by_name("qrels", path) for path in _files("qrels", Path(given))]
    if split not in SPLITS:
        raise BadSettings(f"--qrels {given}: no split '{split}'; the splits are {', '.join(SPLITS)}")
    return [Input("qrels", path, SPLITS[split]) for path in _files("qrels", Path(name))]


def _files(kind: str, path: Path) -> list[Path]:
    """Return the data files of a folder, sorted by name, or `[path]` for a file or a folder without data files."""
    if kind == "annotations" or not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if DATA.search(file.name) and file.is_file())
    for file in found:
        other = kind_by_name(file)
        if other not in (None, kind) and not {kind, other} <= QUERIES:
            raise BadSettings(
                f"--{kind} {path}: {file.name} has the name of a file of {other}. Give the files instead of the "
                f"folder, or load the whole collection: curate load {path}"
            )
    return found or [path]
