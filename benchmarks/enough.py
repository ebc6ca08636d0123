"""How many scores `curate denoise --enough N` saves, by the decisions of a run that is wholly scored.

    python benchmarks/enough.py WORKSPACE [--enough 2 4 8 16]

Nothing is scored: the waves are counted on the known decisions. Beside the waves of curate, whose ranks double
from 2 N on, stand the fewest scores that any waves need, and waves of N ranks each, which are many.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from curate import Workspace
from curate.denoise.score_job import STOPPING, first_waves, later_waves

Bools = npt.NDArray[np.bool_]


def negatives(workspace: Workspace) -> Bools:
    """Return queries x ranks of the current run over train: which candidates are hard negatives."""
    rows = workspace.sql(
        "select query_key, rank, decision from current_decisions "
        "where run_id = (select run_id from current_runs where split = 'train')"
    )
    if "unscored" in rows["decision"].unique():
        raise SystemExit("some candidates are unscored; denoise the run without --enough first")
    query = np.unique(rows["query_key"].to_numpy(), return_inverse=True)[1]
    found = np.zeros((query.max() + 1, rows["rank"].max()), bool)
    found[query, rows["rank"].to_numpy() - 1] = (rows["decision"] == "hard_negative").to_numpy()
    return found


def scores(found: Bools, ends: Sequence[int], enough: int) -> float:
    """Return the scores per query if each wave goes down to one of `ends`."""
    counted, total = found.cumsum(axis=1), 0
    for above, last in zip([0, *ends], ends, strict=False):
        open_queries = len(found) if not above else int((counted[:, above - 1] < enough).sum())
        total += open_queries * (last - above)
    return total / len(found)


def main() -> None:
    """Print a table with a row for each N."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace")
    parser.add_argument("--enough", type=int, nargs="+", default=[2, 4, 8, 16])
    given = parser.parse_args()
    found = negatives(Workspace(given.workspace))
    depth = found.shape[1]
    print(f"{len(found):,} queries, depth {depth}, {found.mean():.0%} hard negatives")
    print("    N  queries with fewer  fewest  curate (waves)  waves of N (waves)")
    for enough in given.enough:
        row = {**dict.fromkeys(STOPPING), "enough": enough, "depth": depth}
        waves = [first_waves(depth, enough)[-1], *later_waves(row)]
        even = [min(depth, last) for last in range(enough, depth + enough, enough)]
        fewer = (found.sum(axis=1) < enough).mean()
        fewest = scores(found, range(1, depth + 1), enough)
        ours, theirs = scores(found, [wave.last for wave in waves], enough), scores(found, even, enough)
        print(
            f"{enough:5}  {fewer:18.1%}  {fewest:6.1f}  {ours:9.1f} ({len(waves)})  {theirs:12.1f} ({len(even)})"
        )


if __name__ == "__main__":
    main()
