"""The command line itself: help, shared options, settings, messages and their codes, the log, completion."""

import csv
import io
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import duckdb
import pytest
from click.shell_completion import ShellComplete

import curate
from curate import Workspace, errors
from curate.cli.explain import CODES
from curate.cli.main import COMMANDS, cli, run
from curate.counted import counted
from curate.errors import CurateError
from curate.suggest import curate_command

Make = Callable[..., Workspace]
ESCAPE = "\x1b]0;title\x07"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def here(make_workspace: Make, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a workspace with a run, and enter it."""
    workspace = make_workspace(
        {"p1": "Paris", "p2": "Rome"}, {"q1": "capital"}, qrels=[("q1", "p1")], candidates={"q1": ["p1", "p2"]}
    )
    monkeypatch.chdir(workspace.root)
    return workspace.root


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a workspace in which nothing is loaded, and enter it."""
    monkeypatch.chdir(Workspace.create(tmp_path / "empty").root)
    return Path.cwd()


# --- Help and names ---


@pytest.mark.parametrize("command", [*COMMANDS, "train cross-encoder", "train dual-encoder", "config show"])
def test_help_says_what_a_command_does_and_groups_its_options(command: str, capsys: Capture) -> None:
    """The first line says what it does. Options have their default and their environment variable."""
    assert run([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[2].startswith("  ")
    assert "Example:\n    curate " in shown
    assert "For every command:\n" in shown
    assert "  -C DIR " in shown
    assert "[env: CURATE_THREADS]" in " ".join(shown.split())


def test_the_options_of_a_long_command_stand_in_groups(capsys: Capture) -> None:
    """Options of one kind have one title in every command."""
    run(["train", "dual-encoder", "-h"])
    shown = capsys.readouterr().out
    titles = [line[:-1] for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Data", "Model", "Training", "Machine", "Result", "For every command"]


def test_the_version_has_the_versions_of_the_libraries(capsys: Capture) -> None:
    """A report of a bug needs them. Missing libraries are null."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"curate {curate.__version__}\n"
    assert run(["--version", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["curate"]) == ("curate.version/2", curate.__version__)
    assert told["libraries"]["duckdb"] == duckdb.__version__


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["laod"], "no command 'laod': did you mean 'load'?"),
        (["xyzzy"], "no command 'xyzzy': there are init, load, "),
        (["mine", "--dephts", "5"], "--depth"),
        (["export", "--format", "tripelt"], "no format 'tripelt': did you mean 'triplet'?"),
        (["sql", "candidats"], "no query named 'candidats': did you mean 'candidates'?"),
        (["sql", "select scor from candidates"], '"score"'),
        (["runs", "--set", "mine.dept=5"], "--set: unknown key 'mine.dept': did you mean 'depth'?"),
        (["explain", "bad-inptu"], "did you mean 'bad-input'?"),
        (["-C", "tabels", "runs"], "cannot enter the folder 'tabels': did you mean 'tables'?"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_misspelt_name_names_the_nearest(given: list[str], says: str, capsys: Capture) -> None:
    """The exit code is 2, for a command line that is wrong."""
    assert run(given) == 2
    assert says in capsys.readouterr().err


# --- Shared options ---


@pytest.mark.parametrize("arguments", [["-C", "DIR", "runs", "--json"], ["runs", "--json", "-C", "DIR"]])
def test_a_shared_option_stands_before_or_after_the_command(
    arguments: list[str], here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The folder is left again at the end."""
    monkeypatch.chdir(tmp_path)
    assert run([word.replace("DIR", str(here)) for word in arguments]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["run_id"] == "bm25-train"
    assert Path.cwd() == tmp_path


def test_every_command_has_every_shared_option() -> None:
    """A new command gets them in the same place."""
    context = click.Context(cli)
    shared = {option.opts[-1] for option in cli.params if option.name not in ("version", "json")}
    for name in COMMANDS:
        command: Any = cli.get_command(context, name)
        for inner in [command, *getattr(command, "commands", {}).values()]:
            assert shared <= {form for option in inner.params for form in option.opts}, name


@pytest.mark.parametrize(("given", "coloured"), [("never", False), ("always", True)])
def test_the_option_for_colours_comes_before_the_environment(
    given: str, coloured: bool, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Without it, colours are for terminals, unless NO_COLOR is set."""
    monkeypatch.setenv("NO_COLOR", "1") if coloured else monkeypatch.setenv("FORCE_COLOR", "1")
    assert run(["report", "splits", "--color", given]) == 0
    assert ("\x1b[" in capsys.readouterr().out) == coloured


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


def test_device_and_format_reach_the_models_and_end_with_the_command(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They travel in the environment, because other processes need them too. A device that is missing is told."""
    from curate.models.pretrained import device, number_format

    seen: list[tuple[str, str]] = []

    def find() -> Workspace:
        seen.append((device(), number_format()))
        return Workspace(here)

    monkeypatch.setattr(Workspace, "find", find)
    for variable in ("CURATE_DEVICE", "CURATE_DTYPE"):
        monkeypatch.delenv(variable, raising=False)
    assert run(["runs", "--device", "cpu", "--dtype", "bf16", "--threads", "2"]) == 0
    assert seen == [("cpu", "bf16")]
    monkeypatch.setenv("CURATE_DEVICE", "mps")
    assert run(["runs"]) == 4
    monkeypatch.setenv("CURATE_DEVICE", "gpu")
    assert run(["runs"]) == 2


# --- Settings ---


def test_settings_come_from_the_last_place_that_names_them(here: Path, capsys: Capture) -> None:
    """The order is: the default, curate.toml, --config, --set. `curate config show` says which it was."""
    (here / "curate.toml").write_text("[mine]\ndepth = 5\nindex = 'HNSW32'\n", "utf-8")
    (here / "other.toml").write_text("[mine]\ndepth = 6\nretriever = 'dense'\n", "utf-8")
    given = ["--config", "other.toml", "--set", "mine.depth=7", "--set", "mine.encoder=my model", "--seed", "3"]
    assert run(["config", "show", "--json", *given]) == 0
    found = {one["key"]: (one["value"], one["origin"]) for one in json.loads(capsys.readouterr().out)["settings"]}
    assert found["mine.depth"] == (7, "--set")
    assert found["mine.encoder"] == ("my model", "--set")
    assert found["mine.retriever"] == ("dense", "other.toml")
    assert found["mine.index"] == ("HNSW32", str(here / "curate.toml"))
    assert found["mine.pooling"] == (None, "default")
    assert found["seed"] == (3, "--seed")


def test_settings_of_the_command_line_decide(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """An option of the command comes before them."""
    assert run(["mine", "--dry-run", "--set", "mine.depth=7"]) == 0
    assert "depth 7" in capsys.readouterr().out
    monkeypatch.setenv("CURATE_SET", "mine.depth=8 seed=1")
    assert run(["mine", "--dry-run"]) == 0
    assert "depth 8" in capsys.readouterr().out
    assert run(["mine", "--dry-run", "--set", "mine.depth=7", "--depth", "9"]) == 0
    assert "depth 9" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--set", "mine.depth"], "--set: expected KEY=VALUE, such as mine.depth=50, found 'mine.depth'"),
        (["--set", "mine.depth=x"], "--set: mine.depth: "),
        (["--set", "mine=x"], "--set: mine: "),
        (["--set", f"seed={2**31}"], "seed is 2147483648, but the largest number is 2,147,483,647"),
        (["--config", "nowhere.toml"], "--config: no file 'nowhere.toml'"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_setting_that_cannot_be_meant_names_its_place(given: list[str], says: str, capsys: Capture) -> None:
    """The exit code is 2."""
    assert run(["mine", "--dry-run", *given]) == 2
    assert says in capsys.readouterr().err


# --- Errors ---


def test_an_error_has_a_code_and_the_next_command_on_a_line_of_its_own(here: Path, capsys: Capture) -> None:
    """The code names the kind of error, and the command can be copied."""
    assert run(["-q", "mine", "--split", "test"]) == 2
    assert capsys.readouterr().err.startswith("error[bad-settings]: no queries in the split 'test'")
    assert run(["evaluate"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told == ["error[step-missing]: no runs over 'test' yet", "  try: curate mine --split test"]


def test_an_error_shows_its_place_and_the_log_has_it_as_fields(empty: Path, capsys: Capture) -> None:
    """The message comes first, then the place, why, and the command."""
    (empty / "bm25.trec").write_text("q1 Q0 p1 1 2.0 tag\n", "utf-8")
    assert run(["load", "--qrels", "train=bm25.trec", "--log-file", "log", "--log-format", "json"]) == 3
    assert capsys.readouterr().err.splitlines() == [
        "error[bad-input]: a TREC run (6 columns), not qrels",
        "  where: bm25.trec:1",
        "  try: curate mine --run bm25.trec",
    ]
    logged = json.loads((empty / "log").read_text("utf-8").splitlines()[-1])
    assert (logged["code"], logged["where"], logged["try"]) == (
        "bad-input", "bm25.trec:1", "curate mine --run bm25.trec",
    )  # fmt: skip
    (empty / "qrels.tsv").write_text("q1\tp1\t1\nq1\tp9\t1\n", "utf-8")
    assert run(["load", "--qrels", "train=qrels.tsv"]) == 3
    told = capsys.readouterr().err.splitlines()
    assert told[:2] == [
        "error[rejected-rows]: 2 rows cannot be loaded, but --max-rejects is 0: nothing was loaded.",
        "  where: qrels.tsv:1",
    ]
    (empty / "curate.toml").write_text("depth = 3\n", "utf-8")
    assert run(["mine"]) == 2
    assert f"  where: {empty / 'curate.toml'}\n" in capsys.readouterr().err


def test_an_error_of_the_api_has_the_whole_message_and_its_parts() -> None:
    """The text names the place and the command, too."""
    error = errors.BadInput("no rows", file="a.tsv", line=3, run="curate load b.tsv")
    assert str(error) == "a.tsv:3: no rows. Run: curate load b.tsv"
    assert (error.what, error.where, error.run) == ("no rows", "a.tsv:3", "curate load b.tsv")
    assert str(errors.BadInput("no rows", file="a.tsv")) == "a.tsv: no rows"
    assert errors.BadInput("no rows").where is None


@pytest.mark.parametrize(
    ("number", "words", "shown"),
    [
        (0, ["queries"], "0 queries"),
        (1, ["queries"], "1 query"),
        (1, ["passages"], "1 passage"),
        (1, ["rows have", "row has"], "1 row has"),
        (2000, ["rows have", "row has"], "2,000 rows have"),
    ],
)
def test_one_thing_is_told_as_one(number: int, words: list[str], shown: str) -> None:
    """A noun becomes singular by rule; a noun with its verb is given."""
    assert counted(number, *words) == shown


def test_advice_fits_the_command_and_the_names_that_there_are(here: Path, capsys: Capture) -> None:
    """Standard input is told without a command, and the beginning of a run's id is enough to find it."""
    assert run(["mine", "--run", "/dev/null"]) == 3
    told = capsys.readouterr().err
    assert "give - in its place" in told
    assert "curate load" not in told
    assert run(["use", "bm"]) == 2
    assert "no run 'bm': did you mean 'bm25-train'?" in capsys.readouterr().err


def test_the_plan_of_a_small_load_tells_more_than_nothing(empty: Path, capsys: Capture) -> None:
    """Kilobytes are rounded up."""
    (empty / "p.jsonl").write_text('{"_id": "p9", "text": "Oslo"}\n', "utf-8")
    assert run(["load", "--passages", "p.jsonl", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "load: 1 kB, 0 of them already done, 1 to do" in told
    assert "time: unknown" in told


def test_suggested_commands_are_quoted_for_a_shell(here: Path, capsys: Capture) -> None:
    """A name can hold spaces and what a shell would run."""
    assert curate_command("mine", "--run", "my run$(touch x).trec") == "curate mine --run 'my run$(touch x).trec'"
    (here / "my runs").mkdir()
    (here / "my runs" / "$(x).trec").write_text("q1 Q0 p1 1 2.0 tag\n" * 2, "utf-8")
    assert run(["load", "my runs/$(x).trec"]) == 3
    assert "try: curate mine --run 'my runs/$(x).trec'" in capsys.readouterr().err


@pytest.mark.parametrize("name", [ESCAPE, "\x9b31m", "\u202eevil"])
@pytest.mark.parametrize(
    "arguments", [["load", "{}"], ["mine", "--run", "{}"], ["sql", "from {}"], ["{}"], ["-C", "{}", "runs"]]
)
@pytest.mark.usefixtures("here")
def test_names_in_messages_cannot_control_the_terminal(arguments: list[str], name: str, capsys: Capture) -> None:
    """Escapes are shown as such."""
    assert run([word.format(name) for word in arguments]) in (2, 3)
    told = capsys.readouterr()
    assert not set(told.out + told.err) & {"\x1b", "\x07", "\x9b", "\u202e"}


@pytest.mark.parametrize("argument", ["caf\udce9", "a\0b"])
def test_an_argument_that_is_not_text_is_refused(argument: str, capsys: Capture) -> None:
    """No table and no message could hold it."""
    assert run(["load", argument]) == 2
    assert "argument 2 is not UTF-8" in capsys.readouterr().err


def test_a_name_that_is_too_long_is_no_bug(here: Path, capsys: Capture) -> None:
    """File systems allow 255 bytes."""
    for arguments in (
        ["init"],
        ["load"],
        ["mine", "--run"],
        ["sql", "select 1", "--output"],
        ["export", "--name"],
    ):
        assert run([*arguments, "n" * 300]) in (2, 3), arguments
        told = capsys.readouterr().err
        assert "error[" in told
        assert "error[bug]" not in told


def fail(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(Workspace, "find", failing)


def test_a_bug_leaves_its_traceback_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    """The message names the file; with --debug the traceback is printed too."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fail(monkeypatch, ZeroDivisionError("nobody foresaw this"))
    assert run(["runs"]) == 70
    told = capsys.readouterr().err
    (saved,) = tmp_path.glob("curate-bug-*.txt")
    assert told.startswith("error[bug]: a bug in curate: ZeroDivisionError: nobody foresaw this\n")
    assert str(saved) in told
    assert "Traceback" not in told
    assert "Traceback (most recent call last)" in saved.read_text("utf-8")
    assert run(["runs", "--debug"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_is_told_as_such_wherever_it_is_met(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """DuckDB says it in its text only, and other errors hide it."""
    try:
        try:
            raise duckdb.IOException("IO Error: Could not write file: No space left on device")
        except duckdb.Error as full:
            raise CurateError("curate.duckdb cannot be refreshed") from full
    except CurateError as error:
        fail(monkeypatch, error)
    assert run(["runs"]) == 6
    assert capsys.readouterr().err.startswith("error[no-space]: the disk is full")


def kinds(base: type[CurateError] = CurateError) -> list[type[CurateError]]:
    return [base, *(kind for inner in base.__subclasses__() for kind in kinds(inner))]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.code)
def test_every_error_ends_with_its_code_and_exit_code(
    kind: type[CurateError], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """`curate explain` knows each code, with the same exit code."""
    assert getattr(errors, kind.__name__) is kind
    fail(monkeypatch, kind("what was found"))
    assert run(["runs"]) == kind.exit_code
    assert capsys.readouterr().err == f"error[{kind.code}]: what was found\n"
    assert CODES[kind.code][0] == kind.exit_code


def test_every_code_is_explained_in_the_documentation_too(capsys: Capture) -> None:
    """docs/errors.md has the text of `curate explain`."""
    page = Path(__file__).parent.parent / "docs" / "errors.md"
    for code, (exit_code, meaning, remedy) in CODES.items():
        assert run(["explain", code]) == 0
        assert capsys.readouterr().out == f"{code} (exit code {exit_code})\n\n{meaning}\n{remedy}\n"
        if page.exists():
            assert f"## `{code}`\n\nExit code {exit_code}. {meaning}\n\n{remedy}\n" in page.read_text("utf-8")


# --- Output, log, completion ---


def test_json_says_what_it_is(tmp_path: Path, capsys: Capture) -> None:
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


@pytest.mark.parametrize(
    ("command", "schema", "key"),
    [
        ("runs", "curate.runs/2", "runs"),
        ("cutoffs", "curate.cutoffs/2", "cutoffs"),
        ("report splits", "curate.report.splits/2", "rows"),
        ("report cutoffs_compared", "curate.report.cutoffs_compared/2", "rows"),
        ("config show", "curate.configured/2", "settings"),
    ],
)
def test_rows_come_in_the_format_that_is_asked_for(
    here: Path, command: str, schema: str, key: str, capsys: Capture
) -> None:
    """`--json` is one object with a schema; ndjson and csv have the same rows alone, null as an empty cell."""
    curate.set_cutoffs(Workspace(here), "default", scorer_id="judge", depth=4)

    def told(*given: str) -> str:
        assert run(["-q", *command.split(), *given]) == 0
        return capsys.readouterr().out

    whole = json.loads(told("--json"))
    assert (whole["schema"], told("--json")) == (schema, told("--format", "json"))
    rows = [json.loads(line) for line in told("--format", "ndjson").splitlines()]
    assert rows == whole[key]
    assert rows
    cells = list(csv.DictReader(io.StringIO(told("--format", "csv"))))
    assert [list(row) for row in cells] == [list(row) for row in rows]
    for row, shown in zip(rows, cells, strict=True):
        for name, text in shown.items():
            assert (text if isinstance(row[name], str) else json.loads(text or "null")) == row[name]
    assert told() == told("--format", "table")


def test_the_overview_has_several_tables_and_no_rows(here: Path, capsys: Capture) -> None:
    """One report has rows."""
    assert run(["report", "--format", "csv"]) == 2
    assert "give the NAME of one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("-C / status", "no-workspace"),
        ("evaluate --split test", "step-missing"),
        ("cutoffs", "step-missing"),
        ("report funnel", "step-missing"),
        ("augment", "step-missing"),
        ("report --run nope", "unknown-name"),
        ("report nope", "unknown-name"),
        ("sql nope", "unknown-name"),
        ("export --format nope", "unknown-name"),
        ("runs export nope -", "unknown-name"),
        ("rebuild --forget nope", "unknown-name"),
        ("explain nope", "unknown-name"),
        ("report query nope", "unknown-name"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_code_tells_what_to_do(command: str, code: str, capsys: Capture) -> None:
    """All of them end with exit code 2, and a program can tell them apart by the word."""
    assert run(["-q", *command.split()]) == 2
    assert capsys.readouterr().err.startswith(f"error[{code}]: ")


def test_the_log_has_stage_run_and_shard(here: Path, capsys: Capture) -> None:
    """The file is appended to. `-v` tells on stderr what is done, and leaves stdout to the result."""
    for _ in range(2):
        assert run(["mine", "--depth", "1", "--json", "--log-file", "log", "--log-format", "json"]) == 0
    (mined, _) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    lines = [json.loads(line) for line in (here / "log").read_text("utf-8").splitlines()]
    assert [line["message"] for line in lines].count("curate mine begins") == 2
    shards = [line for line in lines if line.get("shard") == f"candidates/{mined['run_id']}/00000.parquet"]
    assert [(line["stage"], line["run"], line["level"]) for line in shards] == [("mine", mined["run_id"], "debug")]
    assert run(["-v", "runs", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["runs"]
    assert "info curate runs begins" in told.err
    assert not logging.getLogger("curate").handlers


def test_the_log_has_an_error_with_its_code(here: Path, capsys: Capture) -> None:
    """A log that cannot be written is refused before the work begins."""
    assert run(["load", f"no{ESCAPE}where", "--log-file", "log"]) == 3
    last = (here / "log").read_text("utf-8").splitlines()[-1]
    assert "error curate load ends: " in last
    assert " code=bad-input where=no" in last
    assert "\x1b" not in last
    assert run(["runs", "--log-file", "."]) == 2
    assert "--log-file: cannot write .: Is a directory" in capsys.readouterr().err


def test_progress_without_bars_is_lines(here: Path, capsys: Capture) -> None:
    """Elsewhere than in a terminal they are lines anyway; --quiet has none."""
    assert run(["mine", "--no-progress"]) == 0
    assert "searching train: 1/1 queries" in capsys.readouterr().err
    assert run(["mine", "--depth", "1", "-q"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "begun", "completed"),
    [
        (["export", "--run"], "bm", ["bm25-train"]),
        (["evaluate"], "", ["bm25-train"]),
        (["denoise", "--run"], "", ["bm25-train"]),
        (["sql"], "cand", ["candidate_sources", "candidates"]),
        (["report"], "fun", ["funnel"]),
        (["export", "--format"], "tri", ["triplet"]),
        ([], "exp", ["export", "explain"]),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_shell_completes_names_of_the_workspace(words: list[str], begun: str, completed: list[str]) -> None:
    """These are runs, cutoffs, named queries, tables and reports. Outside a workspace there are none."""
    shell = ShellComplete(cli, {}, "curate", "_CURATE_COMPLETE")
    assert [item.value for item in shell.get_completions(words, begun)] == completed


def test_a_dry_run_and_a_report_change_nothing(here: Path) -> None:
    """Files keep their times and their bytes."""

    def files() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in here.rglob("*")}

    before = files()
    for arguments in (
        ["mine", "--dry-run"],
        ["report", "splits"],
        ["sql", "select 1"],
        ["runs"],
        ["config", "show"],
    ):
        assert run(arguments) == 0
    assert files() == before


def test_no_command_uses_the_network_unasked(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no telemetry and no check for updates."""

    def refused(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refused)
    for arguments in (
        ["mine", "--depth", "1"],
        ["runs"],
        ["report", "splits"],
        ["--version", "--json"],
        ["rebuild"],
    ):
        assert run(arguments) == 0


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
