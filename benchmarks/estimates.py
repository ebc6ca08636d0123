"""Coverage: how often the intervals of `curate estimate` hold the truth, over samples that chance draws.

    python benchmarks/estimates.py WORKSPACE COLLECTION [--samples N] [--queries N] [--pairs N ...]

WORKSPACE has a scored run over train of a collection with planted false negatives (benchmarks/planted.py makes
one). COLLECTION has qrels/train_hidden.tsv: the labels that were taken away, the truth of the unlabelled
candidates. A sample is drawn as by `curate annotate sample`, with numpy's random numbers in place of hashes,
judged by the truth, and estimated by curate/annotate/estimator.py. Widths stand beside those without the control,
and beside those of as many pairs of as many queries, drawn without strata and estimated without the scorer
("plain"). An interval that misses lies below the truth ("too low") or above it; half of 5 % is expected on each
side.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import Workspace, sql_files
from curate.annotate.estimator import Share, Strata, Verdicts, estimated
from curate.annotate.sample import shares
from curate.choose_run import chosen_run
from curate.cutoffs import chosen_cutoffs

Bools = npt.NDArray[np.bool_]
Drawn = tuple[Strata, Verdicts, float]


@dataclass(frozen=True)
class Figure:
    """A share that is estimated: of the strata `of`, or of the relevant pairs in them those in `part`."""

    name: str
    of: Bools
    part: Bools | None = None


@dataclass(frozen=True)
class Population:
    """All unlabelled candidates of a run, with the truth."""

    strata: Strata
    pairs: Verdicts
    """The inclusion is 1."""
    figures: list[Figure]

    @classmethod
    def read(cls, workspace: Workspace, truth: Path) -> "Population":
        """Return the population that a sample would be drawn from now."""
        with workspace.connect_lazily() as connection:
            about = {"run": chosen_run(workspace, None), "cutoffs": chosen_cutoffs(workspace, None)}
            sql_files.execute(connection, "annotate/population", **about)
            rows = connection.table("population").pl().sort("query_key", "passage_key")
        for kind, key in (("queries", "query"), ("passages", "passage")):
            ids = workspace.scan(kind).select(f"{key}_key", f"{key}_id").collect()
            rows = rows.join(ids, on=f"{key}_key", maintain_order="left")
        known = pl.read_csv(truth, separator="\t", infer_schema=False, quote_char=None).select(
            query_id="query-id", passage_id="corpus-id", relevant=pl.lit(1.0)
        )
        rows = rows.join(known, on=["query_id", "passage_id"], how="left", maintain_order="left").with_columns(
            pl.col("relevant").fill_null(0), pl.col("probability").cast(pl.Float64).fill_null(0)
        )
        parts = rows.group_by("stratum", "decision", "first_rank").agg(pl.len(), pl.col("probability").mean())
        parts = parts.sort("stratum")
        decision, first = parts["decision"].to_numpy().astype(np.str_), parts["first_rank"].to_numpy()
        whole = np.ones(len(parts), np.bool_)
        figures = [Figure("false-negative rate", whole)]
        figures += [Figure(f"... from rank {rank}", first == rank) for rank in sorted(set(first))]
        precise = [name for name in ("hard_negative", "false_negative") if name in decision]
        figures += [Figure(f"relevant in {name}", decision == name) for name in precise]
        return cls(
            Strata(decision, parts["len"].to_numpy().astype(np.float64), parts["probability"].to_numpy()),
            Verdicts(
                np.searchsorted(parts["stratum"].to_numpy(), rows["stratum"].to_numpy()),
                rows["query_key"].to_numpy().astype(np.int64),
                rows["relevant"].to_numpy(),
                rows["probability"].to_numpy(),
                np.ones(len(rows)),
            ),
            [*figures, Figure("recall of denoising", whole, decision != "hard_negative")],
        )

    def truth(self, figure: Figure) -> float:
        """Return the share in the whole population."""
        of = self.pairs.relevant[figure.of[self.pairs.stratum]]
        if figure.part is None:
            return float(of.mean())
        return float(self.pairs.relevant[figure.part[self.pairs.stratum]].sum() / of.sum())

    def sample(self, queries: int, pairs: int, random: np.random.Generator) -> Drawn:
        """Draw queries, and then pairs of theirs from each stratum."""
        drawn, inside = self._queries(queries, random)
        sizes = np.bincount(self.pairs.stratum[inside], minlength=len(self.strata.pairs))
        counts = np.array(shares(sizes.tolist(), pairs))
        mixed = random.permutation(inside)
        chosen = np.concatenate(
            [mixed[self.pairs.stratum[mixed] == stratum][:count] for stratum, count in enumerate(counts)]
        )
        inclusion = drawn * counts / np.maximum(sizes, 1)
        judged = self.pairs.of(chosen)
        return self.strata, replace(judged, inclusion=inclusion[judged.stratum]), drawn

    def plain(self, figure: Figure, queries: int, pairs: int, random: np.random.Generator) -> Drawn:
        """Draw queries, and then pairs of theirs; those of the figure are one stratum."""
        drawn, inside = self._queries(queries, random)
        judged = self.pairs.of(random.choice(inside, pairs, replace=False))
        judged = judged.of(figure.of[judged.stratum])
        one = Strata(np.array(["all"]), np.array([self.strata.pairs[figure.of].sum()]), np.zeros(1))
        nothing = np.zeros(len(judged.query))
        chance = np.full(len(judged.query), drawn * pairs / len(inside))
        return one, Verdicts(nothing.astype(np.int64), judged.query, judged.relevant, nothing, chance), drawn

    def _queries(self, count: int, random: np.random.Generator) -> tuple[float, npt.NDArray[np.int64]]:
        every = np.unique(self.pairs.query)
        chosen = random.choice(every, min(count, len(every)), replace=False)
        return len(chosen) / len(every), np.flatnonzero(np.isin(self.pairs.query, chosen))


def without_control(drawn: Drawn) -> Drawn:
    """Return a sample whose scorer says nothing."""
    strata, verdicts, share = drawn
    nothing = replace(strata, probability=np.zeros(len(strata.pairs)))
    return nothing, replace(verdicts, probability=np.zeros(len(verdicts.query))), share


def repeated(whole: Population, samples: int, queries: int, pairs: int) -> Iterator[tuple[str, str, Share | None]]:
    """Yield the kind of estimate, the figure and the estimate, for many samples."""
    random = np.random.default_rng(0)
    for _ in range(samples):
        drawn = whole.sample(queries, pairs, random)
        for figure in whole.figures:
            yield "ours", figure.name, estimated(*drawn, figure.of, figure.part)
            yield "strata", figure.name, estimated(*without_control(drawn), figure.of, figure.part)
            if figure.part is None:
                one = whole.plain(figure, queries, pairs, random)
                yield "plain", figure.name, estimated(*one, np.ones(1, np.bool_))


def main() -> None:
    """Print a Markdown table for each number of pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--pairs", type=int, nargs="+", default=[100, 300])
    options = parser.parse_args()
    whole = Population.read(Workspace(options.workspace), options.collection / "qrels" / "train_hidden.tsv")
    truth = {figure.name: whole.truth(figure) for figure in whole.figures}
    for pairs in options.pairs:
        found = defaultdict(list)
        for kind, name, share in repeated(whole, options.samples, options.queries, pairs):
            if share:
                found[kind, name].append(share)
        about = f"{pairs} pairs of {options.queries} queries, {options.samples} times"
        print(f"\n{options.collection.name}: {about}\n")
        heads = [
            "figure",
            "truth",
            "estimated",
            "covered",
            "interval too low, too high",
            "labels",
            "width",
            "no control",
            "plain",
            "saved",
            "worth",
        ]
        print(f"| {' | '.join(heads)} |")
        print(f"|{'---|' * len(heads)}")
        for name, value in truth.items():
            ours = found["ours", name]
            mean = np.mean([share.value for share in ours])
            widths = [_width(found[kind, name]) for kind in ("ours", "strata", "plain")]
            plain = f"{widths[2]}, {_covered(found['plain', name], value)}" if found["plain", name] else "-"
            counts = [np.mean([getattr(share, key) for share in ours]) for key in ("labels", "saved", "worth")]
            print(
                f"| {name} | {value:.3f} | {mean:.3f} | {_covered(ours, value)} of {len(ours):,} | "
                f"{_missed(ours, value)} | {counts[0]:.0f} | "
                f"{widths[0]} | {widths[1]} | {plain} | {counts[1]:.1f} | {counts[2]:.0f} |"
            )


def _covered(estimates: list[Share], truth: float) -> str:
    return f"{np.mean([share.low <= truth <= share.high for share in estimates]):.1%}"


def _missed(estimates: list[Share], truth: float) -> str:
    below, above = (
        np.mean([share.high < truth for share in estimates]),
        np.mean([share.low > truth for share in estimates]),
    )
    return f"{below:.1%}, {above:.1%}"


def _width(estimates: list[Share]) -> str:
    return f"{np.mean([share.high - share.low for share in estimates]):.3f}" if estimates else "-"


if __name__ == "__main__":
    main()
