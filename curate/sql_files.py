"""The SQL files, and the DuckDB connections that have their tables, macros and views.

`sql/tables` holds the schemas of the Parquet shards. `sql/macros`, `sql/views` and `sql/training_set/found.sql`
derive from them. `sql/reports` holds the named queries for users, and each of the other folders holds the queries
of one step. Code refers to a file by its path below `sql/`, without the suffix: "export/blocks".
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from curate import connections

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

TABLES = (
    "passages",
    "queries",
    "qrels",
    "candidates",
    "scores",
    "annotations",
    "runs",
    "models",
    "cutoffs",
    "metrics",
    "rejects",
    "claims",
    "own_copies",
    "choices",
    "judge_queries",
    "calibrations",
    "reliability",
    "promises",
    "samples",
    "sample_strata",
    "sample_pairs",
    "resemblances",
    "compared",
)
# Where a view has the name of a table, the shards of the table get another name. The SQL file defines both.
SHARDS_OF = {name: f"stored_{name}" for name in ("queries", "qrels", "annotations", "cutoffs", "models")}
STAGES = "stages"
# Views that steps define over some shards of a table -> the table.
SOME_SHARDS_OF = {"ledger_shards": "scores", "passage_shard": "passages", "candidate_shards": "candidates"}
MACROS = (
    "macros/one_line",
    "macros/passage_text",
    "macros/probability",
    "macros/draw",
    "macros/decision",
    "macros/joined_probability",
    "macros/decided_by",
    "macros/is_judged",
    "macros/is_denoised",
    "macros/pseudo_label_place",
    "macros/place_in_epoch",
    "macros/training_of",
    "macros/was_trained_here",
    "macros/words_of",
    "macros/shared_words",
    "macros/wilson",
    "macros/independent_pairs",
    "macros/share_interval",
)
VIEWS = (
    "views/models",
    "views/held_out",
    "views/queries",
    "views/qrels",
    "views/annotations",
    "views/training_queries",
    "views/judgements",
    "views/positives",
    "views/trained_queries",
    "views/seen_queries",
    "views/duplicates",
    "views/near_copies",
    "views/candidate_sources",
    "views/withdrawn_queries",
    "views/usable_candidates",
    "views/cutoffs",
    "views/near_duplicates",
    "views/judges",
    "views/seen_by_judges",
    "views/probabilities",
    "views/scored_runs",
    "views/scored_candidates",
    "views/judged_candidates",
    "views/decisions",
    "training_set/found",
    "views/leaked_queries",
    "views/pseudo_labels",
    "views/current_cutoffs",
    "views/current_runs",
    "views/current_decisions",
    "views/current_pseudo_labels",
    "filters/filter_settings",
    "filters/hidden_labels",
)
# Defined last, because they read views.
TABLE_MACROS = (
    "macros/random_pairs",
    "macros/pairs_to_score",
    "macros/sampled_queries",
    "macros/usable_negatives",
    "macros/enough_for",
    "macros/judge_by_query",
    "macros/scale_of",
    "macros/judged_twice",
    "macros/common_words",
    "macros/hidden_positives",
    "filters/lowest_positives",
    "filters/filtered_candidates",
    "filters/verdicts",
)
DEFINED = (*MACROS, *VIEWS, *TABLE_MACROS)
# Functions by which a query reads a table without naming it as one word.
# The words alone count, because comments may stand between them and the bracket.
DYNAMIC = re.compile(r"(?<![$\w])(query|query_table|read_parquet|parquet_scan)\b", re.IGNORECASE)

Prepare = Callable[["duckdb.DuckDBPyConnection", frozenset[str]], None]
"""A function that gives a connection what is called by these names, and raises an error if it is damaged."""
_PREPARE: "WeakKeyDictionary[duckdb.DuckDBPyConnection, Prepare]" = WeakKeyDictionary()


def text(path: str) -> str:
    """Return the text of `sql/<path>.sql`."""
    return files("curate.sql").joinpath(f"{path}.sql").read_text("utf-8")


def select(
    connection: "duckdb.DuckDBPyConnection",
    path: str,
    /,
    **parameters: Any,
) -> "duckdb.DuckDBPyRelation":
    """Return the rows of the query in `sql/<path>.sql`; parameters that it does not name are ignored."""
    statement = code(path)
    return query(connection, statement, _bound(statement, parameters))


def execute(connection: "duckdb.DuckDBPyConnection", path: str, /, **parameters: Any) -> None:
    """Run the statement in `sql/<path>.sql`; parameters that it does not name are ignored."""
    statement = code(path)
    prepare(connection, statement)
    connection.execute(statement, _bound(statement, parameters))


def query(
    connection: "duckdb.DuckDBPyConnection", statement: str, parameters: Mapping[str, Any] | None = None
) -> "duckdb.DuckDBPyRelation":
    """Return the rows of a query, after preparing what it reads (`prepare_reads`)."""
    prepare(connection, statement)
    return connection.sql(statement, params=dict(parameters) if parameters else None)


def prepare_reads(connection: "duckdb.DuckDBPyConnection", by: Prepare) -> None:
    """Have `by` called with the names that a statement on `connection` reads, before it runs."""
    _PREPARE[connection] = by


def cursor(connection: "duckdb.DuckDBPyConnection") -> "duckdb.DuckDBPyConnection":
    """Return a connection of its own to the same tables, prepared in the same way."""
    other = connections.remember(connection.cursor())
    if connection in _PREPARE:
        _PREPARE[other] = _PREPARE[connection]
    return other


def prepare(connection: "duckdb.DuckDBPyConnection", statement: str) -> None:
    """Prepare what a statement reads, or a single name (`prepare_reads`)."""
    by = _PREPARE.get(connection)
    if by:
        by(connection, names_read(statement))


def tables_of(names: Iterable[str]) -> set[str]:
    """Return the tables whose shards some of the names stand for."""
    return {_tables_named()[name] for name in names if name in _tables_named()}


@cache
def names_read(statement: str) -> frozenset[str]:
    """Return the names of all shards, views and macros that a statement reads, directly or through others.

    Every word of the statement that is such a name counts. These may be too many names, but never too few.
    """
    if DYNAMIC.search(statement):
        return known_names()
    words, read = _words(statement), set[str]()
    while words:
        read |= words & known_names()
        words = set().union(*(_words_of().get(word, ()) for word in words)) - read
    return frozenset(read)


@cache
def known_names() -> frozenset[str]:
    """Return the names of all shards, views and macros."""
    return frozenset({STAGES, *_tables_named(), *_words_of()})


@cache
def _tables_named() -> dict[str, str]:
    return {SHARDS_OF.get(table, table): table for table in TABLES} | SOME_SHARDS_OF


@cache
def _words_of() -> dict[str, set[str]]:
    """Return the words in the definition of each view and macro."""
    return {path.rpartition("/")[2]: _words(code(path)) for path in DEFINED}


def _words(statement: str) -> set[str]:
    return set(re.findall(r"\w+", statement.lower()))


def _bound(statement: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return only the parameters that a statement names, because DuckDB refuses any others."""
    return {name: parameters[name] for name in parameter_names(statement)}


