"""Checks of what the scores say: whether they tell passages apart, read every word, and mean anything."""

from typing import TYPE_CHECKING

from curate.bootstrap import Interval, interval
from curate.config import Denoise
from curate.counted import counted
from curate.denoise.score_checks import FEWEST_TO_COMPARE, Scale
from curate.doctor.check import Check, Colour
from curate.doctor.exam import Exam
from curate.judge_split import TOO_FEW

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from curate.doctor.exam import Floats

TOP, SEED = 10, 0
EARLY = 8  # words at the beginning of a passage, which no maximum length cuts
GOOD = 0.9
MUCH = 0.02  # of an AUC: a model that reads both sides alike may be a little better either way round
MANY = 0.5  # of the queries: so many ties make an order of keys


def spread(exam: Exam) -> Check:
    """Return whether the scores tell pairs apart at all."""
    import numpy as np

    known = exam.scores[~np.isnan(exam.scores)]
    lost = len(exam.scores) - len(known)
    values, counts = np.unique(known, return_counts=True)
    most = int(counts.max()) if len(known) else 0
    alike = len(known) >= FEWEST_TO_COMPARE and (exam.range < 1e-6 or most > len(known) / 2)
    found = f"{len(known):,} pairs have {len(values):,} different scores, from {_low(known)} to {_high(known)}"
    if alike:
        found += f"; {most:,} of them have the score {values[counts.argmax()]:.6g}"
    if lost:
        found += f"; {counted(lost, 'pairs have', 'pair has')} no score"
    colour: Colour = "red" if alike or not len(known) else "yellow" if lost else "green"
    return Check(
        name="different scores",
        colour=colour,
        found=found,
        expected="nearly every pair has a score of its own",
        why="equal scores order nothing: no cutoff separates these pairs",
        do="" if colour == "green" else "use another model" if alike else "look at the texts without a score",
        figures={"pairs": len(known), "values": len(values), "most_alike": most, "without_score": lost},
    )


def ties(exam: Exam) -> Check:
    """Return how many queries have equal scores among their best passages."""
    queries = tops(exam, exam.scores)
    tied = len(tied_queries(exam, exam.scores))
    if not queries:
        return Check("ties in the top", "not applicable", "no query has two passages to compare")
    half = "" if exam.model.dtype == "fp32" else "; if the number format makes them, --dtype fp32"
    return Check(
        name="ties in the top",
        colour="red" if tied > MANY * len(queries) else "yellow" if tied else "green",
        found=f"{tied} of {counted(len(queries), 'queries')} have two passages with the same score among the best "
        f"{TOP}",
        expected="no ties between different texts",
        why="the order of tied candidates is that of their keys, not of their relevance",
        do=f"use a model whose scores are finer, or that does not saturate{half}",
        figures={"tied": tied, "queries": len(queries)},
    )


def one_word(exam: Exam) -> Check:
    """Return whether a passage with one word changed has another score."""
    import numpy as np

    chosen = [(at, changed) for at in exam.few if (changed := _with_another_word(exam, at))]
    if not chosen:
        return Check("one word changed", "not applicable", "no passage has words that spaces separate")
    query = [exam.sample.texts[at][0] for at, _ in chosen]
    texts = [(asked, text) for asked, (_, text) in zip(query, chosen, strict=True)]
    before = [exam.sample.texts[at] for at, _ in chosen]
    both = exam.float32.score(exam.prepare(exam.float32, [*before, *texts]))  # bf16 would hide small moves
    moves = np.abs(both[len(before) :] - both[: len(before)])
    same, move = int((moves < 1e-7).sum()), float(np.nanmedian(moves))
    gap = _gap(exam)
    noisy = gap is not None and 0 < gap < move
    colour: Colour = "red" if same > len(moves) / 2 else "yellow" if same > 0.1 * len(moves) or noisy else "green"
    against = "" if gap is None else f"; labelled positives lie {gap:.2g} above random passages"
    return Check(
        name="one word changed",
        colour=colour,
        found=f"another word near the beginning moves half of {counted(len(moves), 'scores')} by {move:.2g} or "
        f"more, and {same} not at all{against}",
        expected="every score moves, and by less than what separates positives from random passages",
        why="a score that no word moves does not read the passage; one that any word moves far is noise",
        do="" if colour == "green" else "use another model, or check that its tokenizer knows the language",
        figures={"pairs": len(moves), "unmoved": same, "median_move": move, "gap": gap},
    )


