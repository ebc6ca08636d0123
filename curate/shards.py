"""Shards: immutable files that are written complete or not at all, each with a manifest.

The manifest is the file `<file>.json` beside the shard and is written last. A shard with a valid manifest is done.
Anything else that a crash leaves behind is replaced by the next run.
"""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from curate.errors import NoSpace

Json = Any  # what json.loads returns: str, int, float, bool, None, and lists and dicts of them

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
        """Return the manifest of `target`, or None if it is missing or unreadable."""
        try:
            facts = json.loads(cls.path(target).read_text("utf-8"))
            return cls(**{**facts, "lineage": Lineage(**facts["lineage"])})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def stands(self, target: Path) -> bool:
        """Return whether `target` exists and has the size that was written."""
        return target.is_file() and target.stat().st_size == self.bytes

    def is_intact(self, target: Path) -> bool:
        """Return whether `target` still has the bytes that were written (reads the whole file)."""
        return self.stands(target) and file_sha256(target) == self.sha256


def done(target: Path, lineage: Lineage) -> Manifest | None:
    """Return the manifest of `target` if it was made with `lineage` and is intact, else None."""
    manifest = Manifest.read(target)
    if manifest and canonical(asdict(manifest.lineage)) == canonical(asdict(lineage)):
        return manifest if manifest.is_intact(target) else None
    return None


def publish(target: Path, write: Callable[[Path], int], lineage: Lineage) -> Manifest:
    """Have `write` fill a temporary file and return the number of rows, then rename the file to `target`.

    The order is: data, fsync, rename, manifest, fsync, rename. After a kill at any point, either the manifest is
    missing and the shard is written again, or both files are complete. Raises NoSpace if a file cannot be written.
    """
    with whole_file(target) as temporary:
        Manifest.path(target).unlink(missing_ok=True)
        rows = write(temporary)
        size, digest = temporary.stat().st_size, file_sha256(temporary)
    manifest = Manifest(target.name, rows, size, digest, lineage)
    write_text(Manifest.path(target), json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n")
    return manifest


def write_text(target: Path, text: str) -> None:
    """Replace the file `target` with one that holds `text`, in one step."""
    with whole_file(target) as temporary:
        temporary.write_text(text, "utf-8")


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


def canonical(value: Json) -> str:
    """Return the canonical JSON text of a value, with sorted keys and without spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(*values: Json) -> str:
    """Return the sha256, in hex, of the canonical JSON of `values`: a fingerprint stable across versions."""
    return hashlib.sha256(canonical(values).encode()).hexdigest()


def fsync(path: Path) -> None:
    """Wait until a file or folder is written to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
