"""How often a promised cutoff breaks its promise, over resampled calibration sets.

    python benchmarks/guarantee.py [--sets 500] [--queries 1000]

A world of 20,000 queries with ten candidates each, whose scores are overconfident and whose verdicts depend on
each other within a query. From it, sets of queries are drawn, with one or with four judged candidates each;
cutoffs are promised for precision 0.9 and for 5 % of false ones among negatives, with confidence 0.95. The truth
about all candidates says whether the promise holds. It should in at least 95 % of the sets.
"""

import argparse
import time

import numpy as np

from curate.calibrate.guarantee import Candidates, Sample, Side, kept, one_of_each_query

DEPTH, WORLD, CONFIDENCE = 10, 20_000, 0.95
GOALS: dict[Side, float] = {"above": 0.1, "below": 0.05}


def main() -> None:
    """Draw the sets, promise, compare with the truth, print a row for each kind of promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--queries", type=int, default=1000)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    odds = random.normal(0, 1, (WORLD, 1)) + random.normal(-1, 2.5, (WORLD, DEPTH))
    relevant = random.random((WORLD, DEPTH)) < 1 / (1 + np.exp(-odds))
    probability = (1 / (1 + np.exp(-1.5 * odds))).astype(np.float32)
    cuts = np.unique(np.quantile(probability, np.linspace(0.005, 0.995, 199)).astype(np.float32))
    print("| judged per query | promise | sets with a cutoff | kept | mean share of wrong ones | selected |")
    print("|---|---|---|---|---|---|")
    for judged in (1, 4):
        for side, most in GOALS.items():
            above = side == "above"
            ordered = cuts[::-1] if above else cuts
            wrong = ~relevant if above else relevant
            shares, sizes, started = [], [], time.monotonic()
            for _ in range(options.sets):
                queries = random.choice(WORLD, options.queries, replace=False)
                places = np.argsort(random.random((options.queries, DEPTH)), axis=1)[:, :judged].ravel()
                rows = np.repeat(queries, judged), places
                sample = Sample(rows[0], probability[rows], relevant[rows], np.ones(len(places)))
                promise = kept(one_of_each_query(sample, 0), Candidates(side, ordered), most, CONFIDENCE)
                if promise:
                    cut = np.float32(promise.cutoff)
                    beyond = probability > cut if above else probability < cut
                    shares.append(float(wrong[beyond].mean()))
                    sizes.append(float(beyond.mean()))
            held = options.sets - sum(share > most for share in shares)
            what = f"{side}: at most {most:.0%} wrong"
            means = f"{np.mean(shares):.3f} | {np.mean(sizes):.1%}" if shares else "- | -"
            print(
                f"| {judged} | {what} | {len(shares)} of {options.sets} | {held / options.sets:.1%} | {means} |",
                flush=True,
            )
            print(f"  ({time.monotonic() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
