"""How far annotators agree: Cohen's kappa, Krippendorff's alpha, and the pairs on which they differ."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Agreement:
    """The agreement of annotators on the pairs of a sample. Unsure verdicts are none here."""

    annotators: dict[str, int]
    """Annotator -> the number of pairs with a verdict."""
    kappas: list[Row]
    """Of each two with common pairs: first, second, pairs, agreed, and kappa (Cohen 1960), which is None if all of
    their verdicts are the same."""
    alpha: float | None
    """Krippendorff's alpha, nominal, over all of them; None if no pair has two verdicts, or all are the same."""
    differing: list[Row]
    """Pairs with contrary verdicts: the ids, the texts, and annotator -> relevant as `verdicts`."""


def agreement(rows: Iterable[Mapping[str, Any]]) -> Agreement:
    """Return the agreement, from rows of `sql/annotate/by_annotator.sql`."""
    pairs: dict[tuple[int, int], Row] = {}
    verdicts: dict[tuple[int, int], dict[str, bool]] = defaultdict(dict)
    for row in rows:
        key = row["query_key"], row["passage_key"]
        pairs[key] = {name: row[name] for name in ("query_id", "passage_id", "query", "passage")}
        if row["relevant"] is not None:
            verdicts[key][row["annotator"]] = row["relevant"]
    names = sorted({name for of_pair in verdicts.values() for name in of_pair})
    return Agreement(
        annotators={name: sum(name in of_pair for of_pair in verdicts.values()) for name in names},
        kappas=[
            {"first": one, "second": other, **found}
            for one, other in combinations(names, 2)
            if (found := _kappa([(of[one], of[other]) for of in verdicts.values() if one in of and other in of]))
        ],
        alpha=_alpha(names, verdicts.values()),
        differing=[
            {**pairs[key], "verdicts": of_pair}
            for key, of_pair in verdicts.items()
            if len(set(of_pair.values())) > 1
        ],
    )


def _kappa(both: list[tuple[bool, bool]]) -> Row | None:
    """Return Cohen's kappa of two annotators with the counts that it is made of, or None without common pairs."""
    count = len(both)
    if not count:
        return None
    agreed = sum(one == other for one, other in both)
    first, second = sum(one for one, _ in both), sum(other for _, other in both)
    chance = first * second + (count - first) * (count - second)  # times count squared
    kappa = None if chance == count**2 else (agreed * count - chance) / (count**2 - chance)
    return {"pairs": count, "agreed": agreed, "kappa": kappa}


def _alpha(names: list[str], verdicts: Iterable[Mapping[str, bool]]) -> float | None:
    import krippendorff
    import numpy as np

    several = [of_pair for of_pair in verdicts if len(of_pair) > 1]
    if len({relevant for of_pair in several for relevant in of_pair.values()}) < 2:
        return None
    table = np.array([[of_pair.get(name, np.nan) for of_pair in several] for name in names], np.float64)
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement="nominal"))
