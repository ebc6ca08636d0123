"""The screen of `curate annotate`: a query, a passage, and a key for each verdict."""

from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Footer, Static

from curate.annotate.session import Session
from curate.counted import counted
from curate.reports.safe_text import visible

WORDS = {True: "relevant", False: "not relevant", None: "unsure"}
DONE = "All pairs of the sample are judged. Press q to end; b goes back to the last one."


class AnnotateScreen(App[OSError]):
    """One pair at a time. A verdict is on the disk before the next pair is shown.

    It returns the error if one could not be written.
    """

    TITLE = "curate annotate"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    #progress { height: 1; padding: 0 1; color: $text-muted; }
    #query { height: auto; max-height: 40%; border: round $primary; padding: 0 1; text-style: bold; }
    #passages { height: 1fr; border: round $surface-lighten-2; padding: 0 1; }
    #passages:focus { border: round $accent; }
    #title { height: auto; text-style: bold; color: $text-muted; }
    #passage { height: auto; }
    #verdict { height: 1; padding: 0 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("r", "judge('yes')", "relevant"),
        ("n", "judge('no')", "not relevant"),
        ("u", "judge('unsure')", "unsure"),
        ("s", "skip", "skip"),
        ("b", "previous", "back"),
        ("q", "quit", "end"),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield Static(id="progress", markup=False)
        yield Static(id="query", markup=False)
        with VerticalScroll(id="passages"):
            yield Static(id="title", markup=False)
            yield Static(id="passage", markup=False)
        yield Static(id="verdict", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Show the first pair; the arrow keys scroll its passage."""
        self.query_one("#passages").focus()
        self._show()

    def action_judge(self, verdict: str) -> None:
        """Keep a verdict and show the next pair."""
        try:
            self.session.judge({"yes": True, "no": False, "unsure": None}[verdict])
        except OSError as error:
            self.exit(error, return_code=1)
        else:
            self._show()

    def action_skip(self) -> None:
        """Show the next pair; this one comes again at the end."""
        self.session.skip()
        self._show()

    def action_previous(self) -> None:
        """Show the pair before."""
        self.session.back()
        self._show()

    def _show(self) -> None:
        session, pair = self.session, self.session.current
        total = len(session.sheet.pairs)
        place, of_query = session.place_in_query
        self._write(
            "progress", f"{session.sheet.sample_id} · {session.sheet.annotator} · {_bar(session.judged, total)}"
        )
        self._write("query", pair.query if pair else DONE)
        self._write("title", pair.title if pair else "")
        self._write("passage", pair.passage if pair else "")
        known = pair is not None and pair.id in session.verdicts
        self._write(
            "verdict", f"your verdict so far: {WORDS[session.verdicts[pair.id]]}" if pair and known else ""
        )
        passages = self.query_one("#passages")
        passages.border_title = f"passage {place} of {of_query} of this query" if pair else ""
        passages.scroll_home(animate=False)
        self.query_one("#query").border_title = "query" if pair else ""
        self.query_one("#title").display = bool(pair and pair.title)

    def _write(self, name: str, text: str) -> None:
        """Show a text in which nothing can control the terminal."""
        self.query_one(f"#{name}", Static).update(Text(visible(text)))


def _bar(judged: int, total: int) -> str:
    filled = round(20 * judged / max(total, 1))
    return f"{'━' * filled}{'─' * (20 - filled)} {judged:,} of {counted(total, 'pairs')} judged"
