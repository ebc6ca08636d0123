"""Parsers that turn a line into the raw values of its fields: JSON objects, or columns of text."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from curate.errors import BadInput
from curate.load.csv_records import Csv
from curate.load.fields import FIELDS, Field, OtherForm, Unfit, locate, located
from curate.load.lines import LONGEST_LINE, first_line
from curate.load.shown import argument, printable, shown
from curate.load.training_rows import training_form
from curate.load.value_checks import decoded, kind_of

JSON_NAMES = re.compile(r"\.(jsonl|ndjson|json)(\.(gz|zst))?$", re.IGNORECASE)
KEY = re.compile(rb'"(\w{1,40})"\s*:')
BEGINNING = 65_536  # bytes of an array in which the names of its objects are looked for
CSV_NAMES = re.compile(r"\.csv(\.(gz|zst))?$", re.IGNORECASE)
TABS, SEPARATORS = Csv("\t"), (Csv(","), Csv(";"))
RUN_COLUMNS = 6
QREL_COLUMNS = {2: (0, 1, None), 3: (0, 1, 2), 4: (0, 2, 3)}
MANY_LAYOUTS = 1000
TOO_DEEP = "broken JSON: nested too deeply"


def is_json(path: Path, head: bytes) -> bool:
    """Return whether a file holds JSON lines; raises BadInput if its JSON is not one object a line."""
    start = head.lstrip()[:1]
    named = JSON_NAMES.search(path.name) is not None
    number, first = first_line(head)
    if start == b"[" and (named or b"\t" not in first):
        _refuse_array(path, number, head, first)
    if start == b"{" and _goes_on(first, head):
        raise BadInput(
            "found a JSON object on several lines, expected one object per line",
            run=f"jq -c . {argument(path)}",
            file=shown(path),
            line=number,
        )
    return named or start == b"{"


def _refuse_array(path: Path, number: int, head: bytes, first: bytes) -> None:
    """Raise BadInput for a file that begins with a JSON array, with the form of its objects if it is known."""
    form = training_form({name.decode("utf-8", "replace") for name in KEY.findall(head[:BEGINNING])})
    if form:
        raise BadInput(str(form), file=shown(path), line=number)
    with suppress(ValueError, RecursionError):
        json.loads(first)
        if head.partition(first)[2].strip():
            raise BadInput(
                "found a JSON array on each line, as ColBERT's triples are, expected one object per line",
                file=shown(path),
                line=number,
            )
    raise BadInput(
        "found a JSON array, expected JSON lines (one object per line)",
        run=f"jq -c '.[]' {argument(path)}",
        file=shown(path),
        line=number,
    )


def _goes_on(first: bytes, head: bytes) -> bool:
    """Return whether the JSON object that begins on the first line ends on a later one."""
    if not first.rstrip().endswith((b"{", b"[", b",", b":")):
        return False
    try:
        text = head.lstrip().decode("utf-8", "replace")
        _object, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return first.strip() in {b"{", b"["}
    return "\n" in text[:end]


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
        layout = self.layouts.get(keys) or self._layout(keys, row)
        if _may_hide_twins(line, row):
            refuse_twins(line, layout)
        return [row.get(place) for place in layout]

    def _layout(self, keys: tuple[str, ...], row: dict[str, Any]) -> tuple[str | None, ...]:
        if len(self.layouts) >= MANY_LAYOUTS:
            self.layouts.clear()
        try:
            return self.layouts.setdefault(keys, locate(keys, self.fields))
        except Unfit as unfit:
            found = next((row[name] for name in self.fields[0].names if name in row), None)
            unfit.query_id = str(found) if type(found) in (str, int) else None
            raise


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
    counts = Counter(key for key, _value in pairs)
    for key in layout:
        if key is not None and counts[key] > 1:
            raise Unfit(f"duplicate key: '{key}' appears {counts[key]} times")


class Columns:
    """A parser that takes the fields out of lines of columns, by their positions."""

    def __init__(
        self,
        cells: Callable[[bytes], list[str]],
        width: int,
        places: Sequence[int | None],
        absent: str | None,
    ) -> None:
        self.cells = cells
        self.width = width
        self.places = places
        self.absent = absent

    def __call__(self, line: bytes) -> list[str | None]:
        """Return the values of the fields; raises Unfit."""
        if len(line) > LONGEST_LINE:
            raise Unfit(f"line over {LONGEST_LINE >> 20} MiB")
        cells = self.cells(line)
        if len(cells) != self.width:
            unfit = Unfit(f"wrong number of columns: found {len(cells)}, expected {self.width}")
            place = self.places[0]
            unfit.query_id = cells[place] if place is not None and place < len(cells) > 1 else None
            raise unfit
        return [self.absent if place is None else cells[place] for place in self.places]


@dataclass(frozen=True)
class Layout:
    """How a file of columns is read."""

    parse: Columns
    header: bool
    """Whether its first line is a header."""
    csv: Csv | None = None
    """The form of its records, if cells may be quoted and hold line ends."""


def split(line: bytes, *, spaced: bool = False) -> list[str]:
    """Return the columns of a line, split at tabs, or at white space if `spaced` and the line has no tab."""
    cells = decoded(line).removesuffix("\r")
    return cells.split() if spaced and "\t" not in cells else cells.split("\t")


def _plain(line: bytes, *, ids: Sequence[int | None], spaced: bool = False) -> list[str]:
    """Return the columns of a line without quoting; raises Unfit if one of the columns `ids` is quoted.

    spaced: whether the line is one of labels, whose columns may be separated by white space.
    """
    cells = split(line, spaced=spaced)
    while spaced and len(cells) > max(QREL_COLUMNS) and not cells[-1]:
        cells.pop()  # a tab at the end of a line, as trec_eval allows it
    if b'"' in line:
        for cell in (cells[place] for place in ids if place is not None and place < len(cells)):
            if len(cell) > 1 and cell[0] == cell[-1] == '"':
                raise Unfit(
                    f"quoted id: {cell[:80]}; cells may be quoted only below a header of known names in quotes"
                )
    return cells


def headers(first: bytes, *, labels: bool) -> list[tuple[list[str], Csv | None]]:
    """Return the names that a file's first line may hold, each with the form of the records if it is a header.

    Tabs separate unless the line has none. Then a quoted name says that cells are quoted, and qrels are quoted as
    BEIR writes them. White space separates only labels.
    """
    try:
        if b"\t" in first:
            return [(_names(TABS.cells(first)), TABS if labels or b'"' in first else None)]
        separated = [(_names(csv.cells(first)), csv) for csv in SEPARATORS if csv.separator.encode() in first]
        return [*separated, (_names(split(first, spaced=labels)), None)]
    except Unfit:
        return []


def _names(cells: list[str]) -> list[str]:
    return [cell.strip().lower() for cell in cells]


def columns(kind: str, path: Path, start: bytes) -> Layout:
    """Return how a file of columns that begins with `start` is read; its first line decides.

    Raises BadInput for annotations, for training rows, for a TREC run given as qrels, for a header that lacks a
    field, and for CSV without a header.
    """
    number, first = first_line(start)
    refused, labels = partial(BadInput, file=shown(path), line=number), kind == "qrels"
    if kind == "annotations":
        raise refused("annotations must be JSON lines, Parquet or Arrow, and this file is none of them")
    for names, csv in headers(first, labels=labels):
        layout = _with_header(kind, refused, names, csv)
        if layout:
            return layout
    try:
        cells = _plain(first, ids=(), spaced=labels)
    except Unfit:  # the line is rejected later, when it is read as a row
        cells = []
    if labels and len(cells) == RUN_COLUMNS:
        raise BadInput(
            "a TREC run (6 columns), not qrels",
            file=shown(path),
            line=number,
            run=f"curate mine --run {argument(path)}",
        )
    if CSV_NAMES.search(path.name) or (len(cells) == 1 and b"\t" not in start and b"," in first):
        wanted = ", ".join(field.names[0] for field in FIELDS[kind] if field.needed)
        found = printable(first.decode("utf-8", "replace"))[:80]
        raise refused(f"CSV without a header of known names: found {found}; expected names such as {wanted}")
    if labels and "triples" in path.name.lower():
        raise refused("triples of ids for training (query, positive, negative) by the file's name, not qrels")
    return _without_header(kind, cells)


def _with_header(
    kind: str, refused: Callable[[str], BadInput], names: list[str], csv: Csv | None
) -> Layout | None:
    """Return how a file with a header of these `names` is read, or None if none of them is known."""
    fields, labels = FIELDS[kind], kind == "qrels"
    wanted = fields[:2] if labels and len(names) == 2 else fields
    try:
        found = [None if place is None else names.index(place) for place in locate(names, wanted)]
    except OtherForm as form:
        raise refused(str(form)) from form
    except Unfit as unfit:
        if located(names, wanted):
            raise refused(f"the header has a {unfit}") from unfit
        if located([cell.strip("'`") for cell in names], wanted):
            raise refused(
                f"a header in single quotes or backticks: found {printable(names[0])}; expected names "
                "without quotes, or in double quotes as CSV has them"
            ) from unfit
        return None
    twin = next((names[place] for place in found if place is not None and names.count(names[place]) > 1), None)
    if twin:
        raise refused(f"the header has {names.count(twin)} columns '{twin}', expected one")
    places = (*found, *[None] * (len(fields) - len(found)))
    cells = csv.cells if csv else partial(_plain, ids=places[: 2 if labels else 1], spaced=labels)
    return Layout(Columns(cells, len(names), places, "1" if labels else None), header=True, csv=csv)


def _without_header(kind: str, cells: list[str]) -> Layout:
    places: tuple[int | None, ...]
    if kind != "qrels":
        places = (0, None, 1) if kind == "passages" else (0, 1)
        return Layout(Columns(partial(_plain, ids=(0,)), 2, places, None), header=False)
    width = len(cells) if len(cells) in QREL_COLUMNS else 3
    places = QREL_COLUMNS[width]
    return Layout(Columns(partial(_plain, ids=places[:2], spaced=True), width, places, "1"), header=False)
