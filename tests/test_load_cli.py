"""`curate load` on the command line: its exit codes, and its output for people and for programs."""

import json
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from curate.cli.main import run
from curate.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "ws")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"_id": "p1", "text": "one"}\n{"_id": "p2", "text": ""}\n')
    return path


def test_a_refusal_is_exit_code_3_and_a_load_is_0(
    workspace: Workspace, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors go to stderr with file and line; the result goes to stdout."""
    command = ["-q", "-C", str(workspace.root), "load", str(corpus)]
    assert run(command) == 3
    assert f"{corpus}:2: empty text" in capsys.readouterr().err
    assert run([*command, "--max-rejects", "1"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "load-00001: passages 1"
    assert "1 x empty text" in out
    assert err == ""


def test_json_holds_every_figure(workspace: Workspace, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON has the fields of Loaded under their names."""
    assert run(["-q", "-C", str(workspace.root), "load", str(corpus), "--max-rejects", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"annotations": 0, "passages": 1, "qrels": 0, "queries": 0}
    assert told["rejected"] == {"empty text": 1}
    assert told["totals"] == {"passages": 1}


def test_an_unknown_split_is_a_wrong_command(
    workspace: Workspace, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 2, and the message names the existing splits."""
    assert run(["-C", str(workspace.root), "load", "--qrels", f"trian={corpus}"]) == 2
    assert "no split 'trian'; the splits are train, dev, val, valid, validation, eval" in capsys.readouterr().err


def test_standard_input_stands_in_place_of_a_file(
    workspace: Workspace, corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name in messages is stdin. A dry run reads it, too."""
    command = ["-q", "-C", str(workspace.root), "load", "--passages", "-"]
    for arguments, code, said in (
        ([], 3, "stdin:2: empty text"),
        (["--dry-run"], 0, "passages: stdin"),
        (["--max-rejects", "1"], 0, "load-00001: passages 1"),
    ):
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(corpus.read_bytes())))
        assert run([*command, *arguments]) == code
        assert said in "".join(capsys.readouterr())
    assert workspace.sql("select file, line from rejects").rows() == [("stdin", 2)]


def test_a_dry_run_changes_nothing(workspace: Workspace, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says which files would be read, and as what."""
    assert run(["-C", str(workspace.root), "load", str(corpus), "--dry-run"]) == 0
    assert f"passages: {corpus}" in capsys.readouterr().out
    assert workspace.records() == []
