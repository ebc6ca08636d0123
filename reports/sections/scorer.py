"""How good the scorer is, and what its probabilities mean."""

from collections.abc import Mapping

from curate.bootstrap import Interval
from curate.counted import counted
from curate.denoise.judge_quality import PERCENT
from curate.reports.answers import quality_of
from curate.reports.captions import TITLES
from curate.reports.document import Bar, Bars, Figure, Histogram, Line, Lines, Section, Table
from curate.reports.figures import decimals, number, percent, span
from curate.reports.report_rows import Report, ReportRow

from .common import caption

Reports = Mapping[str, Report]


def judge(found: Report, _all: Reports) -> Section:
    """Return how the scorer and the retriever rank the labelled positives of unseen queries."""
    quality = quality_of(found)
    *_, said = quality.lines()
    rows = [
        _measure("MRR@10 of the scorer", quality.mrr),
        _measure("MRR@10 of the retriever", quality.retriever_mrr),
        _measure("difference", quality.mrr_difference, "+"),
        _measure("AUC of the scorer", quality.auc),
        _measure("difference from the retriever's ranks", quality.auc_difference, "+"),
    ]
    about = f"Figures on {counted(quality.queries, 'labelled queries')} that the scorer has not seen"
    figures = (
        [Figure(None, Table(["measure", "mean", f"{PERCENT} % interval"], rows, about))] if quality.queries else []
    )
    told = said.strip().removeprefix("The judge: ")
    return Section(found.name, TITLES[found.name], f"{told[:1].upper()}{told[1:]}", figures, how=caption(found))


def _measure(name: str, value: Interval | None, sign: str = "") -> list[str]:
    if value is None:
        return [name, "-", "-"]
    return [name, f"{value.mean:{sign}.3f}", f"{value.low:{sign}.3f} to {value.high:{sign}.3f}"]


def recognised(found: Report, _all: Reports) -> Section:
    """Return the scorer's verdicts on labelled positives."""
    table = Table(
        ["verdict", "unseen positives", "share", "95 % interval", "seen in training", "share of seen"],
        [
            [
                row["verdict"],
                number(row["positives"]),
                percent(row["share"]),
                span(row["low"], row["high"]),
                number(row["seen"]),
                percent(row["seen_share"]),
            ]
            for row in found.rows
        ],
        "The scorer's verdicts on labelled positives",
    )
    total = sum(row["positives"] for row in found.rows)
    chart = Bars(
        "Verdicts on labelled positives",
        "Each bar is a share of the scored positives that did not train the scorer; the line is its 95 % "
        "interval.",
        [
            Bar(row["verdict"], row["share"], row["low"], row["high"], counted(row["positives"], "positives"))
            for row in found.rows
        ],
    )
    lead = "" if total else "Every labelled positive trained the scorer, or there is none: nothing is known."
    return Section(
        found.name, TITLES[found.name], lead, [Figure(chart if total else None, table)], how=caption(found)
    )


COLUMNS = (
    ("labelled positives", "positives"),
    ("unlabelled candidates", "unlabelled"),
    ("random passages", "random"),
)


def histogram(found: Report, _all: Reports) -> Section:
    """Return the distributions of the scores."""
    known = [(name, key) for name, key in COLUMNS if any(row[key] for row in found.rows)]
    if not known:
        return Section(found.name, TITLES[found.name], "Nothing is scored yet.")
    heads = ["probability", *(head for name, _ in known for head in (name, "share"))]
    table = Table(
        heads,
        [
            [
                f"{row['low']:.2f} to {row['high']:.2f}",
                *(cell for _, key in known for cell in (number(row[key]), percent(row[f"{key}_share"]))),
            ]
            for row in found.rows
        ],
        "Counts and shares by interval of the probability",
    )
    cuts = [(found.setting["negative_below"], "negative"), (found.setting["positive_above"], "positive")]
    chart = Histogram(
        "Distribution of the probabilities",
        "A strip of columns for each kind of pair. Each column is a share of its own kind.",
        "probability",
        [(name, [row[f"{key}_share"] or 0.0 for row in found.rows]) for name, key in known],
        cuts,
    )
    lead = (
        "" if any(row["random"] for row in found.rows) else "No random passages are scored, so they are left out."
    )
    return Section(found.name, TITLES[found.name], lead, [Figure(chart, table)], how=caption(found))


def reliability(found: Report, every: Reports) -> Section:
    """Return whether the probabilities mean what they say, of the calibrations that are in force."""
    in_force = [row["calibration_id"] for row in every["calibration_in_force"].rows if row["calibration_id"]]
    rows = [row for row in found.rows if row["calibration_id"] in in_force and row["part"] == "all"]
    if not in_force:
        lead = "No calibration is in force: probabilities are sigmoids of logits. Run: curate calibrate."
        return Section(found.name, TITLES[found.name], lead)
    if not rows:
        lead = f"Nothing was measured of {', '.join(in_force)}: it is declared, or it is not the scorer's newest."
        return Section(found.name, TITLES[found.name], lead)
    figures = [_reliability_of(name, [row for row in rows if row["calibration_id"] == name]) for name in in_force]
    return Section(
        found.name, TITLES[found.name], "", [one for one in figures if one.table.rows], how=caption(found)
    )


def _reliability_of(name: str, rows: list[ReportRow]) -> Figure:
    table = Table(
        ["scale", "tenth", "pairs", "probability", "relevant"],
        [
            [
                "calibrated" if row["calibrated"] else "sigmoid",
                f"{row['bin'] / 10:.1f} to {(row['bin'] + 1) / 10:.1f}",
                f"{row['pairs']:,.0f}",
                decimals(row["probability"], 3),
                decimals(row["relevant"], 3),
            ]
            for row in rows
        ],
        f"Probability and truth by tenth, {name}",
    )
    scales = ((True, "calibrated"), (False, "sigmoid"))
    chart = Lines(
        f"Reliability of {name}",
        "Share of relevant pairs over their mean probability. On the diagonal, probabilities mean what they say.",
        "probability",
        "relevant",
        [
            Line(words, [(row["probability"], row["relevant"]) for row in rows if row["calibrated"] is scale])
            for scale, words in scales
        ],
        diagonal=True,
    )
    return Figure(chart, table)
