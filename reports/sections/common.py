"""What several sections share."""

from collections.abc import Mapping, Sequence
from typing import Any

from curate import judges
from curate.reports.captions import CAPTIONS
from curate.reports.document import Bar, Bars, Figure, Table
from curate.reports.figures import between, number, percent
from curate.reports.report_rows import Report, ReportRow
from curate.reports.safe_text import clean

STOPPED = "scoring stopped early"


def caption(found: Report) -> str:
    """Return how to read a report, as below it in a terminal, where a table has its bars in a column."""
    about: dict[str, Any] = {**found.parameters, **found.setting}
    if found.setting:
        about["scorer_id"] = judges.in_words(found.setting)
    return CAPTIONS.get(found.name, "").format_map(about).replace(" (the bar)", "")


def rate_bars(title: str, about: str, rows: Sequence[ReportRow], labels: Sequence[str], rate: str) -> Bars:
    """Return a bar with its interval for each row, of the share called `rate`."""
    return Bars(
        title,
        about,
        [
            Bar(label, row[f"{rate}_rate"], row.get(f"{rate}_low"), row.get(f"{rate}_high"), _why(row, rate))
            for row, label in zip(rows, labels, strict=True)
        ],
    )


def _why(row: Mapping[str, Any], rate: str) -> str:
    if row[f"{rate}_rate"] is not None:
        return ""
    return STOPPED if row.get("unscored") and row["unjudged"] else "nothing is judged"


def rates_table(head: str, rows: Sequence[ReportRow], labels: Sequence[str], about: str) -> Table:
    """Return the shares of false negatives and of denoised candidates with their intervals."""
    return Table(
        [head, "unjudged", "false negatives", "95 % interval", "denoised", "unscored"],
        [
            [
                label,
                number(row["unjudged"]),
                percent(row["false_negative_rate"]),
                between(row, "false_negative"),
                percent(row["denoised_rate"]),
                number(row["unscored"]),
            ]
            for row, label in zip(rows, labels, strict=True)
        ],
        about,
    )


def plain_table(found: Report) -> Figure:
    """Return the rows of any report as a table."""
    heads = list(found.rows[0]) if found.rows else []
    return Figure(
        None,
        Table(
            [head.replace("_", " ") for head in heads],
            [[_cell(row[head]) for head in heads] for row in found.rows],
        ),
    )


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, float):
        return f"{value:g}"
    return number(value) if isinstance(value, int) else clean(str(value))[:200]
