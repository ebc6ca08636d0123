"""Queries and passages to read."""

from collections.abc import Mapping
from itertools import groupby

from curate.counted import counted
from curate.reports.captions import TITLES
from curate.reports.document import Card, Figure, Passage, Section, Table
from curate.reports.figures import decimals, number
from curate.reports.report_rows import Report, ReportRow
from curate.reports.texts import passage, plain, short

from .common import caption

Reports = Mapping[str, Report]
QUERY = 300
"""The characters of a query that are shown."""


def suspects(found: Report, _all: Reports) -> Section:
    """Return false negatives, each beside a labelled positive."""
    cards = [
        Card(
            short(row["query"], QUERY),
            f"query {short(row['query_id'])}",
            [
                Passage("false negative", _about(row), passage(row["passage"], row["shared_words"])),
                *_labelled(row),
            ],
        )
        for row in found.rows
    ]
    lead = "" if cards else "The scorer holds no unlabelled candidate relevant."
    return Section(found.name, TITLES[found.name], lead, cards=cards, how=caption(found) if cards else "")


def _labelled(row: ReportRow) -> list[Passage]:
    if not row["positive"]:
        return []
    return [Passage("labelled positive", short(row["positive_id"]), passage(row["positive"], row["shared_words"]))]


def rescued(found: Report, _all: Reports) -> Section:
    """Return passages that denoising takes away although the scorer does not hold them relevant."""
    cards = [
        Card(
            short(row["query"], QUERY),
            f"query {short(row['query_id'])}",
            [Passage(row["decision"], _about(row), passage(row["passage"], row["shared_words"]))],
        )
        for row in found.rows
    ]
    lead = "" if cards else "Among the best-ranked unlabelled passages there is no uncertain one and no duplicate."
    return Section(found.name, TITLES[found.name], lead, cards=cards, how=caption(found) if cards else "")


def query_cards(found: Report, _all: Reports) -> Section:
    """Return the queries that tell most, each with its first candidates."""
    cards = []
    for (reason, query_id), group in groupby(found.rows, key=lambda row: (row["reason"], row["query_id"])):
        rows = list(group)
        first = rows[0]
        about = (
            f"{reason}; query {short(query_id)}; of {counted(first['candidates'], 'candidates')}: "
            f"{number(first['false_negatives'])} false negatives, {number(first['uncertain'])} uncertain, "
            f"{number(first['hard_negatives'])} hard negatives"
        )
        texts = [
            Passage(
                row["decision"].replace("_", " "), _about(row), passage(row["passage"], row["shared_words"])[:60]
            )
            for row in rows
        ]
        cards.append(Card(short(first["query"], QUERY), about, texts))
    lead = "" if cards else "No query stands out: none has a false negative, and none is without a hard negative."
    return Section(found.name, TITLES[found.name], lead, cards=cards, how=caption(found) if cards else "")


def pseudo_labels(found: Report, _all: Reports) -> Section:
    """Return passages that become positives of queries without labels."""
    cards = [
        Card(
            short(row["query"], QUERY),
            f"query {short(row['query_id'])}",
            [Passage("pseudo-positive", _about(row), passage(row["passage"]))],
        )
        for row in found.rows
    ]
    lead = "" if cards else "No query without labels got a pseudo-label."
    return Section(found.name, TITLES[found.name], lead, cards=cards, how=caption(found) if cards else "")


def duplicate_groups(found: Report, _all: Reports) -> Section:
    """Return texts that several passages have."""
    if not found.rows:
        return Section(found.name, TITLES[found.name], "No two passages have the same text.")
    first = found.rows[0]
    table = Table(
        ["ids", "passages", "as candidates", "taken away as duplicates", "text"],
        [
            [
                ", ".join(short(name, 40) for name in row["first_ids"])
                + (", ..." if row["passages"] > len(row["first_ids"]) else ""),
                number(row["passages"]),
                number(row["candidates"]),
                number(row["duplicates"]),
                plain(passage(row["passage"])[:1])[:120],
            ]
            for row in found.rows
        ],
        "Texts that several passages have",
        texts=["text"],
    )
    lead = (
        f"{counted(first['groups'], 'texts stand', 'text stands')} in several passages; "
        f"{counted(first['repeats'], 'passages repeat', 'passage repeats')} another."
    )
    return Section(found.name, TITLES[found.name], lead, [Figure(None, table)], how=caption(found))


def _about(row: ReportRow) -> str:
    """Return rank, probability and id of a passage."""
    rank = f"rank {row['rank']}" if row["rank"] else "not found"
    probability = "unscored" if row["probability"] is None else f"probability {decimals(row['probability'], 3)}"
    return f"{rank}, {probability}, {short(row['passage_id'])}"
