"""The first screen: how many of the top-k were false negatives, and whether that can be trusted."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from curate import judges
from curate.bootstrap import Interval
from curate.counted import counted
from curate.cutoffs import cutoffs_in_words
from curate.denoise.judge_quality import BETTER_JUDGES, PERCENT, JudgeQuality
from curate.suggest import curate_command

from .document import State, Tile
from .figures import between, number, percent, span
from .report_rows import Overview, Report, ReportRow

LOST_IS_BAD, LOST_IS_FINE = 1 / 3, 0.1
"""The share of labelled positives that a scorer may reject. Above the first, its negatives are no better than "
"that."""
SHORT_IS_BAD, SHORT_IS_FINE = 1 / 3, 0.1
"""The share of queries that may have fewer hard negatives than wanted."""
UNSCORED_IS_FINE = 0.1
"""The share of labelled positives that may be unscored."""
LEFT = "Left to train on"
"""The title of the tile that says nothing of whether the answer can be trusted."""
OFF_IS_FINE = 0.05
"""The calibration error with which a probability still means what it says, roughly."""


def tiles(overview: Overview) -> list[Tile]:
    """Return the answer's figures: what was found first, then why it can be trusted or not."""
    found = overview.reports
    return [
        _false_negatives(found["headline"]),
        *_people(found.get("estimates")),
        _naive(found["naive_negatives"]),
        _left(found["shortfall"], found["headline"]),
        _judge(found),
        _recognised(found["positives_recognised"]),
        *_hidden(found.get("selfcheck")),
        _unscored(found["headline"]),
        _calibration(found),
    ]


def answer(found: Mapping[str, Report]) -> str:
    """Return how many of the top-k were false negatives, by the scorer and, if they judged a sample, by people."""
    return " ".join(part for part in (_by_scorer(found["headline"]), _by_people(found.get("estimates"))) if part)


def _by_scorer(found: Report) -> str:
    row = found.rows[0]
    if not row["scored"]:
        return f"Nothing is known yet: the scorer has decided about no candidate.{_missing(row)}"
    if row["stopped_early"]:
        return (
            f"{number(row['false_negatives'])} of the {number(row['unjudged'])} unlabelled candidates that were "
            "scored. Scoring stopped early, so this is no share of all."
        )
    if not row["labelled_queries"]:
        return (
            f"None: these queries have no labels. {number(row['pseudo_positives'])} of "
            f"{number(row['unjudged'])} candidates are pseudo-positives.{_missing(row)}"
        )
    interval = between(row, "false_negative")
    of_others = "" if interval == "-" else f" (95 % interval {interval})"
    return (
        f"{percent(row['false_negative_rate'])}{of_others}: the scorer finds {number(row['false_negatives'])} "
        f"relevant, of {number(row['unjudged'])} candidates that nobody judged.{_missing(row)}"
    )


def _missing(row: ReportRow) -> str:
    """Return how many candidates are unscored, as a sentence with a space before it, if any are."""
    if not row["unscored"]:
        return ""
    are = "is" if row["unscored"] == 1 else "are"
    return f" {number(row['unscored'])} of {counted(row['candidates'], 'candidates')} {are} unscored."


def trust(shown: Sequence[Tile]) -> str:
    """Return whether the answer can be trusted, in a sentence that names what speaks against it."""
    bad, care, unknown = (
        [tile.title for tile in shown if tile.state == state and tile.title != LEFT]
        for state in ("bad", "care", "unknown")
    )
    if unknown:
        against = f" Against it speaks: {'; '.join(bad)}." if bad else ""
        return f"Nobody knows yet. See: {'; '.join(unknown)}.{against}"
    if bad:
        return f"Not yet. See: {'; '.join(bad)}."
    if care:
        return f"With care. See: {'; '.join(care)}."
    return "As far as the labels tell, yes. Read some suspects below: only people know whether it is right."


