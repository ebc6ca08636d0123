"""Where the figures come from, and what they cost."""

from collections.abc import Mapping

from curate.counted import counted
from curate.reports.captions import TITLES
from curate.reports.document import Figure, Line, Lines, Section, Table
from curate.reports.figures import decimals, hours, number
from curate.reports.report_rows import Report, ReportRow

from .common import caption

Reports = Mapping[str, Report]


def training(found: Report, _all: Reports) -> Section:
    """Return the learning curves of the models that were trained here."""
    models = list(dict.fromkeys(row["model"] for row in found.rows))
    if not models:
        lead = "No model that took part was trained in this workspace, or its log is gone."
        return Section(found.name, TITLES[found.name], lead)
    figures = [
        figure for name in models for figure in _curves(name, [row for row in found.rows if row["model"] == name])
    ]
    return Section(found.name, TITLES[found.name], "", figures, how=caption(found))


def _curves(model: str, rows: list[ReportRow]) -> list[Figure]:
    """Return the loss of a training, and beside it what shows how well the model ranks."""
    dev = next((row["dev_measure"] for row in rows if row["dev_measure"]), None)
    loss = Lines(
        f"Loss of {model}",
        "The loss over training steps.",
        "step",
        "loss",
        [Line("loss", [(row["step"], row["loss"]) for row in rows if row["loss"] is not None])],
        shares=False,
    )
    ranked = [("won", "won"), *([(dev.replace("_", " "), "dev")] if dev else [])]
    ranking = Lines(
        f"Ranking by {model}",
        "Over training steps: the share of groups in which a positive ranks first, and what was measured on dev.",
        "step",
        "share",
        [Line(name, [(row["step"], row[key]) for row in rows if row[key] is not None]) for name, key in ranked],
    )
    return [
        Figure(loss, _steps(model, rows, [("loss", "loss")])),
        Figure(ranking, _steps(model, rows, ranked)),
    ]


def _steps(model: str, rows: list[ReportRow], columns: list[tuple[str, str]]) -> Table:
    return Table(
        ["step", *(head for head, _ in columns)],
        [
            [number(row["step"]), *(decimals(row[key], 4) for _, key in columns)]
            for row in rows
            if any(row[key] is not None for _, key in columns)
        ],
        f"{' and '.join(head for head, _ in columns)} of {model}, by step",
    )


def cost(found: Report, _all: Reports) -> Section:
    """Return what the scores cost, and what the ledger saved."""
    if not found.rows:
        return Section(found.name, TITLES[found.name], "No job has scored candidates of this run.")
    table = Table(
        ["scorer", "pairs computed", "saved by the ledger", "time", "pairs per second", "time of training"],
        [
            [
                row["scorer_id"],
                number(row["pairs"]),
                "-" if row["saved"] is None else number(row["saved"]),
                hours(row["seconds"]),
                decimals(row["pairs_per_second"], 1),
                hours(row["trained_seconds"]),
            ]
            for row in found.rows
        ],
        "What scoring cost",
    )
    saved = sum(row["saved"] or 0 for row in found.rows)
    pairs = sum(row["pairs"] for row in found.rows)
    time = hours(sum(row["seconds"] for row in found.rows))
    lead = f"{counted(pairs, 'pairs were', 'pair was')} scored in {time}; the ledger had {number(saved)} already."
    return Section(found.name, TITLES[found.name], lead, [Figure(None, table)], how=caption(found))


def lineage(found: Report, _all: Reports) -> Section:
    """Return the jobs that led to the decisions."""
    table = Table(
        ["job", "stage", "model", "fingerprint", "version", "finished", "time"],
        [
            [
                row["job"],
                row["stage"],
                row["model"] or "-",
                (row["fingerprint"] or "-")[:12],
                row["version"],
                row["finished_at"],
                hours(row["seconds"]),
            ]
            for row in found.rows
        ],
        "The jobs behind the decisions, oldest first",
        texts=["stage", "model", "fingerprint", "version", "finished"],
    )
    return Section(found.name, TITLES[found.name], "", [Figure(None, table)], how=caption(found))
