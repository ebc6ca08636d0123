"""What denoising found and took away, and what is left."""

from collections.abc import Mapping

from curate.counted import counted
from curate.reports.captions import TITLES
from curate.reports.document import Bar, Bars, Figure, Line, Lines, Section, Table
from curate.reports.figures import at_least, number, percent, ranks, span
from curate.reports.report_rows import Report, ReportRow

from .common import caption, rate_bars, rates_table

Reports = Mapping[str, Report]
SIGNS = {"all": "", "taken away": "- ", "left over": "= ", "of these": "of these: "}
KINDS = {
    "hard_negative": "hard negatives (the scorer agrees)",
    "false_negative": "false negatives (relevant by the scorer)",
    "uncertain": "uncertain",
    "duplicate": "duplicates of a positive",
    "unscored": "unscored",
}


def funnel(found: Report, _all: Reports) -> Section:
    """Return the steps from candidates to hard negatives."""
    labels = [f"{SIGNS[row['part']]}{row['what']}" for row in found.rows]
    table = Table(
        ["step", "number", "share"],
        [
            [label, number(row["number"]), percent(row["share"])]
            for label, row in zip(labels, found.rows, strict=True)
        ],
        "The steps from candidates to hard negatives, in pairs and then in queries",
        marked=[i for i, row in enumerate(found.rows) if row["part"] == "left over" and row["unit"] == "pairs"],
    )
    pairs = [(label, row) for label, row in zip(labels, found.rows, strict=True) if row["unit"] == "pairs"]
    chart = Bars(
        "From candidates to hard negatives",
        "Each bar is a share of all candidates in the top-k.",
        [Bar(label, row["share"] or 0.0) for label, row in pairs],
    )
    kept = next(row for row in found.rows if row["what"] == "hard negatives")
    whole = counted(found.rows[0]["number"], "candidates")
    lead = f"{counted(kept['number'], 'hard negatives')} are left of {whole}."
    return Section("funnel", TITLES["funnel"], lead, [Figure(chart, table)], how=caption(found))


def naive_negatives(found: Report, _all: Reports) -> Section:
    """Return what a miner without denoising would have trained on."""
    rows = [(KINDS[row["decision"]], row) for row in found.rows]
    table = Table(
        ["what it takes", "passages", "share", "95 % interval", "in queries"],
        [
            [
                label,
                number(row["pairs"]),
                percent(row["share"]),
                span(row["low"], row["high"]),
                number(row["queries"]),
            ]
            for label, row in rows
        ],
        "What plain mining takes as negatives, by what the scorer says of it",
    )
    chart = Bars(
        "What plain mining takes as negatives",
        "Each bar is a share of the best-ranked unlabelled passages that have a verdict; the line is its 95 % "
        "interval.",
        [
            Bar(label, row["share"], row["low"], row["high"], counted(row["pairs"], "passages"))
            for label, row in rows
        ],
    )
    if not found.rows:
        return Section(found.name, TITLES[found.name], "No labelled query of the run has unlabelled candidates.")
    false = next(row for row in found.rows if row["decision"] == "false_negative")
    lead = (
        f"{counted(false['pairs'], 'false negatives')} would have been trained on, in {number(false['queries'])} "
        f"of {counted(false['queries_asked'], 'queries')}."
    )
    return Section(found.name, TITLES[found.name], lead, [Figure(chart, table)], how=caption(found))


def by_rank(found: Report, _all: Reports) -> Section:
    """Return the shares by range of ranks."""
    labels = [ranks(row) for row in found.rows]
    chart = rate_bars(
        "False negatives by rank",
        "Each bar is the share of unjudged candidates at these ranks that the scorer holds relevant; the line is "
        "its 95 % interval.",
        found.rows,
        [f"rank {label}" for label in labels],
        "false_negative",
    )
    table = rates_table("rank", found.rows, labels, "False negatives and denoised candidates by range of ranks")
    known = [
        (row, label)
        for row, label in zip(found.rows, labels, strict=True)
        if row["false_negative_rate"] is not None
    ]
    lead = ""
    if known:
        worst, at = max(known, key=lambda one: one[0]["false_negative_rate"])
        lead = f"Most at rank {at}: {percent(worst['false_negative_rate'])} of the unlabelled candidates there."
    return Section(found.name, TITLES[found.name], lead, [Figure(chart, table)], how=caption(found))