def _false_negatives(found: Report) -> Tile:
    row, setting = found.rows[0], found.setting
    title = f"False negatives in the top {setting['depth']}"
    if not row["scored"]:
        return Tile(
            title,
            "unknown",
            "The scorer has decided about no candidate.",
            "unknown",
            "Score them: curate denoise.",
        )
    if not row["labelled_queries"]:
        return Tile(
            title,
            "no labels",
            f"No query of the run is labelled, so none can be told. {number(row['pseudo_positives'])} of "
            f"{counted(row['unjudged'], 'candidates')} that nobody judged are pseudo-positives: the scorer gives "
            f"them a probability above {setting['positive_above']:g}.",
        )
    where = f"in {counted(row['queries_with_false_negatives'], 'queries')} of {number(row['queries'])}"
    why = (
        f"The scorer gives them a probability above {setting['positive_above']:g}, although nobody labelled them."
    )
    if row["stopped_early"]:
        return Tile(title, number(row["false_negatives"]), f"{where[0].upper()}{where[1:]}. {why}")
    counts = f"{number(row['false_negatives'])} of {number(row['unjudged'])} unlabelled candidates, {where}."
    return Tile(title, percent(row["false_negative_rate"]), f"{_interval(row, 'false_negative')}{counts} {why}")


def _naive(found: Report) -> Tile:
    title = "Without denoising"
    share = {row["decision"]: row for row in found.rows}
    if not share:
        return Tile(title, "unknown", "No labelled query has unlabelled candidates.")
    false, taken = share["false_negative"], found.parameters["negatives"]
    unscored = share["unscored"]["pairs"]
    if unscored and not any(share[key]["pairs"] for key in ("hard_negative", "false_negative", "uncertain")):
        return Tile(
            title,
            "unknown",
            f"The scorer has decided about none of {counted(false['taken'], 'passages')}.",
            "unknown",
        )
    apart = f" {number(unscored)} more are unscored, and in no share." if unscored else ""
    rest = ", ".join(
        f"{percent(share[key]['share'])} {words}" for key, words in NAIVE.items() if share[key]["pairs"]
    )
    interval = span(false["low"], false["high"])
    told = "" if interval == "-" else f"95 % interval {interval}. "
    return Tile(
        title,
        percent(false["share"]),
        f"{told}Of the {taken} best-ranked unlabelled passages of each query, which plain mining takes as "
        f"negatives, this share of those with a verdict is false. The others: {rest or 'none'}.{apart}",
    )


NAIVE = {
    "uncertain": "uncertain",
    "duplicate": "duplicates of a positive",
    "hard_negative": "hard negatives",
}


def _left(found: Report, headline: Report) -> Tile:
    title = LEFT
    queries = sum(row["queries"] for row in found.rows)
    enough = sum(row["queries"] for row in found.rows if row["enough"])
    if not queries:
        return Tile(title, "none", "The run has no queries.", "bad")
    short = (queries - enough) / queries
    state: State = "good" if short <= SHORT_IS_FINE else "care" if short <= SHORT_IS_BAD else "bad"
    wanted = found.parameters["negatives"]
    return Tile(
        title,
        counted(headline.rows[0]["hard_negatives"], "hard negatives"),
        f"{percent(enough / queries)} of {counted(queries, 'queries')} have {wanted} or more, as wanted.",
        state,
        "Mine deeper (curate mine --depth), score deeper (curate denoise --depth), or raise negative_below: the "
        "cutoff sweep shows what that costs.",
    )


def _by_people(found: Report | None) -> str:
    """Return what people's verdicts on a sample say of the top-k, in a sentence; an empty string without them."""
    row = None if found is None else _estimate(found, "false_negative_rate", "all")
    if row is None or row["value"] is None:
        return ""
    return f"By people: {percent(row['value'])} (95 % interval {span(row['low'], row['high'])}, {_rests_on(row)})."


def _estimate(found: Report, what: str, part: str) -> ReportRow | None:
    return next((row for row in found.rows if (row["what"], row["part"]) == (what, part)), None)


