"""The journal of an annotator's session: each verdict is on the disk before the next pair is shown.

In my-set/annotations/<sample>/ there are two kinds of files:

- <digest of the annotator's name>.jsonl: verdicts that are not loaded yet, in their order.
- loaded-<digest>.jsonl: what was loaded; `curate rebuild` reads it again.

A journal is loaded when its session ends, or by `curate annotate import` if that did not come to pass.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from curate.annotate.sheet import PairId
from curate.errors import Damaged, NoSpace, WorkspaceBusy
from curate.load.stage import Loaded, load
from curate.shards import canonical, digest, write_text
from curate.workspace import Workspace

FOLDER = "annotations"


class Journal:
    """The verdicts of an annotator on a sample that are not loaded yet; `Journal.open` opens it for a session."""

    def __init__(self, stream: BinaryIO, sample: str, annotator: str) -> None:
        self.stream, self.sample, self.annotator = stream, sample, annotator

    @classmethod
    @contextmanager
    def open(cls, workspace: Workspace, sample: str, annotator: str) -> Iterator["Journal"]:
        """Open the journal; raises WorkspaceBusy if another session has it, NoSpace if it cannot be written."""
        path = path_of(workspace, sample, annotator)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _held(path), path.open("ab+") as stream:
                _without_torn_line(stream)
                yield cls(stream, sample, annotator)
        except Timeout as error:
            raise WorkspaceBusy(
                f"{annotator} is judging sample {sample} in another session. End it, or give another --annotator"
            ) from error
        except OSError as error:
            raise NoSpace(f"cannot write {path}: {error.strerror}") from error

    @property
    def verdicts(self) -> dict[PairId, bool | None]:
        """Pair -> the last verdict on it: relevant, or None for unsure."""
        self.stream.seek(0)
        return {pair: relevant for pair, (relevant, _line) in _last(self.stream).items()}

    def add(self, pair: PairId, relevant: bool | None) -> None:
        """Append a verdict, which replaces an earlier one on the pair; it is on the disk when this returns."""
        verdict = {
            "query_id": pair[0],
            "passage_id": pair[1],
            "relevant": relevant,
            "annotator": self.annotator,
            "sample_id": self.sample,
            "judged_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self.stream.write(canonical(verdict).encode() + b"\n")
        self.stream.flush()
        os.fsync(self.stream.fileno())


def path_of(workspace: Workspace, sample: str, annotator: str) -> Path:
    """Return the file of a journal. A name may hold anything, so its digest names the file."""
    return workspace.root / FOLDER / sample / f"{digest(annotator)[:12]}.jsonl"


def load_journals(workspace: Workspace) -> list[Loaded]:
    """Load the verdicts of sessions that have ended, and return the loads; those of running sessions stay.

    The caller holds the workspace's lock. Raises Damaged, once all others are loaded, if a journal is damaged.
    """
    found, damaged = [], []
    for path in sorted((workspace.root / FOLDER).glob("*/*.jsonl")):
        if not path.name.startswith("loaded-"):
            try:
                with _held(path):
                    found += _loaded(workspace, path)
            except Timeout:
                continue
            except Damaged as error:
                damaged.append(error)
    if len(damaged) > 1:
        raise Damaged("\n".join(["these journals are damaged:", *map(str, damaged)]))
    if damaged:
        raise damaged[0]
    return found


def _loaded(workspace: Workspace, path: Path) -> list[Loaded]:
    """Load a journal and delete it. After a kill in between, the same file is loaded again: that does nothing."""
    with path.open("rb") as stream:
        lines = [line for _, line in _last(stream).values()]
    found = []
    if lines:
        text = "".join(f"{line}\n" for line in lines)
        kept = path.with_name(f"loaded-{digest(text)[:12]}.jsonl")
        write_text(kept, text)
        found = [load(workspace, annotations=[kept])]
    path.unlink()
    return found


def _last(stream: BinaryIO) -> dict[PairId, tuple[bool | None, str]]:
    """Return pair -> the last verdict on it and its line. A line that a kill cut off is none.

    Raises Damaged if another line is no verdict.
    """
    found = {}
    for number, raw in enumerate(stream, 1):
        if raw.endswith(b"\n"):
            try:
                line = raw.decode().rstrip("\n")
                row = json.loads(line)
                found[row["query_id"], row["passage_id"]] = (row["relevant"], line)
            except (ValueError, KeyError, TypeError) as error:
                raise Damaged(
                    "this line of a journal is not a verdict. Delete it",
                    file=stream.name,
                    line=number,
                    run="curate annotate import",
                ) from error
    return found


def _without_torn_line(stream: BinaryIO) -> None:
    stream.seek(0)
    whole = stream.read().rpartition(b"\n")
    stream.truncate(len(whole[0]) + len(whole[1]))


def _held(path: Path) -> FileLock:
    return FileLock(path.with_suffix(".lock"), timeout=0)
