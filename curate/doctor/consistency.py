"""Checks that a score depends on its pair alone: not on the moment, the batch, the padding or the order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from curate.doctor.check import Check, Colour
from curate.doctor.exam import SOME, Exam

if TYPE_CHECKING:
    from curate.doctor.exam import Floats

DEPENDS = (
    "a score that depends on what else is computed makes rankings, cutoffs and repeated runs differ by chance"
)
NOT_HERE = "use another scorer or encoder, or report it: curate computes every pair as if it were alone"


def repeated(exam: Exam) -> Check:
    """Return whether the same pairs have the same bytes twice."""
    rows = [exam.rows[at] for at in exam.few]
    first, second = exam.model.scorer.score(rows), exam.model.scorer.score(rows)
    return _compared(
        exam,
        "repeated",
        first,
        second,
        found="{count} pairs scored twice differ by at most {difference}",
        expected="the same scores each time",
        exact=exam.model.dtype is not None,
    )


def alone(exam: Exam) -> Check:
    """Return whether a pair has the score alone that it has among many."""
    return _compared(
        exam,
        "one pair = many",
        exam.alone,
        exam.scores[exam.few],
        found="{count} pairs alone and among all differ by at most {difference}",
        expected="the same scores, but for the last bits",
    )


def padded(exam: Exam) -> Check:
    """Return whether a pair has the same score beside a longer one, where it is padded."""
    (longer,) = exam.prepare(exam.model.scorer, [exam.long_text])
    return _compared(
        exam,
        "packed = padded",
        exam.alone,
        exam.beside(longer),
        found="{count} pairs alone and filled up to a longer one differ by at most {difference}",
        expected="padding changes nothing, but for the last bits",
    )


def order(exam: Exam) -> Check:
    """Return whether the order in which pairs come changes their scores."""
    rows = exam.rows[:SOME]
    turned = exam.model.scorer.score(rows[::-1])[::-1]
    half = exam.model.scorer.score(rows[1::2])
    worst = max(turned, half, key=lambda other: _difference(_like(other, rows, exam.scores), other))
    return _compared(
        exam,
        "order of batches",
        _like(worst, rows, exam.scores),
        worst,
        found="{count} pairs in another order and in other batches differ by at most {difference}",
        expected="the same scores, but for the last bits",
    )


def empty(exam: Exam) -> Check:
    """Return whether pairs with an empty text have no score."""
    import numpy as np

    query, passage = exam.few_texts[0]
    odd = {"an empty passage": (query, ""), "a blank passage": (query, " \n"), "an empty query": ("", passage)}
    scores = exam.score(list(odd.values()))
    scored = [f"{name} has {score:.4g}" for name, score in zip(odd, scores, strict=True) if not np.isnan(score)]
    return Check(
        name="an empty text",
        colour="red" if scored else "green",
        found="; ".join(scored) or "pairs with an empty query or passage have no score",
        expected="no score: nothing was read",
        why="a score for nothing makes empty passages negatives or positives",
        do="remove empty texts, or use another scorer" if scored else "",
        figures={"scored": len(scored)},
    )


def _like(other: "Floats", rows: Sequence[Any], scores: "Floats") -> "Floats":
    """Return the scores of the same pairs as in `other`: all rows, or every second one."""
    return scores[: len(rows)] if len(other) == len(rows) else scores[: len(rows)][1::2]


def _difference(first: "Floats", second: "Floats") -> float:
    import numpy as np

    both = ~(np.isnan(first) | np.isnan(second))
    return float(np.abs(first[both] - second[both]).max()) if both.any() else 0.0


def _compared(
    exam: Exam, name: str, first: "Floats", second: "Floats", *, found: str, expected: str, exact: bool = False
) -> Check:
    import numpy as np

    difference, allowed = _difference(first, second), exam.allowed(exam.model.dtype)
    lost = int((np.isnan(first) != np.isnan(second)).sum())
    colour: Colour = "red" if difference > allowed or lost else "yellow" if exact and difference else "green"
    told = found.format(count=len(first), difference=f"{difference:.2g}")
    gone = f"; {lost} have a score in one case only" if lost else ""
    return Check(
        name=name,
        colour=colour,
        found=f"{told}, of a range of {exam.range:.3g}{gone}",
        expected=f"{expected} (at most {allowed:.2g})",
        why=DEPENDS,
        do="" if colour == "green" else NOT_HERE,
        figures={"difference": difference, "allowed": allowed, "range": exam.range, "pairs": len(first)},
    )
