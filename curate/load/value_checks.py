"""What a value must be to enter a table. Each check takes the raw values of a row and returns the table's."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from curate.load.fields import FIELDS, Unfit
from curate.load.input_files import Input

Check = Callable[[Sequence[Any]], tuple[Any, ...]]

LONGEST = 1 << 20  # bytes of UTF-8
SHORT = LONGEST // 4  # characters that cannot be longer than that
UNWRITABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")  # an id with any of these breaks TREC and TSV files
INTEGER = re.compile(r"[+-]?[0-9]{1,12}(\.0*)?")
INT32 = 2**31
INT64 = 2**63
KINDS = {
    bool: "true or false",
    bytes: "bytes",
    dict: "an object",
    float: "a number with a fraction",
    int: "a number",
    list: "a list",
    str: "a string",
    type(None): "null",
}


def kind_of(value: Any) -> str:
    """Return what a value is, in words."""
    return KINDS.get(type(value), f"a {type(value).__name__}")


class Id:
    """Takes the ids of one field of one file: strings, or integers, but not both."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind: type | None = None

    def __call__(self, value: Any) -> str:
        """Return the id as a string; raises Unfit."""
        if self.kind is str and type(value) is str and value and not UNWRITABLE.search(value):
            return value  # nearly always; the rest only finds the reason
        if type(value) is bytes:
            value = decoded(value)
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
        if type(value) is float and abs(value) >= INT64:  # what orjson makes of integers from 2^64 on
            raise Unfit(f"{self.name} is a number that is no 64-bit integer; write it as a string")
        if type(value) not in (str, int):
            raise Unfit(f"{self.name} is not a string: it is {kind_of(value)}")
        if self.kind:
            raise Unfit(
                f"{self.name}s of two kinds in one file: this one is {kind_of(value)}, those before it are not"
            )
        self.kind = type(value)


def decoded(value: bytes) -> str:
    """Return the text of UTF-8 bytes; raises Unfit that names the first byte that is none."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Unfit(f"not UTF-8: byte 0x{value[error.start]:02x} at offset {error.start}") from error


def text_of(value: Any, name: str = "text") -> str:
    """Return a text that says something; raises Unfit. Control characters in it are data."""
    if type(value) is str and len(value) <= SHORT and value and not value.isspace():
        return value  # nearly always; the rest only finds the reason
    value = optional_text(value, name)
    if value is None:
        raise Unfit(f"{name} is not a string: it is null")
    if not value or value.isspace():
        raise Unfit(f"empty {name}")
    return str(value)


def optional_text(value: Any, name: str) -> str | None:
    """Return a text, which may be empty, or None for null; raises Unfit."""
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
    """Return an integer relevance; 1.0 and "1" are 1. Raises Unfit."""
    if type(value) is str and INTEGER.fullmatch(value):
        value = float(value)
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not -INT32 <= value < INT32:
        raise Unfit(f"relevance is not an integer: {str(value)[:80]!r}")
    return value


def verdict(value: Any) -> bool:
    """Return whether an annotator found the passage relevant: true, false, 1 or 0. Raises Unfit."""
    if type(value) not in (bool, int) or value not in (0, 1):
        raise Unfit(f"relevant is neither true nor false: it is {kind_of(value)}")
    return bool(value)


def passage_check(_file: Input) -> Check:
    """Return the check of a file of passages: (id, title, text)."""
    identity = Id("id")
    return lambda row: (identity(row[0]), optional_text(row[1], "title") or "", text_of(row[2]))


def query_check(file: Input) -> Check:
    """Return the check of a file of queries: (id, text, split)."""
    identity = Id("id")
    split = "unlabeled" if file.kind == "unlabeled" else file.split
    return lambda row: (identity(row[0]), text_of(row[1]), split)


def qrels_check(file: Input) -> Check:
    """Return the check of a file of qrels: (query id, passage id, relevance, split, source)."""
    query, passage = Id("query id"), Id("passage id")
    source = file.path.name
    return lambda row: (query(row[0]), passage(row[1]), relevance(row[2]), file.split, source)


def annotation_check(_file: Input) -> Check:
    """Return the check of a file of annotations: (query id, passage id, relevant, annotator, and the rest)."""
    query, passage = Id("query id"), Id("passage id")
    rest = [field.name for field in FIELDS["annotations"][4:]]

    def check(row: Sequence[Any]) -> tuple[Any, ...]:
        told = (optional_text(value, name) for value, name in zip(row[4:], rest, strict=True))
        return (query(row[0]), passage(row[1]), verdict(row[2]), text_of(row[3], "annotator"), *told)

    return check


CHECKS: dict[str, Callable[[Input], Check]] = {
    "passages": passage_check,
    "queries": query_check,
    "unlabeled": query_check,
    "qrels": qrels_check,
    "annotations": annotation_check,
}
