"""The shell of `curate sql`: what it completes, what it answers, and what it survives."""

import os
import pty
import re
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import add_run
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from curate import Workspace, sql_comments, sql_files
from curate.cli import interruption
from curate.cli.main import run
from curate.cli.sql_shell.history import place
from curate.cli.sql_shell.paging import Pages
from curate.cli.sql_shell.reader import Reader, offers
from curate.cli.sql_shell.tokens import is_whole, statements
from curate.cli.sql_shell.vocabulary import Vocabulary, decisions

Make = Callable[..., Workspace]
Answer = Callable[..., tuple[str, str]]

KNOWN = Vocabulary(
    relations={"candidates": "what was found", "current_decisions": "the decisions", "queries": "the queries"},
    columns={
        "candidates": {"run_id": "the run", "query_key": "", "rank": "from 1"},
        "current_decisions": {"query_id": "the id", "decision": "what was decided", "probability": ""},
        "queries": {"query_key": "", "query_id": "the id in the file", "text": ""},
    },
    types={},
    macros={"is_judged": "whether there is a verdict"},
    queries={"funnel": "how candidates become negatives", "suspects": "for people to read"},
    parameters={"funnel": ["cutoffs", "negatives", "run"], "suspects": ["cutoffs", "limit", "run"]},
    values={
        "run_id": ["bm25-train", "dense-train"],
        "cutoffs": ["default", "strict"],
        "decision": ["false_negative", "hard_negative"],
    },
)


def offered(text: str) -> list[str]:
    """Return what is offered at the bar in `text`, the likeliest first."""
    before, _, after = text.partition("|")
    return [offer.text for offer in offers(before, after, KNOWN)]


# --- Completion ---


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("se|", ["select"]),
        ("SE|", ["SELECT"]),
        ("fun|", ["funnel"]),
        ("select 1 fr|", ["from"]),
        ("from cand|", ["candidates"]),
        ("select * from candidates join qu|", ["queries"]),
        ("with best as (select 1) from be|", ["best"]),
        ("select ra| from candidates", ["rank", "range"]),
        ("select * from current_decisions where prob|", ["probability"]),
        ("select c.ra| from candidates as c", ["rank"]),
        ("select c.ra| from candidates c", ["rank"]),
        ("select candidates.r| from candidates", ["run_id", "rank"]),
        ("select x.r| from candidates c", []),
        ("select is_j| from candidates", ["is_judged"]),
        ("from queries; select ra| from candidates", ["rank", "range"]),
        ("select -- ra|", []),
        ("select /* ra|", []),
    ],
)
def test_names_are_completed_where_they_can_stand(text: str, first: list[str]) -> None:
    """Columns come from the relations that the statement names, before the cursor or after it."""
    assert offered(text)[: len(first) or None] == first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from candidates where run_id = '|", ["bm25-train'", "dense-train'"]),
        ("from candidates where run_id = 'bm|'", ["bm25-train"]),
        ("from candidates where run_id in ('bm25-train', 'd|", ["dense-train'"]),
        ("from candidate_sources where source_run_id = 'd|", ["dense-train'"]),
        ("from found where cutoffs = 's|", ["strict'"]),
        ("from found where decision not in ('f|", ["false_negative'"]),
        ("select 'it''s' as a, 'str|", ["strict'"]),
    ],
)
def test_ids_are_completed_inside_quotes(text: str, expected: list[str]) -> None:
    """The column before the quotation mark says which; the closing mark is added if there is none."""
    assert offered(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (".sch|", [".schema"]),
        (".schema cu|", ["current_decisions"]),
        (".query fu|", ["funnel"]),
        (".query suspects l|", ["limit="]),
        (".query suspects limit=5 |", ["cutoffs=", "run="]),
        (".explain is|", ["is_judged"]),
        (".mode c|", ["csv"]),
        (".tables |", []),
        (".nothing x|", []),
    ],
)
def test_dot_commands_and_their_arguments_are_completed(text: str, expected: list[str]) -> None:
    """A dot command completes what it takes."""
    assert offered(text) == expected


def test_an_offer_replaces_the_letters_that_were_typed() -> None:
    """The menu has what is said about the name beside it."""
    (offer,) = offers("select c.ra", " from candidates c", KNOWN)
    assert (offer.text, offer.about, offer.letters) == ("rank", "from 1", 2)


def test_the_decisions_that_are_completed_are_those_of_the_macro() -> None:
    """No second list of them exists."""
    expected = "positive duplicate hard_negative unscored hard_negative uncertain false_negative pseudo_positive"
    assert decisions() == expected.split()


