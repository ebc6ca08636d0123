"""A session of one annotator: which pair comes next, and what becomes of a verdict."""

from curate.annotate.journal import Journal
from curate.annotate.sheet import Pair, Sheet


class Session:
    """The pairs of a sheet, one at a time, from the first without a verdict; skipped ones come last."""

    def __init__(self, sheet: Sheet, journal: Journal) -> None:
        self.sheet, self.journal = sheet, journal
        self.verdicts = {**sheet.verdicts, **journal.verdicts}
        self._skipped: set[int] = set()
        self._seen: list[int] = []
        self._place = self._after(-1)

    @property
    def current(self) -> Pair | None:
        """The pair to judge; None when all are judged."""
        return None if self._place is None else self.sheet.pairs[self._place]

    @property
    def judged(self) -> int:
        """How many pairs are judged, unsure ones included."""
        return sum(pair.id in self.verdicts for pair in self.sheet.pairs)

    @property
    def place_in_query(self) -> tuple[int, int]:
        """The place of the current pair among those of its query, from 1, and how many these are."""
        same = [pair for pair in self.sheet.pairs if self.current and pair.query_id == self.current.query_id]
        return (same.index(self.current) + 1 if self.current else 0), len(same)

    def judge(self, relevant: bool | None) -> None:
        """Keep a verdict on the current pair, None for unsure, and go on. It is on the disk when this returns."""
        if self.current is not None and self._place is not None:
            self.journal.add(self.current.id, relevant)
            self.verdicts[self.current.id] = relevant
            self._skipped.discard(self._place)
            self._go_on(self._place)

    def skip(self) -> None:
        """Go on without a verdict: nothing is known of the pair, and nothing is kept."""
        if self._place is not None:
            self._skipped.add(self._place)
            self._go_on(self._place)

    def back(self) -> None:
        """Return to the pair before, to judge it again."""
        if self._seen:
            self._place = self._seen.pop()

    def _go_on(self, place: int) -> None:
        self._seen.append(place)
        self._place = self._after(place)

    def _after(self, place: int) -> int | None:
        """Return the next place without a verdict, from the start again after the end, skipped pairs last."""
        count = len(self.sheet.pairs)
        order = [(place + step) % count for step in range(1, count + 1)]
        left = [other for other in order if self.sheet.pairs[other].id not in self.verdicts]
        return next((other for other in left if other not in self._skipped), left[0] if left else None)
