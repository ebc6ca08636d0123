"""The command line itself: suggestions for misspelt names, colours, and JSON that names its schema."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from curate import Workspace
from curate.cli.main import run


@pytest.mark.parametrize(
    ("given", "says"),
    [("laod", "no command 'laod': did you mean 'load'?"), ("xyzzy", "no command 'xyzzy': there are init, load, ")],
)
def test_a_misspelt_command_names_the_nearest(given: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 2, for a command line that is wrong."""
    assert run([given]) == 2
    assert says in capsys.readouterr().err


def test_a_misspelt_format_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """This works as for commands and reports."""
    Workspace.create(tmp_path)
    assert run(["-C", str(tmp_path), "export", "--format", "tripelt"]) == 2
    assert "no format 'tripelt': did you mean 'triplet'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "coloured"), [("NO_COLOR", "", False), ("TERM", "dumb", False), ("TERM", "xterm", True)]
)
def test_colours_are_left_out_where_nobody_wants_them(
    name: str, value: str, coloured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR applies with any value. A dumb terminal has no colours."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    asked: list[bool | None] = []
    monkeypatch.setattr(click, "secho", lambda *_, color=None, **__: asked.append(color))
    assert run(["-C", str(tmp_path), "rebuild"]) == 2  # no workspace
    assert asked == [None if coloured else False]  # None: click colours in a terminal only


def test_json_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every result starts with a schema and its version."""
    made = tmp_path / "set"
    assert run(["init", str(made), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": "curate.created/2",
        "folder": str(made),
        "settings": str(made / "curate.toml"),
    }
    assert run(["-C", str(made), "rebuild", "--json"]) == 0
    rebuilt = json.loads(capsys.readouterr().out)
    assert rebuilt["schema"] == "curate.rebuilt/2"
    assert rebuilt["catalogue"] == str(made / "curate.duckdb")


def test_the_help_of_export_imports_no_engine() -> None:
    """The help must appear at once."""
    script = """
import sys
from curate.cli.main import run
run(["export", "--help"])
heavy = {"duckdb", "polars", "pyarrow", "torch", "rich", "numpy"} & set(sys.modules)
sys.exit(", ".join(heavy) or 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tevatron" in done.stdout
