"""What labels say of the decisions: people's verdicts on a sample, and positives that were hidden."""

from collections.abc import Mapping

from curate.counted import counted
from curate.reports.captions import TITLES
from curate.reports.document import Bar, Bars, Figure, Section, Table
from curate.reports.figures import number, percent, span
from curate.reports.report_rows import Report, ReportRow

from .common import caption

Reports = Mapping[str, Report]
KINDS = ("relevant", "irrelevant", "unsure", "skipped", "open")
FIGURES = {
    "false_negative_rate": "relevant, of the unlabelled candidates",
    "precision": "right",
    "recall": "relevant ones taken out by denoising",
    "cost": "others taken out by denoising",
}


def estimates(found: Report, _all: Reports) -> Section:
    """Return the figures that the verdicts on a sample give, with the intervals of its design."""
    labels = [estimate_in_words(row) for row in found.rows]
    table = Table(
        ["figure", "estimate", "95 % interval", "verdicts", "queries", "no clear verdict", "if settled"],
        [
            [
                label,
                percent(row["value"]),
                span(row["low"], row["high"]),
                number(row["labels"]),
                number(row["queries"]),
                number(row["unsure"]),
                span(row["unsure_low"], row["unsure_high"]) if row["unsure"] else "-",
            ]
            for label, row in zip(labels, found.rows, strict=True)
        ],
        "Estimates from the verdicts on a sample",
    )
    chart = Bars(
        "Estimates from the verdicts on a sample",
        "Each bar is a share; the line is its 95 % interval.",
        [
            Bar(label, row["value"], row["low"], row["high"], "too few verdicts")
            for label, row in zip(labels, found.rows, strict=True)
        ],
    )
    return Section(
        found.name, TITLES[found.name], sample_in_words(found), [Figure(chart, table)], how=caption(found)
    )


def estimate_in_words(row: ReportRow) -> str:
    """Return what a figure of a sample is a share of."""
    part = row["part"].replace("_", " ")
    if row["what"] == "precision":
        return f"{part}: {FIGURES['precision']}"
    return FIGURES[row["what"]] if row["part"] in ("all", "denoising") else f"{part}: relevant"


def sample_in_words(found: Report) -> str:
    """Return what was drawn, and what people said of it."""
    about = found.parameters
    said = ", ".join(f"{number(about['verdicts'][kind])} {kind}" for kind in KINDS if about["verdicts"][kind])
    drawn = f"{counted(about['drawn_pairs'], 'pairs')} of {counted(about['drawn_queries'], 'queries')}"
    return f"Sample '{about['sample_id']}' has {drawn}, drawn by chance: {said}."


def hidden_recall(found: Report, _all: Reports) -> Section:
    """Return the recall of hidden positives, and what may make it too high."""
    if not found.rows:
        lead = found.parameters["missing"] or "No hidden positive is a candidate with a score."
        return Section(found.name, TITLES[found.name], f"{lead[:1].upper()}{lead[1:]}.".replace("..", "."))
    labels = [recall_in_words(row) for row in found.rows]
    table = Table(
        ["pairs", "recall", "95 % interval", "positives", "queries"],
        [
            [
                label,
                percent(row["value"]),
                span(row["low"], row["high"]),
                number(row["pairs"]),
                number(row["queries"]),
            ]
            for label, row in zip(labels, found.rows, strict=True)
        ],
        "Recall of hidden positives",
    )
    chart = Bars(
        "Recall of hidden positives",
        "Each bar is the share of hidden positives that denoising finds; the line is its 95 % interval.",
        [Bar(label, row["value"], row["low"], row["high"]) for label, row in zip(labels, found.rows, strict=True)],
    )
    how = " ".join([*found.parameters["notes"], caption(found)])
    return Section(found.name, TITLES[found.name], hidden_in_words(found), [Figure(chart, table)], how=how)


def recall_in_words(row: ReportRow) -> str:
    """Return which hidden positives a recall is about, and at which cutoff."""
    part = "all ranks" if row["part"] == "all" else row["part"]
    return f"{part}, {'not below' if row['cutoff'] == 'negative_below' else 'above'} {row['at']:g}"


def hidden_in_words(found: Report) -> str:
    """Return what became of the labelled positives."""
    counts = found.parameters["counts"]
    told = [
        f"{number(counts['hidden'])} labelled positives hidden",
        f"{number(counts['counted'])} found and scored",
    ]
    if counts["not_found"]:
        told.append(f"{number(counts['not_found'])} not in the judged top-k")
    if counts["unscored"]:
        told.append(f"{number(counts['unscored'])} unscored")
    if counts["seen"]:
        told.append(f"{number(counts['seen'])} not counted, because their queries trained the scorer")
    return f"{'; '.join(told)}."
