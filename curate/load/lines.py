"""Files as lines of bytes, decompressed while reading. Files that no reader knows are refused here."""

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from curate.errors import BadInput
from curate.load.shown import argument, printable, shown

BLOCK = 1 << 20
LONGEST_LINE = 16 << 20  # bytes; escapes make a text of 1 MiB at most 6 MiB long
BLANK = (b"", b"\r")
BOM = b"\xef\xbb\xbf"
PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
PARQUET = b"PAR1"
ARROW = (b"ARROW1", b"\xff\xff\xff\xff")  # Arrow's file and stream
TAR_AT, TAR = 257, b"ustar"
CARRIAGE_RETURNS = "text whose lines end with a carriage return alone, not with a line feed"
UTF16 = "UTF-16, expected UTF-8. Convert it: iconv -f UTF-16 -t UTF-8"
FOREIGN = {
    b"\xff\xfe": UTF16,
    b"\xfe\xff": UTF16,
    b"BZh": "compressed with bzip2; curate reads gzip and zstd",
    b"\xfd7zXZ": "compressed with xz; curate reads gzip and zstd",
    b"PK\x03\x04": "a zip archive; unpack it and give the files in it",
    b"FEA1": "Feather of version 1; write it again as Parquet",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself. Fetch the file: git lfs pull",
    b"<!DOCTYPE html": "a web page, perhaps an error that was saved in place of the file. Fetch the file again",
    b"<html": "a web page, perhaps an error that was saved in place of the file. Fetch the file again",
}

Advance = Callable[[int], None]
"""A function that takes the number of bytes read from the file since the last call."""


def require_file(path: Path) -> None:
    """Raise BadInput unless `path` is a readable regular file."""
    name = shown(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise BadInput("found a folder, expected a file", file=name)
        if not stat.S_ISREG(mode):
            raise BadInput(
                "found a pipe or a device, expected a file, which can be read more than once. To read standard "
                "input, give - in its place",
                file=name,
            )
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        target = f": it is a link to {printable(str(path.readlink()))}" if path.is_symlink() else ""
        raise BadInput(f"no such file{target}", file=name) from error
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file=name) from error
    except ValueError as error:  # a NUL in the name
        raise BadInput(f"cannot be read: {error}", file=name) from error


def head(path: Path) -> bytes:
    """Return the beginning of a file, decompressed; raises BadInput if it cannot be text, Parquet or Arrow."""
    require_file(path)
    first = next(blocks(path), b"")
    what = _foreign(first)
    if what:
        run = _with_line_feeds(path) if what is CARRIAGE_RETURNS else None
        raise BadInput(f"the file is {what}", file=shown(path), line=1, run=run)
    if first.startswith((PARQUET, *ARROW)) and _codec(path):
        raise BadInput(
            "a table of Parquet or Arrow that is compressed once more. Unpack it first", file=shown(path)
        )
    return first


def _foreign(first: bytes) -> str | None:
    """Return what a file is that begins with these bytes, if no reader knows it."""
    if first.startswith((PARQUET, *ARROW)):
        return None
    what = next((what for magic, what in FOREIGN.items() if first.startswith(magic)), None)
    if what:
        return what
    if first[TAR_AT:].startswith(TAR):
        return "a tar archive; unpack it and give the files in it"
    if b"\0" in first[:2]:
        return UTF16
    if b"\n" not in first and b"\r" in first.rstrip(b"\r"):
        return CARRIAGE_RETURNS
    return None


def _with_line_feeds(path: Path) -> str | None:
    """Return the command that gives a file with carriage returns line feeds; None for what tr cannot read."""
    if _codec(path) or argument(path) == "-":
        return None
    return rf"tr '\r' '\n' < {argument(path)} > {argument(path.with_name(f'lf-{path.name}'))}"


def first_line(start: bytes) -> tuple[int, bytes]:
    """Return (number, line) of the first line that is not blank, or (1, b"") if there is none."""
    lines = enumerate(start.split(b"\n"), 1)
    return next(((number, line) for number, line in lines if line not in BLANK), (1, b""))


def blocks(path: Path, advance: Advance = lambda _count: None) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks, decompressed and without a byte order mark.

    The first bytes of the file tell its compression. Raises BadInput if the file cannot be read to its end.
    """
    with path.open("rb") as raw, _unpacked(raw) as stream:
        mark, before = BOM, 0
        try:
            while block := stream.read(BLOCK):
                at = raw.tell()
                advance(at - before)
                yield block.removeprefix(mark)
                mark, before = b"", at
        except OSError as error:
            raise BadInput(
                f"cannot be read to its end: {error}. Fetch the file again.", file=shown(path)
            ) from error


@contextmanager
def _unpacked(raw: IO[bytes]) -> Iterator[Any]:
    import pyarrow as pa

    codec = _codec(Path(raw.name))
    if not codec:
        yield raw
        return
    with pa.CompressedInputStream(raw, codec) as stream:
        yield stream


def _codec(path: Path) -> str | None:
    """Return the compression of a file, which its first bytes tell, or None."""
    with path.open("rb") as raw:
        magic = raw.read(4)
    return next((name for start, name in PACKED.items() if magic.startswith(start)), None)


class Lines:
    """The lines of a file with their numbers from 1, split only at line feeds.

    A line longer than LONGEST_LINE is cut, so that a file without line ends does not fill the memory.
    """

    def __init__(self, path: Path, advance: Advance) -> None:
        self.path = path
        self.advance = advance
        self.unended = False
        """Whether the line yielded last is the last line of the file and has no line end."""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield (number, line without its line feed)."""
        number, rest, skipping = 0, b"", False
        for block in blocks(self.path, self.advance):
            parts = (rest + block).split(b"\n")
            rest = parts.pop()
            if skipping and parts:
                del parts[0]
                skipping = False
            for number, part in enumerate(parts, number + 1):  # noqa: B020
                yield number, part
            if skipping:
                rest = b""
            elif len(rest) > LONGEST_LINE:
                number, skipping = number + 1, True
                yield number, rest
                rest = b""
        if rest:
            self.unended = True
            yield number + 1, rest
