"""Parsers that turn a line into the raw values of its fields: JSON objects, or columns of text."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curate.errors import BadInput
from curate.load.fields import FIELDS, Field, Unfit, locate, located
from curate.load.lines import LONGEST_LINE
from curate.load.value_checks import decoded, kind_of
from curate.suggest import curate_command

JSON_NAMES = re.compile(r"\.(jsonl|ndjson|json)(\.(gz|zst))?$", re.IGNORECASE)
RUN_COLUMNS = 6
QREL_COLUMNS = {2: (0, 1, None), 3: (0, 1, 2), 4: (0, 2, 3)}
MANY_LAYOUTS = 1000
TOO_DEEP = "broken JSON: nested too deeply"


def is_json(path: Path, head: bytes) -> bool:
    """Return whether a file holds JSON lines; raises BadInput if it is one JSON array."""
    start = head.lstrip()[:1]
    named = JSON_NAMES.search(path.name) is not None
    if start == b"[" and (named or b"\t" not in head.partition(b"\n")[0]):
        raise BadInput(
            f"{path}:1: found a JSON array, expected JSON lines (one object per line). "
            f"Convert it: jq -c '.[]' {path.name}"
        )
    return named or start == b"{"


class JsonLines:
    """A parser that takes the fields out of JSON objects, by the names that each object uses."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        import orjson

        self.fields = fields
        self.loads = orjson.loads
        self.layouts: dict[tuple[str, ...], tuple[str | None, ...]] = {}

    def __call__(self, line: bytes) -> list[Any]:
        """Return the values of the fields, or None for an optional field that is missing; raises Unfit."""
        if len(line) > LONGEST_LINE:
            raise Unfit(f"line over {LONGEST_LINE >> 20} MiB")
        try:
            row = self.loads(line)
        except ValueError as error:
            raise broken(line, error) from error
        if type(row) is not dict:
            raise Unfit(f"not an object: found {kind_of(row)}, expected an object")
        keys = tuple(row)
        layout = self.layouts.get(keys) or self._layout(keys)
        if _may_hide_twins(line, row):
            refuse_twins(line, layout)
        return [row.get(place) for place in layout]

    def _layout(self, keys: tuple[str, ...]) -> tuple[str | None, ...]:
        if len(self.layouts) >= MANY_LAYOUTS:
            self.layouts.clear()
        return self.layouts.setdefault(keys, locate(keys, self.fields))


def _may_hide_twins(line: bytes, row: dict[str, Any]) -> bool:
    """Return whether a line may have a key twice, because its quotes are not those that `row` needs.

    A repeated key adds quotes. Nested objects do too, and a backslash in a text makes escaped quotes ambiguous.
    In these cases only a parser that sees every key can tell.
    """
    needed = 2 * (len(row) + [type(value) for value in row.values()].count(str))
    quotes = line.count(b'"')
    return quotes != needed and (b"\\\\" in line or quotes - line.count(b'\\"') != needed)


def broken(line: bytes, error: ValueError) -> Unfit:
    """Return the reason why a line is not valid JSON: its bytes, its depth, a surrogate, or its syntax."""
    try:
        decoded(line)
    except Unfit as unfit:
        return unfit
    reason, column = getattr(error, "msg", str(error)), getattr(error, "pos", 0) + 1
    if "depth" in reason:
        return Unfit(TOO_DEEP)
    if "surrogate" in reason:
        return Unfit(f"lone surrogate: half of a character, at column {column}")
    return Unfit(f"broken JSON: {reason} at column {column}")


def refuse_twins(line: bytes, layout: Sequence[str | None]) -> None:
    """Raise Unfit if the object in a line has one of the keys in `layout` more than once."""
    pairs: list[Any] = []

    def note(found: list[tuple[str, Any]]) -> None:
        pairs[:] = found  # the outermost object closes last, so its pairs remain

    try:
        json.loads(line, object_pairs_hook=note)
    except RecursionError as error:
        raise Unfit(TOO_DEEP) from error
    keys = [key for key, _value in pairs]
    for key in layout:
        if key is not None and keys.count(key) > 1:
            raise Unfit(f"duplicate key: '{key}' appears {keys.count(key)} times")


class Columns:
    """A parser that takes the fields out of lines of columns, by their positions."""

    def __init__(
        self,
        width: int,
        places: Sequence[int | None],
        absent: str | None,
        *,
        spaced: bool,
        quoted: bool = False,
    ) -> None:
        self.width = width
        self.places = places
        self.absent = absent
        self.spaced = spaced
        """Whether any white space separates the columns of a line without a tab (TREC)."""
        self.quoted = quoted
        """Whether cells may be quoted. BEIR's qrels are quoted if an id contains a quotation mark."""

    def __call__(self, line: bytes) -> list[str | None]:
        """Return the values of the fields; raises Unfit."""
        if len(line) > LONGEST_LINE:
            raise Unfit(f"line over {LONGEST_LINE >> 20} MiB")
        cells = split(line, spaced=self.spaced)
        if len(cells) != self.width:
            raise Unfit(f"wrong number of columns: found {len(cells)}, expected {self.width}")
        if self.quoted and b'"' in line:
            cells = [unquoted(cell) for cell in cells]
        return [self.absent if place is None else cells[place] for place in self.places]


def split(line: bytes, *, spaced: bool) -> list[str]:
    """Return the columns of a line, split at tabs, or at white space if `spaced` and the line has no tab."""
    cells = decoded(line).removesuffix("\r")
    return cells.split() if spaced and "\t" not in cells else cells.split("\t")


def unquoted(cell: str) -> str:
    """Return a cell as Python's csv module reads it: without enclosing quotes, and with `""` replaced by `"`."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def columns(kind: str, path: Path, number: int, first: bytes) -> tuple[Columns, bool]:
    """Return the parser for a file of columns and whether its first line is a header; the first line decides both.

    Raises BadInput for annotations, for a TREC run given as qrels, and for a header that lacks a field.
    """
    fields, labels = FIELDS[kind], kind == "qrels"
    if kind == "annotations":
        raise BadInput(f"{path}:{number}: annotations must be JSON lines or Parquet, and this file is neither")
    try:
        cells = split(first, spaced=labels)
    except Unfit:  # the line is rejected later, when it is read as a row
        cells = []
    names = [(unquoted(cell) if labels else cell).strip().lower() for cell in cells]
    wanted = fields[:2] if labels and len(cells) == 2 else fields
    try:
        if labels and len(cells) == RUN_COLUMNS:
            raise BadInput(
                f"{path}: a TREC run (6 columns), not qrels. Run: {curate_command('mine', '--run', path)}"
            )
        found = [None if place is None else names.index(place) for place in locate(names, wanted)]
        places: Sequence[int | None] = (*found, *[None] * (len(fields) - len(found)))
        return Columns(len(cells), places, "1" if labels else None, spaced=labels, quoted=labels), True
    except Unfit as unfit:
        if located(names, wanted):
            raise BadInput(f"{path}:{number}: the header has a {unfit}") from unfit
    if labels:
        width = len(cells) if len(cells) in QREL_COLUMNS else 3
        return Columns(width, QREL_COLUMNS[width], "1", spaced=True), False
    return Columns(2, (0, None, 1) if kind == "passages" else (0, 1), None, spaced=False), False
