"""`curate selfcheck`: what denoising would find of labelled positives if nobody had labelled them, and its cost.

Labelled positives are hidden and looked for among the mined candidates, so nobody has to judge anything. A score
does not depend on labels: hiding one changes no probability. Hidden positives that count are candidates, so
`curate denoise` has scored them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from curate import judges, sql_files, standing
from curate.annotate.estimates import estimate_in_force
from curate.choose_run import chosen_run
from curate.cutoffs import cutoffs_in_force
from curate.errors import BadSettings, StepMissing
from curate.options import given_options
from curate.progress import SILENT, Progress
from curate.suggest import curate_command
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]
BELOW, ABOVE = "negative_below", "positive_above"
EVIDENCE = {
    "recall": {"hidden": "measured"},
    "cost": {"judged": "measured", "unlabelled": "upper bound", "random": "measured"},
}
"""Figure -> the kind of pairs that tells something of it (sql/selfcheck/pairs.sql) -> what it tells."""
BY_CUTOFFS = ("all", "any")
"""How several judges are joined if their joined probability depends on the cutoffs."""
FOLDS = 5


class SelfCheckOptions(TypedDict, total=False):
    """The options of `selfcheck`. None means that the option is not given."""

    run: str | None
    """Id of the run; by default the current one over train."""
    cutoffs: str | None
    """The name of the cutoffs that decide; by default the current ones."""
    share: float | None
    """The part of the queries whose positives are hidden; 1 by default, for the narrowest intervals."""
    seed: int | None
    """Another seed draws other queries, and lets another positive of a query stay; by default the workspace's."""


@dataclass(frozen=True)
class SelfCheck:
    """What denoising finds of hidden positives, and what it costs."""

    run_id: str
    cutoffs: Row
    """The row of the cutoffs that decide."""
    share: float
    seed: int
    counts: dict[str, int]
    """The labelled positives by what became of them: the columns of `sql/selfcheck/counts.sql`."""
    figures: list[Row]
    """One row per figure. `what` is recall, cost or precision, and `of` the pairs that it is about: hidden,
    judged, unlabelled, random, or sample (verdicts on a sample of `curate annotate`). `part`: all, or a range of
    ranks. `cutoff`: negative_below, or positive_above; `at`: its value. `means`: measured, estimate (of a sample),
    upper bound, or opinion (the scorer's own, by its calibrated probabilities). `value` is a share, with its 95 %
    interval from `low` to `high` if it is measured or an estimate. It rests on `pairs` of `queries`, of which
    `taken` count; None if the share is no count."""
    by_cutoff: list[Row]
    """One row per value of negative_below: `recall` with `low` and `high`, `unlabelled` (the share of unlabelled
    candidates that it takes out) and `judged` (of those that people judged not relevant). Of the value that the
    cutoffs have, `in_force` is true. Empty where judges are joined by all or any."""
    notes: list[str]
    """What to know of these figures, one sentence or two each."""

    def of(self, what: str, of: str, cutoff: str = BELOW, part: str = "all") -> Row:
        """Return the row of a figure; raises KeyError if there is none."""
        for row in self.figures:
            if (row["what"], row["of"], row["cutoff"], row["part"]) == (what, of, cutoff, part):
                return row
        raise KeyError(what, of, cutoff, part)


def selfcheck(
    workspace: Workspace, *, progress: Progress = SILENT, **options: Unpack[SelfCheckOptions]
) -> SelfCheck:
    """Return what denoising would find of labelled positives if they were hidden. Nothing is scored or written.

    Positives of queries that trained a scorer of the cutoffs do not count. Of the positives of a query, one stays
    labelled, and a query with a single one loses it. The intervals are those of `share_interval`, by query. Raises
    BadSettings if `share` is not above 0 and at most 1, and StepMissing if no positive can be hidden, or if none
    of those that the retriever found has a score.
    """
    given = given_options(SelfCheckOptions, options)
    share, seed = given.get("share", 1.0), given.get("seed", workspace.settings.seed)
    if not 0 < share <= 1:
        raise BadSettings(f"share must be above 0 and at most 1, found {share}")
    run, row = chosen_run(workspace, given.get("run")), cutoffs_in_force(workspace, given.get("cutoffs"))
    named = {"named_run": "run" in given, "named_cutoffs": "cutoffs" in given}
    for note in standing.notes(workspace, [run], row["name"], **named):
        progress.say(note)
    with workspace.connect_lazily() as connection:
        counts, taken, scorers = _measured(connection, workspace, run, row, share, seed)
    stopped = bool(row.get("enough")) and bool(_state(workspace, run, row)["unscored"])
    if stopped:
        taken = [found for found in taken if found["kind"] not in ("unlabelled", "judged")]
    calibrated = all(scorer["calibration_id"] for scorer in scorers)
    figures = [
        *_shares(taken),
        *(_opinions(taken) if calibrated and len(scorers) == 1 else ()),
        *_of_sample(workspace, run, row),
    ]
    notes = [*_notes(scorers), *_notes_on_cost(figures, row, calibrated=calibrated, stopped=stopped)]
    curve = [] if row.get("joined") in BY_CUTOFFS else [*_by_cutoff(taken)]
    return SelfCheck(run, row, share, seed, counts, figures, curve, notes)


