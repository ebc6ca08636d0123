"""The arguments of `load`, resolved to files of known kinds."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict, Unpack

from curate.errors import BadInput, BadSettings
from curate.load.input_files import Input, InputFiles, in_folder, in_order
from curate.load.lines import require_file
from curate.load.option_files import given_inputs
from curate.load.recognize import other_form, recognized
from curate.load.saved_dataset import saved_files
from curate.load.shown import argument, printable, shown
from curate.load.stdin import standard_input
from curate.options import given_options
from curate.shards import file_sha256

Paths = Iterable[str | Path]


class LoadOptions(TypedDict, total=False):
    """The options of `load`, which name files or folders of files of one kind; `-` is standard input."""

    passages: Paths | None
    queries: Paths | None
    unlabeled: Paths | None
    annotations: Paths | None
    qrels: Paths | None
    """`FILE` or `SPLIT=FILE`."""


@dataclass(frozen=True)
class LoadRequest:
    """The files of a load, in reading order."""

    files: tuple[Input, ...]
    notes: tuple[str, ...]
    """Notes about files that were left out and splits that were guessed."""

    @classmethod
    def of(cls, *sources: str | Path, **options: Unpack[LoadOptions]) -> "LoadRequest":
        """Return the request; raises BadInput for a file that cannot be read, BadSettings if there is no file."""
        by_kind = given_options(LoadOptions, options)
        try:
            given = [file for kind, paths in by_kind.items() for file in given_inputs(kind, paths)]
            found = [_found(source, given) for source in map(Path, sources)]
        except OSError as error:  # a folder that may not be read, a name that is too long
            raise BadInput(f"cannot be read: {error.strerror}", file=printable(str(error.filename))) from error
        files = [*(file for each in found for file in each.inputs), *given]
        notes = [note for each in found for note in each.notes]
        if not files:
            raise BadSettings("nothing to load. Give a folder or files", run="curate load SOURCE")
        for file in files:
            if file.path.is_dir():
                given_as = f"curate load {argument(file.path)}"
                raise BadInput(
                    "found a folder, expected a file. Give it as SOURCE", file=shown(file.path), run=given_as
                )
            require_file(file.path)
        notes += [f"{shown(file.path)}: no split in its name, taken as train" for file in files if file.guessed]
        return cls(tuple(in_order(files)), tuple(notes))

    @cached_property
    def hashes(self) -> list[str]:
        """The sha256 of each file."""
        return [file_sha256(file.path) for file in self.files]

    @property
    def identity(self) -> list[str]:
        """The kind of each file and, if it has one, its split."""
        return [f"{file.kind} {file.split}" if file.split else file.kind for file in self.files]

    @property
    def bytes(self) -> int:
        """The total size of the files."""
        return sum(file.path.stat().st_size for file in self.files)


def _found(source: Path, given: list[Input]) -> InputFiles:
    """Return the files of a source: of the layout of a folder, of datasets that were saved, or the file itself."""
    saved = saved_files(source)
    if saved:
        return InputFiles(tuple(file for name, path in saved for file in recognized(path, name)), ())
    return in_folder(source, given, other_form) if source.is_dir() else InputFiles(tuple(recognized(source)), ())


@contextmanager
def requested(*sources: str | Path, **options: Unpack[LoadOptions]) -> Iterator[LoadRequest]:
    """Yield the request; `-` is standard input, whose copy lasts as long as the request."""
    with standard_input() as stdin:
        by_kind = given_options(LoadOptions, options)
        named: Any = {kind: [stdin.file(path) for path in paths] for kind, paths in by_kind.items()}
        yield LoadRequest.of(*(stdin.file(source) for source in sources), **named)