# --- Where a statement ends ---


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("select 1;", True),
        ("select 1; -- a comment", True),
        ("select 1; /* a comment */", True),
        ("select 1", False),
        ("select ';", False),
        ("select ';'", False),
        ("select ';';", True),
        ("select 'it''s;", False),
        ("select $$;$$;", True),
        ('select ";', False),
        ("select 1 -- ;", False),
        ("select 1; /* ;", False),
        ("select 1; select 2", False),
    ],
)
def test_a_statement_ends_with_a_semicolon_outside_quotes_and_comments(text: str, whole: bool) -> None:
    """Enter runs what is whole, and begins a new line otherwise."""
    assert is_whole(text) == whole


def test_statements_are_parted_at_their_semicolons() -> None:
    """What is empty, or only a comment, is no statement. The last one may lack its semicolon."""
    assert statements("select ';'; -- one\n;\nselect 2") == ["select ';'", "select 2"]


# --- Answers ---


@pytest.fixture
def here(make_workspace: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return a workspace, with a state folder and a terminal that are nobody's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("curate.cli.sql._is_terminal", lambda: True)
    return make_workspace(
        {"p1": "Paris is the capital.", "p2": "\x1b]0;owned\x07\u202e"},
        {"q1": "capital of france"},
        qrels=[("q1", "p1")],
        candidates={"q1": ["p1", "p2"]},
    )


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    """Yield what the prompt reads in place of a keyboard; its screen shows nothing."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        yield keys


@pytest.fixture
def answer(here: Workspace, keyboard: PipeInput, capsys: pytest.CaptureFixture[str]) -> Answer:
    """Return a function that types lines, then Ctrl-D, and returns stdout and stderr."""

    def answer(*lines: str, arguments: tuple[str, ...] = ("-q",)) -> tuple[str, str]:
        keyboard.send_text("".join(f"{line}\r" for line in lines) + "\x04")
        assert run(["-C", str(here.root), "sql", *arguments]) == 0
        told = capsys.readouterr()
        return told.out, told.err

    return answer


def test_a_statement_of_several_lines_is_answered_at_its_semicolon(answer: Answer) -> None:
    """Everything after it is the next statement. Ctrl-D leaves."""
    out, err = answer("select 'a;b' as one,", "2 as two", ";", "select 3 as three; select 4 as four;")
    assert [line.split() for line in out.splitlines()] == [
        ["one", "two"],
        ["a;b", "2"],
        ["three"],
        ["3"],
        ["four"],
        ["4"],
    ]
    assert err == "1 row\n" * 3


def test_an_error_has_the_form_of_curate_and_the_shell_goes_on(answer: Answer) -> None:
    """Each error has its code and the nearest name."""
    typed = (
        "select scor from candidates;", "from candidats;", "funel;", ".tabels", ".schema querys", ".query funel",
        ".query splits limit=3", ".mode tabel", ".explain funel", "drop view candidates;", "select 1; select $x;",
        ".schema", "select 5 as five;",
    )  # fmt: skip
    out, err = answer(*typed)
    told = [line for line in err.splitlines() if line.startswith("error[")]
    for line, (code, hint) in zip(
        told,
        [
            ("bad-settings", 'Candidate bindings: "score"'),
            ("bad-settings", 'Did you mean "candidates"?'),
            ("unknown-name", "did you mean 'funnel'?"),
            ("unknown-name", "did you mean '.tables'?"),
            ("unknown-name", "did you mean 'queries'?"),
            ("unknown-name", "did you mean 'funnel'?"),
            ("unknown-name", "has no parameter 'limit'"),
            ("unknown-name", "did you mean 'table'?"),
            ("unknown-name", "did you mean 'funnel'?"),
            ("bad-settings", "queries are read-only"),
            ("bad-settings", ".param x=VALUE"),
            ("bad-settings", "expected .schema NAME"),
        ],
        strict=True,
    ):
        assert line.startswith(f"error[{code}]: ")
        assert hint in line
    assert out.split()[-2:] == ["five", "5"]


def test_a_job_that_finishes_elsewhere_is_seen_by_the_next_statement(
    here: Workspace, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is kept as long as nothing changes, and its names are those of the workspace."""
    opened: list[Workspace] = []
    connect = Workspace.connect

    def counted(workspace: Workspace, *arguments: Any, **options: Any) -> Any:
        opened.append(workspace)
        return connect(workspace, *arguments, **options)

    monkeypatch.setattr(Workspace, "connect", counted)

    def typed() -> Iterator[str]:
        yield "select count(*) as runs from runs;"
        yield "select count(*) as runs from runs;"
        row = {"run_id": "dense-train", "query_key": 0, "passage_key": 0, "rank": 1, "score": 1.0}
        add_run(here, "dense-train", "train", [row])
        yield "select count(*) as runs from runs;"
        yield ".quit"

    lines = typed()
    monkeypatch.setattr(Reader, "read", lambda _: next(lines))
    out, _ = answer(arguments=("-q", "--format", "csv"))
    assert out == "runs\n1\n" * 2 + "runs\n2\n"
    assert len(opened) == 2


def test_named_queries_take_parameters(answer: Answer) -> None:
    """`.param` sets a value for what follows, and a query's own values come first."""
    out, err = answer(
        "collection", ".param negatives=none", ".param word='a b'", ".param", "select $word as word;", "funnel;",
        ".query funnel negatives=3", arguments=("-q", "--format", "csv"),
    )  # fmt: skip
    assert out.splitlines() == [
        "passages,queries,unlabeled,qrels,positives,annotations,rejects",
        "2,1,0,1,1,0,0",
        "$negatives = none",
        "$negatives = none",
        "$word = a b",
        "$negatives = none",
        "$word = a b",
        "word",
        "a b",
    ]
    wrong, missing = [line for line in err.splitlines() if line.startswith("error[")]
    assert "negatives must be a whole number from 1, found 'none'" in wrong
    assert missing.startswith("error[step-missing]")


def test_dot_commands_show_what_there_is(answer: Answer) -> None:
    """Lists have purposes, columns have types and comments, and a query's file is shown as it is."""
    out, _ = answer(".help", ".tables", ".queries", ".schema current_decisions", ".explain funnel", "help")
    assert out.count(".schema NAME") == 2
    assert "Views:" in out
    assert "curate sql suspects -p limit=" in out
    assert "decision VARCHAR" in out
    assert "positive | duplicate | unscored" in out
    assert sql_files.text("reports/funnel") in out


def test_the_modes_are_those_of_the_command(answer: Answer) -> None:
    """`--format` gives the first one."""
    out, _ = answer("select 1 as a;", ".mode csv", "select 2 as a;", ".mode", arguments=("-q", "--json"))
    assert out == '[\n{"a":1}\n]\ncsv\na\n2\ncsv\n'


@pytest.mark.parametrize("mode", ["table", "csv", "json", "ndjson"])
def test_a_hostile_passage_does_nothing_in_any_mode(answer: Answer, mode: str) -> None:
    """Its control characters are shown as escapes."""
    out, _ = answer("select text from passages;", arguments=("-q", "--format", mode))
    assert "Paris" in out
    assert not set(out) & {"\x1b", "\x07", "\u202e"}
    assert "u202e" in out


def test_a_long_table_ends_after_a_thousand_rows(answer: Answer) -> None:
    """The other formats show all."""
    out, err = answer("from range(1001) as numbers (n);", ".mode csv", "from range(1001) as numbers (n);")
    assert (len(out.splitlines()), ".mode csv" in err) == (1001 + 1 + 1002, True)


def test_an_explain_is_shown_as_it_is_drawn(answer: Answer) -> None:
    """It is no table of two columns."""
    assert "explain_key" not in answer("explain select 1;")[0]


def test_history_outlives_the_session_outside_the_workspace(
    here: Workspace, answer: Answer, keyboard: PipeInput, tmp_path: Path
) -> None:
    """Up and Enter repeat the last statement of the session before. Only its owner can read the file."""
    before = sorted(here.root.rglob("*"))
    answer("select 42 as number;")
    out, _ = answer("\x1b[A")
    assert out.split() == ["number", "42"]
    assert place() == tmp_path / "state/curate/sql_history"
    assert place().stat().st_mode & 0o077 == 0
    assert sorted(here.root.rglob("*")) == before


def test_without_a_folder_for_the_history_the_shell_works(
    answer: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """History then ends with the session."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert answer("select 1 as one;")[0].split() == ["one", "1"]


def test_ctrl_c_empties_the_line(answer: Answer) -> None:
    """What was typed is not run."""
    assert answer("select 1 as on\x03select 2 as two;")[0].split() == ["two", "2"]


def test_without_a_terminal_a_query_must_be_given(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in a pipe nor with an option that belongs to a query."""
    assert run(["-C", str(here.root), "sql", "--output", "x.csv"]) == 2
    monkeypatch.setattr("curate.cli.sql._is_terminal", lambda: False)
    assert run(["-C", str(here.root), "sql"]) == 2
    assert capsys.readouterr().err.count("no query: give a SELECT") == 2


# --- Comments ---


def test_the_columns_that_people_meet_first_are_explained(here: Workspace) -> None:
    """A column is explained where a view takes it from, or where all relations mean the same by it."""
    with here.connect() as connection:
        for name in ("current_decisions", "current_pseudo_labels", "queries", "passages", "candidates", "scores"):
            columns = connection.table(name).columns
            assert list(sql_comments.of_columns(name, columns)) == columns, name
    about = sql_comments.of_columns("current_decisions", ["run_id", "rank", "decided_by"])
    assert about["run_id"] == "the run, by its id in `runs`"
    assert about["rank"] == "from 1; equal scores are in the order of passage_key"
    assert about["decided_by"].startswith("people | text | scorer")


def test_every_named_query_has_an_example_and_names_its_parameters() -> None:
    """`curate sql --list` shows both."""
    for name in sql_files.report_names():
        path = f"reports/{name}"
        assert (sql_comments.example(path) or "").startswith(f"curate sql {name}"), name
        told = "\n".join(sql_comments.header(path)).partition("Parameters:")[2]
        assert set(re.findall(r"\$(\w+)", told)) == {*sql_files.parameter_names(sql_files.text(path))}, name


# --- Pages ---


def test_what_does_not_fit_on_the_screen_goes_to_the_pager(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines that wrap count as often as they wrap."""
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "10")
    opened: list[str] = []
    pager = click.get_pager_file

    def counted() -> Any:
        opened.append("pager")
        return pager()

    monkeypatch.setattr(click, "get_pager_file", counted)
    for text, paged in [("line\n" * 8, 0), ("line\n" * 9, 1), (f"{'x' * 45}\n" * 3, 2)]:
        with Pages() as pages:
            pages.write(text)
        assert (len(opened), capsys.readouterr().out) == (paged, text)


# --- Signals, in a terminal of its own ---

PROMPT_LEFT = b"\x1b[?2004l"
"""What the prompt writes when it has read a statement: pasted text has no marks any more."""
ENDLESS = b"select sum(a.range * b.range) from range(1000000000) as a, range(1000000000) as b;\r"


class Terminal:
    """`curate sql` in a terminal of its own."""

    def __init__(self, here: Workspace, pager: str = "cat") -> None:
        self.told = b""
        self.process, self.terminal = pty.fork()
        if not self.process:
            os.environ.update({"PAGER": pager, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"})
            os.execv(sys.executable, [sys.executable, "-m", "curate", "-C", str(here.root), "sql"])
        self.before = termios.tcgetattr(self.terminal)[3]
        self.until(b"curate>")

    def type(self, keys: bytes) -> None:
        os.write(self.terminal, keys)

    def until(self, text: bytes) -> bytes:
        """Return what is shown up to a text."""
        while text not in self.told:
            self.told += os.read(self.terminal, 1000)
        shown, _, self.told = self.told.partition(text)
        return shown

    def exit_code(self) -> int:
        with suppress(OSError):  # the other end is closed
            while os.read(self.terminal, 1000):
                pass
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


@pytest.mark.slow
def test_ctrl_c_stops_a_query_as_often_as_it_comes(here: Workspace) -> None:
    """The shell stays. What is longer than the screen goes through the pager, and Ctrl-D leaves."""
    terminal = Terminal(here, pager="sed s/^/paged:/")
    for _ in range(3):
        terminal.type(ENDLESS)
        terminal.until(PROMPT_LEFT)
        time.sleep(1)
        terminal.type(b"\x03")
        terminal.until(b"stopped")
        terminal.until(b"curate>")
    terminal.type(b"from range(100);\r")
    assert b"paged:" in terminal.until(b"100 rows")
    terminal.until(b"curate>")
    terminal.type(b"\x04")
    assert terminal.exit_code() == 0


@pytest.mark.slow
def test_sigterm_ends_the_shell_and_leaves_the_terminal_as_it_was(here: Workspace) -> None:
    """The exit code names the signal, also at the prompt."""
    terminal = Terminal(here)
    os.kill(terminal.process, signal.SIGTERM)
    terminal.until(b"error[interrupted]")
    assert termios.tcgetattr(terminal.terminal)[3] == terminal.before
    assert terminal.exit_code() == interruption.exit_code() - signal.SIGINT + signal.SIGTERM
