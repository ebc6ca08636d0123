"""`curate sql`, which answers queries to the tables and refuses everything else."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate import Workspace, sql_files
from curate.cli.main import cli, run
from curate.sandbox import only_select, sandbox

Make = Callable[..., Workspace]
Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(make_workspace: Make) -> Workspace:
    """Return a workspace with two passages, one of which a spreadsheet would execute."""
    return make_workspace(
        {"plain": "Paris is the capital.", "formula": '=cmd("calc")'},
        {"q1": "capital of france"},
        qrels=[("q1", "plain")],
        candidates={"q1": ["plain", "formula"]},
    )


@pytest.fixture
def ask(here: Workspace, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Return a function that runs `curate sql ...` and returns exit code, stdout and stderr."""

    def ask(*arguments: str) -> tuple[int, str, str]:
        code = run(["-C", str(here.root), "sql", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return ask


@pytest.mark.parametrize(
    "query",
    [
        "from read_text('/etc/passwd')",
        "from read_csv('/etc/passwd')",
        "from '/etc/passwd'",
        "from read_parquet('/etc/*.parquet')",
        "from glob('/*')",
        "from sniff_csv('/etc/passwd')",
        "select getenv('HOME')",
        "copy (select 1) to '{folder}/stolen.csv'",
        "export database '{folder}/stolen'",
        "attach '{folder}/other.duckdb'",
        "install httpfs",
        "load httpfs",
        "set memory_limit = '1TB'",
        "pragma enable_profiling",
        "insert into stages select null",
        "create table t as select 1",
        "create temp view v as select 1",
        "drop view candidates",
        "delete from stages",
        "call pragma_version()",
        "select 1; select 2",
        "select 1; copy (select 1) to '{folder}/stolen.csv'",
        "begin",
        "",
    ],
)
def test_whatever_is_no_query_to_the_tables_is_refused(ask: Ask, query: str, tmp_path: Path) -> None:
    """The exit code is 2, the message has one line, and nothing is written to stdout or the disk."""
    before = sorted(tmp_path.iterdir())
    code, out, err = ask(query.format(folder=tmp_path))
    assert code == 2
    assert out == ""
    assert len([line for line in err.splitlines() if not line.startswith("  try: ")]) == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "query",
    [
        "explain analyze copy (select 7 as x) to '{shard}' (format parquet, use_tmp_file false)",
        "with x as (copy (select 7 as x) to '{shard}' (format parquet, use_tmp_file false)) select 1",
        "/* a comment */ explain analyze copy (select 7 as x) to '{shard}' (format parquet)",
        "with x as (insert into stages select null) select 1",
    ],
)
def test_a_write_in_disguise_never_reaches_a_shard(ask: Ask, here: Workspace, query: str) -> None:
    """The shards are readable paths, and DuckDB 2 accepts COPY inside WITH and under EXPLAIN ANALYZE."""
    shard = here.shards("candidates")[-1]
    before = shard.read_bytes()
    code, _, err = ask(query.format(shard=shard))
    assert (code, shard.read_bytes()) == (2, before)
    assert "Error" not in err


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) from decisions",
        "from candidates",
        "with x as (select 1 as one) select one from x",
        "values (1, 2)",
        "explain select 1",
        "EXPLAIN ANALYZE select count(*) from passages",
        "describe passages",
        "show tables",
        "select 1;\n",
        "select 1 -- a comment\n",
    ],
)
def test_queries_are_answered(ask: Ask, query: str) -> None:
    """Allowed are SELECT in all its forms, and EXPLAIN of one."""
    code, out, _ = ask(query)
    assert code == 0
    assert out


def test_every_table_and_view_can_be_read(here: Workspace) -> None:
    """The sandbox lets a reader see everything that belongs to the workspace."""
    with sandbox(here) as connection:
        for name in (*sql_files.TABLES, *sql_files.view_names(), "stages"):
            query = f"from {name}"
            only_select(connection, query)
            assert connection.sql(query).fetchall() is not None


