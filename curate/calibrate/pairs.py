"""The pairs that a calibration learns from, and what is known of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from curate import sql_files
from curate.calibrate.forms import Doubles, Evidence, Form, compressed, fit
from curate.calibrate.prior import share_of_relevant
from curate.counted import counted
from curate.errors import StepMissing
from curate.suggest import curate_command
from curate.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

Source = Literal["annotations", "labels", "both"]
Bools = npt.NDArray[np.bool_]
FOLDS = 5
QUERIES = 2_000  # drawn by hash: more would not move three parameters
# Ten pairs of the rarer kind for each of three parameters, and queries enough for five folds.
ANNOTATED, ANNOTATED_QUERIES = 30, 20
# The slack in the share of relevant candidates (prior.py) is 0.14 for 100 positives.
LABELLED, LABELLED_QUERIES = 100, 50
# Labels alone bound the share of relevant candidates from above (prior.py). Where a judge tells hardly anything
# apart, the bound lies far above the share: a fit to it once made everything relevant (benchmarks/README.md).
MOST_RELEVANT = 0.5


@dataclass(frozen=True)
class Pairs:
    """Candidates that a scorer has scored, of queries that it was not trained on; one element a pair."""

    query: npt.NDArray[np.int64]
    logit: Doubles
    kind: npt.NDArray[np.str_]
    """labelled, relevant, irrelevant or unlabelled, as sql/calibrate/pairs.sql says."""
    weight: Doubles
    fold: npt.NDArray[np.int64]
    retriever: npt.NDArray[np.str_]
    length: npt.NDArray[np.str_]

    @classmethod
    def read(cls, workspace: Workspace, about: Mapping[str, Any], hidden: "pa.Table") -> "Pairs":
        """Return the pairs of a scorer in the top-k of a run, which `about` names with the seed.

        hidden: rows with query_id, passage_id and relevance (sql/calibrate/pairs.sql).
        """
        with workspace.connect_lazily() as connection:
            connection.register("hidden", hidden)
            rows = sql_files.select(connection, "calibrate/pairs", **about, queries=QUERIES).pl()
        texts = {name: rows[name].to_numpy().astype(np.str_) for name in ("kind", "retriever", "passage_size")}
        annotated = np.isin(texts["kind"], ("relevant", "irrelevant"))
        weight = rows["weight"].to_numpy().copy()
        weight[annotated] /= weight[annotated].mean() if annotated.any() else 1.0
        return cls(
            query=rows["query_key"].to_numpy().astype(np.int64),
            logit=rows["logit"].to_numpy(),
            kind=texts["kind"],
            weight=weight,
            fold=rows["fold"].to_numpy().astype(np.int64),
            retriever=texts["retriever"],
            length=texts["passage_size"],
        )

    def part(self, chosen: Bools) -> "Pairs":
        """Return the chosen pairs."""
        return Pairs(*(column[chosen] for column in vars(self).values()))

    def of(self, *kinds: str) -> Bools:
        """Return which pairs are of one of the kinds."""
        result: Bools = np.isin(self.kind, kinds)
        return result

    def queries(self, *kinds: str) -> int:
        """Return the number of queries with a pair of one of the kinds."""
        return len(np.unique(self.query[self.of(*kinds)]))

    def enough(self, source: Source) -> bool:
        """Return whether there are enough pairs to learn from this source."""
        return not self.lack(source)

    def lack(self, source: Source) -> str:
        """Return what a source has too little of, or an empty text."""
        found = []
        if source != "labels":
            yes, no = int(self.of("relevant").sum()), int(self.of("irrelevant").sum())
            queries = self.queries("relevant", "irrelevant")
            if min(yes, no) < ANNOTATED or queries < ANNOTATED_QUERIES:
                found.append(
                    f"{yes:,} annotated as relevant and {no:,} as not relevant, of {queries:,} queries, where "
                    f"{ANNOTATED} of each and {ANNOTATED_QUERIES} queries are needed: ten for each of three "
                    "parameters"
                )
        if source != "annotations":
            labelled, queries = int(self.of("labelled").sum()), self.queries("labelled")
            if labelled < LABELLED or queries < LABELLED_QUERIES:
                found.append(
                    f"{labelled:,} labelled positives, of {queries:,} queries, where {LABELLED} and "
                    f"{LABELLED_QUERIES} are needed: with fewer, the share of relevant candidates is a guess"
                )
            if not self.of("unlabelled").any():
                found.append("no unlabelled candidate, where there must be some to calibrate for")
        return "; and ".join(found)

    def evidence(self, source: Source) -> tuple["Pairs", Evidence, float]:
        """Return the pairs that a source uses, as evidence, and the share of relevant unlabelled candidates."""
        if source == "annotations":
            used = self.part(self.of("relevant", "irrelevant"))
            relevant = (used.kind == "relevant").astype(np.float64)
            prior = float((used.weight * relevant).sum() / used.weight.sum())
            return used, Evidence(used.logit, relevant, used.weight, np.zeros(len(relevant))), prior
        kinds = ("labelled", "unlabelled", *(("relevant", "irrelevant") if source == "both" else ()))
        used = self.part(self.of(*kinds))
        labelled, unlabelled = used.of("labelled"), used.of("unlabelled")
        prior = used.prior(source)
        more = np.log1p(labelled.sum() / (prior * unlabelled.sum()))
        relevant = np.select([unlabelled, used.of("irrelevant")], [np.nan, 0.0], 1.0)
        oversampled = np.where(labelled | unlabelled, more, 0.0)
        return used, Evidence(used.logit, relevant, used.weight, oversampled), prior

    def prior(self, source: Source) -> float:
        """Return the share of relevant ones among the unlabelled candidates: from annotations, if these count."""
        unlabelled = self.logit[self.of("unlabelled")]
        if source == "labels":
            return share_of_relevant(self.logit[self.of("labelled")], unlabelled)
        _, annotated, _ = self.evidence("annotations")
        return float(np.clip(fit(annotated, "platt").probability(unlabelled).mean(), 0.001, 0.999))

    def out_of_fold(self, source: Source, form: Form) -> Doubles:
        """Return the log-odds of each pair by a curve that was fitted without the queries of its fold."""
        found = np.empty(len(self.logit))
        for fold in range(FOLDS):
            held = self.fold == fold
            _, evidence, _ = self.part(~held).evidence(source)
            found[held] = fit(compressed(evidence), form).exponent(self.logit[held])
        return found


def refuse_unfit(workspace: Workspace, pairs: Pairs, source: Source, about: Mapping[str, Any]) -> list[str]:
    """Raise StepMissing, with what to do, if a source has too little that the scorer was not trained on.

    about: scorer, run and depth. Returns what was left out, in words.
    """
    lack = pairs.lack(source)
    run, scorer = about["run"], about["scorer"]
    (counts,) = workspace.select("calibrate/counts", **about).to_dicts()
    left_out = []
    if counts["without_chance"]:
        left_out = [
            f"{counted(counts['without_chance'], 'annotated pairs are', 'annotated pair is')} left out: other "
            "annotations say with which chance they were drawn (inclusion), these do not"
        ]
    if not lack:
        _refuse_loose_bound(pairs, source, scorer)
        return left_out
    if not counts["scored"]:
        raise StepMissing(
            f"{scorer} has scored no candidate of run {run}. Run: "
            f"{curate_command('denoise', '--scorer', 'MODEL', '--run', run)}"
        )
    seen = "".join(f" {text}." for text in left_out)
    if counts["seen"]:
        seen += (
            f" {counts['seen']:,} of {counts['queries']:,} queries with labels are left out, because the scorer "
            "was trained on them, or may have been. Queries of dev can take their place: mine and score them "
            "(curate mine --split dev, curate denoise --run), then calibrate on that run (curate calibrate --run)."
        )
    raise StepMissing(
        f"too little to calibrate {scorer} from {source} in the top {about['depth']} of run {run}: {lack}.{seen} "
        "Annotations help most: draw pairs by chance, judge them, then run: curate load --annotations FILE"
    )


def _refuse_loose_bound(pairs: Pairs, source: Source, scorer: str) -> None:
    """Raise StepMissing if labels are all there is, and they allow most of the candidates to be relevant."""
    if source != "labels" or (bound := pairs.prior("labels")) <= MOST_RELEVANT:
        return
    raise StepMissing(
        f"labels cannot calibrate {scorer}: up to {bound:.0%} of the unlabelled candidates may be relevant by its "
        "scores. Either they are, or it does not tell labelled positives from other candidates; only judged pairs "
        "show which. Draw pairs by chance, judge them, then run: curate load --annotations FILE"
    )
