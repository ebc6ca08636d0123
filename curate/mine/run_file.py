"""A run that was made elsewhere, line by line: TREC's six columns, or MS MARCO's three.

qid Q0 docid rank score tag     score decides, rank and tag are not read
qid <tab> docid <tab> rank      rank decides: the score is -rank
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from curate.load.fields import Unfit
from curate.load.lines import Advance, Lines, head

TREC, MARCO = 6, 3
LARGEST = 3.4028235e38  # of a float32

Reject = Callable[[int, str, str], None]
"""Takes line, reason and text."""


@dataclass(frozen=True)
class Retrieved:
    """One line of a run."""

    line: int
    """From 1."""
    query_id: str
    passage_id: str
    score: float


def read_run(path: Path, reject: Reject, advance: Advance = lambda _count: None) -> Iterator[Retrieved]:
    """Yield the lines of a run, plain or packed; what cannot be a line of it goes to `reject`.

    The first line with three or six columns decides which form the file has. Blank lines are passed over.
    """
    head(path)
    columns = 0
    for number, raw in Lines(path, advance):
        try:
            fields = raw.decode("utf-8").split()
            if not fields:
                continue
            columns = columns or (len(fields) if len(fields) in {TREC, MARCO} else 0)
            yield _line(number, fields, columns)
        except (Unfit, UnicodeDecodeError) as error:
            reason = str(error) if isinstance(error, Unfit) else "not UTF-8"
            reject(number, reason, raw[:200].decode("utf-8", "replace").rstrip())


def _line(number: int, fields: list[str], columns: int) -> Retrieved:
    if len(fields) != columns:
        wanted = columns or "6 (qid Q0 docid rank score tag) or 3 (qid docid rank)"
        raise Unfit(f"wrong number of columns: {len(fields)}, expected {wanted}")
    if columns == MARCO:
        query_id, passage_id, rank = fields
        if not (rank.isascii() and rank.isdigit() and int(rank)):
            raise Unfit(f"not a rank, a whole number from 1: '{rank}'")
        return Retrieved(number, query_id, passage_id, -float(rank))
    query_id, _, passage_id, _, score, _ = fields
    return Retrieved(number, query_id, passage_id, _score(score))


def _score(text: str) -> float:
    try:
        score = float(text) if "_" not in text else math.nan
    except ValueError:
        score = math.nan
    if not abs(score) <= LARGEST:
        raise Unfit(f"score is not a finite number: '{text}'")
    return score
