"""The one way in which curate writes a file that matters: whole or not at all, with a manifest.

A shard is an immutable file; beside it stands `<file>.json`, its manifest, written last. A shard whose
manifest is valid is done. Whatever else lies there after a crash is rubbish that the next run replaces.
"""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curate.errors import NoSpace

Json = Any  # what json.loads gives back: str, int, float, bool, None, lists and dicts of them

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}


@dataclass(frozen=True)
class Lineage:
    """Where a shard comes from: equal lineage means equal bytes."""

    stage: str
    job: str
    settings: Mapping[str, Json] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Name of an input -> its sha256 or fingerprint."""


@dataclass(frozen=True)
class Manifest:
    """What stands in `<shard>.json`."""

    file: str
    rows: int
    bytes: int
    sha256: str
    lineage: Lineage

    @staticmethod
    def path(target: Path) -> Path:
        """Return where the manifest of `target` stands."""
        return target.with_name(target.name + ".json")

    @classmethod
    def read(cls, target: Path) -> "Manifest | None":
        """Return the manifest of `target`, or None where there is none that can be read."""
        try:
            facts = json.loads(cls.path(target).read_text("utf-8"))
            return cls(**{**facts, "lineage": Lineage(**facts["lineage"])})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def stands(self, target: Path) -> bool:
        """Return whether `target` is there with the size that was written."""
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
    """Have `write` fill a temporary file (it returns the rows written), then make it `target`.

    The order is: data, fsync, rename, manifest, fsync, rename. A kill at any point leaves either no
    manifest, and the shard is redone, or both files whole. Raises NoSpace when the disk refuses.
    """
    with whole_file(target) as temporary:
        Manifest.path(target).unlink(missing_ok=True)
        rows = write(temporary)
        size, digest = temporary.stat().st_size, file_sha256(temporary)
    manifest = Manifest(target.name, rows, size, digest, lineage)
    write_text(Manifest.path(target), json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n")
    return manifest


def write_text(target: Path, text: str) -> None:
    """Replace the file `target` by one that holds `text`, in one step."""
    with whole_file(target) as temporary:
        temporary.write_text(text, "utf-8")


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on leaving, it becomes `target`, fsynced; on error it goes."""
    temporary = target.with_name(f".{target.name}.tmp")  # of one name: what a kill left is written over
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
                f"cannot write {target}: {error.strerror}. Free the disk, then run the same command again."
            ) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_parquet(path: Path, batches: Iterable[Any], schema: Any) -> int:
    """Write Arrow record batches or tables to `path` with exactly `schema`; return the number of rows."""
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
    """Return the one JSON text of a value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(*values: Json) -> str:
    """Return the sha256, in hex, of the canonical JSON of `values`: a fingerprint stable across versions."""
    return hashlib.sha256(canonical(values).encode()).hexdigest()


def fsync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