def parameter_names(statement: str) -> list[str]:
    """Return the names of a statement's parameters, sorted; comments are ignored."""
    return sorted(set(re.findall(r"\$([a-z_]+)", _without_comments(statement))))


@cache
def code(path: str) -> str:
    """Return the text of `sql/<path>.sql` without its comments, which may name tables that it does not read."""
    return _without_comments(text(path))


def _without_comments(statement: str) -> str:
    return re.sub(r"--.*", "", statement)


def report_names() -> list[str]:
    """Return the names of the queries in `sql/reports`, sorted."""
    folder = files("curate.sql").joinpath("reports")
    return sorted(entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql"))


def view_names() -> list[str]:
    """Return the names of the views, in the order in which they build on each other."""
    return [path.rpartition("/")[2] for path in VIEWS]


def path_of(relation: str) -> str | None:
    """Return the SQL file that defines a table or view, by the name that queries use, or None."""
    views = {path.rpartition("/")[2]: path for path in VIEWS}
    tables = {name: f"tables/{table}" for name, table in {**_tables_named(), STAGES: STAGES}.items()}
    return views.get(relation) or (tables.get(relation) if relation not in SOME_SHARDS_OF else None)


def read_directly(relation: str) -> list[str]:
    """Return the names of the shards, views and macros that the definition of a view names, in its order."""
    path = path_of(relation)
    words = re.findall(r"\w+", code(path).lower()) if path else []
    return [word for word in dict.fromkeys(words) if word in known_names() and word != relation]


def purpose(path: str) -> str:
    """Return the first line of a SQL file without its comment marker: the purpose and the grain."""
    return text(path).partition("\n")[0].removeprefix("-- ")


@cache
def schema(table: str) -> "pa.Schema":
    """Return the Arrow schema of a table's shards, read from `sql/tables`."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(text(f"tables/{table}"))
        return connection.table(SHARDS_OF.get(table, table)).to_arrow_table().schema


def define(
    connection: "duckdb.DuckDBPyConnection",
    shards: Callable[[str], Iterable[Path]],
    names: Collection[str],
) -> None:
    """Create the tables (as views over their Parquet shards), macros and views called `names` on `connection`.

    shards: a function from a table to its shards. What the names read must be among them, or be there already.
    """
    for table in TABLES:
        name = SHARDS_OF.get(table, table)
        if name in names:
            connection.read_parquet([str(path) for path in shards(table)]).create_view(name, replace=True)
    for path in DEFINED:
        if path.rpartition("/")[2] in names:
            connection.execute(text(path))


def connect(path: str = ":memory:", **config: Any) -> "duckdb.DuckDBPyConnection":
    """Return a DuckDB connection that never reads Python variables and never loads an extension.

    A file is stored in the format of DuckDB 1.5, which every later version opens.
    """
    import duckdb

    options: dict[str, Any] = {
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "storage_compatibility_version": "v1.5.0",
    }
    return connections.remember(duckdb.connect(path, config={**options, **config}))
