"""Recognition of what a single file holds, by its columns or else by its name. Nothing is guessed."""

import re
from pathlib import Path

import orjson

from curate.errors import BadInput, BadSettings
from curate.load.fields import FIELDS, Unfit, locate
from curate.load.input_files import Input, by_name
from curate.load.line_formats import QREL_COLUMNS, RUN_COLUMNS, is_json, split
from curate.load.lines import PARQUET, first_line, head
from curate.load.parquet_rows import parquet_columns
from curate.suggest import curate_command

# Column names that only passages, or only queries, have.
TELLING = {
    "passages": {
        "title",
        "contents",
        "passage",
        "body",
        "content",
        "passage_id",
        "docid",
        "doc_id",
        "pid",
        "docno",
    },
    "queries": {"query", "question", "query_id", "qid"},
}
STEMS = {
    "passages": {"corpus", "collection", "passages", "passage"},
    "queries": {"queries", "query", "questions"},
    "unlabeled": {"unlabeled"},
    "qrels": {"qrels"},
    "annotations": {"annotations"},
}


def recognized(path: Path) -> Input:
    """Return a file as an input of the kind that it holds; raises BadSettings if the kind is not clear."""
    kind = _by_columns(path, _columns(path)) or kind_by_name(path)
    if kind is None:
        raise BadSettings(
            f"{path}: neither its columns nor its name tell what it holds. "
            f"Use an option: --passages {path}, --queries {path}, --unlabeled {path} or --qrels {path}"
        )
    return by_name(kind, path)


def _columns(path: Path) -> list[str]:
    """Return the names of the columns, or the values of the first row if there is no header."""
    start = head(path)
    if start.startswith(PARQUET):
        return parquet_columns(path)
    number, first = first_line(start)
    if not is_json(path, start):
        try:
            return split(first, spaced=True)
        except Unfit as unfit:
            raise BadInput(f"{path}:{number}: {unfit}") from unfit
    try:
        row = orjson.loads(first)
    except ValueError:
        return []
    return list(row) if isinstance(row, dict) else []


def _by_columns(path: Path, found: list[str]) -> str | None:
    for kind in ("annotations", "qrels"):
        if _fits(found, kind):
            return kind
    for kind, other in (("passages", "queries"), ("queries", "passages")):
        if _fits(found, kind) and TELLING[kind] & {*found} and not TELLING[other] & {*found}:
            return kind
    if len(found) == RUN_COLUMNS and found[1].upper() == "Q0":
        raise BadInput(f"{path}: a TREC run (6 columns). Run: {curate_command('mine', '--run', path)}")
    labels = len(found) in QREL_COLUMNS and len(found) > 2 and re.fullmatch(r"-?\d+", found[-1])
    return "qrels" if labels else None


def _fits(found: list[str], kind: str) -> bool:
    try:
        locate(found, FIELDS[kind])
    except Unfit:
        return False
    return True


def kind_by_name(path: Path) -> str | None:
    """Return the kind that a word in a file's name tells, or None unless there is exactly one."""
    words = {*re.split(r"[^a-z]+", path.name.lower())}
    kinds = [kind for kind, stems in STEMS.items() if stems & words]
    return kinds[0] if len(kinds) == 1 else None
