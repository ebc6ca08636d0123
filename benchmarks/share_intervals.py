"""Coverage: how often the intervals of `curate selfcheck` and of reports hold the truth, over drawn queries.

    python benchmarks/share_intervals.py WORKSPACE COLLECTION [--samples N] [--queries N ...]

As in benchmarks/estimates.py, WORKSPACE has a scored run, and COLLECTION the truth of its unlabelled candidates.
The intervals (sql/macros/share_interval.sql) tell what other queries like these would give. So a sample draws
queries with replacement from those of the run, which stand for all queries. Its figures are the recall of
denoising over the candidates that are relevant by the truth, its cost over the others, and the rate that reports
show.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from estimates import Population

from curate import Workspace

INTERVALS = """
    select sum(hits) / sum(total) as value, share_interval(hits, total) as "interval"
    from drawn where total > 0 group by sample
"""


def counts(whole: Population) -> dict[str, npt.NDArray[np.int64]]:
    """Return figure -> the part and the whole of each query."""
    relevant = whole.pairs.relevant > 0
    taken = whole.strata.kind[whole.pairs.stratum] != "hard_negative"
    denoised = taken & (whole.strata.kind[whole.pairs.stratum] != "unscored")
    every = np.ones(len(taken), np.bool_)
    _, query = np.unique(whole.pairs.query, return_inverse=True)
    figures = {"recall": (taken & relevant, relevant), "cost": (taken & ~relevant, ~relevant)}
    figures["denoised"] = denoised, every
    return {
        name: np.stack([np.bincount(query[of], minlength=query.max() + 1) for of in both], axis=1)
        for name, both in figures.items()
    }


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--queries", type=int, nargs="+", default=[20, 60, 250])
    options = parser.parse_args()
    workspace = Workspace(options.workspace)
    by_figure = counts(Population.read(workspace, options.collection / "qrels" / "train_hidden.tsv"))
    print("| figure | queries | truth | covered | interval too low, too high | width |\n|---|---|---|---|---|---|")
    for name, of_query in by_figure.items():
        part, total = of_query.sum(axis=0)
        truth = part / total
        for queries in options.queries:
            chosen = np.random.default_rng(0).integers(len(of_query), size=(options.samples, queries))
            rows = of_query[chosen.ravel()]
            numbers = np.repeat(np.arange(options.samples), queries)
            drawn = pl.DataFrame({"sample": numbers, "hits": rows[:, 0], "total": rows[:, 1]})
            with workspace.connect() as connection:
                connection.register("drawn", drawn.to_arrow())
                found = connection.sql(INTERVALS).pl().unnest("interval").drop_nulls()
            low, high = (found["high"] < truth).mean(), (found["low"] > truth).mean()
            covered = f"{1 - low - high:.1%} of {len(found):,} | {low:.1%}, {high:.1%}"
            width = (found["high"] - found["low"]).mean()
            print(f"| {name} | {queries} | {truth:.3f} | {covered} | {width:.3f} |")


if __name__ == "__main__":
    main()
