"""What is wrong with the files that records name: files that are missing or cut, and bytes that changed."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from curate.errors import Damaged
from curate.shards import Manifest, Shard, Signature, known_sha256, signature

NAMED = 3  # damaged files that a message names
_STOOD: dict[Path, tuple[Signature | None, Signature | None, str]] = {}


@dataclass(frozen=True)
class Damage:
    """A file that is not what a record says."""

    path: Path
    what: str
    """What is wrong with it, as the end of a sentence about the file."""


def standing(shard: Shard) -> Damage | None:
    """Return what is wrong with a shard's size or manifest, or None; its bytes are not read."""
    path, beside = shard.path, Manifest.path(shard.path)
    state = signature(path), signature(beside), shard.sha256
    if _STOOD.get(path) == state and None not in state:
        return None
    if not path.is_file():
        return Damage(path, "is missing")
    manifest = Manifest.read(path)
    if manifest is None:
        return Damage(path, "has no valid manifest beside it")
    if manifest.sha256 != shard.sha256:
        return Damage(path, "has the manifest of another file")
    if not manifest.stands(path):
        return Damage(path, f"has {path.stat().st_size:,} bytes, expected {manifest.bytes:,}")
    _STOOD[path] = state
    return None


def contents(shard: Shard) -> Damage | None:
    """Return what is wrong with a shard's bytes, or None. A process reads each file once, as long as it stays."""
    if not shard.path.is_file():
        return Damage(shard.path, "is missing")
    if known_sha256(shard.path) != shard.sha256:
        return Damage(shard.path, "does not have the bytes that were written (its sha256 differs)")
    return None


def all_standing(shards: Iterable[Shard]) -> list[Damage]:
    """Return what is wrong with the sizes and manifests of shards."""
    return [damage for shard in shards if (damage := standing(shard))]


def all_contents(shards: Iterable[Shard]) -> list[Damage]:
    """Return what is wrong with the bytes of shards. Several are read at once, one for each processor."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [damage for damage in pool.map(contents, shards) if damage]


def refuse(root: Path, damages: list[Damage], mended: Sequence[str] = ()) -> None:
    """Raise Damaged if there is any damage; the message names the files, relative to `root`.

    mended: notes on other files, which were damaged too and are whole again.
    """
    if not damages:
        return
    named = "; ".join(f"{_below(root, damage.path)} {damage.what}" for damage in damages[:NAMED])
    more = f"; and {len(damages) - NAMED:,} more" if len(damages) > NAMED else ""
    before = f"{'; '.join(mended)}. But there is more " if mended else ""
    raise Damaged(f"{before}damage in {root}: {named}{more}. Nothing was read from it", run="curate rebuild")


def _below(root: Path, path: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
