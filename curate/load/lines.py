"""Files as lines of bytes, unpacked on the way; what is no text at all is refused here."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from curate.errors import BadInput

BLOCK = 1 << 20
LONGEST_LINE = 16 << 20  # bytes; a text of 1 MiB has at most 6 MiB of escapes
BLANK = (b"", b"\r")
BOM = b"\xef\xbb\xbf"
PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
PARQUET = b"PAR1"
UTF16 = "UTF-16, where UTF-8 is expected. Convert it: iconv -f UTF-16 -t UTF-8"
FOREIGN = {
    b"\xff\xfe": UTF16,
    b"\xfe\xff": UTF16,
    b"BZh": "packed by bzip2; curate unpacks gzip and zstd",
    b"\xfd7zXZ": "packed by xz; curate unpacks gzip and zstd",
    b"PK\x03\x04": "a zip archive; unpack it and give the files in it",
    b"ARROW1": "an Arrow file; curate reads Parquet",
}

Advance = Callable[[int], None]
"""Takes the bytes of the file that were read since the last call."""


def require_file(path: Path) -> None:
    """Raise BadInput unless `path` is a file that can be read."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise BadInput(f"{path}: a folder, where a file is expected. Give it as SOURCE: curate load {path}")
        if not stat.S_ISREG(mode):
            raise BadInput(f"{path}: a pipe or a device, where a file is expected; it is read more than once")
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error


def head(path: Path) -> bytes:
    """Return the beginning of a file, unpacked; raises BadInput if it cannot be text or Parquet."""
    require_file(path)
    first = next(blocks(path), b"")
    for magic, what in FOREIGN.items():
        if first.startswith(magic):
            raise BadInput(f"{path}:1: the file is {what}")
    if b"\0" in first[:2]:
        raise BadInput(f"{path}:1: the file is {UTF16}")
    return first


def first_line(start: bytes) -> tuple[int, bytes]:
    """Return the first line of a file's beginning that is not blank, with its number; (1, b"") without one."""
    lines = enumerate(start.split(b"\n"), 1)
    return next(((number, line) for number, line in lines if line not in BLANK), (1, b""))


def blocks(path: Path, advance: Advance = lambda _count: None) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks: unpacked by what its first bytes say, without a byte order mark."""
    with path.open("rb") as raw, _unpacked(raw) as stream:
        mark, before = BOM, 0
        try:
            while block := stream.read(BLOCK):
                at = raw.tell()
                advance(at - before)
                yield block.removeprefix(mark)
                mark, before = b"", at
        except OSError as error:
            raise BadInput(f"{path}: cannot be read to its end: {error}. Fetch the file again.") from error


@contextmanager
def _unpacked(raw: IO[bytes]) -> Iterator[Any]:
    import pyarrow as pa

    magic = raw.read(4)
    raw.seek(0, os.SEEK_SET)
    codec = next((name for start, name in PACKED.items() if magic.startswith(start)), None)
    if not codec:
        yield raw
        return
    with pa.CompressedInputStream(raw, codec) as stream:
        yield stream


class Lines:
    """The lines of a file with their numbers, from 1, split at the line feed only.

    A line longer than LONGEST_LINE comes cut after it, so that a file without line ends stays out of memory.
    """

    def __init__(self, path: Path, advance: Advance) -> None:
        self.path = path
        self.advance = advance
        self.unended = False
        """Whether the line that was yielded last is the file's last one and lacks its line end."""

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