def by_query(found: Report, _all: Reports) -> Section:
    """Return the shares by length and by type of the query."""
    figures = []
    for part, head, title in (
        ("length", "length", "by length of the query"),
        ("type", "first word", "by type of query"),
    ):
        rows = [row for row in found.rows if row["part"] == part]
        labels = [row["band"] for row in rows]
        if len(rows) > 1:
            chart = rate_bars(
                f"False negatives {title}",
                "Each bar is a share of the unjudged candidates; the line is its 95 % interval.",
                rows,
                labels,
                "false_negative",
            )
            figures.append(Figure(chart, rates_table(head, rows, labels, f"False negatives {title}")))
    lead = "" if figures else "All queries are of one length and one type: there is nothing to compare."
    return Section(found.name, TITLES[found.name], lead, figures, how=caption(found) if figures else "")


def by_split(found: Report, _all: Reports) -> Section:
    """Return the shares of the current run of each split."""
    table = Table(
        [
            "split",
            "run",
            "queries",
            "unjudged",
            "false negatives",
            "pseudo-positives",
            "denoised",
            "95 % interval",
        ],
        [
            [
                row["split"],
                row["run_id"],
                number(row["queries"]),
                number(row["unjudged"]),
                percent(row["false_negative_rate"]),
                number(row["pseudo_positives"]),
                percent(row["denoised_rate"]),
                span(row["denoised_low"], row["denoised_high"]),
            ]
            for row in found.rows
        ],
        "What denoising took away, by split",
        texts=["run"],
    )
    lead = f"{counted(len(found.rows), 'splits have', 'split has')} a current run with scores."
    return Section(
        found.name, TITLES[found.name], lead, [Figure(None, table)] if found.rows else [], how=caption(found)
    )


def by_retriever(found: Report, _all: Reports) -> Section:
    """Return the shares of each source of a hybrid run."""
    labels = [f"{row['retriever']} ({row['source_run_id']})" for row in found.rows]
    chart = rate_bars(
        "False negatives by retriever",
        "Each bar is the share of a retriever's unjudged candidates that the scorer holds relevant; the line is "
        "its 95 % interval.",
        found.rows,
        [row["retriever"] for row in found.rows],
        "false_negative",
    )
    table = rates_table("found by", found.rows, labels, "False negatives by retriever")
    return Section(found.name, TITLES[found.name], "", [Figure(chart, table)], how=caption(found))


def overlap(found: Report, _all: Reports) -> Section:
    """Return which retrievers found the same candidates."""
    labels = [_found_by(row) for row in found.rows]
    table = Table(
        ["found by", "candidates", "share", "labelled positives", "false negatives", "share of unjudged"],
        [
            [
                label,
                number(row["candidates"]),
                percent(row["share"]),
                number(row["positives"]),
                number(row["false_negatives"]),
                percent(row["false_negative_rate"]),
            ]
            for label, row in zip(labels, found.rows, strict=True)
        ],
        "Candidates by the retrievers that found them",
    )
    chart = Bars(
        "Who found the candidates",
        "Each bar is a share of all candidates in the judged depth.",
        [Bar(label, row["share"]) for label, row in zip(labels, found.rows, strict=True)],
    )
    both = sum(row["share"] for row in found.rows if row["retrievers"] > 1)
    lead = f"{percent(both)} of the candidates were found by more than one retriever."
    return Section(found.name, TITLES[found.name], lead, [Figure(chart, table)], how=caption(found))


