"""README and docs: their code blocks work, and no command, option, key, table or view is missing.

A failure names the page and the line of the block. A small workspace answers the commands and queries. The
Python blocks of a page run in order, in a folder with `my-collection` and the workspace `my-set`. Tiny models have
the names that the pages use.
"""

import contextlib
import inspect
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import duckdb
import pytest
from conftest import add_run, write_tiny_model
from pydantic import BaseModel

import curate
from curate import Workspace, sql_comments, sql_files
from curate.cli.main import BUG, COMMANDS, INTERRUPTED, cli, run
from curate.config import Settings, read_settings
from curate.cutoffs import set_cutoffs
from curate.errors import BadSettings, CurateError
from curate.export.formats import FORMATS
from curate.jobs import Job

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="the documentation is part of a checkout")

LANGUAGES = {"sh", "console", "python", "sql", "toml", "json", "text", "mermaid"}
# Python blocks that are compiled but not run: the page, a text in the block, and the reason.
NOT_RUN = [
    ("docs/export.md", "load_dataset", "tests/test_export_loaders.py opens every format with `datasets`"),
    ("docs/export.md", "GenericDataLoader", "tests/test_export_loaders.py opens the format with `beir`"),
    ("docs/dual-encoder.md", "SentenceTransformer(", "tests/test_train_dual_encoder.py opens the model with it"),
]
# A training of minutes becomes one of a single step. It starts from a model whose logits spread over both cutoffs.
SHORTENED = {"groups=800, max_length=96": "groups=8, max_length=48, init='cross-encoder'"}
# The commands that are run. The others are only parsed, and so are these slow variants of the overview.
READING = {"sql", "report", "runs"}
SLOW = (["report", "--run"], ["report", "--cutoffs"])
SHELL = ["curate", "sql"]
"""tests/test_sql_shell.py types in it."""
DUCKDB = Path(sys.executable).with_name("duckdb")
"""DuckDB's own client, from the package duckdb-cli."""
OPERATORS = {"&&", "||", "|", ";", ">", ">>", "<"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, or the examples of a help text."""

    page: str
    line: int
    """The line of the page on which its text begins."""
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Return the pages whose blocks are checked."""
    names = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md")
    found = [*(ROOT / name for name in names), *sorted((ROOT / "docs").glob("*.md"))]
    return [path for path in found if path.exists()]


def fenced(path: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = path.read_text("utf-8")
    for match in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, match.start()) + 2
        yield Block(str(path.relative_to(ROOT)), line, match[2], inspect.cleandoc("\n" + match[3]) + "\n")


def blocks(*languages: str) -> list[Block]:
    """Return the blocks of all pages in these languages, or in any language."""
    return [block for path in pages() for block in fenced(path) if block.language in languages or not languages]


def prose(path: Path) -> str:
    """Return a page without its fenced blocks; the other lines keep their numbers."""
    fence = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
    return fence.sub(lambda match: "\n" * match[0].count("\n"), path.read_text("utf-8"))


def spans(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (page:line, code) for each piece of inline code of a page."""
    text = prose(path)
    for match in re.finditer(r"(?<!`)`([^`]+)`(?!`)", text):
        line = text.count("\n", 0, match.start()) + 1
        yield f"{path.relative_to(ROOT)}:{line}", " ".join(match[1].split())


def commands(command: click.Command = cli, name: str = "curate") -> Iterator[tuple[str, click.Command]]:
    """Yield (full name, command) of this command and of all commands below it."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, **cli.context_settings)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found
            yield from commands(found, f"{name} {inner}")


PLACES = {"=A": "=scorer", "=B": "=second", "=ID": "=scorer", "=RUN": "=bm25-1a2b3c4d"}
"""What stands for a name in the examples of named queries -> the name in the reader's folder."""


def examples() -> list[Block]:
    """Return the commands in the preformatted paragraphs of the help texts, and those of the named queries."""
    found = []
    for name in sql_files.report_names():
        text = sql_comments.example(f"reports/{name}") or ""
        for place, known in PLACES.items():
            text = re.sub(rf"{place}\b", known, text)
        found.append(Block(f"sql/reports/{name}.sql", 1, "sh", text))
    for name, command in commands():
        for paragraph in (command.help or "").split("\n\n"):
            preformatted = paragraph.lstrip(" ").startswith("\b")
            shown = [line.strip() for line in paragraph.splitlines()] if preformatted else []
            text = "\n".join(line for line in shown if line.startswith(("curate ", "torchrun ")))
            found += [Block(f"{name} --help", 1, "sh", text)] if text else []
    return found


def lines(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Yield (page:line, words) of each command in a shell block; a quoted word may span several lines."""
    begun, start = "", 0
    for number, line in enumerate(block.text.splitlines()):
        if block.language == "console" and not begun and not line.startswith("$ "):
            continue  # output
        begun, start = (f"{begun}\n{line}", start) if begun else (line.removeprefix("$ "), number)
        try:
            words = shlex.split(begun, comments=True)
        except ValueError:
            continue
        begun = ""
        yield from ((f"{block.page}:{block.line + start}", part) for part in parts(words))
    assert not begun, f"{block}: a quotation mark is not closed"


def parts(words: list[str]) -> Iterator[list[str]]:
    """Yield the commands of a line, split at `&&`, `|` and so on; of a torchrun command, what it starts."""
    part: list[str] = []
    for word in [*words, ";"]:
        if word not in OPERATORS:
            part.append(word)
            continue
        if "-m" in part and part[part.index("-m") + 1 :][:1] == ["curate"]:
            part = part[part.index("-m") + 1 :]
        if part:
            yield part
        part = []


def parse(words: list[str]) -> None:
    """Raise click.ClickException unless the command line is valid: command, options and their values."""
    command: click.Command = cli
    # With the settings of the real one: a command remembers the help options of the first context that it meets.
    context, rest = click.Context(cli, info_name="curate", **cli.context_settings), words[1:]
    while isinstance(command, click.Group):
        rest = command.make_parser(context).parse_args(rest)[1]
        if not rest:
            return
        name, found, rest = command.resolve_command(context, rest)
        assert found
        command, context = found, click.Context(found, parent=context, info_name=name)
    with contextlib.suppress(click.exceptions.Exit):  # --help
        command.make_context(context.info_name, rest, parent=context.parent)


def options_of(*commands: click.Command) -> set[str]:
    """Return every form of the commands' options."""
    return {
        form
        for command in commands
        for option in command.params
        if isinstance(option, click.Option)
        for form in (*option.opts, *option.secondary_opts, "-h", "--help")
    }


# --- The reader's folder ---

# The texts are short, because every letter is a token of the tiny models.
PASSAGES = {
    "p1": "Rain falls from clouds.",
    "p2": "Snow is frozen water.",
    "p3": "RAIN falls from clouds!",
    "p4": "Hail is balls of ice.",
    "p5": "Air scatters blue light.",
    "p6": "Wind is air that moves.",
    "p7": "Drops break sunlight.",
    "p8": "Fog is a cloud below.",
}
QUERIES = {
    "train": {"q1": "what is rain", "q2": "what is snow", "q17": "why is the sky blue", "q4": "what is fog"},
    "dev": {"q5": "what is hail"},
    "test": {"q6": "what is wind", "q7": "what is a rainbow"},
}
UNLABELED = {"u1": "frozen balls", "u2": "a cloud on the ground"}
QRELS = {"q1": "p1", "q2": "p2", "q17": "p5", "q4": "p8", "q5": "p4", "q6": "p6", "q7": "p7"}
# The runs that the pages name, with their splits.
RUNS = {
    "bm25-1a2b3c4d": "train",
    "bm25-unlabeled": "unlabeled",
    "bm25-test-5e6f7a8b": "test",
    "dense-test-1a2b3c4d": "test",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a collection, and with a workspace in which it is mined and judged."""
    folder = tmp_path_factory.mktemp("reader")
    write_collection(folder / "my-collection")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workspace, "refresh_catalogue", lambda _: True)  # slow; once is enough
        workspace = Workspace.create(folder / "my-set")
        fill(workspace, folder / "my-collection")
    workspace.refresh_catalogue()
    return folder


def fill(workspace: Workspace, collection: Path) -> None:
    """Load the collection and write the runs, a score for every pair, and two cutoffs."""
    curate.load(workspace, collection, annotations=[write_annotations(collection.parent)])
    keys = dict(workspace.scan("queries").select("query_id", "query_key").collect().iter_rows())
    for name, split in RUNS.items():
        asked = UNLABELED if split == "unlabeled" else QUERIES[split]
        ranked = [(keys[query], passage) for query in asked for passage in range(len(PASSAGES))]
        rows = [
            {"run_id": name, "query_key": query, "passage_key": passage, "rank": passage + 1, "score": -passage}
            for query, passage in ranked
        ]
        add_run(workspace, name, split, rows)
    pairs = [(query, passage) for query in keys.values() for passage in range(len(PASSAGES))]
    all_relevant = keys["q4"]  # this query has no hard negative
    ledger = [
        {"query_key": query, "passage_key": passage, "logit": (9.0 if query == all_relevant else 3.0) - passage}
        for query, passage in pairs
    ]
    job = Job(workspace, "denoise", "score")
    other = [{**row, "scorer_id": "second", "logit": row["logit"] - 2.0} for row in ledger]
    job.write_rows("scores", [*({**row, "scorer_id": "scorer"} for row in ledger), *other])
    model = {"role": "cross-encoder", "path": "elsewhere", "fingerprint": "0" * 64, "settings": "{}"}
    job.write_rows("models", [{**model, "model_id": name} for name in ("scorer", "second")])
    job.finish()
    for name, below in (("default", 0.1), ("strict", 0.05)):
        set_cutoffs(workspace, name, scorer_id="scorer", depth=50, negative_below=below, positive_above=0.9)


def write_annotations(folder: Path) -> Path:
    """Write a file with the verdicts of annotators who contradict each other and the scorer."""
    verdicts = [("ann", "p2", True), ("ben", "p2", False), ("ann", "p8", True)]
    annotations = [
        {"query_id": "q1", "passage_id": passage, "annotator": who, "relevant": relevant}
        for who, passage, relevant in verdicts
    ]
    path = folder / "annotations.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in annotations), "utf-8")
    return path


def write_collection(folder: Path) -> None:
    """Write the collection as a BEIR folder."""
    (folder / "qrels").mkdir(parents=True)
    labelled = {query: text for of_split in QUERIES.values() for query, text in of_split.items()}
    for name, rows in (("corpus", PASSAGES), ("queries", labelled), ("unlabeled", UNLABELED)):
        written = [json.dumps({"_id": key, "text": text}) + "\n" for key, text in rows.items()]
        (folder / f"{name}.jsonl").write_text("".join(written), "utf-8")
    for split, of_split in QUERIES.items():
        rows_of_split = [f"{query}\t{QRELS[query]}\t1\n" for query in of_split]
        (folder / "qrels" / f"{split}.tsv").write_text(
            "query-id\tcorpus-id\tscore\n" + "".join(rows_of_split), "utf-8"
        )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with tiny models: a cross-encoder and the encoders that the pages name."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / "cross-encoder")
    write_tiny_model(folder / "encoder", head=False)
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute with one thread: two would wait for each other longer than they compute."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def answered() -> list[list[str]]:
    """Return the list of the commands that have been run, so that each is run once."""
    return []


# --- Blocks ---


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_a_block_names_its_language(block: Block) -> None:
    """The language decides how a block is highlighted, and how it is checked here."""
    assert block.language in LANGUAGES, f"{block}: '{block.language}' is none of {', '.join(sorted(LANGUAGES))}"


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_settings_in_the_pages_are_accepted(block: Block, tmp_path: Path) -> None:
    """A `curate.toml` with these lines can be read."""
    (tmp_path / "curate.toml").write_text(block.text, "utf-8")
    try:
        read_settings(tmp_path / "curate.toml")
    except BadSettings as error:
        pytest.fail(f"{block}: {error}")


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_lines_in_the_pages_are_json(block: Block) -> None:
    """A block has one JSON value per line."""
    for number, line in enumerate(block.text.splitlines()):
        try:
            json.loads(line)
        except ValueError as error:
            pytest.fail(f"{block.page}:{block.line + number}: {error}")


@pytest.mark.parametrize("block", [*blocks("sh", "console"), *examples()], ids=str)
def test_commands_in_the_pages_and_help_texts_exist(block: Block) -> None:
    """The command, its options and their values are valid. A `make` target is in the Makefile."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for where, words in lines(block):
        if words[0] == "curate":
            try:
                parse(words)
            except click.ClickException as error:
                pytest.fail(f"{where}: {shlex.join(words)}: {error.format_message()}")
        if words[0] == "make":
            for target in (word for word in words[1:] if "=" not in word):
                assert f"\n{target}: " in makefile, f"{where}: no target '{target}' in the Makefile"


@pytest.mark.parametrize("block", [*blocks("sh", "console"), *examples()], ids=str)
def test_commands_that_read_are_answered(
    block: Block,
    folder: Path,
    answered: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`curate sql`, `curate report`, `curate runs`, and DuckDB's own client with the catalogue."""
    refused = block.language == "console" and "\nerror[" in block.text
    for where, words in lines(block):
        if words[0] == "duckdb":
            with duckdb.connect(str(folder / "my-set" / words[-2]), read_only=True) as connection:
                assert connection.sql(words[-1]).fetchall(), where
            if DUCKDB.exists():
                done = subprocess.run([DUCKDB, *words[1:]], cwd=folder / "my-set", capture_output=True, check=True)
                assert done.stdout, where
            continue
        reads = words[0] == "curate" and words[1] in READING and words[1:3] not in SLOW and words != SHELL
        if reads and words not in answered:
            monkeypatch.setattr("sys.stdin", io.StringIO("select 1"))
            code = run(["-C", str(folder / "my-set"), *words[1:]])
            said = capsys.readouterr().err
            assert (code != 0) == refused, f"{where}: {shlex.join(words)}: {said}"
            answered.append(words)


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_sql_in_the_pages_is_answered(block: Block, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`curate sql` answers it with at least one row. Parameters get values of the small workspace."""
    known = {"cutoffs": "default", "run": "bm25-1a2b3c4d", "limit": "5"}
    given = [f"-p{name}={known[name]}" for name in sql_files.parameter_names(block.text)]
    code = run(["-C", str(folder / "my-set"), "sql", block.text, *given, "--json"])
    told = capsys.readouterr()
    assert code == 0, f"{block}: {told.err}"
    assert json.loads(told.out), f"{block}: no rows"


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("page", sorted({block.page for block in blocks("python")}))
def test_python_in_the_pages_runs(
    page: str, folder: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks share their names. Those in NOT_RUN are only compiled."""
    here = [block for block in blocks("python") if block.page == page]
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    if any("Workspace.create(" in block.text for block in here):
        shutil.rmtree(tmp_path / "my-set")
    else:
        shutil.copytree(models / "cross-encoder", tmp_path / "my-set/models/cross-encoder")
        shutil.copytree(models / "encoder", tmp_path / "my-set/models/my-encoder")
    shutil.copytree(models / "encoder", tmp_path / "sentence-transformers/all-MiniLM-L6-v2")
    shutil.copytree(models / "cross-encoder", tmp_path / "cross-encoder")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Workspace, "refresh_catalogue", lambda _: True)  # slow, and not read here
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in here:
        text = block.text
        for words, shorter in SHORTENED.items():
            text = text.replace(words, shorter)
        code = compile("\n" * (block.line - 1) + text, str(ROOT / page), "exec")
        if any(page == listed and words in block.text for listed, words, _ in NOT_RUN):
            continue
        try:
            exec(code, names)
        except Exception as error:
            error.add_note(f"in the block {block}")
            raise


@pytest.mark.slow
def test_the_notebook_runs(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/curate.ipynb is executed by a kernel beside the workspace. It is kept without output."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.read(ROOT / "docs" / "curate.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in cells:
        assert cell.outputs or "import curate" in cell.source, cell.source


def test_every_exception_is_needed() -> None:
    """An entry of NOT_RUN or SHORTENED without a block is out of date."""
    texts = [(block.page, block.text) for block in blocks("python")]
    for page, words, _ in NOT_RUN:
        assert any(words in text for found, text in texts if found == page), f"{page}: no block has '{words}'"
    for words in SHORTENED:
        assert any(words in text for _, text in texts), f"no Python block has '{words}'"


def test_the_list_of_rejected_rows_is_what_a_load_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """docs/input.md shows the message for a passage without text and a label of an unknown passage."""
    (block,) = [block for block in blocks("text") if block.text.startswith("error[rejected-rows]")]
    collection = tmp_path / "my-collection"
    (collection / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"p{number}", "text": f"text {number}"} for number in range(1, 17)]
    rows = [*corpus, {"_id": "p17", "text": " "}]
    (collection / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (collection / "queries.jsonl").write_text('{"_id": "q1", "text": "a query"}\n', "utf-8")
    labels = ["query-id\tcorpus-id\tscore", *(f"q1\tp{number}\t1" for number in (1, 2, 3, 99))]
    (collection / "qrels" / "train.tsv").write_text("\n".join(labels) + "\n", "utf-8")
    monkeypatch.chdir(Workspace.create(tmp_path / "my-set").root)
    assert run(["-q", "load", "../my-collection"]) == CODES["BadInput"]
    assert capsys.readouterr().err == block.text, f"{block}: curate prints another message"


def test_the_file_that_is_not_loaded_is_named_as_a_load_names_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """docs/input.md shows the note about a second file of labels."""
    (block,) = [block for block in blocks("text") if block.text.startswith("not loaded:")]
    shutil.copytree(folder / "my-collection", tmp_path / "my-collection")
    shutil.copy(tmp_path / "my-collection/qrels/train.tsv", tmp_path / "my-collection/qrels/train_sparse.tsv")
    Workspace.create(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(["load", "my-collection", "--dry-run"]) == 0
    assert block.text in capsys.readouterr().out, f"{block}: curate prints another note"


def test_the_reports_in_the_pages_have_their_titles_and_labels(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """docs/reports.md shows the funnel and the ranks; only the figures depend on the collection."""
    (block,) = [block for block in blocks("text") if "█" in block.text]
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("funnel", "denoised_by_rank"):
        assert run(["-C", str(folder / "my-set"), "report", name]) == 0
    printed = {label(line) for line in capsys.readouterr().out.splitlines()}
    for number, line in enumerate(block.text.splitlines()):
        known = label(line) in printed or re.match(r"  \d", line)
        assert known, f"{block.page}:{block.line + number}: no report prints '{label(line)}'"


def label(line: str) -> str:
    """Return the words of a line without figures, bars and spaces."""
    return " ".join(re.sub(r"[\d.,]+( %)?|[▏▎▍▌▋▊▉█]", "", line).split())


# --- Inline code ---


@pytest.mark.parametrize("path", [*pages(), ROOT / "ARCHITECTURE.md"], ids=lambda path: path.name)
def test_commands_and_options_in_inline_code_exist(path: Path) -> None:
    """Values are not checked: `--cutoffs NAME` is fine."""
    every = options_of(*(command for _, command in commands()))
    for where, code in spans(path):
        if code.startswith("curate "):
            check_mention(where, next(parts(code.split())))
        if code.startswith("--") and not path.match("benchmarks/*"):
            option = re.split(r"[ =]", code)[0]
            assert option in every, f"{where}: no command has the option {option}"


def check_mention(where: str, words: list[str]) -> None:
    """Fail unless the words begin with a command and all their options belong to it."""
    known = dict(commands())
    name = "curate"
    for word in (word for word in words[1:] if not word.startswith("-")):
        if f"{name} {word}" not in known:
            break
        name = f"{name} {word}"
    first = next((word for word in words[1:] if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")), None)
    assert first is None or "-C" in words or name != "curate", f"{where}: no command '{first}'"
    given = {word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)}
    unknown = given - options_of(known[name], cli)
    assert not unknown, f"{where}: {name} has no option {', '.join(sorted(unknown))}"


def test_benchmarks_are_called_with_options_that_they_have() -> None:
    """benchmarks/README.md names existing scripts, with options that they have."""
    for where, code in spans(ROOT / "benchmarks/README.md"):
        script = re.search(r"benchmarks/\w+\.py", code)
        if script:
            text = (ROOT / script[0]).read_text("utf-8")
            for option in re.findall(r"--[a-z-]+", code.partition(script[0])[2]):
                assert f'"{option}"' in text, f"{where}: {script[0]} has no option {option}"


# --- Completeness ---

CODES = {
    name: getattr(curate, name).exit_code
    for name in curate.__all__
    if isinstance(getattr(curate, name), type) and issubclass(getattr(curate, name), CurateError)
}


def table_rows(page: str, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of the rows in a page's tables with this number of columns, without their heads."""
    text = prose(ROOT / "docs" / page).splitlines()
    for number, line in enumerate(text, 1):
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("|") else []
        rule = text[number : number + 1] and re.fullmatch(r"[|: -]+", text[number])
        if len(cells) == columns and not rule and not re.fullmatch(r"[|: -]+", line):
            yield number, cells


def first_codes(page: str, columns: int) -> list[str]:
    """Return the inline code in the first cells of a page's tables."""
    return [code for _, cells in table_rows(page, columns) for code in re.findall(r"`([^`]+)`", cells[0])]


def documentation() -> str:
    """Return the text of README and docs."""
    return "\n".join(path.read_text("utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def documented_keys() -> dict[tuple[str, str], tuple[int, str]]:
    """Return (section, key) -> (line, default) from docs/configuration.md."""
    page = (ROOT / "docs/configuration.md").read_text("utf-8").splitlines()
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for number, (key, default, _) in table_rows("configuration.md", 3):
        heading = next(line for line in reversed(page[:number]) if line.startswith("## "))
        section = re.search(r"`\[(.*)\]`", heading)
        place = (section[1] if section else "", key.strip("`"))
        assert place not in found, f"docs/configuration.md:{number}: {key} appears twice"
        found[place] = (number, default)
    return found


def settings_keys(model: type[BaseModel] = Settings, section: str = "") -> Iterator[tuple[tuple[str, str], str]]:
    """Yield ((section, key), default as in TOML) of every setting, except those of the recipe's own trainings."""
    for key, field in model.model_fields.items():
        default = field.default
        if not isinstance(default, BaseModel):
            yield (section, key), "none" if default is None else str(default).lower()
        elif section != "recipe":
            yield from settings_keys(type(default), f"{section}.{key}".removeprefix("."))


def test_configuration_has_every_key_with_its_default_and_no_other() -> None:
    """docs/configuration.md agrees with curate/config.py."""
    documented, true = documented_keys(), dict(settings_keys())
    missing, unknown = sorted(true.keys() - documented.keys()), sorted(documented.keys() - true.keys())
    assert not missing, f"docs/configuration.md lacks {missing}"
    assert not unknown, f"docs/configuration.md: no such keys: {[(documented[at][0], at) for at in unknown]}"
    for at, (line, default) in documented.items():
        assert default == true[at], f"docs/configuration.md:{line}: {'.'.join(at)} is {true[at]} by default"
    for name, field in Settings.model_fields["recipe"].default.__class__.model_fields.items():
        if isinstance(field.default, BaseModel):
            assert f"`[recipe.{name}]`" in documentation(), f"docs/configuration.md lacks [recipe.{name}]"


@pytest.mark.parametrize(
    ("name", "command"), commands(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_and_option_is_documented(name: str, command: click.Command) -> None:
    """One of its forms is on a page, or its key is in docs/configuration.md."""
    text, keys = documentation(), {key for _, key in documented_keys()}
    assert re.search(rf"{name}\b", text), f"no page mentions '{name}'"
    for option in command.params:
        forms = [*option.opts, *option.secondary_opts]
        mentioned = any(re.search(rf"(?<![\w-]){re.escape(form)}(?![\w-])", text) for form in forms)
        ours = isinstance(option, click.Option) and not mentioned and option.name not in keys
        assert not ours, f"no page mentions the option {forms[0]} of '{name}'"


def test_every_table_view_and_macro_is_documented_with_its_columns(folder: Path) -> None:
    """docs/sql.md lists tables, views and macros."""
    documented = {cells[0].strip("`"): (line, cells[2]) for line, cells in table_rows("sql.md", 3)}
    with Workspace(folder / "my-set").connect() as connection:
        shards = [sql_files.SHARDS_OF.get(table, table) for table in sql_files.TABLES]
        for name in (*shards, "stages", *sql_files.view_names()):
            assert name in documented, f"docs/sql.md lacks {name}"
            line, columns = documented[name]
            assert re.findall(r"`(\w+)`", columns) == connection.table(name).columns, f"docs/sql.md:{line}: {name}"
    macros = [path.rpartition("/")[2] for path in (*sql_files.MACROS, *sql_files.TABLE_MACROS)]
    shown = [signature.partition("(")[0] for signature in first_codes("sql.md", 2) if "(" in signature]
    assert sorted(shown) == sorted(macros), "docs/sql.md: macros"
    for path in (*sql_files.MACROS, *sql_files.TABLE_MACROS):
        signature = re.search(r"macro (\w+\([^)]*\))", sql_files.text(path))
        assert signature
        assert f"`{signature[1]}`" in documentation(), f"docs/sql.md: the macro is {signature[1]}"


def test_every_report_format_error_and_name_is_documented() -> None:
    """docs/reports.md, docs/export.md, docs/exit-codes.md, docs/api.md."""
    assert sorted(first_codes("reports.md", 3)) == sql_files.report_names(), "docs/reports.md: the reports"
    assert [name for name in first_codes("export.md", 3) if name in FORMATS] == list(FORMATS), "docs/export.md"
    codes = {int(code) for _, cells in table_rows("exit-codes.md", 3) for code in re.findall(r"\d+", cells[0])}
    assert codes >= {0, BUG, INTERRUPTED, *CODES.values()}, "docs/exit-codes.md lacks a code"
    entries = re.findall(r"^::: curate\.(\w+)$", (ROOT / "docs/api.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(["__version__", *entries]) == sorted(curate.__all__), "docs/api.md: its entries"


def test_every_page_is_in_the_site() -> None:
    """The nav of mkdocs.yml names every page of docs/, and README links to it."""
    nav, readme = (ROOT / "mkdocs.yml").read_text("utf-8"), (ROOT / "README.md").read_text("utf-8")
    for path in (ROOT / "docs").glob("*.md"):
        assert f": docs/{path.name}\n" in nav, f"mkdocs.yml lacks {path.name}"
        assert f"(docs/{path.name})" in readme, f"README.md does not link to {path.name}"


def test_every_command_has_an_example_in_its_help() -> None:
    """The tests of the examples would otherwise check nothing."""
    with_examples = {block.page.removesuffix(" --help") for block in examples() if block.text}
    assert {f"curate {name}" for name in COMMANDS} <= with_examples
