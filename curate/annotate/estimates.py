"""`curate estimate`: how many of the mined candidates were false negatives, and how right the decisions are.

The verdicts on a sample stand for all candidates that it was drawn from (curate/annotate/estimator.py). Verdicts
on other pairs do not: nobody knows for which candidates they stand.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from curate.annotate.agreement import Agreement, agreement
from curate.annotate.estimator import Bools, Doubles, Ints, Share, Strata, Verdicts, estimated
from curate.annotate.sample import job_of, known_sample, ranks
from curate.counted import counted
from curate.errors import StepMissing
from curate.workspace import Workspace

Row = dict[str, Any]
KEPT = "hard_negative"
PRECISE = ("hard_negative", "false_negative", "pseudo_positive")


@dataclass(frozen=True)
class Estimates:
    """What the verdicts on a sample say about all candidates that it was drawn from."""

    sample: Row
    """The sample's row in `samples`."""
    verdicts: dict[str, int]
    """The number of its pairs that are relevant, irrelevant, unsure, skipped (annotators went past them), and open
    (they have not come to them yet, or not to the rest of their query)."""
    left_out: dict[str, int]
    """Verdicts on pairs of the sample that enter no estimate. `elsewhere`: they do not name the sample. `beyond`:
    they are on pairs that count as open."""
    estimates: list[Row]
    """One row per figure. `what` is false_negative_rate, precision, recall or cost, and `part` says of what. The
    cost of denoising is the share of what is not relevant that it takes out of the negatives. `value` has the 95 %
    interval from `low` to `high`, by so many `labels` of so many `queries`, for so many
    `candidates`. `worth`: how many labels of singly drawn pairs would do the same; `saved`: how many labels the
    scorer saved; `control`: how far it is believed. Of `unsure` pairs, skipped ones included, nothing is known;
    the value would lie from `unsure_low` to `unsure_high` if all of them were settled the one way or the other.
    Without enough verdicts, the value is None."""
    agreement: Agreement
    without_design: dict[str, int]
    """Annotated pairs that are in no sample: pairs, relevant, irrelevant, unsure. They enter no estimate."""

    def of(self, what: str, part: str = "all") -> Row:
        """Return the row of a figure; raises KeyError if there is none."""
        for row in self.estimates:
            if (row["what"], row["part"]) == (what, part):
                return row
        raise KeyError(what, part)


def estimate(workspace: Workspace, sample: str | None = None) -> Estimates:
    """Return the estimates from the verdicts on a sample, or on the newest one.

    They are about the candidates and decisions of the time when the sample was drawn. Pairs are drawn by chance
    within strata, after their queries, and the intervals allow for both. Raises StepMissing if nothing was drawn,
    also if there are annotations of other pairs, or if no query of the sample is judged.
    """
    apart = workspace.select("annotate/without_design").to_dicts()[0]
    if sample is None:
        _refuse_no_design(workspace, apart)
    about = known_sample(workspace, sample)
    name = about["sample_id"]
    rows = workspace.select("annotate/verdicts", sample=name)
    votes = _Votes.of(workspace, about, rows)
    if not votes.known.any():
        others = sum(votes.left_out.values())
        but = f": {counted(others, 'verdicts do', 'verdict does')} not name it, or its query has open pairs"
        raise StepMissing(
            f"nobody has judged a query of sample {name} yet{but if others else ''}", run=f"curate annotate {name}"
        )
    by_annotator = workspace.select("annotate/by_annotator", sample=name).to_dicts()
    figures = [*votes.figures(), votes.cost()]
    return Estimates(about, votes.counts, votes.left_out, figures, agreement(by_annotator), apart)


