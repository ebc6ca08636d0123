"""Reader of run files line by line, with the six columns of TREC or the three of MS MARCO.

qid Q0 docid rank score tag     the score decides; rank and tag are ignored
qid <tab> docid <tab> rank      the rank decides; the score becomes -rank
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from curate.load.fields import Unfit
from curate.load.lines import Advance, Lines, head

TREC, MARCO = 6, 3
LARGEST = 3.4028235e38  # the largest float32

Reject = Callable[[int, str, str], None]
"""A function that takes the line number, the reason and the text of an invalid line."""


@dataclass(frozen=True)
class Retrieved:
    """One line of a run file."""

    line: int
    """The line number, from 1."""
    query_id: str
    passage_id: str
    score: float


def read_run(path: Path, reject: Reject, advance: Advance = lambda _count: None) -> Iterator[Retrieved]:
    """Yield the lines of a run file, plain or compressed, and pass invalid lines to `reject`.

    The first line with three or six columns decides the format of the file. Blank lines are skipped.
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
        raise Unfit(f"wrong number of columns: found {len(fields)}, expected {wanted}")
    if columns == MARCO:
        query_id, passage_id, rank = fields
        if not (rank.isascii() and rank.isdigit() and int(rank)):
            raise Unfit(f"rank is not a whole number from 1: '{rank}'")
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
