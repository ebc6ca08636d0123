"""What the comments of the SQL files say about a relation, about its columns, and how a named query is called."""

import re
from collections.abc import Iterable
from functools import cache

from curate import sql_files

NAMED = re.compile(r"(?:^|(?<=[.;] ))(\w+): ", re.MULTILINE)
"""The beginning of what a comment says about one column: `rank: the rank in the run`."""
EVERYWHERE = {
    "query_key": "the query, by its number in `queries`",
    "passage_key": "the passage, by its number in `passages`",
    "run_id": "the run, by its id in `runs`",
    "source_run_id": "the run that found it: one that a hybrid run unites, or the run itself",
    "scorer_id": "the scorer, by its model_id in `models`",
    "cutoffs": "the name of the cutoffs, as in `cutoffs`",
    "retriever_score": "the retriever's own score, comparable only within a run",
    "text": "the text, as it was loaded",
    "relevant": "whether it is relevant, as people judged",
}
"""What columns of these names are, in every relation that does not say otherwise itself."""
BEHIND = re.compile(r"^ +(\w+) .*?-- (.*)$", re.MULTILINE)
"""A column of a table, and the comment behind it."""


def header(path: str) -> list[str]:
    """Return the lines of the comment at the beginning of a SQL file; the first is its purpose."""
    comment = re.match(r"(?:--.*\n)*", sql_files.text(path))
    return [line.removeprefix("--").strip() for line in comment[0].splitlines()] if comment else []


def example(path: str) -> str | None:
    """Return the command that a named query's file gives as its example."""
    found = [line.removeprefix("Example: ") for line in header(path) if line.startswith("Example: ")]
    return found[0] if found else None


def of_columns(relation: str, columns: Iterable[str]) -> dict[str, str]:
    """Return column -> what the SQL files say about it, for the columns of a table or view that they explain.

    A column of which the view's own file says nothing is explained where the view takes it from.
    """
    asked, said = [relation], dict[str, str]()
    for name in asked:  # it grows while it is read: what a view reads comes after the view
        path = sql_files.path_of(name)
        said = {**(_said(path) if path else {}), **said}
        if name == relation:
            said = {**EVERYWHERE, **said}
        asked += [inner for inner in sql_files.read_directly(name) if inner not in asked]
    return {column: said[column] for column in columns if column in said}


@cache
def _said(path: str) -> dict[str, str]:
    text = "\n".join(header(path)[1:])
    begun = list(NAMED.finditer(text))
    ends = [*(match.start() for match in begun[1:]), len(text)]
    named = {match[1]: " ".join(text[match.end() : end].split()) for match, end in zip(begun, ends, strict=False)}
    behind = dict(BEHIND.findall(sql_files.text(path))) if path.startswith("tables/") else {}
    return {**named, **behind}