def hidden_recall(connection: "duckdb.DuckDBPyConnection", workspace: Workspace, run: str, row: Row) -> SelfCheck:
    """Return the recall that `selfcheck` measures, without the cost, for which it reads all candidates.

    connection: one to the workspace, on which the probabilities of positives may be kept. row: that of the
    cutoffs. Raises StepMissing as `selfcheck`.
    """
    seed = workspace.settings.seed
    counts, taken, scorers = _measured(connection, workspace, run, row, 1.0, seed, only_hidden=True)
    return SelfCheck(run, row, 1.0, seed, counts, [*_shares(taken)], [], [*_notes(scorers)])


def _measured(
    connection: "duckdb.DuckDBPyConnection",
    workspace: Workspace,
    run: str,
    row: Row,
    share: float,
    seed: int,
    *,
    only_hidden: bool = False,
) -> tuple[dict[str, int], list[Row], list[Row]]:
    """Return the rows of counts, taken_out and scorers in sql/selfcheck. only_hidden: recall alone."""
    about = {"run": run, "cutoffs": row["name"], "share": share, "seed": seed}

    def rows(path: str, **further: Any) -> list[Row]:
        found: list[Row] = sql_files.select(connection, path, **about, **further).pl().to_dicts()
        return found

    sql_files.execute(connection, "selfcheck/hidden", **about)
    (counts,) = rows("selfcheck/counts")
    _refuse_nothing(workspace, counts, run, row)
    sql_files.execute(connection, "selfcheck/pairs", **about, only_hidden=only_hidden)
    grid = row.get("joined") not in BY_CUTOFFS and not only_hidden
    return counts, rows("selfcheck/taken_out", grid=grid), rows("selfcheck/scorers")


def _state(workspace: Workspace, run: str, row: Row) -> Row:
    (found,) = standing.states(workspace, [run], row["name"])
    return found


def _refuse_nothing(workspace: Workspace, counts: Mapping[str, int], run: str, row: Row) -> None:
    """Raise StepMissing if no positive is hidden, or if nothing is known of those that were found."""
    if counts["hidden"] and (counts["counted"] or not counts["unscored"]):
        return
    state, scorers = _state(workspace, run, row), judges.in_words(row)
    if not counts["labelled"]:
        raise StepMissing(
            f"the queries of run {run} have no labelled positive in the split {state['split']} that could be "
            "hidden. Load qrels, or name a run over labelled queries: --run ID",
            run="curate load COLLECTION",
        )
    if not counts["hidden"] and counts["seen"]:
        raise StepMissing(
            f"all {counts['seen']:,} labelled positives of run {run} belong to queries that trained {scorers}: it "
            "knows them by heart, so they say nothing of it. Train judges that each leave some queries out, and "
            "denoise with them; or name a run over queries that did not train it: --run ID",
            run=curate_command("train", "cross-encoder", "--folds", FOLDS),
        )
    if not counts["hidden"]:
        raise StepMissing(
            f"run {run} has no candidate for any query with a labelled positive",
            run=curate_command("mine", "--split", state["split"]),
        )
    raise StepMissing(
        f"none of the {counts['unscored']:,} hidden positives in the top {row['depth']} of run {run} has a score "
        f"of {scorers}, and unscored is not negative",
        run=standing.command_to_score(state, row["name"]),
    )


def _figure(what: str, of: str, means: str, row: Mapping[str, Any], **values: Any) -> Row:
    """Return a figure from a row of `sql/selfcheck/taken_out.sql`, or with the `values` given instead."""
    kept = {"part": row["part"], "cutoff": row["cutoff"], "at": row["value"]}
    counts = {"taken": row["taken"], "pairs": row["pairs"], "queries": row["queries"]}
    interval = {"value": row["share"], "low": row["low"], "high": row["high"]}
    return {"what": what, "of": of, **kept, "means": means, **interval, **counts, **values}


def _shares(taken: Iterable[Row]) -> Iterator[Row]:
    """Yield the figures that are shares of pairs."""
    for what, kinds in EVIDENCE.items():
        for row in taken:
            if row["in_force"] and row["kind"] in kinds and (what == "recall" or row["part"] == "all"):
                # A bound of another share has no interval: it would look like a measurement.
                bare = {} if kinds[row["kind"]] == "measured" else {"low": None, "high": None}
                yield _figure(what, row["kind"], kinds[row["kind"]], row, **bare)


