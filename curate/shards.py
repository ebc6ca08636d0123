"""Shards: immutable files that are written complete or not at all, each with a manifest.

The manifest is the file `<file>.json` beside the shard and is written last. A shard with a valid manifest is done.
Anything else that a crash leaves behind is replaced by the next run.
"""

import errno
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from curate.errors import NoSpace
from curate.shard_in_work import shard_in_work

Json = Any  # what json.loads returns: str, int, float, bool, None, and lists and dicts of them

DIGEST = "digest"  # the key of the digest in a JSON file
T = TypeVar("T")
Signature = tuple[int, int, int, int]
_KNOWN: dict[Path, tuple[Signature, str]] = {}
TICK = 50_000_000  # nanoseconds: a file that changes twice within a tick of the clock may keep its times
WORTH_KNOWING = 1 << 20  # bytes: hashing a smaller file again costs nothing

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}


@dataclass(frozen=True)
class Lineage:
    """The origin of a shard. Equal lineage means equal bytes."""

    stage: str
    job: str
    settings: Mapping[str, Json] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Name of an input -> its sha256 or fingerprint."""


@dataclass(frozen=True)
class Manifest:
    """The contents of `<shard>.json`."""

    file: str
    rows: int
    bytes: int
    sha256: str
    lineage: Lineage

    @staticmethod
    def path(target: Path) -> Path:
        """Return the path of the manifest of `target`."""
        return target.with_name(target.name + ".json")

    @classmethod
    def read(cls, target: Path) -> "Manifest | None":
        """Return the manifest of `target`, or None if it is missing or not as it was written."""
        try:
            facts = read_json(cls.path(target))
            return cls(**{**facts, "lineage": Lineage(**facts["lineage"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, target: Path) -> None:
        """Write this manifest beside `target`."""
        write_json(self.path(target), asdict(self))

    def stands(self, target: Path) -> bool:
        """Return whether `target` exists and has the size that was written."""
        return target.is_file() and target.stat().st_size == self.bytes

    def is_intact(self, target: Path) -> bool:
        """Return whether `target` still has the bytes that were written (reads the whole file)."""
        return self.stands(target) and known_sha256(target) == self.sha256


@dataclass(frozen=True)
class Shard:
    """A file, and the sha256 that it must have."""

    path: Path
    sha256: str


def done(target: Path, lineage: Lineage) -> Manifest | None:
    """Return the manifest of `target` if it was made with `lineage` and is intact, else None."""
    manifest = Manifest.read(target)
    if manifest and canonical(asdict(manifest.lineage)) == canonical(asdict(lineage)):
        return manifest if manifest.is_intact(target) else None
    return None


def publish(target: Path, write: Callable[[Path], int], lineage: Lineage) -> Manifest:
    """Have `write` fill a temporary file and return the number of rows, then rename the file to `target`.

    The order is: data, fsync, rename, manifest, fsync, rename. After a kill at any point, either the manifest is
    missing and the shard is written again, or both files are complete. The first Ctrl-C waits until they are.
    Raises NoSpace if a file cannot be written.
    """
    with shard_in_work():
        return write_whole(target, write, lineage)


@contextmanager
def published(target: Path, rows: int, lineage: Lineage) -> Iterator[Path]:
    """Do what `publish` does with what the block writes to the temporary file, which are so many rows."""
    with shard_in_work():
        with whole_file(target) as temporary:
            Manifest.path(target).unlink(missing_ok=True)
            yield temporary
            size, digest = temporary.stat().st_size, file_sha256(temporary)
        _describe(target, rows, size, digest, lineage)


def write_whole(target: Path, write: Callable[[Path], int], lineage: Lineage) -> Manifest:
    """Do what `publish` does for a file that is not worth waiting for: Ctrl-C deletes what there is of it."""
    with whole_file(target) as temporary:
        Manifest.path(target).unlink(missing_ok=True)
        rows = write(temporary)
        size, digest = temporary.stat().st_size, file_sha256(temporary)
    return _describe(target, rows, size, digest, lineage)


def _describe(target: Path, rows: int, size: int, digest: str, lineage: Lineage) -> Manifest:
    """Write the manifest of a file that is complete."""
    manifest = Manifest(target.name, rows, size, digest, lineage)
    manifest.write(target)
    if size >= WORTH_KNOWING and (there := signature(target)):
        _KNOWN[target] = there, digest
    return manifest


def write_text(target: Path, text: str) -> None:
    """Replace the file `target` with one that holds `text`, in one step."""
    with whole_file(target) as temporary:
        temporary.write_text(text, "utf-8")


def write_json(target: Path, facts: Mapping[str, Json]) -> None:
    """Replace `target` with the JSON object `facts` and a digest of it, by which `read_json` finds damage."""
    plain = json.loads(json.dumps(dict(facts), ensure_ascii=False))
    whole = {**plain, DIGEST: digest(plain)}
    write_text(target, json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Json]:
    """Return what `write_json` wrote; raises ValueError or TypeError if the file is not as it was written.

    A file without a digest, as earlier versions wrote it, is taken as it is.
    """
    facts = json.loads(path.read_text("utf-8"))
    if not isinstance(facts, dict):
        raise TypeError(f"it holds a {type(facts).__name__}")
    written = facts.pop(DIGEST, None)
    if written is not None and written != digest(facts):
        raise ValueError("its content is not what was written")
    return facts


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it is fsynced and renamed, on error it is deleted.

    Raises NoSpace if the file cannot be written.
    """
    temporary = target.with_name(f".{target.name}.tmp")  # a fixed name: leftovers of a kill are overwritten
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        fsync(temporary)
        temporary.replace(target)
        fsync(target.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in UNWRITABLE:
            raise NoSpace(
                f"cannot write {target}: {error.strerror}. Free disk space, then run the same command again."
            ) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_parquet(path: Path | BinaryIO, batches: Iterable[Any], schema: Any) -> int:
    """Write Arrow record batches or tables to a file or stream, cast to `schema`; return the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for batch in batches:
            table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
            writer.write_table(table.select(schema.names).cast(schema))
            rows += table.num_rows
    return rows


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def known_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, which this process computes once as long as the file stays as it is."""
    return once(_KNOWN, path, file_sha256)


def once(known: dict[Path, tuple[Signature, T]], path: Path, read: Callable[[Path], T]) -> T:
    """Return `read(path)`, or what `known` has of it as long as the file stays as it is; `known` is added to."""
    before = signature(path)
    if path in known and known[path][0] == before:
        return known[path][1]
    found = read(path)
    if before and is_settled(before):
        known[path] = before, found
    return found


def signature(path: Path) -> Signature | None:
    """Return what changes when a file is written (inode, size and times); None if there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def is_settled(of: Signature) -> bool:
    """Return whether a file was written so long ago that its next change will change its signature."""
    return time.time_ns() - max(of[2:]) > TICK


def canonical(value: Json) -> str:
    """Return the canonical JSON text of a value, with sorted keys and without spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(*values: Json) -> str:
    """Return the sha256, in hex, of the canonical JSON of `values`: a fingerprint stable across versions."""
    return hashlib.sha256(canonical(values).encode()).hexdigest()


def drawn(*values: Json) -> int:
    """Return a pseudo-random number below 2**60 that is a function of `values`."""
    return int(digest(*values)[:15], 16)


def fsync(path: Path) -> None:
    """Wait until a file or folder is written to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
