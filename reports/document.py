"""What a report for people consists of, whatever its form: HTML and Markdown show the same parts.

The texts in it are plain: each form escapes them. What comes from a collection is `clean`, on one line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

State = Literal["good", "care", "bad", "unknown", "plain"]
"""good, care and bad: an answer that is fine, doubtful, or wrong. plain: a figure that is neither."""


@dataclass(frozen=True)
class Tile:
    """A figure of the first screen, in words."""

    title: str
    value: str
    detail: str
    state: State = "plain"
    advice: str = ""
    """What to do if it is not good."""
    interval: str = ""
    """The 95 % interval of an estimate, for a terminal, which leaves out `detail`."""


@dataclass(frozen=True)
class Table:
    """Rows of texts under heads. The first column has names, the others figures, unless `texts` says otherwise."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    about: str = ""
    """What the rows are, for those who cannot see where the table stands."""
    texts: Sequence[str] = ()
    """The heads of further columns that hold texts."""
    marked: Sequence[int] = ()
    """The rows that are in force, or sums."""


@dataclass(frozen=True)
class Bar:
    """A share with its interval, if that is known. No share: there is no bar, and `note` says why."""

    label: str
    share: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Bars:
    """Horizontal bars, one below the other, of shares from 0 to 1."""

    title: str
    about: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Line:
    """Points that belong together. A point without a value interrupts the line."""

    name: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Lines:
    """Lines over a common axis."""

    title: str
    about: str
    x: str
    y: str
    lines: Sequence[Line]
    log_x: bool = False
    mark: float | None = None
    """The place on the horizontal axis that is in force."""
    diagonal: bool = False
    """Whether the line of equal values is drawn."""
    shares: bool = True
    """Whether the vertical axis has shares from 0 to 1; else it fits the values."""


@dataclass(frozen=True)
class Histogram:
    """Shares by bin, one strip for each series, below each other on one axis from 0 to 1."""

    title: str
    about: str
    x: str
    series: Sequence[tuple[str, Sequence[float]]]
    marks: Sequence[tuple[float, str]] = ()


Chart = Bars | Lines | Histogram


@dataclass(frozen=True)
class Word:
    """A piece of a text; shared: query and passage have it in common."""

    text: str
    shared: bool = False


@dataclass(frozen=True)
class Passage:
    """A text of a collection, with what is known about it."""

    label: str
    about: str
    text: Sequence[Word]


@dataclass(frozen=True)
class Card:
    """A query with passages."""

    title: str
    about: str
    passages: Sequence[Passage]


@dataclass(frozen=True)
class Figure:
    """A chart and the table of its data."""

    chart: Chart | None
    table: Table


@dataclass(frozen=True)
class Section:
    """A part of a report: what it answers, its figures, and how to read them."""

    name: str
    title: str
    lead: str
    """The answer, in a sentence or two."""
    figures: Sequence[Figure] = ()
    cards: Sequence[Card] = ()
    how: str = ""
    """How to read the figures."""


@dataclass(frozen=True)
class Document:
    """A report for people: the answer on the first screen, then sections."""

    title: str
    question: str
    answer: str
    trust: str
    """Whether the answer can be trusted, in a sentence."""
    tiles: Sequence[Tile]
    about: Sequence[tuple[str, str]]
    """Names and values that say what the report is about."""
    warnings: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=tuple)
