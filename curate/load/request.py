"""The arguments of `load`, resolved to files of known kinds."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict, Unpack

from curate.errors import BadSettings
from curate.load.input_files import Input, InputFiles, in_folder, in_order
from curate.load.lines import require_file
from curate.load.option_files import given_inputs
from curate.load.recognize import recognized
from curate.options import given_options
from curate.shards import file_sha256

Paths = Iterable[str | Path]


class LoadOptions(TypedDict, total=False):
    """The options of `load`, which name files or folders of files of one kind."""

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
        given = [file for kind, paths in by_kind.items() for file in given_inputs(kind, paths)]
        files: list[Input] = []
        notes: list[str] = []
        for source in map(Path, sources):
            found = in_folder(source, given) if source.is_dir() else InputFiles((recognized(source),), ())
            files += found.inputs
            notes += found.notes
        files += given
        if not files:
            raise BadSettings(
                "nothing to load. Give a folder or files: curate load SOURCE (see curate load --help)"
            )
        for file in files:
            require_file(file.path)
        notes += [f"{file.path}: no split in its name, taken as train" for file in files if file.guessed]
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
