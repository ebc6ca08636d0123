"""The rules in ARCHITECTURE.md, enforced by tests instead of by reviewers."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
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
# What each layer may import. `curate.sql` and `curate.recipes` hold data, which every layer may read.
MAY_IMPORT = {
    "core": {"core"},
    "train": {"core", "train"},
    "reports": {"core", "reports"},
    "top": {"core", "train", "reports", "top"},
}
DATA = ("curate.sql", "curate.recipes")
NAME_OF_MODULE = re.compile(r"curate(\.[a-z_0-9]+)+(:\w+)?")


def folder(name: str) -> Path:
    return Path(str(files(f"curate.{name}")))


@cache
def modules() -> dict[str, Path]:
    """Return the file of every module by its name; train/ and reports/ may be beside curate/ or inside it."""
    beside = {name: folder(name) for name in ("train", "reports")}
    found = {}
    for prefix, place in {"curate": PACKAGE, **{f"curate.{name}": path for name, path in beside.items()}}.items():
        for path in place.rglob("*.py"):
            inside = path.relative_to(place).with_suffix("").parts
            if prefix == "curate" and (inside[0] in (*beside, "sql", "recipes") or "build" in inside):
                continue
            parts = inside[:-1] if inside[-1] == "__init__" else inside
            found[".".join([prefix, *parts])] = path
    return found


def layer_of(module: str) -> str:
    """Return the layer of a module; the package's own file, which exports the public names, is on top."""
    if module in ("curate", "curate.__main__") or module.startswith("curate.cli"):
        return "top"
    second = module.split(".")[1]
    return second if second in ("train", "reports") else "core"


def imports(module: str, *, with_types: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield each imported module, even one that is only named in a string, and whether the import is eager."""
    path = modules()[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    lazy = {
        node for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if node in typing_only and not with_types:
            continue
        for name in _imported_by(node, package):
            yield name, node not in lazy


def _imported_by(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        source = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            inner = f"{source}.{alias.name}"
            if inner != "curate.__version__":
                yield inner if inner in modules() else source
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME_OF_MODULE.fullmatch(node.value):
        name = node.value.partition(":")[0]
        yield from (found for found in (name, name.rpartition(".")[0]) if found in modules() and found != "curate")


@pytest.mark.parametrize("module", modules())
def test_imports_go_one_way(module: str) -> None:
    """The order is sql <- core <- train, reports <- the command line. A name in a string counts as an import."""
    for imported, _ in imports(module):
        if imported.startswith("curate") and not imported.startswith(DATA):
            assert layer_of(imported) in MAY_IMPORT[layer_of(module)], f"{module} imports {imported}"


def test_no_import_goes_round_in_a_circle() -> None:
    """Imports inside functions and for types count too."""
    reached: dict[str, set[str]] = {}
    graph = {
        module: {name for name, _ in imports(module, with_types=True) if name in modules() and name != module}
        for module in modules()
        if module != "curate"  # it names every module, and all modules import it for the version
    }

    def reach(module: str, path: tuple[str, ...]) -> set[str]:
        assert module not in path, f"a circle: {' -> '.join([*path[path.index(module) :], module])}"
        if module not in reached:
            below = (reach(name, (*path, module)) for name in graph.get(module, ()) if name != "curate")
            reached[module] = graph.get(module, set()).union(*below)
        return reached[module]

    for module in graph:
        reach(module, ())


@pytest.mark.parametrize("module", modules())
def test_torch_and_rich_stay_where_they_belong(module: str) -> None:
    """Only train/, the models and the searches use torch. Only reports/ and the command line's bar use rich."""
    roots = {name.partition(".")[0] for name, _ in imports(module)}
    if roots & {"torch", "transformers"}:
        searches = {f"curate.mine.{name}" for name in ("exact_search", "two_passes", "faiss_search")}
        assert layer_of(module) == "train" or module.startswith("curate.models.") or module in searches
    if "rich" in roots:
        assert layer_of(module) == "reports" or module.startswith("curate.cli.")


def test_help_is_quick_because_it_loads_nothing_heavy() -> None:
    """`curate --help` lists every command without loading torch, polars, duckdb and the like."""
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


@pytest.mark.parametrize("name", ["load", "mine", "denoise", "augment", "evaluate", "export", "rebuild"])
def test_a_public_function_keeps_its_name_when_the_module_of_that_name_is_imported(name: str) -> None:
    """Python would bind `curate.mine` to the folder curate/mine as soon as a module in it is imported."""
    program = f"import importlib, curate; importlib.import_module('curate.{name}'); print(callable(curate.{name}))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "True"


def paths_of_sql() -> list[str]:
    """Return the name of every SQL file as the code uses it: `export/blocks`."""
    root = folder("sql")
    return sorted(str(path.relative_to(root).with_suffix("")) for path in root.rglob("*.sql"))


@pytest.mark.parametrize("path", paths_of_sql())
def test_a_sql_file_says_its_name_and_grain_on_the_first_line(path: str) -> None:
    """Every file defines one relation, and its first line gives the grain."""
    first = sql_files.text(path).partition("\n")[0]
    assert first.startswith("-- ")
    assert "Grain: " in first
    name, stem = first.removeprefix("-- ").partition(":")[0], path.rpartition("/")[2]
    assert name in (stem, f"stored_{stem}", f"training_{stem}")


def test_every_sql_file_is_named_in_the_code_and_every_name_has_its_file() -> None:
    """A search for "export/blocks" finds the code that uses it.

    Named queries and tables are found by their folder.
    """
    named = {
        node.value
        for module in modules()
        for node in ast.walk(ast.parse(modules()[module].read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    listed = {f"reports/{name}" for name in sql_files.report_names()}
    listed |= {f"tables/{name}" for name in (*sql_files.TABLES, "stages")}
    steps = {path.partition("/")[0] for path in paths_of_sql()}
    assert set(paths_of_sql()) - listed - named == set()
    literals = {name for name in named if re.fullmatch(rf"({'|'.join(sorted(steps))})/[a-z_]+", name)}
    assert literals - set(paths_of_sql()) == set()


def test_every_view_and_macro_is_defined_and_nothing_else_lies_there() -> None:
    """The tuples in curate/sql_files.py list exactly the files in the folders."""
    defined = {*sql_files.VIEWS, *sql_files.MACROS, *sql_files.TABLE_MACROS}
    lying = {path for path in paths_of_sql() if path.startswith(("views/", "macros/", "filters/"))}
    assert defined == lying | {"training_set/found"}
    assert {path for path in paths_of_sql() if path.startswith("tables/")} == {
        f"tables/{name}" for name in (*sql_files.TABLES, "stages")
    }


def test_python_builds_no_sql() -> None:
    """No string in the code starts like a statement, because all SQL is in sql/."""
    starts = ("select ", "insert ", "create ", "copy ", "with ", "from ", "update ", "delete ", "attach ", "set ")
    for path in modules().values():
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
    """-h works everywhere. People copy the example, so it is on lines of its own."""
    from curate.cli.main import run

    assert run([*command.split(), "-h"]) == 0
    shown = capsys.readouterr().out
    assert "Example:\n" in shown or "Commands:" in shown
    assert "\\b" not in shown


def test_every_command_stands_in_the_command_layer() -> None:
    """This includes train, run and report: nothing below the command line knows about it."""
    assert all(place.startswith("curate.cli.") for place in COMMANDS.values())
