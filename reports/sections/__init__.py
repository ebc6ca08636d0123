"""The sections of a report for people: a function makes one of the rows of a report."""

from collections.abc import Callable, Mapping

from curate.reports.captions import TITLES
from curate.reports.document import Section
from curate.reports.report_rows import Overview, Report

from . import denoised, labels, origins, scorer, texts
from .common import caption, plain_table

Make = Callable[[Report, Mapping[str, Report]], Section]
SECTIONS: dict[str, Make] = {
    "estimates": labels.estimates,
    "selfcheck": labels.hidden_recall,
    "funnel": denoised.funnel,
    "naive_negatives": denoised.naive_negatives,
    "denoised_by_rank": denoised.by_rank,
    "denoised_by_query": denoised.by_query,
    "denoised_by_split": denoised.by_split,
    "false_negatives_by_retriever": denoised.by_retriever,
    "retriever_overlap": denoised.overlap,
    "judge": scorer.judge,
    "positives_recognised": scorer.recognised,
    "score_histogram": scorer.histogram,
    "reliability": scorer.reliability,
    "cutoff_sweep": denoised.sweep,
    "filters": denoised.filters,
    "shortfall": denoised.shortfall,
    "suspects": texts.suspects,
    "rescued": texts.rescued,
    "query_cards": texts.query_cards,
    "pseudo_label_outcomes": denoised.outcomes,
    "pseudo_labels": texts.pseudo_labels,
    "duplicate_groups": texts.duplicate_groups,
    "training": origins.training,
    "cost": origins.cost,
    "lineage": origins.lineage,
}
"""The report -> what makes its section, in the order of the page."""
ON_THE_FIRST_SCREEN = ("headline", "calibration_in_force", "collection", "splits")


def sections(overview: Overview) -> list[Section]:
    """Return the sections of an overview. A report that has none of its own comes first, as a plain table."""
    found = overview.reports
    others = [name for name in found if name not in (*SECTIONS, *ON_THE_FIRST_SCREEN) and found[name].rows]
    plain = (
        Section(name, TITLES.get(name, name), "", [plain_table(found[name])], how=caption(found[name]))
        for name in others
    )
    return [
        *plain,
        *(make(found[name], found) for name, make in SECTIONS.items() if name in found),
    ]
