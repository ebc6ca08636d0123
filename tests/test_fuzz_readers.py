"""Damaged files: they are loaded, or refused with an error that names them. Nothing is lost or left half-written.

The suite tries few files, always the same. `make fuzz` tries many others and prints their seed.
"""

import warnings
from pathlib import Path

import pytest
from fuzz_inputs import COUNT, SEED, Damaged, damaged

from curate.errors import CurateError
from curate.load.checked_rows import rows
from curate.load.input_files import Input
from curate.load.stage import load
from curate.mine.import_run import import_run
from curate.mine.run_file import read_run
from curate.workspace import Workspace

MANY = 10**9


def written(folder: Path, file: Damaged) -> Path:
    path = folder / file.name
    path.write_bytes(file.content)
    return path


def read(path: Path, kind: str) -> tuple[list[int], list[int]]:
    """Return the numbers of the lines that are read, and of those that are rejected."""
    rejected: list[int] = []
    if kind == "run":
        return [row.line for row in read_run(path, lambda line, *_: rejected.append(line))], rejected
    found = rows(Input(kind, path, "train"), lambda _file, line, *_: rejected.append(line), lambda _count: None)
    return [line for _file, line, _values in found], rejected


def test_every_line_of_a_damaged_file_is_read_or_rejected_or_the_file_is_refused_by_name(tmp_path: Path) -> None:
    """A line is never both, and never twice. In files of lines, only a header and blank lines are neither."""
    outcomes = {"read": 0, "refused": 0}
    for file in damaged():
        path = written(tmp_path, file)
        what = f"seed {SEED}, input {file.number}: {file.kind} {file.name}"
        try:
            accepted, rejected = read(path, file.kind)
        except CurateError as error:
            outcomes["refused"] += 1
            refuse_unclear(error, path, what)
            continue
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
        outcomes["read"] += 1
        numbers = sorted([*accepted, *rejected])
        assert len({*numbers}) == len(numbers), what
        if file.name in {"a.jsonl", "a.tsv", "three.tsv", "a.trec", "q.tsv"} and file.content[:4] in heads(file):
            lines = enumerate(file.content.split(b"\n"), 1)
            filled = [number for number, line in lines if line.strip(b"\r\x0b\x0c\x1c\x1d\x1e\x1f \t")]
            assert {*filled[1:]} <= {*numbers}, what
    assert min(outcomes.values()) > COUNT // 20


def refuse_unclear(error: CurateError, path: Path, what: str) -> None:
    """Fail if an error does not name its file, or could control the terminal."""
    assert str(path) in str(error), what
    assert "\x1b" not in str(error), what


def heads(file: Damaged) -> set[bytes]:
    """Return the first bytes that leave a file one of lines, and not of quoted records or of packed bytes."""
    return {b'{"_i', b'{"qu'} if file.name.endswith("jsonl") else {b"p0\tt", b"q0\tp", b"q0 Q", b"q0\tq"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.create(tmp_path / "ws")
    passages, queries = tmp_path / "p.tsv", tmp_path / "q.tsv"
    passages.write_text("".join(f"p{number}\tknown {number}\n" for number in range(4)))
    queries.write_text("".join(f"q{number}\tquestion {number}\n" for number in range(4)))
    load(workspace, passages=[passages], queries=[queries])
    return workspace


def test_a_damaged_file_is_loaded_whole_or_not_at_all(workspace: Workspace, tmp_path: Path) -> None:
    """Rows, repeated rows and rejects add up to the rows of the file. After an error the tables are as before."""
    loaded = refused = 0
    for file in damaged(f"{SEED} whole", max(COUNT // 20, 25)):
        path = written(tmp_path, file)
        what = f"seed {SEED}, input {file.number} of the loads: {file.kind} {file.name}"
        before = shards(workspace)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                rejects = MANY if file.number % 2 else 0
                if file.kind == "run":
                    import_run(workspace, path, split="unlabeled", max_rejects=rejects)
                else:
                    told = load(workspace, **{file.kind: [path]}, max_rejects=rejects)  # type: ignore[arg-type]
                    accepted, rejected = read(path, file.kind)
                    total = sum([*told.counts.values(), *told.collapsed.values(), *told.rejected.values()])
                    assert told.already or total == len(accepted) + len(rejected), what
            loaded += 1
        except CurateError as error:
            refused += 1
            refuse_unclear(error, path, what)
            assert shards(workspace) == before, what
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    assert loaded > 0
    assert refused > 0


def shards(workspace: Workspace) -> list[str]:
    return sorted(str(path) for path in workspace.root.rglob("*") if path.is_file() and path.suffix != ".duckdb")
