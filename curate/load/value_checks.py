"""Checks of the values in a row. Each check takes raw values and returns the values for the table."""

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from curate.load.fields import FIELDS, Unfit
from curate.load.input_files import Input
from curate.load.shown import file_name

Check = Callable[[Sequence[Any]], tuple[Any, ...]]

LONGEST = 1 << 20  # bytes of UTF-8
SHORT = LONGEST // 4  # characters; a text of this length cannot exceed LONGEST
UNWRITABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ufeff]")  # an id with one of them breaks TREC and TSV files
NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{0,12})?([eE][+-]?[0-9]{1,2})?")
INT32 = 2**31
EXACT = 2**53  # from here on, a float stands for several whole numbers
KINDS = {
    bool: "true or false",
    bytes: "bytes",
    dict: "an object",
    Decimal: "a number with a fraction",
    float: "a number with a fraction",
    int: "a number",
    list: "a list",
    str: "a string",
    type(None): "null",
}


def kind_of(value: Any) -> str:
    """Return the type of a value, in words."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"the number {value}"
    return KINDS.get(type(value), f"a {type(value).__name__}")


def whole(value: Any) -> Any:
    """Return a float or a decimal that holds a whole number exactly as an int, and any other value as it is."""
    if type(value) is float and value.is_integer() and abs(value) < EXACT:
        return int(value)
    if type(value) is Decimal and value.is_finite() and value == value.to_integral_value():
        return int(value)
    return value


class Id:
    """A check of the ids in one field of one file, which must be all strings or all integers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind: type | None = None

    def __call__(self, value: Any) -> str:
        """Return the id as a string; raises Unfit."""
        if self.kind is str and type(value) is str and value and not UNWRITABLE.search(value):
            return value  # the fast path, taken nearly always
        value = whole(decoded(value) if type(value) is bytes else value)
        if type(value) is not self.kind:
            self._meet(value)
        if type(value) is int:
            return str(value)
        if not value or value.isspace():
            raise Unfit(f"empty {self.name}")
        if UNWRITABLE.search(value):
            raise Unfit(f"{self.name} with white space or control characters: {value[:80]!r}")
        return str(value)

    def _meet(self, value: Any) -> None:
        if type(value) is float and abs(value) >= EXACT:  # orjson reads integers from 2^64 on as floats
            raise Unfit(f"{self.name} is a number too large to be read exactly: {value}; write it as a string")
        if type(value) not in (str, int):
            raise Unfit(f"{self.name} is not a string: it is {kind_of(value)}")
        if self.kind:
            raise Unfit(
                f"{self.name}s of two kinds in one file: this one is {kind_of(value)}, the earlier ones are not"
            )
        self.kind = type(value)


def decoded(value: bytes) -> str:
    """Return the text of UTF-8 bytes; raises Unfit with the first byte that is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Unfit(f"not UTF-8: byte 0x{value[error.start]:02x} at offset {error.start}") from error


def text_of(value: Any, name: str = "text") -> str:
    """Return a text; raises Unfit if it is missing, blank or too long. Control characters are allowed."""
    if type(value) is str and len(value) <= SHORT and value and not value.isspace():
        return value  # the fast path, taken nearly always
    value = optional_text(value, name)
    if value is None:
        raise Unfit(f"{name} is not a string: it is null")
    if not value or value.isspace():
        raise Unfit(f"empty {name}")
    return str(value)


def optional_text(value: Any, name: str) -> str | None:
    """Return a text, which may be empty, or None for null; raises Unfit if it is not a text or too long."""
    if type(value) is bytes:
        value = decoded(value)
    if value is None:
        return None
    if type(value) is not str:
        raise Unfit(f"{name} is not a string: it is {kind_of(value)}")
    if len(value) > SHORT and len(value.encode()) > LONGEST:
        raise Unfit(f"{name} over 1 MiB: {len(value):,} characters")
    return value


def relevance(value: Any) -> int:
    """Return an integer relevance; 1.0, "1" and true count as 1. Raises Unfit for other values."""
    if type(value) is bytes:
        value = decoded(value)
    number = whole(Decimal(value) if type(value) is str and NUMBER.fullmatch(value) else value)
    if type(number) not in (int, bool):
        found = repr(value[:80]) if type(value) is str else f"it is {kind_of(value)}"
        raise Unfit(f"relevance is not an integer: {found}")
    if not -INT32 <= number < INT32:
        raise Unfit(f"relevance is not an integer of 32 bits: {value}")
    return int(number)


def verdict(value: Any) -> bool | None:
    """Return an annotator's verdict: true, false, 1, 0 or null (unsure); raises Unfit for other values."""
    if value is None:
        return None
    number = whole(value)
    if type(number) not in (bool, int) or number not in (0, 1):
        raise Unfit(f"relevant is neither true, false nor null: it is {kind_of(value)}")
    return bool(number)


def chance(value: Any) -> float | None:
    """Return a chance above 0 and up to 1, or None for null; raises Unfit for other values."""
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 < value <= 1:
        found = f"it is {kind_of(value)}" if type(value) not in (int, float) else value
        raise Unfit(f"inclusion is not a chance above 0 and up to 1: {found}")
    return float(value)


def passage_check(_file: Input) -> Check:
    """Return the check for a file of passages, which gives (id, title, text); title or text may be empty."""
    identity = Id("id")

    def check(row: Sequence[Any]) -> tuple[Any, ...]:
        title = optional_text(row[1], "title") or ""
        text = optional_text(row[2], "text") if title and not title.isspace() else text_of(row[2])
        return identity(row[0]), title, text or ""

    return check


def query_check(file: Input) -> Check:
    """Return the check for a file of queries, which gives (id, text, split)."""
    identity = Id("id")
    split = "unlabeled" if file.kind == "unlabeled" else file.split

    def check(row: Sequence[Any]) -> tuple[Any, ...]:
        query_id = identity(row[0])
        try:
            return (query_id, text_of(row[1]), split)
        except Unfit as unfit:
            unfit.query_id = query_id
            raise

    return check


def qrels_check(file: Input) -> Check:
    """Return the check for a file of qrels, which gives (query id, passage id, relevance, split, source)."""
    query, passage = Id("query id"), Id("passage id")
    source = Path(file_name(file.path)).name

    def check(row: Sequence[Any]) -> tuple[Any, ...]:
        query_id = query(row[0])
        try:
            return (query_id, passage(row[1]), relevance(row[2]), file.split, source)
        except Unfit as unfit:
            unfit.query_id = query_id
            raise

    return check


def annotation_check(_file: Input) -> Check:
    """Return the check for a file of annotations.

    It gives (query id, passage id, relevant, annotator) and the optional fields.
    """
    query, passage = Id("query id"), Id("passage id")
    rest = [field.name for field in FIELDS["annotations"][4:7]]

    def check(row: Sequence[Any]) -> tuple[Any, ...]:
        optional = (optional_text(value, name) for value, name in zip(row[4:7], rest, strict=True))
        judged = (query(row[0]), passage(row[1]), verdict(row[2]), text_of(row[3], "annotator"))
        return (*judged, *optional, chance(row[7]))

    return check


CHECKS: dict[str, Callable[[Input], Check]] = {
    "passages": passage_check,
    "queries": query_check,
    "unlabeled": query_check,
    "qrels": qrels_check,
    "annotations": annotation_check,
}
