"""The rejected rows of a load: their number, the reasons and the first few rows."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.counted import counted
from curate.errors import RejectedRows
from curate.load.shown import printable

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 10
BEGINNING = 120
HELD_OUT = ("dev", "test")


@dataclass
class Rejects:
    """A counter of rejects that keeps a limited number of rows, so that a broken file cannot fill the memory."""

    allowed: int
    """The largest number of rejects with which the other rows are still loaded."""
    count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    kept: list[dict[str, Any]] = field(default_factory=list)
    claims: set[tuple[str, str, int | None]] = field(default_factory=set)
    """(query id, split, hash of the text or None) of rows of dev and test that are not stored.

    The queries are held out all the same.
    """
    unread: int = 0
    """Rejected rows of dev and test that may name a query, which could not be read."""

    def add(
        self, file: str, line: int, reason: str, text: str, query_id: str | None = None, split: str | None = None
    ) -> None:
        """Record one row; rejects are counted by the part of `reason` before the first colon.

        query_id: the query that the row names, if it could be read. split: the split of the row's file.
        """
        self.count += 1
        self.reasons[reason.partition(":")[0]] += 1
        if len(self.kept) < max(self.allowed, SHOWN):
            self.kept.append({"file": file, "line": line, "reason": reason, "text": text[:BEGINNING]})
        if split in HELD_OUT and self.count <= self.allowed:
            self.claims |= {(query_id, split, None)} if query_id else set()
            self.unread += not query_id

    def refuse_too_many(self, notes: Iterable[str] = ()) -> None:
        """Raise RejectedRows, with the first rejects and the count of each reason, if too many were rejected.

        notes: what is known of the files, which may say why.
        """
        if self.count <= self.allowed:
            return
        first = [
            f"  {printable(row['file'])}:{row['line']}: {printable(row['reason'])}: {printable(row['text'])[:80]}"
            for row in self.kept[:SHOWN]
        ]
        more = [f"  ... and {self.count - len(first):,} more"] if self.count > len(first) else []
        counts = [f"  {count:,} x {printable(reason)}" for reason, count in self.reasons.most_common()]
        raise RejectedRows(
            "\n".join(
                [
                    f"{counted(self.count, 'rows')} cannot be loaded, but --max-rejects is {self.allowed}: "
                    "nothing was loaded.",
                    *first,
                    *more,
                    "by reason:",
                    *counts,
                    *notes,
                    f"Fix the files, or load the other rows: --max-rejects {self.count}",
                ]
            ),
            file=printable(self.kept[0]["file"]),
            line=self.kept[0]["line"],
        )

    def claims_table(self) -> "pa.Table":
        """Return `claims` as a table, sorted."""
        import pyarrow as pa

        schema = sql_files.schema("claims")
        claims = sorted(self.claims, key=lambda claim: (*claim[:2], claim[2] or 0))
        return pa.Table.from_pylist([dict(zip(schema.names, claim, strict=True)) for claim in claims], schema)
