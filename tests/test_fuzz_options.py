"""Every option and argument of every command, with values that nobody means.

Whatever is given, curate answers with a documented exit code other than 70 (a bug), and prints nothing that could
control a terminal. The suite tries a sample that is always the same; `make fuzz` tries everything.
"""

import io
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from conftest import write_tiny_model

from curate import Workspace, load, mine
from curate.cli.failures import BUG
from curate.cli.main import cli, run

ALL = "FUZZ_INPUTS" in os.environ
SAMPLE = 120
NASTY = (
    *("", " ", "0", "-1", "1", "7", "1.5", "1e23", "9" * 30, str(2**31), str(2**63), "nan", "inf", "-inf", "0x10"),
    *(
        "\x1b]0;title\x07",
        "\x1b[2J",
        "a\nb",
        "\u202etxt",
        "\x9b31m",
        "caf\udce9",
        "n" * 300,
        "a b",
        "$(touch pwned)",
    ),
    *(
        "'; drop table x --",
        "../..",
        ".",
        "folder",
        "file",
        "/dev/null",
        "/dev/full",
        "-",
        "--",
        "%s{0}",
        "a=b",
        "é",
    ),
)
# What each command needs to do its work; the other commands run alone.
BASES = {
    "load": ["--passages", "file"],
    "train cross-encoder": ["--groups", "1", "--max-length", "16"],
    "train dual-encoder": ["--batch-rows", "2", "--epochs", "1", "--dev-every", "0"],
    "demo": ["--dry-run"],
}
ARGUMENTS = {"explain": ["busy"], "completion": ["bash"]}
TRAIN = {
    "mine": {"encoder": "models/encoder"},
    "train.cross_encoder": {"init": "models/cross-encoder"},
}


def leaves(
    command: click.Command = cli, names: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield (names, command) of every command that does something."""
    if not isinstance(command, click.Group):
        yield names, command
        return
    context = click.Context(command, **cli.context_settings)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner
        yield from leaves(inner, (*names, name))


def cases() -> list[list[str]]:
    """Return the command lines: those of all options and values, or the sample."""
    found = []
    for names, command in leaves():
        base = [*names, *BASES.get(" ".join(names), [])]
        needed = ARGUMENTS.get(" ".join(names), [])
        for parameter in command.params:
            if not parameter.expose_value and names != ("runs",):
                continue  # an option that all commands share
            if isinstance(parameter, click.Argument):
                found += [[*base, "--", value] for value in NASTY]
            elif isinstance(parameter, click.Option) and not (parameter.is_flag or parameter.count):
                found += [[*base, *needed, form, value] for form in parameter.opts[:1] for value in NASTY]
    assert len(found) > 3000
    return found if ALL else random.Random(5).sample([case for case in found if case[0] != "train"], SAMPLE)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a workspace that is mined, and with models."""
    folder = tmp_path_factory.mktemp("fuzz") / "inner" / "set"
    workspace = Workspace.create(folder)
    (folder / "folder").mkdir()
    rows = {f"p{number}": f"text {number}" for number in range(6)}
    (folder / "file").write_text(
        "".join(json.dumps({"_id": k, "text": v}) + "\n" for k, v in rows.items()), "utf-8"
    )
    (folder / "queries.jsonl").write_text(
        '{"_id": "q1", "text": "text 1"}\n{"_id": "u1", "text": "text 2"}\n', "utf-8"
    )
    (folder / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tp1\t1\n", "utf-8")
    load(
        workspace,
        passages=[folder / "file"],
        queries=[folder / "queries.jsonl"],
        qrels=[f"train={folder}/train.tsv"],
    )
    mine(workspace, depth=5)
    if ALL:
        write_tiny_model(folder / "models" / "encoder", head=False)
        write_tiny_model(folder / "models" / "cross-encoder")
        sections = [
            f"[{name}]\n" + "".join(f'{k} = "{v}"\n' for k, v in keys.items()) for name, keys in TRAIN.items()
        ]
        (folder / "curate.toml").write_text("\n".join(sections), "utf-8")
    return folder


@pytest.mark.parametrize("case", cases(), ids=ascii)
def test_no_value_is_a_bug_or_controls_the_terminal(
    case: list[str],
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The exit codes are those of docs/exit-codes.md. Nothing is executed by a shell."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO())  # "-" reads it
    here = shutil.copytree(made.parent, tmp_path / "inner", symlinks=True) / "set"
    monkeypatch.chdir(here)
    code = run(case)
    told = capsys.readouterr()
    assert code in {0, 1, 2, 3, 4, 6, 7}, told.err
    assert code != BUG
    if code != 7:  # a red line of the doctor is no error
        assert (code == 0) == ("error[" not in told.err), told.err
    assert not set(told.out + told.err) & set("\x1b\x07\x9b\u202e\udce9"), ascii(told.out + told.err)
    assert not list(here.rglob("pwned"))