def sweep(found: Report, _all: Reports) -> Section:
    """Return what other cutoffs would keep and cost."""
    rows = [row for row in found.rows if row["kept"] is not None]
    in_force = next((row["negative_below"] for row in rows if row["in_force"]), None)
    table = Table(
        ["negative_below", "kept", "share", "denoised", "positives lost", "share lost", "queries left short"],
        [
            [
                f"{row['negative_below']:g}{' (now)' if row['in_force'] else ''}",
                number(row["kept"]),
                percent(row["kept_share"]),
                number(row["denoised"]),
                number(row["positives_lost"]),
                percent(row["positives_lost_share"]),
                f"{number(row['short'])} ({percent(row['short_share'])})",
            ]
            for row in rows
        ],
        "What each value of negative_below would keep and cost",
        marked=[i for i, row in enumerate(rows) if row["in_force"]],
    )
    curves = (
        ("kept as negatives", "kept_share"),
        ("positives lost", "positives_lost_share"),
        ("queries left short", "short_share"),
    )
    chart = Lines(
        "Kept, lost and short by cutoff",
        "Lines over values of negative_below: candidates kept as hard negatives, labelled positives that would be "
        "below it, and queries with too few hard negatives.",
        "negative_below",
        "share",
        [
            Line(name, [(row["negative_below"], row[column]) for row in rows])
            for name, column in curves
            if any(row[column] is not None for row in rows)
        ],
        log_x=True,
        mark=in_force,
    )
    if not any(row["kept"] or row["denoised"] for row in rows):
        return Section(
            found.name, TITLES[found.name], "No candidate is scored, so that no cutoff would change anything."
        )
    return Section(found.name, TITLES[found.name], "", [Figure(chart, table)], how=caption(found))


def filters(found: Report, _all: Reports) -> Section:
    """Return what other filters would have kept of the same candidates."""
    if not found.rows:
        return Section(found.name, TITLES[found.name], "No labelled query of the run has unlabelled candidates.")
    table = Table(
        ["filter", "kept", "share", "unknown", "queries left short", "judged", "false", "caught", "its rule"],
        [
            [
                row["filter"],
                number(row["kept"]),
                percent(row["kept_share"]),
                number(row["unknown"]),
                at_least(row["short"], row["perhaps_short"]),
                number(row["kept_judged"]),
                percent(row["false_share"]),
                percent(row["caught_share"]),
                row["source"],
            ]
            for row in found.rows
        ],
        "What each filter keeps of the unlabelled candidates",
        texts=["its rule"],
        marked=[0],
    )
    chart = Bars(
        "Candidates that each filter keeps",
        "Each bar is the share of the same unlabelled candidates that the filter would use as negatives.",
        [Bar(row["filter"], row["kept_share"]) for row in found.rows],
    )
    first = found.rows[0]
    lead = (
        f"Of {counted(first['candidates'], 'unlabelled candidates')}, {number(first['relevant'])} of "
        f"{number(first['judged'])} with a verdict are relevant."
        if first["judged"]
        else "Nobody judged these candidates, so that nothing is known of how right a filter is."
    )
    return Section(found.name, TITLES[found.name], lead, [Figure(chart, table)], how=caption(found))


def shortfall(found: Report, _all: Reports) -> Section:
    """Return how many queries have each number of hard negatives."""
    labels = [f"{row['hard_negatives']}{' or more' if row['enough'] else ''}" for row in found.rows]
    table = Table(
        ["hard negatives", "queries", "share"],
        [
            [label, number(row["queries"]), percent(row["share"])]
            for label, row in zip(labels, found.rows, strict=True)
        ],
        "Queries by their number of hard negatives",
    )
    chart = Bars(
        "Hard negatives of a query",
        "Each bar is the share of queries with this number of hard negatives.",
        [Bar(label, row["share"] or 0.0) for label, row in zip(labels, found.rows, strict=True)],
    )
    return Section(found.name, TITLES[found.name], "", [Figure(chart, table)], how=caption(found))


def outcomes(found: Report, _all: Reports) -> Section:
    """Return what became of the queries without labels."""
    table = Table(
        ["outcome", "queries", "share"],
        [[row["outcome"], number(row["queries"]), percent(row["share"])] for row in found.rows],
        "Outcomes of the queries without labels",
    )
    chart = Bars(
        "Queries without labels",
        "Each bar is a share of the queries without labels.",
        [
            Bar(row["outcome"].partition(":")[2].strip() or row["outcome"], row["share"] or 0.0)
            for row in found.rows
        ],
    )
    return Section(found.name, TITLES[found.name], "", [Figure(chart, table)], how=caption(found))


def _found_by(row: ReportRow) -> str:
    return f"{row['found_by']}{'' if row['retrievers'] > 1 else ' alone'}"
