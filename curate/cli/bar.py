"""A progress bar with the rate and the time left, for terminals."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text

from curate.progress import Advance


class Rate(TextColumn):
    """The rate: units per second since the task began."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """Return the rate, not counting the units that were done before the start."""
        moved = task.completed - task.fields["before"]
        rate = moved / task.elapsed if task.elapsed else 0.0
        return Text(f"{rate:,.0f} {task.fields['unit']}/s" if moved else "", style="cyan")


class Bar:
    """Progress on stderr, drawn by rich."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)

    def __reduce__(self) -> tuple[type["Bar"], tuple[()]]:
        """Pickle as a new bar, because a console cannot be pickled."""
        return Bar, ()

    @contextmanager
    def task(self, description: str, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
        """Show a bar while the block runs."""
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with RichProgress(*columns, console=self.console) as bar:
            task = bar.add_task(description, total=total, completed=done, unit=unit, before=done)
            yield lambda count: bar.advance(task, count)

    def say(self, text: str) -> None:
        """Print one line above the bar."""
        self.console.print(Text(text))
