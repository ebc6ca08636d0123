"""The output of reports: a terminal of any width, a pipe, or a stream that is limited to ASCII."""

import os
import sys

from rich.console import Console
from rich.text import Text

from .safe_text import clean, shorten

PIPED_WIDTH = 100
EIGHTHS = " ▏▎▍▌▋▊▉"
TITLE, DIM = "bold", "dim"


class Page:
    """A rich console, with methods that make text fit it."""

    def __init__(self, console: Console | None = None) -> None:
        fixed = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPED_WIDTH
        self.console = console or Console(width=fixed, highlight=False, markup=False, emoji=False)
        self.encoding = self.console.encoding
        self.unicode = self.encoding.lower().startswith("utf")
        self.width = self.console.width

    def text(self, value: object, style: str = "") -> Text:
        """Return data as text that cannot control the terminal."""
        return Text("" if value is None else clean(str(value), self.encoding), style=style)

    def short(self, value: object, cells: int, style: str = "") -> Text:
        """Return the beginning of the data, in at most `cells` cells."""
        return Text("" if value is None else shorten(str(value), cells, self.encoding), style=style)

    def bar(self, share: float | None, cells: int, style: str = "cyan") -> Text:
        """Return a bar that fills `share` (0 to 1) of `cells`. Any share above 0 is visible."""
        eighths = round((share or 0) * cells * 8)
        if share and not eighths:
            eighths = 1
        if not self.unicode:
            return Text("#" * ((eighths + 7) // 8), style=style)
        full, rest = divmod(eighths, 8)
        return Text("█" * full + (EIGHTHS[rest] if rest else ""), style=style)

    def print(self, *parts: object) -> None:
        """Print renderables below each other."""
        for part in parts:
            self.console.print(part, soft_wrap=False)
