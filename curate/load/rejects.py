"""The rejected rows of a load: their number, the reasons and the first few rows."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from curate.errors import BadInput
from curate.load.shown import printable

SHOWN = 10
BEGINNING = 120


@dataclass
class Rejects:
    """A counter of rejects that keeps a limited number of rows, so that a broken file cannot fill the memory."""

    allowed: int
    """The largest number of rejects with which the other rows are still loaded."""
    count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    kept: list[dict[str, Any]] = field(default_factory=list)

    def add(self, file: str, line: int, reason: str, text: str) -> None:
        """Record one row; rejects are counted by the part of `reason` before the first colon."""
        self.count += 1
        self.reasons[reason.partition(":")[0]] += 1
        if len(self.kept) < max(self.allowed, SHOWN):
            self.kept.append({"file": file, "line": line, "reason": reason, "text": text[:BEGINNING]})

    def refuse_too_many(self) -> None:
        """Raise BadInput, with the first rejects and the count of each reason, if there are more than allowed."""
        if self.count <= self.allowed:
            return
        first = [
            f"  {printable(row['file'])}:{row['line']}: {printable(row['reason'])}: {printable(row['text'])[:80]}"
            for row in self.kept[:SHOWN]
        ]
        more = [f"  ... and {self.count - len(first):,} more"] if self.count > len(first) else []
        counts = [f"  {count:,} x {printable(reason)}" for reason, count in self.reasons.most_common()]
        rows = "row" if self.count == 1 else "rows"
        raise BadInput(
            "\n".join(
                [
                    f"{self.count:,} {rows} cannot be loaded, but --max-rejects is {self.allowed}: "
                    "nothing was loaded.",
                    *first,
                    *more,
                    "by reason:",
                    *counts,
                    f"Fix the files, or load the other rows: --max-rejects {self.count}",
                ]
            )
        )
