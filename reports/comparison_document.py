"""A comparison for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from . import answers
from .comparison import Comparison
from .document import Bar, Bars, Document, Figure, Section, Table
from .figures import number, percent, points

HOW = (
    "The difference is that of the second from the first, with its 95 % interval. Both are asked of the same "
    "queries, which are the units. An interval without 0 means that the difference is no chance of the queries. "
    "It does not say which side is right."
)
FIRST = "false negatives"


def comparison_document(found: Comparison, warnings: Sequence[str] = ()) -> Document:
    """Return a comparison as a document."""
    whole = [row for row in found.figures if row["part"] == "all"]
    kind = {"cutoffs": "cutoffs", "run": "runs", "scorer": "scorers"}[found.first.kind]
    return Document(
        title=f"curate report: {found.first.name} and {found.second.name}",
        question=f"What do the {kind} {found.first.name} and {found.second.name} do otherwise?",
        answer=_answer(found, whole),
        trust="",
        tiles=[],
        about=_about(found),
        warnings=warnings,
        sections=[_figures(found, whole), *_by_rank(found), _decisions(found)],
    )


def _about(found: Comparison) -> list[tuple[str, str]]:
    """Return what both sides have in common, and then what only one has."""
    sides = [answers.about(side.setting) for side in (found.first, found.second)]
    common = [pair for pair in sides[0] if pair in sides[1]]
    apart = [
        (f"{name} of {side.name}", value)
        for side, pairs in zip((found.first, found.second), sides, strict=True)
        for name, value in pairs
        if (name, value) not in common
    ]
    return [*common, *apart]


def _answer(found: Comparison, whole: Sequence[Mapping[str, Any]]) -> str:
    row = next((row for row in whole if row["figure"] == FIRST), None)
    if row is None or row["difference"] is None:
        return "Their shares of false negatives cannot be compared: nothing is scored, or scoring stopped early."
    sure = row["low"] is not None and (row["low"] > 0 or row["high"] < 0)
    interval = "" if row["low"] is None else f", 95 % interval {_span(row)}"
    more = "This is more than chance." if sure else "This may be chance."
    return (
        f"False negatives: {percent(row['first'])} by {found.first.name}, {percent(row['second'])} by "
        f"{found.second.name} (difference {points(row['difference'])}{interval}). {more}"
    )


def _figures(found: Comparison, whole: Sequence[Mapping[str, Any]]) -> Section:
    table = Table(
        ["figure", found.first.name, found.second.name, "difference", "95 % interval", "queries"],
        [_row(row) for row in whole],
        "The figures of both, and the differences",
    )
    return Section("figures", "Side by side", "", [Figure(None, table)], how=HOW)


def _row(row: Mapping[str, Any]) -> list[str]:
    return [
        row["figure"],
        _value(row, "first"),
        _value(row, "second"),
        _change(row, row["difference"]),
        _span(row),
        number(row["paired"]),
    ]


def _value(row: Mapping[str, Any], side: str) -> str:
    if row["unit"] == "share":
        return percent(row[side])
    return "-" if row[side] is None else f"{row[side]:.3f}"


def _change(row: Mapping[str, Any], value: float | None) -> str:
    if row["unit"] == "share":
        return points(value)
    return "-" if value is None else f"{value:+.3f}"


def _span(row: Mapping[str, Any]) -> str:
    low, high = _change(row, row["low"]), _change(row, row["high"])
    return "-" if row["low"] is None else f"{low.removesuffix(' points')} to {high}"


def _by_rank(found: Comparison) -> list[Section]:
    rows = [row for row in found.figures if row["part"] != "all" and row["figure"] == FIRST]
    if not any(row["first"] is not None for row in rows):
        return []
    table = Table(
        ["rank", found.first.name, found.second.name, "difference", "95 % interval", "queries"],
        [[row["part"].removeprefix("rank "), *_row(row)[1:]] for row in rows],
        "False negatives by range of ranks",
    )
    chart = Bars(
        "False negatives by rank",
        "For each range of ranks, a bar for each side: the share of unjudged candidates that are false negatives.",
        [
            Bar(f"{row['part']}: {side.name}", row[key], note="unknown")
            for row in rows
            for side, key in ((found.first, "first"), (found.second, "second"))
        ],
    )
    return [Section("by_rank", "False negatives by rank", "", [Figure(chart, table)])]


def _decisions(found: Comparison) -> Section:
    alike = sum(row["pairs"] for row in found.decisions if row["first"] == row["second"])
    total = sum(row["pairs"] for row in found.decisions)
    table = Table(
        [found.first.name, found.second.name, "pairs"],
        [
            [row["first"].replace("_", " "), row["second"].replace("_", " "), number(row["pairs"])]
            for row in found.decisions
        ],
        "Decisions of both on the same pairs",
        texts=[found.second.name],
    )
    lead = f"They decide alike about {percent(alike / total if total else None)} of {number(total)} pairs."
    return Section("decisions", "Where they decide otherwise", lead, [Figure(None, table)] if total else [])
