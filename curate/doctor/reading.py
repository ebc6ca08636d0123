"""Checks that a model is read rightly: against transformers and sentence-transformers, and what is cut."""

from typing import TYPE_CHECKING

from curate.counted import counted
from curate.doctor.check import Check
from curate.doctor.exam import FEW, Cuts, Exam
from curate.doctor.judgement import MANY, tied_queries, tops

if TYPE_CHECKING:
    from curate.doctor.exam import Floats

REPORT = "report it with the name of the model; until then, do not use its scores"


def reference(exam: Exam) -> Check:
    """Return whether the scores are those of transformers' own forward pass, in float32 and one pair at a time."""
    from curate.models.reference import NoReferenceError

    name, expected = "as transformers computes it", "the same scores, but for the last bits"
    try:
        theirs = exam.model.reference(exam.few_texts)
    except NoReferenceError as error:
        return Check(name, "not applicable", str(error))
    ours = exam.float32.score(exam.prepare(exam.float32, exam.few_texts))
    return _against(exam, name, ours, theirs, f"{expected}, of a float32 forward pass of one pair, unpadded")


def padding_elsewhere(exam: Exam) -> Check:
    """Return whether the model's own tokenizer pads so that its scores stay what they are alone."""
    from curate.models.reference import NoReferenceError

    name = "padded by its own tokenizer"
    try:
        texts = [*exam.few_texts, exam.long_text]  # beside which the others are padded
        single, together = (exam.model.reference(texts, together=wide) for wide in (False, True))
    except NoReferenceError as error:
        return Check(name, "not applicable", str(error))
    checked = _against(exam, name, single, together, "padding changes nothing, but for the last bits")
    if checked.colour != "red":
        return checked
    return Check(
        name=name,
        colour="yellow",
        found=f"{checked.found}. curate pads on the right, so its own scores are those of a pair alone",
        expected=checked.expected,
        why="other tools, which pad as the tokenizer says, give other scores, and may have trained it with them",
        do="compare its scores with those of other tools one pair at a time; check padding_side in "
        "tokenizer_config.json",
        figures=checked.figures,
    )


def by_sentence_transformers(exam: Exam) -> Check:
    """Return whether the scores are those of sentence-transformers, which reads the folder itself."""
    from curate.models.reference import NoReferenceError

    name = "as sentence-transformers reads it"
    whole = _uncut(exam, exam.cuts)
    if not whole:
        return Check(name, "not applicable", "every text is cut, and libraries cut at other lengths")
    texts = [exam.sample.texts[at] for at in whole]
    try:
        theirs = exam.model.by_sentence_transformers(texts)
    except NoReferenceError as error:
        return Check(name, "not applicable", str(error))
    ours = exam.float32.score(exam.prepare(exam.float32, texts))
    return _against(exam, name, ours, theirs, "the same scores for texts that are not cut")


def number_format(exam: Exam) -> Check:
    """Return what the number format changes against float32."""
    import numpy as np

    name, dtype = "number format", exam.model.dtype
    if dtype is None:
        return Check(name, "not applicable", "a server computes, and does not say in which number format")
    if dtype == "fp32":
        return Check(name, "not applicable", "curate computes in float32 here, so there is nothing to compare")
    precise = exam.float32.score(exam.prepare(exam.float32, exam.sample.texts))
    best, ties = _best_differs(exam, precise), len(tied_queries(exam, exam.scores))
    ties32, queries = len(tied_queries(exam, precise)), max(1, len(tops(exam, exam.scores)))
    both = ~(np.isnan(precise) | np.isnan(exam.scores))
    difference = float(np.abs(precise - exam.scores)[both].max()) if both.any() else 0.0
    too_far = difference > 2 * exam.allowed(dtype)
    red = too_far or best > 0.1 * queries or (ties > MANY * queries and ties > 2 * ties32)
    return Check(
        name=name,
        colour="red" if red else "yellow" if best or ties > ties32 else "green",
        found=f"{dtype} against float32: scores differ by at most {difference:.2g} of a range of "
        f"{exam.range:.3g}, another passage is best for {best} of {queries} queries, and the top has "
        f"ties for {ties} (in float32 for {ties32})",
        expected="the same best passages, and no more ties",
        why="bf16 has 3 digits: candidates whose scores are close become equal or change places",
        do="--dtype fp32",
        figures={
            "dtype": dtype,
            "difference": difference,
            "best_differs": best,
            "ties": ties,
            "ties_fp32": ties32,
        },
    )


