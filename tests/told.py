"""Progress that tests read."""

from typing import Any

from curate.progress import Silent


class Told(Silent):
    """Progress that keeps what is said, and the names of the tasks."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def task(self, description: str, total: int, unit: str, done: int = 0) -> Any:
        self.lines.append(description)
        return super().task(description, total, unit, done)

    def say(self, text: str) -> None:
        self.lines.append(text)