def estimate_in_force(workspace: Workspace, run: str, cutoffs: Row) -> Estimates | None:
    """Return the estimates from the newest sample of a run that was drawn under these cutoffs and is judged.

    cutoffs: their row. None if there is no such sample, or if nobody has judged it yet. Cutoffs that were set anew
    since a sample was drawn may have another scorer or calibration, so that it is not theirs.
    """
    numbers = {record.job: record.number for record in workspace.records("sample")}
    if not numbers:
        return None
    set_at = max(
        record.number for record in workspace.records("cutoffs") if record.settings["name"] == cutoffs["name"]
    )
    same = ("depth", "negative_below", "positive_above")
    alike = {"run_id": run, "cutoffs": cutoffs["name"], **{key: cutoffs[key] for key in same}}
    for sample in workspace.select("annotate/samples").to_dicts():
        is_later = numbers[job_of(sample["sample_id"])] > set_at
        if is_later and all(sample[key] == value for key, value in alike.items()):
            try:
                return estimate(workspace, sample["sample_id"])
            except StepMissing:  # nobody has judged it yet
                continue
    return None


def _refuse_no_design(workspace: Workspace, apart: Row) -> None:
    """Raise StepMissing if there are annotations, but no sample."""
    if not apart["pairs"] or not workspace.select("annotate/samples").is_empty():
        return
    raise StepMissing(
        f"no estimate is possible: there are {counted(apart['pairs'], 'annotated pairs')}, but "
        "no sample was drawn here, so that nobody knows for which candidates they stand. Of these pairs alone, "
        f"{apart['relevant']:,} are relevant, {apart['irrelevant']:,} are not, and {apart['unsure']:,} have no "
        "clear verdict. Draw a sample",
        run="curate annotate sample NAME",
    )