def _rests_on(row: ReportRow) -> str:
    return f"{counted(row['labels'], 'verdicts')} on pairs of {counted(row['queries'], 'queries')}"


def _people(found: Report | None) -> Iterator[Tile]:
    """Yield what the verdicts on a sample say: how much is relevant, and how right the negatives are."""
    if found is None:
        return
    sample = found.parameters["sample_id"]
    for title, key in (
        ("Relevant in the top-k, by people", ("false_negative_rate", "all")),
        ("Hard negatives that are right, by people", ("precision", "hard_negative")),
    ):
        row = _estimate(found, *key)
        more = f"Judge more pairs: {curate_command('annotate', sample)}."
        if row is None or row["value"] is None:
            yield Tile(title, "too few verdicts", f"Of sample '{sample}', too few pairs are judged.", "care", more)
            continue
        within = span(row["low"], row["high"])
        interval = f"95 % interval {within}."
        rests = f"It rests on {_rests_on(row)}, drawn by chance (sample '{sample}')."
        unsure = ""
        if row["unsure"]:
            where = span(row["unsure_low"], row["unsure_high"])
            unsure = f" {counted(row['unsure'], 'pairs have', 'pair has')} no clear verdict: {where} if settled."
        if key[0] == "precision":
            yield Tile(title, percent(row["value"]), f"{interval} {rests}{unsure}", _is_right(row), more, within)
        else:
            yield Tile(title, percent(row["value"]), f"{interval} {rests}{unsure}", interval=within)


def _is_right(row: ReportRow) -> State:
    """Return what the precision of the hard negatives says. An interval that holds the limit leaves it open."""
    limit = 1 - LOST_IS_FINE
    return "good" if row["low"] >= limit else "bad" if row["high"] < limit else "care"


def _hidden(found: Report | None) -> Iterator[Tile]:
    """Yield how many hidden positives denoising finds again, and whether the scorer was trained on them."""
    if found is None:
        return
    title, about = "Hidden positives that denoising finds", found.parameters
    row = next((row for row in found.rows if row["part"] == "all" and row["cutoff"] == "negative_below"), None)
    if row is None:
        yield Tile(title, "unknown", f"{about['missing'] or 'No hidden positive is a candidate with a score.'}")
        return
    counts = about["counts"]
    interval = "" if row["low"] is None else f"95 % interval {span(row['low'], row['high'])}. "
    seen = ""
    if counts["seen"]:
        seen = f" {counted(counts['seen'], 'positives')} of queries that trained the scorer do not count."
    unknown = [note for note in about["notes"] if "not trained in this workspace" in note or "retriever" in note]
    lost = 1 - row["value"]
    state: State = "bad" if lost > LOST_IS_BAD else "care" if lost > LOST_IS_FINE or unknown else "good"
    yield Tile(
        title,
        percent(row["value"]),
        f"{interval}Of {counted(row['pairs'], 'labelled positives')} of {counted(row['queries'], 'queries')} that "
        f"were treated as unlabelled, this share would not become negatives.{seen}{_sentences(unknown)}",
        state,
        "What it costs, and other cutoffs: curate selfcheck.",
        "" if row["low"] is None else span(row["low"], row["high"]),
    )


def _sentences(notes: Sequence[str]) -> str:
    return "".join(f" {note}" for note in notes)


