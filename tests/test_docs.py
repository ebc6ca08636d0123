"""README and docs: their code blocks are run, and they leave out no command, option, key, table or view.

A block that fails is named by page and line. Python blocks of a page share their names, as a reader would run them:
in a folder with `my-collection` and the workspace `my-set`, whose models are tiny ones under the names that the
pages use.
"""

import inspect
import io
import json
import re
import shlex
import shutil
import tomllib
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
from curate import Workspace, sql_files
from curate.cli.main import BUG, COMMANDS, INTERRUPTED, cli, run
from curate.config import Settings, read_settings
from curate.cutoffs import set_cutoffs
from curate.errors import BadSettings, CurateError
from curate.export.formats import FORMATS
from curate.jobs import Job

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="the documentation is part of a checkout")

LANGUAGES = {"sh", "console", "python", "sql", "toml", "json", "text"}
# Python blocks that only compile: page, what the block contains, and why it is not run here.
NOT_RUN = [
    ("docs/export.md", "load_dataset", "loads with `datasets`; tests/test_export_loaders.py runs it for each format"),
    ("docs/export.md", "GenericDataLoader", "loads with `beir`; tests/test_export_loaders.py runs it"),
    ("docs/dual-encoder.md", "SentenceTransformer(", "sentence-transformers; tests/test_train_dual_encoder.py runs it"),
]
# A training of minutes becomes one of a step, from a model whose logits lie on both sides of the cutoffs.
SHORTENED = {"groups=800, max_length=96": "groups=8, init='cross-encoder'"}
# Commands that are run as the pages have them; of the others the words are checked. The overview is run once.
READING = {"sql", "report", "runs"}
OVERVIEWS = (["report", "--run"], ["report", "--cutoffs"])
OPERATORS = {"&&", "||", "|", ";", ">", ">>", "<"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, or the examples of a help text."""

    page: str
    line: int
    """Where its first line stands."""
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Return the pages whose blocks are checked."""
    names = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md")
    return [path for path in (*(ROOT / name for name in names), *sorted((ROOT / "docs").glob("*.md"))) if path.exists()]


def fenced(path: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = path.read_text("utf-8")
    for match in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, match.start()) + 2
        yield Block(str(path.relative_to(ROOT)), line, match[2], inspect.cleandoc("\n" + match[3]) + "\n")


def blocks(*languages: str) -> list[Block]:
    """Return the blocks of all pages in some languages."""
    return [block for path in pages() for block in fenced(path) if block.language in languages or not languages]


def prose(path: Path) -> str:
    """Return a page without its fenced blocks; lines stay where they are."""
    return re.sub(r"^( *)```.*?^\1```$", lambda match: "\n" * match[0].count("\n"), path.read_text("utf-8"), flags=re.M | re.S)


def spans(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (page:line, code) for each piece of code within the text of a page."""
    text = prose(path)
    for match in re.finditer(r"(?<!`)`([^`]+)`(?!`)", text):
        line = text.count("\n", 0, match.start()) + 1
        yield f"{path.relative_to(ROOT)}:{line}", " ".join(match[1].split())


def leaves(command: click.Command = cli, name: str = "curate") -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, by its full name, and the groups above them."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found
            yield from leaves(found, f"{name} {inner}")


def examples() -> list[Block]:
    """Return the preformatted paragraphs of the help texts: the examples of each command."""
    return [
        Block(f"{name} --help", 1, "sh", "\n".join(line.strip() for line in paragraph.splitlines() if line.lstrip().startswith(("curate ", "torchrun "))))
        for name, command in leaves()
        for paragraph in (command.help or "").split("\n\n")
        if paragraph.lstrip().startswith("\b") or paragraph.startswith("\b")
    ]  # fmt: skip


def lines(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Yield (page:line, words) of each command in a shell block; quotes may reach over lines."""
    begun, start = "", 0
    for number, line in enumerate(block.text.splitlines()):
        if block.language == "console" and not begun and not line.startswith("$ "):
            continue  # an answer
        begun, start = (f"{begun}\n{line}", start) if begun else (line.removeprefix("$ "), number)
        try:
            words = shlex.split(begun, comments=True)
        except ValueError:
            continue
        begun = ""
        yield from ((f"{block.page}:{block.line + start}", part) for part in parts(words))
    assert not begun, f"{block}: a quotation mark is not closed"


def parts(words: list[str]) -> Iterator[list[str]]:
    """Yield the commands of a line, split at `&&`, `|` and the like; torchrun gives way to what it starts."""
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
    """Raise click.ClickException unless `curate` takes these words: command, options and their values."""
    command, context, name = click.Command("none"), click.Context(cli), "curate"
    command, rest = cli, words[1:]
    while isinstance(command, click.Group):
        rest = command.make_parser(context).parse_args(rest)[1]
        if not rest:
            return
        found_name, found, rest = command.resolve_command(context, rest)
        assert found
        assert found_name
        command, name = found, found_name
        context = click.Context(command, parent=context, info_name=name)
    try:
        command.make_context(name, rest, parent=context.parent)
    except click.exceptions.Exit:  # --help
        pass


def options_of(*commands: click.Command) -> set[str]:
    """Return every form of the commands' options."""
    return {
        form
        for command in commands
        for option in command.params
        if isinstance(option, click.Option)
        for form in (*option.opts, *option.secondary_opts, "-h", "--help")
    }


# --- The folder in which a reader stands ---

# Short, because a letter is a token to the tiny models.
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
# The runs that the pages name, and their splits.
RUNS = {
    "bm25-1a2b3c4d": "train",
    "bm25-unlabeled": "unlabeled",
    "bm25-test-5e6f7a8b": "test",
    "dense-test-1a2b3c4d": "test",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a collection and a workspace in which it is mined and judged."""
    folder = tmp_path_factory.mktemp("reader")
    write_collection(folder / "my-collection")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workspace, "refresh_catalogue", lambda _: True)  # once is enough, and quicker
        workspace = Workspace.create(folder / "my-set")
        fill(workspace, folder / "my-collection")
    workspace.refresh_catalogue()
    return folder


def fill(workspace: Workspace, collection: Path) -> None:
    """Load the collection; write the runs, a score for every pair, and two cutoffs."""
    curate.load(workspace, collection)
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
    ledger = [
        {"scorer_id": "scorer", "query_key": query, "passage_key": passage, "logit": 3.0 - passage}
        for query, passage in pairs
    ]
    job = Job(workspace, "denoise", "score")
    job.write_rows("scores", ledger)
    job.finish()
    for name, below in (("default", 0.1), ("strict", 0.05)):
        set_cutoffs(workspace, name, scorer_id="scorer", depth=50, negative_below=below, positive_above=0.9)


def write_collection(folder: Path) -> None:
    """Write the collection as a BEIR folder."""
    (folder / "qrels").mkdir(parents=True)
    labelled = {query: text for of_split in QUERIES.values() for query, text in of_split.items()}
    for name, rows in (("corpus", PASSAGES), ("queries", labelled), ("unlabeled", UNLABELED)):
        written = [json.dumps({"_id": key, "text": text}) + "\n" for key, text in rows.items()]
        (folder / f"{name}.jsonl").write_text("".join(written), "utf-8")
    for split, of_split in QUERIES.items():
        rows_of_split = [f"{query}\t{QRELS[query]}\t1\n" for query in of_split]
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows_of_split), "utf-8")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with tiny models: a cross-encoder and the encoders that the pages name."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / "cross-encoder")
    write_tiny_model(folder / "encoder", head=False)
    return folder


@pytest.fixture(scope="module")
def answered() -> list[list[str]]:
    """Return a list for the commands that were answered, each of which is run once."""
    return []


# --- Blocks ---


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_a_block_names_its_language(block: Block) -> None:
    """So that it is highlighted, and checked here."""
    assert block.language in LANGUAGES, f"{block}: '{block.language}' is none of {', '.join(sorted(LANGUAGES))}"


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_settings_in_the_pages_are_accepted(block: Block, tmp_path: Path) -> None:
    """`curate.toml` with these lines reads."""
    (tmp_path / "curate.toml").write_text(block.text, "utf-8")
    try:
        read_settings(tmp_path / "curate.toml")
    except BadSettings as error:
        pytest.fail(f"{block}: {error}")


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_lines_in_the_pages_are_json(block: Block) -> None:
    """One object a line."""
    for number, line in enumerate(block.text.splitlines()):
        try:
            json.loads(line)
        except ValueError as error:
            pytest.fail(f"{block.page}:{block.line + number}: {error}")


@pytest.mark.parametrize("block", [*blocks("sh", "console"), *examples()], ids=str)
def test_commands_in_the_pages_and_help_texts_exist(block: Block) -> None:
    """Command, options and values; of `make` the target."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for where, words in lines(block):
        if words[0] == "curate":
            try:
                parse(words)
            except click.ClickException as error:
                pytest.fail(f"{where}: {shlex.join(words)}: {error.format_message()}")
        for target in [word for word in words[1:] if "=" not in word] if words[0] == "make" else []:
            assert f"\n{target}: " in makefile, f"{where}: no target '{target}' in the Makefile"


@pytest.mark.parametrize("block", [*blocks("sh", "console"), *examples()], ids=str)
def test_commands_that_read_are_answered(
    block: Block,
    folder: Path,
    answered: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`curate sql`, `curate report`, `curate runs`, and DuckDB's own client on the catalogue."""
    answer = block.text.partition("\n")[2] if block.language == "console" else ""
    for where, words in lines(block):
        if words[0] == "duckdb":
            with duckdb.connect(str(folder / "my-set" / words[-2]), read_only=True) as connection:
                assert connection.sql(words[-1]).fetchall(), where
        elif words[0] == "curate" and words[1] in READING and words[1:3] not in OVERVIEWS and words not in answered:
            monkeypatch.setattr("sys.stdin", io.StringIO("select 1"))
            code = run(["-C", str(folder / "my-set"), *words[1:]])
            said = capsys.readouterr().err
            assert (code != 0) == answer.startswith("error:"), f"{where}: {shlex.join(words)}: {said}"
            answered.append(words)


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_sql_in_the_pages_is_answered(block: Block, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the sandbox, as `curate sql` would; a parameter is the name of cutoffs or of a run."""
    known = {"cutoffs": "default", "run": "bm25-1a2b3c4d", "limit": "5"}
    given = [f"-p{name}={known[name]}" for name in sql_files.parameter_names(block.text)]
    code = run(["-C", str(folder / "my-set"), "sql", block.text, *given, "--json"])
    told = capsys.readouterr()
    assert code == 0, f"{block}: {told.err}"
    assert json.loads(told.out), f"{block}: no rows"


@pytest.mark.parametrize("page", sorted({block.page for block in blocks("python")}))
def test_python_in_the_pages_runs(
    page: str, folder: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, with one set of names; what NOT_RUN lists only compiles."""
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
    monkeypatch.setattr(Workspace, "refresh_catalogue", lambda _: True)  # slow, and nothing here reads it
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
            pytest.fail(f"{block}: {type(error).__name__}: {error}")


def test_what_is_not_run_is_there() -> None:
    """An entry of NOT_RUN without a block would hide the next block that looks like it."""
    for page, words, _ in NOT_RUN:
        assert any(block.page == page and words in block.text for block in blocks("python")), f"{page}: no '{words}'"
    for words in SHORTENED:
        assert any(words in block.text for block in blocks("python")), f"no Python block has '{words}'"


def test_the_list_of_rejected_rows_is_what_a_load_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """docs/input.md shows the answer to a passage without text and a label of an unknown passage."""
    (block,) = [block for block in blocks("text") if block.text.startswith("error:")]
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
    assert capsys.readouterr().err == block.text, f"{block}: the answer is another one"


# --- Commands and options within the text ---


@pytest.mark.parametrize("path", [*pages(), ROOT / "ARCHITECTURE.md"], ids=lambda path: path.name)
def test_commands_and_options_within_the_text_exist(path: Path) -> None:
    """`curate denoise --cutoffs NAME` and `--promote`: the command and its options, whatever stands for a value."""
    every = options_of(*(command for _, command in leaves()))
    for where, code in spans(path):
        if code.startswith("curate "):
            check_mention(where, next(parts(code.split())))
        if code.startswith("--") and not path.match("benchmarks/*"):
            option = re.split(r"[ =]", code)[0]
            assert option in every, f"{where}: no command has the option {option}"


def check_mention(where: str, words: list[str]) -> None:
    """Fail unless the words begin with a command, and the options among them are its own."""
    known = dict(leaves())
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
    """benchmarks/README.md: each script and each of its options."""
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


def rows(page: str, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of the tables of a page in docs/ that have so many columns, without heads and rules."""
    text = prose(ROOT / "docs" / page).splitlines()
    for number, line in enumerate(text, 1):
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("|") else []
        rule = text[number : number + 1] and re.fullmatch(r"[|: -]+", text[number])
        if len(cells) == columns and not rule and not re.fullmatch(r"[|: -]+", line):
            yield number, cells


def first_codes(page: str, columns: int) -> list[str]:
    """Return what the first cells of a page's tables name."""
    return [code for _, cells in rows(page, columns) for code in re.findall(r"`([^`]+)`", cells[0])]


def documentation() -> str:
    """Return README and docs in one."""
    return "\n".join(path.read_text("utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def documented_keys() -> dict[tuple[str, str], tuple[int, str]]:
    """Return (section, key) -> (line, default) of docs/configuration.md."""
    page = (ROOT / "docs/configuration.md").read_text("utf-8").splitlines()
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for number, (key, default, _) in rows("configuration.md", 3):
        heading = next(line for line in reversed(page[:number]) if line.startswith("## "))
        section = re.search(r"`\[(.*)\]`", heading)
        place = (section[1] if section else "", key.strip("`"))
        assert place not in found, f"docs/configuration.md:{number}: {key} is there twice"
        found[place] = (number, default)
    return found


def settings_keys(model: type[BaseModel] = Settings, section: str = "") -> Iterator[tuple[tuple[str, str], str]]:
    """Yield ((section, key), default as TOML has it) of every setting but those of the recipe's own trainings."""
    for key, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            if section != "recipe":
                yield from settings_keys(type(field.default), f"{section}.{key}".removeprefix("."))
        else:
            default = field.default
            yield (section, key), "none" if default is None else str(default).lower() if isinstance(default, bool) else str(default)  # fmt: skip


def test_configuration_has_every_key_with_its_default_and_no_other() -> None:
    """docs/configuration.md against curate/config.py."""
    documented, true = documented_keys(), dict(settings_keys())
    missing, unknown = sorted(true.keys() - documented.keys()), sorted(documented.keys() - true.keys())
    assert not missing, f"docs/configuration.md lacks {missing}"
    assert not unknown, f"docs/configuration.md: no such keys: {[(documented[at][0], at) for at in unknown]}"
    for at, (line, default) in documented.items():
        assert default == true[at], f"docs/configuration.md:{line}: {'.'.join(at)} is {true[at]} by default"
    for name, field in Settings.model_fields["recipe"].default.__class__.model_fields.items():
        if isinstance(field.default, BaseModel):
            assert f"`[recipe.{name}]`" in documentation(), f"docs/configuration.md lacks [recipe.{name}]"


@pytest.mark.parametrize(("name", "command"), leaves(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_and_option_is_documented(name: str, command: click.Command) -> None:
    """By its name, an abbreviation or its opposite; or as a key of docs/configuration.md."""
    text, keys = documentation(), {key for _, key in documented_keys()}
    assert re.search(rf"{name}\b", text), f"no page mentions '{name}'"
    for option in command.params:
        forms = [*option.opts, *option.secondary_opts]
        mentioned = any(re.search(rf"(?<![\w-]){re.escape(form)}(?![\w-])", text) for form in forms)
        ours = isinstance(option, click.Option) and not mentioned and option.name not in keys
        assert not ours, f"no page mentions the option {forms[0]} of '{name}'"


def test_every_table_view_and_macro_is_documented_with_its_columns(folder: Path) -> None:
    """docs/sql.md: tables and views in three columns, macros in two."""
    documented = {cells[0].strip("`"): (line, cells[2]) for line, cells in rows("sql.md", 3)}
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
    codes = {int(code) for _, cells in rows("exit-codes.md", 3) for code in re.findall(r"\d+", cells[0])}
    assert codes >= {0, BUG, INTERRUPTED, *CODES.values()}, "docs/exit-codes.md lacks a code"
    entries = re.findall(r"^::: curate\.(\w+)$", (ROOT / "docs/api.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(["__version__", *entries]) == sorted(curate.__all__), "docs/api.md: its entries"


def test_every_page_is_in_the_site() -> None:
    """The nav of mkdocs.yml names every page of docs/, and README links to it."""
    nav, readme = (ROOT / "mkdocs.yml").read_text("utf-8"), (ROOT / "README.md").read_text("utf-8")
    for path in (ROOT / "docs").glob("*.md"):
        assert f": docs/{path.name}\n" in nav, f"mkdocs.yml lacks {path.name}"
        assert f"(docs/{path.name})" in readme, f"README.md does not link to {path.name}"


def test_recipes_in_the_package_are_accepted() -> None:
    """The pages quote settings of recipes/*.toml."""
    for path in sorted((ROOT / "recipes").glob("*.toml")):
        Settings.model_validate(tomllib.loads(path.read_text("utf-8")))


def test_every_command_has_an_example_in_its_help() -> None:
    """What the examples of the help texts are checked by, above, is not empty."""
    with_examples = {block.page.removesuffix(" --help") for block in examples() if block.text}
    assert {f"curate {name}" for name in COMMANDS} <= with_examples