@dataclass(frozen=True)
class _Votes:
    """The pairs that annotators have come to, and what they said of them; one element a pair, or a stratum."""

    strata: list[Row]
    stratum: Ints
    """The place of each pair's stratum in `strata`."""
    query: Ints
    probability: Doubles
    inclusion: Doubles
    relevant: Bools
    known: Bools
    """Whether more annotators say the one than the other."""
    judged: Bools
    """Whether an annotator gave a verdict on it; the others were skipped."""
    drawn: float
    """The share of the queries that was drawn, and come to."""
    open: int
    """How many pairs the annotators have not come to."""
    left_out: dict[str, int]

    @classmethod
    def of(cls, workspace: Workspace, about: Row, rows: Any) -> "_Votes":
        """Return the votes, from the rows of `sql/annotate/verdicts.sql`.

        The queries are judged in an order that chance made, so that the first ones are a smaller sample. Which
        pairs of them have a verdict is not chance: the hard ones are skipped.
        """
        queries, given = rows["query_key"].to_numpy().astype(np.int64), rows["judged"].to_numpy()
        end = _reached(queries, given > 0)
        reached = len(np.unique(queries[:end])) / len(np.unique(queries))
        yes, no = (rows[name].to_numpy()[:end] for name in ("yes", "no"))
        strata = workspace.select("annotate/strata_of", sample=about["sample_id"]).to_dicts()
        return cls(
            strata=strata,
            stratum=np.searchsorted([row["stratum"] for row in strata], rows["stratum"].to_numpy()[:end]),
            query=queries[:end],
            probability=rows["probability"].to_numpy()[:end],
            inclusion=rows["inclusion"].to_numpy()[:end] * reached,
            relevant=yes > no,
            known=yes != no,
            judged=given[:end] > 0,
            drawn=about["drawn_queries"] / about["queries"] * reached,
            open=len(given) - end,
            left_out={"elsewhere": int(rows["elsewhere"].sum()), "beyond": int(given[end:].sum())},
        )

    @property
    def counts(self) -> dict[str, int]:
        """The number of pairs by what is known of them."""
        return {
            "relevant": int((self.known & self.relevant).sum()),
            "irrelevant": int((self.known & ~self.relevant).sum()),
            "unsure": int((self.judged & ~self.known).sum()),
            "skipped": int((~self.judged).sum()),
            "open": self.open,
        }

    def cost(self) -> Row:
        """Return the cost of denoising: its recall if one looks for what is not relevant."""
        strata = [{**row, "probability": 1 - (row["probability"] or 0.0)} for row in self.strata]
        reverse = replace(self, strata=strata, probability=1 - self.probability, relevant=~self.relevant)
        *_, recall = reverse.figures()
        return {**recall, "what": "cost"}

    def figures(self) -> Iterator[Row]:
        """Yield all figures but the cost; the last one is the recall of denoising."""
        decision = np.array([row["decision"] for row in self.strata])
        whole = np.ones(len(decision), np.bool_)
        yield self._figure("false_negative_rate", "all", whole)
        ranges = np.array([ranks(row) for row in self.strata])
        for part in dict.fromkeys(
            ranks(row) for row in sorted(self.strata, key=lambda row: int(row["first_rank"]))
        ):
            yield self._figure("false_negative_rate", f"ranks {part}", ranges == part)
        for part in PRECISE:
            if (decision == part).any():
                yield self._figure("precision", part, decision == part, turned=part == KEPT)
        scored = decision != "unscored"
        yield self._figure("recall", "denoising", scored, part=decision != KEPT)

    def _figure(self, what: str, name: str, of: Bools, part: Bools | None = None, *, turned: bool = False) -> Row:
        """Return a figure. turned: it is the share that is not relevant."""
        pairs = int(sum(row["pairs"] for row, inside in zip(self.strata, of, strict=True) if inside))
        row: Row = {"what": what, "part": name, "candidates": pairs}
        best = self._share(of, part, self.known, self.relevant)
        unsure = ~self.known & of[self.stratum]
        extremes = [best]
        if unsure.any() and best:
            # Most of the relevant ones are in `part` if the unsure ones there are relevant and no others.
            inside = np.ones(len(of), np.bool_) if part is None else part
            for most in (inside, ~inside):
                settled = np.where(unsure, most[self.stratum], self.relevant)
                extremes.append(self._share(of, part, self.known | unsure, settled))
        values = [share.value for share in extremes if share]
        row |= _as_row(best, turned)
        bounds = sorted(1 - value if turned else value for value in values)
        row |= {
            "unsure": int(unsure.sum()),
            "unsure_low": min(bounds, default=None),
            "unsure_high": max(bounds, default=None),
        }
        return row

    def _share(self, of: Bools, part: Bools | None, known: Bools, relevant: Bools) -> Share | None:
        strata = Strata(
            kind=np.array([row["decision"] for row in self.strata]),
            pairs=np.array([row["pairs"] for row in self.strata], np.float64),
            probability=np.array([row["probability"] or 0.0 for row in self.strata]),
        )
        # Of a stratum whose pairs are all drawn, those without a clear verdict are not known all the same.
        size = len(self.strata)
        settled = np.bincount(self.stratum[known], minlength=size)
        part_known = settled / np.maximum(np.bincount(self.stratum, minlength=size), 1)
        inclusion = self.inclusion * part_known[self.stratum]
        verdicts = Verdicts(self.stratum, self.query, relevant.astype(np.float64), self.probability, inclusion)
        return estimated(strata, verdicts.of(known), self.drawn, of, part)


def _as_row(share: Share | None, turned: bool) -> Row:
    names = ("value", "low", "high", "labels", "queries", "worth", "saved", "control")
    if share is None:
        return {**dict.fromkeys(names), "labels": 0, "queries": 0}
    values = vars(share)
    if turned:
        values = {**values, "value": 1 - share.value, "low": 1 - share.high, "high": 1 - share.low}
    return {name: values[name] for name in names}


def _reached(queries: Ints, judged: Bools) -> int:
    """Return how many pairs annotators have come to, in whole queries, in the order in which they are judged.

    Pairs without a verdict before the last one with one were skipped. If it is not the last of its query, the
    query is still being judged.
    """
    if not judged.any():
        return 0
    last = int(np.flatnonzero(judged)[-1])
    of_query = np.flatnonzero(queries == queries[last])
    return int(of_query[-1]) + 1 if last == of_query[-1] else int(of_query[0])