def _judge(found: Mapping[str, Report]) -> Tile:
    title = "Is the judge better than the retriever?"
    setting = found["headline"].setting
    if "judge" not in found:
        commands = [curate_command("report", "judge", "--scorer", name) for name in judges.scorers(setting)]
        return Tile(
            title,
            "look at each",
            f"Several scorers decide together ({judges.in_words(setting)}). Each is measured alone: "
            f"{'; '.join(commands)}.",
            "care",
        )
    quality = quality_of(found["judge"])
    words, state = (THAN_CHANCE if quality.retriever_has_seen else VERDICTS)[quality.verdict]
    if quality.mrr is None or quality.retriever_mrr is None or quality.mrr_difference is None:
        detail = "No labelled query is fully scored that it has not seen, so nothing is known."
    else:
        change = quality.mrr_difference
        detail = (
            f"On {counted(quality.queries, 'queries')} that {_not_seen(setting)}, it ranks with MRR@10 "
            f"{quality.mrr.mean:.3f}, the retriever with {quality.retriever_mrr.mean:.3f} (difference "
            f"{change.mean:+.3f}, 99 % interval {change.low:+.3f} to {change.high:+.3f})."
        )
        detail += _training_unknown(setting)
    if quality.retriever_has_seen:
        detail += " The retriever was trained on these queries, so the judge is compared with chance, by its AUC"
        detail += f" of {_spread(quality.auc)}." if quality.auc else "."
    elif quality.by_auc_alone and quality.auc and quality.auc_difference:
        detail += (
            f" Its AUC decides: {quality.auc.mean:.3f}, {_spread(quality.auc_difference, '+')} more than that of "
            "the retriever's ranks."
        )
    advice = BETTER_JUDGES if quality.verdict != "unknown" else "label more queries, or train it with --folds"
    return Tile(title, words, detail, state, f"{advice[0].upper()}{advice[1:]}.")


VERDICTS: dict[str, tuple[str, State]] = {
    "better": ("yes", "good"),
    "not better": ("not by more than chance", "care"),
    "worse": ("no, it is worse", "bad"),
    "unknown": ("unknown", "unknown"),
}


THAN_CHANCE: dict[str, tuple[str, State]] = {
    "better": ("better than chance; the retriever has seen these queries", "care"),
    "not better": ("not better than chance", "care"),
    "worse": ("no, it is worse than chance", "bad"),
    "unknown": VERDICTS["unknown"],
}
"""Where the retriever was trained on the queries, so that nothing says whether the judge is better than it."""


def _not_seen(setting: ReportRow) -> str:
    """Return what is known of labels that no training of this workspace used."""
    return "no training here used" if setting.get("trained_elsewhere") else "did not train it"


def _training_unknown(setting: ReportRow) -> str:
    """Return, as a sentence with a space before it, that scorers from elsewhere may know the labels by heart."""
    foreign = setting.get("trained_elsewhere")
    if not foreign:
        return ""
    were = "was" if len(foreign) == 1 else "were"
    return (
        f" {' and '.join(foreign)} {were} not trained in this workspace: if these labels were among the training "
        "data, the figure is too high."
    )


def _spread(value: Interval, sign: str = "") -> str:
    return f"{value.mean:{sign}.3f} ({PERCENT} % interval {value.low:{sign}.3f} to {value.high:{sign}.3f})"


def quality_of(found: Report) -> JudgeQuality:
    """Return the quality of the scorer from the rows of the report `judge`."""
    cuts = found.setting
    return JudgeQuality.of(found.rows, cuts["depth"], cuts["negative_below"], cuts["positive_above"])


def _recognised(found: Report) -> Tile:
    title = "Labelled positives that it recognises"
    above, _, below, _ = found.rows
    total = sum(row["positives"] for row in found.rows)
    if total and total == found.rows[-1]["positives"]:
        return Tile(
            title, "unknown", f"None of {counted(total, 'positives')} is scored.", "unknown", "curate denoise."
        )
    if not total:
        seen = sum(row["seen"] for row in found.rows)
        why = f"All {number(seen)} labelled positives trained it." if seen else "There are no labelled positives."
        return Tile(title, "unknown", why, "unknown", "Hold some labels back from its training (--folds).")
    cuts, unscored = found.setting, found.rows[-1]["positives"]
    state: State = "good" if below["share"] <= LOST_IS_FINE else "care" if below["share"] <= LOST_IS_BAD else "bad"
    interval = span(above["low"], above["high"])
    told = "" if interval == "-" else f"95 % interval {interval}. "
    apart = f" {counted(unscored, 'positives are', 'positive is')} unscored, and in no share." if unscored else ""
    if state == "good" and unscored > UNSCORED_IS_FINE * total:
        state = "care"
    return Tile(
        title,
        percent(above["share"]),
        f"{told}Of {counted(total - unscored, 'scored positives')} that {_not_seen(cuts)}, this share is above "
        f"{cuts['positive_above']:g}. It would take {percent(below['share'])} for negatives (below "
        f"{cuts['negative_below']:g}).{apart}{_training_unknown(cuts)}",
        state,
        "Train the scorer on this collection (curate train cross-encoder), choose another one, or lower "
        "negative_below.",
        "" if interval == "-" else interval,
    )


