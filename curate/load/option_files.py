"""What the options of a load mean: files, or folders of files of one kind."""

from collections.abc import Iterable
from pathlib import Path

from curate.errors import BadSettings
from curate.load.input_files import DATA, SPLITS, Input, by_name
from curate.load.recognize import kind_by_name

QUERIES = {"queries", "unlabeled"}


def given_inputs(kind: str, given: Iterable[str | Path]) -> list[Input]:
    """Return the inputs that an option names; raises BadSettings for a folder that holds something else, too."""
    if kind == "qrels":
        return [file for each in given for file in _labels(each)]
    return [by_name(kind, path) for each in given for path in _files(kind, Path(each))]


def _labels(given: str | Path) -> list[Input]:
    """Return the inputs of `[SPLIT=]FILE`; without SPLIT each has the split in its name, else train."""
    split, equals, name = str(given).partition("=")
    if not equals or isinstance(given, Path) or "/" in split:
        return [by_name("qrels", path) for path in _files("qrels", Path(given))]
    if split not in SPLITS:
        raise BadSettings(f"--qrels {given}: no split '{split}'; there are {', '.join(SPLITS)}")
    return [Input("qrels", path, SPLITS[split]) for path in _files("qrels", Path(name))]


def _files(kind: str, path: Path) -> list[Path]:
    """Return the data files of a folder by name; a file, or a folder without any, comes as it is."""
    if kind == "annotations" or not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if DATA.search(file.name) and file.is_file())
    for file in found:
        other = kind_by_name(file)
        if other not in (None, kind) and not {kind, other} <= QUERIES:
            raise BadSettings(
                f"--{kind} {path}: {file.name} goes by the name of {other}. Give the files instead of the folder, "
                f"or a whole collection as SOURCE: curate load {path}"
            )
    return found or [path]
