"""Reader of run files line by line, with the six columns of TREC or the three of MS MARCO.

qid Q0 docid rank score tag     the score decides; rank, tag and what follows the tag are ignored, as in trec_eval
qid <tab> docid <tab> rank      the rank decides; the score becomes -rank
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from curate.errors import BadInput
from curate.load.fields import Unfit
from curate.load.lines import Advance, Lines, head
from curate.load.shown import printable, shown
from curate.load.tables import table_reader

TREC, MARCO, QRELS = 6, 3, 4
RANK, RANK_AT = "rank", 3
QUERY_IDS = {"qid", "query_id", "query-id", "query", "topic", "topic_id"}
LONGEST_RANK = 10  # digits
SCORES = "runs with scores need six columns: qid Q0 docid rank score tag"
SIX = f"{SCORES[0].upper()}{SCORES[1:]}"
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
    rank: int | None = None
    """The rank, if the file has three columns."""


def read_run(path: Path, reject: Reject, advance: Advance = lambda _count: None) -> Iterator[Retrieved]:
    """Yield the lines of a run file, plain or compressed, and pass invalid lines to `reject`.

    The first line with three columns, or with six or more, decides the format of the file. Blank lines and a
    header are skipped. Raises BadInput for a file of another form.
    """
    _refuse_other_form(path, head(path))
    columns = 0
    for number, raw in Lines(path, advance):
        try:
            fields = raw.decode("utf-8").split()
            if not fields:
                continue
            if not columns and _is_header(fields):
                if len(fields) == MARCO and fields[2].lower() != RANK:
                    raise BadInput(
                        f"the third of three columns is '{printable(fields[2])}'. {SIX}",
                        file=shown(path),
                        line=number,
                    )
                continue
            columns = columns or _columns(len(fields))
            yield _line(number, fields, columns)
        except (Unfit, UnicodeDecodeError) as error:
            reason = str(error) if isinstance(error, Unfit) else "not UTF-8"
            reject(number, reason, raw[:200].decode("utf-8", "replace").rstrip())


def _refuse_other_form(path: Path, start: bytes) -> None:
    form = None
    if table_reader(start):
        form = "a table of Parquet or Arrow"
    elif start.lstrip()[:1] in (b"{", b"["):
        form = "JSON"
    else:
        first = next((line for line in start.split(b"\n") if line.strip()), b"")
        if len(first.split()) == 1 and first.count(b",") > 1:
            form = "separated by commas"
    if form:
        raise BadInput(f"the file is {form}, which is no run. {SIX}", file=shown(path))


def _is_header(fields: list[str]) -> bool:
    names = [field.lower() for field in fields]
    told = names[-1:] if len(names) == MARCO else names[RANK_AT : RANK_AT + 1]
    return names[0] in QUERY_IDS and bool({RANK, "score"} & {*told})


def _columns(found: int) -> int:
    """Return the columns of the format of a line, or 0 if it has none."""
    return TREC if found >= TREC else MARCO if found == MARCO else 0


def _line(number: int, fields: list[str], columns: int) -> Retrieved:
    if not columns or _columns(len(fields)) != columns:
        hint = "; it looks like qrels: curate load --qrels FILE" if len(fields) == QRELS and not columns else ""
        wanted = columns or "6 (qid Q0 docid rank score tag) or 3 (qid docid rank)"
        raise Unfit(f"wrong number of columns: found {len(fields)}, expected {wanted}{hint}")
    if columns == MARCO:
        query_id, passage_id, rank = fields
        if not (rank.isascii() and rank.isdigit() and 0 < len(rank) < LONGEST_RANK and int(rank)):
            raise Unfit(f"rank is not a whole number from 1: '{rank}'; {SCORES}")
        return Retrieved(number, query_id, passage_id, -float(rank), int(rank))
    query_id, _, passage_id, _, score, _ = fields[:TREC]
    return Retrieved(number, query_id, passage_id, _score(score))


def _score(text: str) -> float:
    try:
        score = float(text) if "_" not in text else math.nan
    except ValueError:
        score = math.nan
    if not abs(score) <= LARGEST:
        raise Unfit(f"score is not a finite number: '{text}'")
    return score