def _unscored(found: Report) -> Tile:
    row, title = found.rows[0], "Left unscored"
    if not row["unscored"]:
        return Tile(title, "none", f"All {number(row['candidates'])} candidates have a verdict.", "good")
    share = percent(row["unscored"] / row["candidates"])
    state: State = "care" if row["hard_negatives"] or row["denoised"] else "unknown"
    if row["stopped_early"]:
        return Tile(
            title,
            number(row["unscored"]),
            f"{share} of the candidates. Scoring of a query stopped at {found.setting['enough']} hard negatives "
            "(--enough), so the shares by rank stop early, too.",
            state,
            "To score all: curate denoise --enough 0.",
        )
    again = curate_command("denoise", "--run", found.setting["run_id"], "--cutoffs", found.setting["cutoffs"])
    return Tile(
        title,
        number(row["unscored"]),
        f"{share} of the candidates. They are never negatives, and are in no share.",
        state,
        f"Score them: {again}.",
    )


def _calibration(found: Mapping[str, Report]) -> Tile:
    title, rows = "Calibration in force", found["calibration_in_force"].rows
    known = [row for row in rows if row["calibration_id"]]
    if len(known) < len(rows) or not known:
        some = f" for {counted(len(rows) - len(known), 'scorers')}" if known else ""
        above = found["headline"].setting["positive_above"]
        return Tile(
            title,
            f"none{some}",
            f"A probability is the sigmoid of the scorer's logit. Above {above:g} need not mean that more than "
            f"{above:.0%} are relevant.".replace("%", " %"),
            "care",
            "Learn the scale from labels or annotations: curate calibrate.",
        )
    errors = [row["error"] for row in known if row["error"] is not None]
    worst = max(errors, default=None)
    learnt = ", ".join(dict.fromkeys(f"{row['calibration_id']} ({row['evidence']})" for row in known))
    if worst is None:
        return Tile(title, "declared", f"{learnt}. Nothing was measured.", "care", "curate calibrate")
    promised = [
        f" Promised with {percent(row['confidence'])} confidence: {percent(row['precision_above'])} of what is "
        f"above "
        "the upper cutoff is relevant."
        for row in known
        if row["precision_above"] is not None
    ]
    return Tile(
        title,
        f"off by {100 * worst:.1f} points",
        f"The mean distance of a probability from the share that is relevant, on queries that it was not fitted "
        f"to. Learnt by {learnt}.{''.join(promised)}",
        "good" if worst <= OFF_IS_FINE else "care",
        "Calibrate with more annotations: curate calibrate --from annotations.",
    )


def _interval(row: ReportRow, name: str) -> str:
    interval = between(row, name)
    return "" if interval == "-" else f"95 % interval {interval}. "


def about(setting: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the report is about: names and values."""
    return [
        (
            "run",
            f"{setting['run_id']} ({setting['retriever']}, "
            f"{counted(setting['queries'], setting['split'] + ' queries')})",
        ),
        ("judged", f"the top {setting['depth']}"),
        ("scorer", judges.in_words(setting)),
        ("calibration", judges.scale_in_words(setting) or "none"),
        (
            "cutoffs",
            f"{setting['cutoffs']}: {cutoffs_in_words(setting, 'relevant')}",
        ),
    ]
