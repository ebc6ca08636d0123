"""Figures as people read them."""

from collections.abc import Mapping
from typing import Any


def number(value: object) -> str:
    """Return a count in readable form: 12,345. An empty string for null."""
    return "" if value is None else f"{value:,}"


def at_least(count: int, more: int) -> str:
    """Return a count of which `more` are unknown: '3', or '3 to 5'."""
    return f"{number(count)} to {number(count + more)}" if more else number(count)


def percent(share: float | None) -> str:
    """Return a share in readable form: 12.3 %. A '-' for null, when there was nothing to divide by."""
    return "-" if share is None else f"{share:.1%}".replace("%", " %")


def points(difference: float | None) -> str:
    """Return a difference of shares in readable form: +1.2 points."""
    return "-" if difference is None else f"{100 * difference:+.1f} points"


def between(row: Mapping[str, Any], name: str) -> str:
    """Return the 95 % interval of a rate from `<name>_low` and `<name>_high`: '10.9 to 12.8 %'; '-' if unknown."""
    return span(row.get(f"{name}_low"), row.get(f"{name}_high"))


def span(low: float | None, high: float | None) -> str:
    """Return an interval of a share: '10.9 to 12.8 %'; '-' if it is unknown."""
    return "-" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f} %"


def decimals(value: float | None, places: int = 2) -> str:
    """Return a number with a fixed count of decimals; '-' for null."""
    return "-" if value is None else f"{value:.{places}f}"


def hours(seconds: float | None) -> str:
    """Return a time in readable form: 1.5 h, 12 min, 3 s; '-' for null."""
    if seconds is None:
        return "-"
    if seconds >= 3600:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def ranks(row: Mapping[str, Any]) -> str:
    """Return '4-5', or '1' for a single rank."""
    first, last = row.get("first_rank", row.get("rank")), row.get("last_rank", row.get("rank"))
    return f"{first}" if first == last else f"{first}-{last}"