DUCKDB = Path(sys.executable).with_name("duckdb")


@pytest.mark.skipif(not DUCKDB.exists(), reason="DuckDB's own client comes with the package duckdb-cli")
def test_duckdbs_own_client_reads_every_view_of_the_catalogue(here: Workspace) -> None:
    """It is of version 1.5, which lacks some functions of version 2, such as if()."""
    names = [sql_files.SHARDS_OF.get(table, table) for table in sql_files.TABLES]
    names += [*sql_files.view_names(), "stages", "random_pairs('bm25-train')", "pairs_to_score('bm25-train', 1)"]
    names += ["judge_by_query('bm25-train', 2, 'scorer', 0.1, 0.9, 1, 1, 0, false)"]
    asked = "".join(f"select '{name.partition('(')[0]}', count(*) from {name};\n" for name in names)
    command = [str(DUCKDB), "-readonly", "-bail", "-csv", "-noheader", str(here.root / "curate.duckdb")]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    counts = dict(line.split(",") for line in done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (0, "")
    assert list(counts) == [name.partition("(")[0] for name in names]
    assert (counts["candidates"], counts["passages"], counts["positives"]) == ("2", "2", "1")


def test_every_named_query_is_a_single_select(here: Workspace) -> None:
    """This includes queries with parameters, because the check needs no values."""
    with sandbox(here) as connection:
        for name in sql_files.report_names():
            only_select(connection, sql_files.text(f"reports/{name}"))


def test_every_named_query_says_what_it_is_and_its_grain() -> None:
    """`curate sql --list` shows the first line of the file."""
    for name in sql_files.report_names():
        assert sql_files.purpose(f"reports/{name}").startswith(f"{name}: ")
        assert "Grain: one row" in sql_files.purpose(f"reports/{name}")


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("select scor from candidates", 'Candidate bindings: "score"'),
        ("from candidats", 'Did you mean "candidates"?'),
        ("funel", "did you mean 'funnel'?"),
        ("candidates", "curate sql 'from candidates limit 10'"),
        ("selec 1", 'syntax error at or near "selec"'),
    ],
)
def test_a_wrong_name_gets_a_hint_in_one_line(ask: Ask, query: str, hint: str) -> None:
    """The hint is DuckDB's own message, without a copy of the query."""
    code, _, err = ask(query)
    assert code == 2
    assert hint in err
    assert len([line for line in err.splitlines() if not line.startswith("  try: ")]) == 1


def test_csv_is_what_a_pipe_gets(ask: Ask) -> None:
    """CSV has all rows, complete values and one header line. Formulas are defused."""
    code, out, err = ask("select passage_id, text, null as nothing, -1.5 as number from passages")
    assert (code, err) == (0, "")
    assert list(csv.reader(io.StringIO(out))) == [
        ["passage_id", "text", "nothing", "number"],
        ["plain", "Paris is the capital.", "", "-1.5"],
        ["formula", '\'=cmd("calc")', "", "-1.5"],
    ]


def test_raw_csv_has_the_values_as_they_are(ask: Ask) -> None:
    """This is for programs that read CSV."""
    _, out, _ = ask("select text from passages where passage_id = 'formula'", "--raw")
    assert list(csv.reader(io.StringIO(out)))[1] == ['=cmd("calc")']


def test_json_is_one_array_of_objects(ask: Ask) -> None:
    """Numbers are numbers and lists are lists. A number that JSON does not have is null."""
    _, out, _ = ask("select 1 as a, [1, 2] as b, 'nan'::double as c, 'x' as d", "--json")
    assert json.loads(out) == [{"a": 1, "b": [1, 2], "c": None, "d": "x"}]
    assert json.loads(ask("from rejects", "--json")[1]) == []


def test_ndjson_is_one_object_a_line(ask: Ask) -> None:
    """This is for jq and for streams."""
    _, out, _ = ask("select passage_id from passages", "--format", "ndjson")
    assert [json.loads(line) for line in out.splitlines()] == [{"passage_id": "plain"}, {"passage_id": "formula"}]