def swapped(exam: Exam) -> Check:
    """Return whether query and passage are told apart, and stand where they belong."""
    import numpy as np

    name = "query and passage swapped"
    if exam.model.is_symmetric:
        return Check(name, "not applicable", "the encoder reads queries as it reads passages")
    turned = np.full(len(exam.scores), np.nan, np.float32)
    kinds = exam.sample.kinds
    some = [at for at in range(len(kinds)) if kinds[at] != "candidate" and exam.sample.measured[_query(exam, at)]]
    some = sorted({*some, *exam.few})
    turned[some] = exam.score([exam.sample.texts[at][::-1] for at in some])
    moved = float(np.nanmedian(np.abs(turned - exam.scores)[exam.few]))
    figures: dict[str, float | int | str | None] = {"median_move": moved}
    right, wrong = aucs(exam, exam.scores), aucs(exam, turned)
    reverse, told = False, ""
    if len(right) >= TOO_FEW and len(right) == len(wrong):
        difference = interval(wrong - right, SEED)
        reverse = difference.low > MUCH
        figures |= {"auc": float(right.mean()), "auc_swapped": float(wrong.mean())}
        told = f"; positives above random passages: AUC {right.mean():.3f}, swapped {wrong.mean():.3f}"
    colour: Colour = "red" if reverse else "yellow" if moved < 1e-6 else "green"
    return Check(
        name=name,
        colour=colour,
        found=f"swapping moves half of the scores by {moved:.2g} or more{told}",
        expected="other scores, which separate no better",
        why="the model is asked with the passage in the place of the query"
        if reverse
        else "a model that does not tell query from passage only compares words",
        do="" if colour == "green" else "check its template, its prompts and which side each belongs to",
        figures=figures,
    )


def positives(exam: Exam) -> Check:
    """Return how well labelled positives lie above random passages."""
    name, values = "positives above random passages", aucs(exam, exam.scores)
    if not len(values):
        reason = "no labelled query has scores of both a positive and a random passage"
        if not any(exam.sample.measured):
            reason = (
                "there are no labels of queries that it was not trained on: load some to know whether its scores "
                "can be trusted (curate load --qrels)"
            )
        return Check(name, "not applicable", reason)
    auc = interval(values, SEED)
    few = len(values) < TOO_FEW
    chance, reverse = auc.low <= 0.5 <= auc.high, auc.high < 0.5
    colour: Colour = "yellow" if few or auc.mean < GOOD else "green"
    if not few and (chance or reverse):
        colour = "red"
    said = f"AUC {_shown(auc)} on {counted(len(values), 'labelled queries')}"
    if few:
        said += f", which are too few to say more (at least {TOO_FEW})"
    return Check(
        name=name,
        colour=colour,
        found=said,
        expected=f"well above 0.5, which is chance; {GOOD} or more for a model that is fit for these texts",
        why="random passages are the easiest negatives: whoever fails here fails among candidates"
        if not reverse
        else "the scores are the wrong way round: irrelevant passages come first",
        do=_remedy(exam.model.kind, colour, reverse=reverse, few=few),
        figures={"auc": auc.mean, "low": auc.low, "high": auc.high, "queries": len(values)},
    )


def scale(exam: Exam, settings: Denoise, *, trained_here: bool, calibration: str | None) -> Check:
    """Return whether the cutoffs mean anything on the scale of the scores."""
    name, expected = "scale", "the sigmoid of a score is a probability"
    if calibration:
        return Check(name, "green", f"the scorer is calibrated by {calibration}", expected)
    declared = exam.model.scorer.settings.get("scale")
    found = _scale(exam, settings, declared, trained_here)
    faults, unknown = found.faults, declared != "probability" and not trained_here
    said = faults or ["its files do not say whether the sigmoid of a score is a probability"]
    return Check(
        name=name,
        colour="yellow" if faults or unknown else "green",
        found="; ".join(said) if faults or unknown else "nothing speaks against the sigmoid as a probability",
        expected=expected,
        why=f"cutoffs at {settings.negative_below:g} and {settings.positive_above:g} are probabilities; on "
        "another scale they decide at random",
        do="curate denoise keeps the scores; then curate calibrate learns what they mean",
        figures={"declared": declared, "faults": len(faults)},
    )


