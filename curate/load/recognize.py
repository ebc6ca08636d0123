"""Recognition of what a single file holds, by its columns or else by its name. Nothing is guessed."""

import re
from pathlib import Path

import orjson

from curate.errors import BadInput, BadSettings
from curate.load.fields import FIELDS, OtherForm, Unfit, locate
from curate.load.input_files import Input, by_name
from curate.load.line_formats import QREL_COLUMNS, RUN_COLUMNS, headers, is_json, split
from curate.load.lines import first_line, head
from curate.load.llama_index import PARTS, is_llama_index
from curate.load.shown import argument, shown
from curate.load.tables import table_reader

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


def recognized(path: Path, name: str | None = None) -> list[Input]:
    """Return a file as the inputs of the kinds that it holds; raises BadSettings if the kind is not clear.

    name: the name that tells the kind and the split in place of the file's own.
    """
    name = name or path.name
    start = head(path)
    if is_llama_index(start):
        return [by_name(kind, path, name) for kind in PARTS if kind != "unlabeled"]
    try:
        kind = _by_columns(path, start) or kind_by_name(name)
    except OtherForm as form:
        raise _refusal(form, path) from form
    if kind is None:
        file = argument(path)
        raise BadSettings(
            "neither its columns nor its name tell what it holds. "
            f"Use an option: --passages {file}, --queries {file}, --unlabeled {file} or --qrels {file}",
            file=shown(path),
        )
    return [by_name(kind, path, name)]


def other_form(path: Path) -> BadInput | None:
    """Return the error about a file with the columns of a training set or of a run; None for another file."""
    try:
        _by_columns(path, head(path))
    except OtherForm as form:
        return _refusal(form, path)
    except (BadInput, OSError):  # what cannot be read has no form
        return None
    return None


def _refusal(form: OtherForm, path: Path) -> BadInput:
    return BadInput(str(form), file=shown(path), run=form.run)


def _by_columns(path: Path, start: bytes) -> str | None:
    """Return the kind that the names of the columns tell, or the values of the first row if there is no header."""
    table = table_reader(start)
    if table:
        return _by_names(table.columns(path))
    number, first = first_line(start)
    if is_json(path, start):
        try:
            row = orjson.loads(first)
        except ValueError:
            return None
        return _by_names(list(row)) if isinstance(row, dict) else None
    kinds = [_by_names(names) for labels in (True, False) for names, _csv in headers(first, labels=labels)]
    return next(filter(None, kinds), None) or _by_values(path, number, first)


def _by_names(found: list[str]) -> str | None:
    for kind in ("annotations", "qrels"):
        if _fits(found, kind):
            return kind
    for kind, other in (("passages", "queries"), ("queries", "passages")):
        if _fits(found, kind) and TELLING[kind] & {*found} and not TELLING[other] & {*found}:
            return kind
    return None


def _by_values(path: Path, number: int, first: bytes) -> str | None:
    try:
        found = split(first, spaced=True)
    except Unfit as unfit:
        raise BadInput(str(unfit), file=shown(path), line=number) from unfit
    if len(found) >= RUN_COLUMNS and found[1].upper() == "Q0":
        raise OtherForm("a TREC run (6 columns)", f"curate mine --run {argument(path)}")
    labels = len(found) in QREL_COLUMNS and len(found) > 2 and re.fullmatch(r"-?\d+", found[-1])
    return "qrels" if labels else None


def _fits(found: list[str], kind: str) -> bool:
    try:
        locate(found, FIELDS[kind])
    except OtherForm:
        raise
    except Unfit:
        return False
    return True


def kind_by_name(name: str) -> str | None:
    """Return the kind that a word in a file's name tells, or None unless there is exactly one."""
    words = {*re.split(r"[^a-z]+", name.lower())}
    kinds = [kind for kind, stems in STEMS.items() if stems & words]
    return kinds[0] if len(kinds) == 1 else None