def test_the_suffix_of_the_file_says_its_format(ask: Ask, tmp_path: Path) -> None:
    """Parquet keeps the types."""
    target = tmp_path / "found.parquet"
    assert ask("select rank, score from candidates", "--output", str(target))[0] == 0
    assert pq.read_table(target).to_pylist() == [{"rank": 1, "score": 9.0}, {"rank": 2, "score": 8.0}]


@pytest.mark.parametrize(
    "name",
    [
        "tables/passages/other.csv",
        "tables/stages/load-00001.json",
        "curate.toml",
        "curate.duckdb",
        "models/scorer/config.json",
        "embeddings/x.csv",
        "indexes/x.csv",
        "exports/labeled-list/manifest.json",
        "sub/../curate.toml",
        "link",
    ],
)
def test_no_output_is_a_file_of_a_workspace(
    ask: Ask, here: Workspace, make_workspace: Make, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither of this one nor of another one; a file beside them, or directly in exports/, is the user's."""
    other = Workspace.create(here.root.parent / "other").root
    (run_id,) = here.sql("select run_id from runs")["run_id"]
    for root in (here.root, other):
        (root / "sub").mkdir()
        (root / "link").symlink_to(root / "curate.toml")
        before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
        target = str(root / name)
        for arguments in (
            ["sql", "select 1", "--output", target],
            ["runs", "export", run_id, target, "--force"],
            ["runs", "--log-file", target],
        ):
            assert run(["-C", str(here.root), *arguments]) == 2, arguments
            assert f"{target} belongs to the workspace {root}" in capsys.readouterr().err
        assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert ask("select 1", "--output", str(here.root / "exports" / "mine.csv"))[0] == 0
    assert ask("select 1", "--output", str(here.root / "mine.csv"))[0] == 0


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
def test_no_value_controls_a_terminal(ask: Ask, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Control characters are shown as escapes there. A pipe gets the values as they are."""
    query = "select 'a' || chr(27) || ']0;x' || chr(7) || chr(8238) as told"
    piped = ask(query, "--format", form)[1]
    assert "\u202e" in piped
    assert ("\x1b" in piped) == (form == "csv")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, shown, _ = ask(query, "--format", form)
    assert code == 0
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}
    assert "\\u202e" in shown


def test_parquet_needs_a_file(ask: Ask) -> None:
    """A terminal cannot show it."""
    code, _, err = ask("select 1", "--format", "parquet")
    assert (code, "--output" in err) == (2, True)


def test_a_query_that_fails_leaves_the_old_file(ask: Ask, tmp_path: Path) -> None:
    """The file is written completely or not at all."""
    target = tmp_path / "found.csv"
    target.write_text("old")
    code, _, _ = ask("select (passage_id)::integer from passages", "--output", str(target))
    assert (code, target.read_text()) == (2, "old")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".found")] == []


def test_a_table_shows_forty_rows_and_says_how_many_more(ask: Ask) -> None:
    """The number of rows that are left out goes to stderr."""
    code, out, err = ask("from range(100) as numbers (i)", "--format", "table")
    assert code == 0
    assert len(out.splitlines()) == 41
    assert "60 more rows" in err


def test_a_table_of_many_columns_stays_in_the_width(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long values are cut, and columns that do not fit are counted."""
    monkeypatch.setenv("COLUMNS", "80")
    wide = ", ".join(f"repeat('x', 200) as column_{i}" for i in range(30))
    code, out, _ = ask(f"select {wide}", "--format", "table")
    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "columns" in out.splitlines()[0]


def test_a_named_query_takes_parameters(ask: Ask) -> None:
    """The parameters are those of the named query, or those written as `$name` in the user's own query."""
    assert ask("select $word as word", "-p", "word=x")[1] == "word\nx\n"
    code, _, err = ask("splits", "-p", "limit=3")
    assert (code, "has no parameter 'limit'" in err) == (2, True)
    code, _, err = ask("funnel", "-p", "negatives=many")
    assert (code, "negatives must be a whole number from 1" in err) == (2, True)


def test_before_denoising_a_named_query_says_what_to_run(ask: Ask) -> None:
    """An empty result would look like an answer."""
    code, _, err = ask("funnel")
    assert (code, "curate denoise" in err) == (2, True)


def test_the_list_has_every_name_with_its_purpose(ask: Ask) -> None:
    """The list has named queries, views, tables and macros."""
    found = {entry["name"]: entry for entry in json.loads(ask("--list", "--json")[1])}
    assert found["funnel"]["parameters"] == ["cutoffs", "negatives", "run"]
    assert {"decisions", "candidates", "probability"} <= set(found)
    assert "suspects" in ask("--list")[1]


def test_explain_prints_the_file(ask: Ask) -> None:
    """Users can copy the SQL and change it."""
    assert ask("--explain", "funnel")[1] == sql_files.text("reports/funnel")


def test_a_query_comes_from_stdin(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is `curate sql - < query.sql`."""
    monkeypatch.setattr("sys.stdin", io.StringIO("-- a comment first\nselect 1 as one"))
    assert ask("-")[1] == "one\n1\n"


@pytest.mark.parametrize("name", ["link.csv", "dangling.csv"])
def test_output_on_a_symbolic_link_writes_the_file_that_it_names(ask: Ask, tmp_path: Path, name: str) -> None:
    """The link stays a link, whether or not its file exists."""
    link, target = tmp_path / name, tmp_path / "elsewhere" / "found.csv"
    target.parent.mkdir()
    if name == "link.csv":
        target.write_text("old")
    link.symlink_to(target)
    assert ask("select 1 as one", "--output", str(link))[0] == 0
    assert (link.is_symlink(), target.read_text()) == (True, "one\n1\n")


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_output_on_a_pipe_goes_through_it(ask: Ask, tmp_path: Path, form: str) -> None:
    """A pipe or a device is written to, and stays what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        assert ask("select 1 as one", "--output", str(pipe), "--format", form)[0] == 0
        assert reader.stdout
        read = reader.stdout.read()
    assert pipe.is_fifo()
    assert {"csv": read == b"one\n1\n", "json": read[:1] == b"[", "parquet": read[:4] == b"PAR1"}[form]
    assert ask("select 1", "--output", "/dev/null", "--format", form)[0] == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("stdout", ["-", "/dev/stdout"])
def test_output_on_a_dash_is_stdout(ask: Ask, stdout: str) -> None:
    """No file of that name is made."""
    assert ask("select 1 as one", "--output", stdout, "--json") == (0, '[\n{"one":1}\n]\n', "")
    assert not Path("-").exists()


def test_ids_are_whole_in_a_narrow_terminal(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """People copy them. Other values are cut to make room."""
    monkeypatch.setenv("COLUMNS", "80")
    name = "dense-train-0123456789abcdef-0123456789abcdef"
    _, out, _ = ask(f"select '{name}' as run_id, repeat('x', 200) as text", "--format", "table")
    assert name in out
    assert max(len(line) for line in out.splitlines()) <= 80
    longer = "passage-" + "0123456789" * 20
    _, out, _ = ask(f"select '{longer}' as passage_id", "--format", "table")
    assert "".join(out.split()) == "passage_id" + longer


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("Query interrupted"), 130),
        (OSError("INTERRUPT Error: Interrupted!"), 130),
        (OSError("IO Error: Could not write file: No space left on device"), 6),
        (OSError("Out of Memory Error: could not allocate block"), 6),
        (RuntimeError("anything else"), 70),
    ],
)
def test_what_duckdb_raises_gets_its_exit_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, here: Workspace
) -> None:
    """While Arrow reads a result, DuckDB's errors arrive as an OSError without a number."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.chdir(here.root)
    monkeypatch.setattr(cli, "invoke", fail)
    assert run(["sql", "select 1"]) == code
