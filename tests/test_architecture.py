"""The rules of the house, kept by tests instead of by reviewers (ARCHITECTURE.md)."""

import ast
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import curate
from curate import sql_files
from curate.cli.main import COMMANDS

PACKAGE = Path(curate.__file__).parent
HEAVY = {
    "torch",
    "transformers",
    "polars",
    "faiss",
    "duckdb",
    "pyarrow",
    "numpy",
    "tantivy",
    "sentence_transformers",
}


def folder(name: str) -> Path:
    return Path(str(files(f"curate.{name}")))


def modules() -> list[tuple[str, Path]]:
    """Return (layer, file) of every module; train/ and reports/ may stand beside curate/ or inside it."""
    inside = {"train": folder("train"), "reports": folder("reports"), "sql": folder("sql")}
    core = [path for path in PACKAGE.rglob("*.py") if not any(other in path.parents for other in inside.values())]
    return [("core", path) for path in core] + [
        (layer, path) for layer, place in inside.items() for path in place.rglob("*.py")
    ]


def imports(path: Path) -> list[tuple[str, bool]]:
    """Return every imported module and whether it is imported when the file is (not within a function)."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    inner = {
        node for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, node not in inner) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "", node not in inner))
    return found


@pytest.mark.parametrize(("layer", "path"), modules(), ids=lambda value: getattr(value, "name", value))
def test_imports_go_one_way(layer: str, path: Path) -> None:
    """The order is sql <- core <- train, reports; only the command line reaches up, within its commands."""
    upwards = {
        "core": ("curate.train", "curate.reports"),
        "train": ("curate.reports",),
        "reports": ("curate.train",),
        "sql": ("curate",),
    }[layer]
    for module, at_import in imports(path):
        reaches_up = module.startswith(upwards)
        lazily_from_cli = "cli" in path.parts and not at_import
        assert not reaches_up or lazily_from_cli, f"{path} imports {module}"


@pytest.mark.parametrize("layer_and_path", modules(), ids=lambda value: value[1].name)
def test_torch_and_rich_stay_where_they_belong(layer_and_path: tuple[str, Path]) -> None:
    """torch: train/ and core's models; rich: reports/ and the command line's bar."""
    layer, path = layer_and_path
    roots = {module.partition(".")[0] for module, _ in imports(path)}
    if roots & {"torch", "transformers"}:
        assert layer == "train" or path.name in {
            "models.py",
            "encoder.py",
            "cross_encoder.py",
            "search.py",
            "ann.py",
        }, path
    if "rich" in roots:
        assert layer == "reports" or "cli" in path.parts, path


def test_help_is_quick_because_it_loads_nothing_heavy() -> None:
    """`curate --help` lists every command without torch, polars, duckdb and the like."""
    program = "import sys; from curate.cli.main import run; run(['--help']); print(sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.strip("'[], ") for name in result.stdout.rpartition("\n[")[2].split(",")}
    assert not loaded & HEAVY


def test_the_top_level_package_gives_its_public_names_lazily() -> None:
    """`import curate` loads none of the stages."""
    program = "import sys, curate; print([m for m in sys.modules if m.startswith('curate.')])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    for name in curate.__all__:
        assert getattr(curate, name) is not None


def files_of_sql() -> list[Path]:
    return sorted(folder("sql").rglob("*.sql"))


@pytest.mark.parametrize("path", files_of_sql(), ids=lambda path: path.stem)
def test_a_sql_file_says_its_name_and_grain_on_the_first_line(path: Path) -> None:
    """One relation a file, the grain on its first line."""
    first = path.read_text("utf-8").partition("\n")[0]
    assert first.startswith("-- ")
    assert "Grain: " in first
    name = first.removeprefix("-- ").partition(":")[0]
    assert path.stem.endswith(name) or name == f"stored_{path.stem}"


def test_every_view_and_macro_is_defined_and_nothing_else_lies_there() -> None:
    """The tuples in curate/sql_files.py equal the folders."""
    assert sorted(sql_files.VIEWS) == sql_files.names("views")
    assert sorted(sql_files.MACROS + sql_files.TABLE_MACROS) == sql_files.names("macros")
    assert sorted([*sql_files.TABLES, "stages"]) == sql_files.names("tables")


def test_python_builds_no_sql() -> None:
    """No string in the code begins like a statement: SQL lives in sql/."""
    starts = ("select ", "insert ", "create ", "copy ", "with ", "from ", "update ", "delete ", "attach ", "set ")
    for _, path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            text = node.args[0]
            literal = isinstance(text, ast.JoinedStr) or (
                isinstance(text, ast.Constant) and str(text.value).lower().startswith(starts)
            )
            asks = node.func.attr in {"sql", "execute", "executemany"}
            assert not (asks and literal), f"{path}:{node.lineno} builds SQL in Python"


SUBCOMMANDS = ["train dual-encoder", "train cross-encoder"]


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "completion"] + SUBCOMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """-h and --help everywhere; the example is what people copy, on lines of its own."""
    from curate.cli.main import run

    assert run([*command.split(), "-h"]) == 0
    shown = capsys.readouterr().out
    assert "Example:\n" in shown or "Commands:" in shown
    assert "\\b" not in shown
