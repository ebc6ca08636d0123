"""Where reports are printed: a terminal of any width, a pipe, or a stream that knows only ASCII."""

import os
import sys

from rich.console import Console
from rich.text import Text

from .safe_text import clean, shorten

PIPED_WIDTH = 100
EIGHTHS = " ▏▎▍▌▋▊▉"
TITLE, DIM = "bold", "dim"


class Page:
    """A rich console, and text that fits it."""

    def __init__(self, console: Console | None = None) -> None:
        fixed = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
        self.console = console or Console(width=fixed, highlight=False, markup=False, emoji=False)
        self.encoding = self.console.encoding
        self.unicode = self.encoding.lower().startswith("utf")
        self.width = self.console.width

    def text(self, value: object, style: str = "") -> Text:
        """Return data as text that steers nothing."""
        return Text("" if value is None else clean(str(value), self.encoding), style=style)

    def short(self, value: object, cells: int, style: str = "") -> Text:
        """Return the beginning of data in at most `cells` cells."""
        return Text("" if value is None else shorten(str(value), cells, self.encoding), style=style)

    def bar(self, share: float | None, cells: int, style: str = "cyan") -> Text:
        """Return a bar of `share` (0 to 1) of `cells`; anything above 0 shows."""
        eighths = round((share or 0) * cells * 8)
        if share and not eighths:
            eighths = 1
        if not self.unicode:
            return Text("#" * ((eighths + 7) // 8), style=style)
        full, rest = divmod(eighths, 8)
        return Text("█" * full + (EIGHTHS[rest] if rest else ""), style=style)

    def print(self, *parts: object) -> None:
        """Print renderables one below the other."""
        for part in parts:
            self.console.print(part, soft_wrap=False)


def number(value: object) -> str:
    """Return a count for people: 12,345; nothing for null."""
    return "" if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """Return a share for people: 12.3 %; '-' where there is nothing to divide by."""
    return "-" if share is None else f"{share:.1%}".replace("%", " %")