def aucs(exam: Exam, scores: "Floats") -> "npt.NDArray[np.float64]":
    """Return of each labelled, unseen query the share of its random passages that lie below a positive."""
    import numpy as np

    values = []
    for query in [at for at, measured in enumerate(exam.sample.measured) if measured]:
        own = {"positive": [], "random": []}  # type: dict[str, list[float]]
        for at in exam.sample.of_query(query).tolist():
            if exam.sample.kinds[at] in own and not np.isnan(scores[at]):
                own[exam.sample.kinds[at]].append(float(scores[at]))
        above = [(p > r) + (p == r) / 2 for p in own["positive"] for r in own["random"]]
        if above:
            values.append(float(np.mean(above)))
    return np.asarray(values, np.float64)


def tops(exam: Exam, scores: "Floats") -> dict[int, list[int]]:
    """Return query -> its best pairs, best first, of the queries that have two."""
    import numpy as np

    found = {}
    for query in range(len(exam.sample.queries)):
        own = [at for at in exam.sample.of_query(query).tolist() if not np.isnan(scores[at])]
        if len(own) > 1:
            found[query] = sorted(own, key=lambda at: (-scores[at], at))[:TOP]
    return found


def tied_queries(exam: Exam, scores: "Floats") -> list[int]:
    """Return the queries with two different texts of the same score among their best."""
    passages = exam.sample.passages
    tied = []
    for query, best in tops(exam, scores).items():
        texts = {(float(scores[at]), passages[exam.sample.pairs[at, 1]]) for at in best}
        if len({score for score, _ in texts}) < len(texts):
            tied.append(query)
    return tied


def _scale(exam: Exam, settings: Denoise, declared: str | None, trained_here: bool) -> Scale:
    import numpy as np

    from curate.calibrate.forms import sigmoid

    known = ~np.isnan(exam.scores)
    logits, kinds = exam.scores[known].astype(np.float64), np.asarray(exam.sample.kinds)[known]
    unseen = np.asarray(exam.sample.measured)[exam.sample.pairs[known, 0]]
    probability = sigmoid(logits)
    is_positive, is_random = (kinds == "positive") & unseen, kinds == "random"
    low, high = settings.negative_below, settings.positive_above
    return Scale(
        negative_below=low,
        positive_above=high,
        pairs=len(logits),
        lowest=float(logits.min()) if len(logits) else None,
        highest=float(logits.max()) if len(logits) else None,
        within_zero_and_one=int(((logits >= 0) & (logits <= 1)).sum()),
        saturated=int((np.abs(logits) > 9).sum()),
        positives=int(is_positive.sum()),
        positives_below=int((probability[is_positive] < low).sum()),
        positives_above=int((probability[is_positive] > high).sum()),
        random=int(is_random.sum()),
        random_not_below=int((probability[is_random] >= low).sum()),
        declared=declared,
        is_trained_here=trained_here,
        is_calibrated=False,
    )


def _with_another_word(exam: Exam, at: int) -> str | None:
    """Return the passage of a pair with the longest of its first words replaced by one of another passage."""
    passage = exam.sample.passages[exam.sample.pairs[at, 1]]
    words = passage.split()[:EARLY]
    if len(words) < 2:
        return None
    old = max(words, key=len)
    others = [word for other in exam.sample.passages for word in other.split()[:EARLY] if word not in passage]
    return passage.replace(old, max(others[:64], key=len), 1) if others else None


def _gap(exam: Exam) -> float | None:
    """Return by how much the median labelled positive lies above the median random passage."""
    import numpy as np

    kinds = np.asarray(exam.sample.kinds)
    known = ~np.isnan(exam.scores)
    above, below = (exam.scores[known & (kinds == kind)] for kind in ("positive", "random"))
    return float(np.median(above) - np.median(below)) if len(above) and len(below) else None


def _query(exam: Exam, at: int) -> int:
    return int(exam.sample.pairs[at, 0])


def _remedy(kind: str, colour: Colour, *, reverse: bool, few: bool) -> str:
    if colour == "green":
        return ""
    if few:
        return "label more queries, or examine more of them: --queries"
    if reverse and kind == "scorer":
        return "check which class means relevant (--relevant-class), and the instruction or the prompt"
    trained = "cross-encoder" if kind == "scorer" else "dual-encoder"
    return f"use another model, or train one on these texts: curate train {trained}"


def _shown(value: Interval) -> str:
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}] (95 % interval)"


def _low(values: "Floats") -> str:
    return f"{values.min():.4g}" if len(values) else "none"


def _high(values: "Floats") -> str:
    return f"{values.max():.4g}" if len(values) else "none"
