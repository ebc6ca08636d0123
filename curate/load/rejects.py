"""The rows that a load could not take: how many, why, and the first of them."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from curate.errors import BadInput

SHOWN = 10
BEGINNING = 120


@dataclass
class Rejects:
    """Counts every reject and keeps as many as may be wanted: bounded, however broken a file is."""

    allowed: int
    """At most so many, and the rest is loaded."""
    count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    kept: list[dict[str, Any]] = field(default_factory=list)

    def add(self, file: str, line: int, reason: str, text: str) -> None:
        """Take note of one row; rejects are counted by what stands before the first colon of `reason`."""
        self.count += 1
        self.reasons[reason.partition(":")[0]] += 1
        if len(self.kept) < max(self.allowed, SHOWN):
            self.kept.append({"file": file, "line": line, "reason": reason, "text": text[:BEGINNING]})

    def refuse_too_many(self) -> None:
        """Raise BadInput, with the first rejects and a count of all, where there are more than allowed."""
        if self.count <= self.allowed:
            return
        first = [
            f"  {row['file']}:{row['line']}: {printable(row['reason'])}: {printable(row['text'])[:80]}"
            for row in self.kept[:SHOWN]
        ]
        more = [f"  ... and {self.count - len(first):,} more"] if self.count > len(first) else []
        counts = [f"  {count:,} x {printable(reason)}" for reason, count in self.reasons.most_common()]
        rows = "row" if self.count == 1 else "rows"
        raise BadInput(
            "\n".join(
                [
                    f"{self.count:,} {rows} cannot be taken; --max-rejects is {self.allowed}: nothing was loaded.",
                    *first,
                    *more,
                    "in all:",
                    *counts,
                    f"Mend the files, or load the rest: --max-rejects {self.count}",
                ]
            )
        )


def printable(text: str) -> str:
    """Return text in which nothing can move a terminal's cursor: other characters become escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)