def _whole(taken: Iterable[Row], kind: str) -> dict[tuple[str, float], Row]:
    """Return cutoff and value -> the row of a kind of pairs over all ranks."""
    return {(row["cutoff"], row["value"]): row for row in taken if (row["kind"], row["part"]) == (kind, "all")}


def _opinions(taken: Iterable[Row]) -> Iterator[Row]:
    """Yield what the scorer's own probabilities make of the unlabelled candidates."""
    for row in _whole(taken, "unlabelled").values():
        if not row["in_force"]:
            continue
        of_taken, of_all = row["relevant_taken"], row["relevant"]
        values = {
            "recall": (of_taken, of_all),
            "cost": (row["taken"] - of_taken, row["pairs"] - of_all),
            "precision": (of_taken, row["taken"]),
        }
        for what, (part, whole) in values.items():
            value = round(part / whole, 6) if whole else None
            pairs = row["taken"] if what == "precision" else row["pairs"]
            bare = {"low": None, "high": None, "taken": None, "pairs": pairs}
            yield _figure(what, "unlabelled", "opinion", row, value=value, **bare)


def _of_sample(workspace: Workspace, run: str, row: Row) -> Iterator[Row]:
    """Yield what the verdicts on the newest sample of this run say, if it was drawn under the same cutoffs."""
    found = estimate_in_force(workspace, run, row)
    if found is None:
        return
    for what in ("recall", "cost"):
        figure = found.of(what, "denoising")
        at = {"part": "all", "cutoff": BELOW, "value": row[BELOW], "share": figure["value"]}
        counts = {"taken": None, "pairs": figure["labels"], "queries": figure["queries"]}
        yield _figure(what, "sample", "estimate", {**figure, **at, **counts})


def _by_cutoff(taken: list[Row]) -> Iterator[Row]:
    """Yield a row per value of negative_below."""
    others = {kind: _whole(taken, kind) for kind in ("unlabelled", "judged")}
    for key, hidden in _whole(taken, "hidden").items():
        if key[0] != BELOW:
            continue
        unlabelled, judged = (others[kind].get(key) for kind in ("unlabelled", "judged"))
        yield {
            BELOW: key[1],
            "in_force": hidden["in_force"],
            "recall": hidden["share"],
            "low": hidden["low"],
            "high": hidden["high"],
            "unlabelled": unlabelled and unlabelled["share"],
            "judged": judged and judged["share"],
        }


def _notes(scorers: list[Row]) -> Iterator[str]:
    """Yield what the labels may have done to the scorers and to the retriever."""
    yield (
        "Labelled positives are often easier than other relevant passages: they stand at better ranks, and at the "
        "same rank a scorer recognises more of them. Unless chance chose what was labelled, recall is lower for "
        "what nobody labelled."
    )
    foreign = [row["scorer_id"] for row in scorers if not row["trained_here"] and not row["ranks"]]
    if foreign:
        yield (
            f"{' and '.join(foreign)} {'was' if len(foreign) == 1 else 'were'} not trained in this workspace. "
            "Whether these labels were among the training data is not known here; if so, recall is too high."
        )
    learnt = [row["calibration_id"] for row in scorers if row["evidence"] in ("labels", "both")]
    if learnt:
        yield f"Learnt from labels, the hidden ones perhaps among them: {' and '.join(learnt)}."
    if any(row["retriever_has_seen"] for row in scorers):
        yield "The retriever was trained on these labels, so that it finds them at better ranks than others."


def _notes_on_cost(figures: list[Row], row: Row, *, calibrated: bool, stopped: bool) -> Iterator[str]:
    """Yield what is not known of the cost, and what would tell it."""
    if stopped:
        yield (
            "Scoring stopped early (--enough), so that deep ranks are scored only for queries with few negatives. "
            "Candidates without a positive label are therefore not counted, and tell nothing of the cost."
        )
    known = {figure["of"] for figure in figures if figure["what"] == "cost"} & {"judged", "sample"}
    if not known:
        yield (
            "Nobody judged a candidate that counts as not relevant, so that the cost is not measured. Verdicts on "
            f"a sample measure it: {curate_command('annotate', 'sample', 'NAME')}"
        )
    elif known == {"judged"}:
        yield (
            "Somebody chose which candidates were judged not relevant, often those that look relevant. They stand "
            "for themselves: other true negatives may cost less."
        )
    if not calibrated:
        yield (
            "The scorer is not calibrated, so that its own opinion is left out. Learn what its logits mean: "
            "curate calibrate"
        )
    if row.get("joined") in BY_CUTOFFS:
        yield (
            f"Judges joined by '{row['joined']}' have other probabilities under other cutoffs, so that only the "
            "values in force are shown. Set others under another name: curate cutoffs set NAME"
        )