def truncation(exam: Exam) -> Check:
    """Return what is cut of the texts, and what lies behind the cut."""
    cuts = exam.cuts
    if cuts is None:
        return _unseen_ends(exam)
    figures = {"texts": cuts.texts, "cut": len(cuts.cut), "max_length": cuts.max_length}
    if not cuts.cut and not cuts.queries_cut:
        found = f"none of {cuts.texts:,} {cuts.unit} is cut at {cuts.max_length:,} tokens"
        return Check("truncation", "green", found, "nothing is cut", figures=figures)
    behind = _behind(exam, cuts)
    end = (
        f"; {cuts.ends_cut:,} of them lost the tokens that end every text, where the model looks for its answer"
        if cuts.ends_cut
        else ""
    )
    return Check(
        name="truncation",
        colour="red" if cuts.ends_cut else "yellow",
        found=_said(cuts) + end + behind,
        expected="the end of the template is never cut" if cuts.ends_cut else "nothing is cut",
        why="the model answers where its template ends; without it, its scores are noise"
        if cuts.ends_cut
        else "an answer behind the cut is not read, so its passage looks irrelevant",
        do=REPORT if cuts.ends_cut else _longer(cuts),
        figures={**figures, "queries_cut": cuts.queries_cut, "ends_cut": cuts.ends_cut, "longest": cuts.longest},
    )


def _said(cuts: Cuts) -> str:
    import numpy as np

    told = (
        f"{len(cuts.cut):,} of {cuts.texts:,} {cuts.unit} ({len(cuts.cut) / max(1, cuts.texts):.0%}) are cut at "
        f"{cuts.max_length:,} tokens"
    )
    if cuts.lost:
        told += f"; half of them lose {float(np.median(cuts.lost)):.0%} of the passage or more"
    of = "queries are cut" if cuts.unit == "passages" else "pairs lose a part of the query"
    return f"{told}; {counted(cuts.queries_cut, of)}" if cuts.queries_cut else told


def _behind(exam: Exam, cuts: Cuts) -> str:
    """Return how often the part of a labelled positive that is not read would have the higher score."""
    cut = [(at, text) for at, text in cuts.behind if exam.sample.kinds[at] == "positive" and text.strip()][:24]
    if not cut:
        return "; none of the labelled positives is" if "positive" in exam.sample.kinds else ""
    queries = [exam.sample.texts[at][0] for at, _ in cut]
    rest = exam.score([(query, text) for query, (_, text) in zip(queries, cut, strict=True)])
    higher = sum(bool(rest[number] > exam.scores[at]) for number, (at, _) in enumerate(cut))
    among = f"; of {counted(len(cut), 'labelled positives')} among them"
    return f"{among}, the part behind the cut scores higher in {higher}"


def _longer(cuts: Cuts) -> str:
    split = "split long passages before loading them"
    if cuts.could_be is not None and cuts.could_be <= cuts.max_length:
        return f"the model has no positions for more tokens: {split}"
    most = min(cuts.longest, cuts.could_be or cuts.longest)
    return f"{cuts.option} {most}, if the model was trained to read as much; or {split}" if most else split


def _unseen_ends(exam: Exam) -> Check:
    """Return how many passages score the same with another last word, of a model that does not show its tokens."""
    import numpy as np

    texts = [(query, passage) for query, passage in exam.few_texts if len(passage.split()) > 1]
    other = [(query, f"{passage.rsplit(None, 1)[0]} otherwise") for query, passage in texts]
    if not texts or exam.range < 1e-6:
        return Check("truncation", "not applicable", "the model does not show its tokens")
    same = int((np.abs(exam.score(texts) - exam.score(other)) < 1e-6).sum())
    return Check(
        name="truncation",
        colour="yellow" if same else "green",
        found=f"{same} of {counted(len(texts), 'pairs')} score the same with another last word, so their ends "
        "seem not to be read (the model does not show its tokens)",
        expected="every passage is read to its end",
        why="an answer behind the cut is not read, so its passage looks irrelevant",
        do="raise the maximum length, at the server if there is one, or split long passages before loading them",
        figures={"texts": len(texts), "cut": same},
    )


def _uncut(exam: Exam, cuts: Cuts | None) -> list[int]:
    """Return some pairs of which nothing is cut, as far as the model shows its tokens."""
    if cuts is None:
        return exam.few
    gone = set(cuts.cut)
    if cuts.unit == "passages":
        passages = exam.sample.pairs[:, 1].tolist()
        gone = {at for at, passage in enumerate(passages) if passage in set(cuts.cut)}
    return [at for at in range(len(exam.rows)) if at not in gone and exam.scores[at] == exam.scores[at]][:FEW]


def _against(exam: Exam, name: str, ours: "Floats", theirs: "Floats", expected: str) -> Check:
    import numpy as np

    both = ~(np.isnan(ours) | np.isnan(theirs))
    if not both.any():
        return Check(name, "not applicable", "every pair is cut, and only whole pairs can be compared")
    difference, allowed = float(np.abs(ours - theirs)[both].max()), exam.allowed("fp32")
    wrong = difference > allowed
    return Check(
        name=name,
        colour="red" if wrong else "green",
        found=f"{counted(int(both.sum()), 'pairs')} differ by at most {difference:.2g}, of a range of "
        f"{exam.range:.3g}",
        expected=f"{expected} (at most {allowed:.2g})",
        why="the model is read otherwise than it was made, so its scores are another model's",
        do=REPORT if wrong else "",
        figures={"difference": difference, "allowed": allowed, "pairs": int(both.sum())},
    )


def _best_differs(exam: Exam, precise: "Floats") -> int:
    ours, theirs = tops(exam, exam.scores), tops(exam, precise)
    return sum(ours[query][0] != theirs[query][0] for query in ours if query in theirs)
