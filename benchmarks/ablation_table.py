"""What the ablation found, as Markdown: the arms, the steps between them, how many mined candidates are false.

    python benchmarks/ablation_table.py COLLECTION --folder DIR

COLLECTION and DIR are those of ablation.py. Values are means over the seeds that are done, query by query;
intervals are bootstrapped over the queries and say nothing of the seeds, whose own means stand beside them.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from ablation import ARMS, DEPTH, SETTINGS
from planted import truth

from curate import Workspace
from curate.bootstrap import interval

Values = dict[str, Any]
"""Workspace -> the values of an arm, one a query, for the seeds that have it."""

# Each arm, and the one that it is held against.
STEPS = [
    ("cross-batch", "in-batch"),
    ("undenoised", "cross-batch"),
    ("undenoised-first", "cross-batch"),
    ("denoised", "undenoised"),
    ("denoised", "undenoised-first"),
    ("denoised", "cross-batch"),
    ("augmented", "denoised"),
    ("augmented", "denoised-longer"),
    ("augmented", "cross-batch"),
    ("positive-aware", "undenoised"),
    ("denoised", "positive-aware"),
]
DEPTHS = (1, 2, DEPTH, 8)


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    collection, folder = options.collection, options.folder
    print(arms(folder), steps(folder), false_shares(collection, folder), sep="\n\n")


def arms(folder: Path) -> str:
    """Return the arms: MRR@10 and Recall@50 without masks, and MRR@10 with them."""
    rows = [
        "| start | arm | seeds | steps | rows without hard negative | MRR@10 | Recall@50 | MRR@10 with masks |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for start in SETTINGS:
        roots = sorted(folder.glob(f"{start}-*"))
        for arm in ("zero-shot", *ARMS):
            found = values(roots, arm, "MRR@10")
            if found:
                masked = values(roots, f"{arm}-masked", "MRR@10")
                cells = [
                    start,
                    arm,
                    str(len(found)),
                    *training_cells([root for root in roots if root.name in found], arm),
                    shown(mean(found)),
                    shown(mean(values(roots, arm, "Recall@50"))),
                    shown(mean(masked)) if masked else "",
                ]
                rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def training_cells(roots: list[Path], arm: str) -> list[str]:
    """Return an arm's steps and, of its rows, the share that has no hard negative: means over the seeds."""
    records = [record for root in roots if (record := Workspace(root).record(f"train-{arm}"))]
    if not records:
        return ["", ""]
    steps = np.mean([record.facts["steps"] for record in records])
    without = np.mean([record.facts["without"] / record.facts["queries"] for record in records])
    return [f"{steps:.0f}", f"{without:.0%}" if records[0].settings["hard_negatives"] else ""]


def steps(folder: Path) -> str:
    """Return the steps between arms without masks, and what masks change in the mean of all arms."""
    rows = ["| start | MRR@10 | difference | by seed |", "|---|---|---|---|"]
    for start in SETTINGS:
        roots = sorted(folder.glob(f"{start}-*"))
        plain = {arm: values(roots, arm, "MRR@10") for arm in ARMS}
        found = {f"{ours} less {theirs}": less(plain[ours], plain[theirs]) for ours, theirs in STEPS}
        masked = [less(values(roots, f"{arm}-masked", "MRR@10"), plain[arm]) for arm in ARMS if plain[arm]]
        found["masks, mean of all arms"] = {
            root.name: np.mean([each[root.name] for each in masked], axis=0)
            for root in roots
            if masked and all(root.name in each for each in masked)
        }
        for step, differences in found.items():
            if differences:
                by_seed = ", ".join(f"{each.mean():+.3f}" for each in differences.values())
                rows.append(f"| {start} | {step} | {shown(mean(differences), signed=True)} | {by_seed} |")
    return "\n".join(rows)


def false_shares(collection: Path, folder: Path) -> str:
    """Return, a workspace a row, how many unlabelled candidates are relevant, and how many pseudo-labels right."""
    gold = truth(collection / "qrels" / "train.tsv").select("query_id", "passage_id", relevant=pl.lit(True))
    tops = " | ".join(f"top {depth}" for depth in DEPTHS)
    rows = [
        f"| workspace | {tops} | undenoised, first | denoised, top {DEPTH} | positive-aware, top {DEPTH} "
        "| pseudo-labels | right |",
        f"|{'---|' * (len(DEPTHS) + 6)}",
    ]
    for root in sorted(path for start in SETTINGS for path in folder.glob(f"{start}-*")):
        notes = root / "runs.json"
        if notes.exists():
            cells = [root.name, *false_share_cells(Workspace(root), json.loads(notes.read_text("utf-8")), gold)]
            cells += pseudo_label_cells(Workspace(root), truth(collection / "qrels" / "unlabeled_gold.tsv"))
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def false_share_cells(workspace: Workspace, runs: dict[str, Any], gold: pl.DataFrame) -> list[str]:
    """Return the shares of one workspace."""
    found = workspace.sql(
        "select run_id, query_id, passage_id, rank, decision from decisions join queries using (query_key) "
        "join passages using (passage_key) where decision not in ('positive', 'duplicate')"
    )
    found = found.join(gold, on=["query_id", "passage_id"], how="left").fill_null(False)
    of_run = {arm: found.filter(pl.col("run_id") == names[0]) for arm, names in runs.items()}
    mined = of_run["mined"]
    trained_on = [
        of_run["undenoised-first"].filter(rank=1),
        mined.filter(pl.col("rank") <= DEPTH, decision="hard_negative"),
        of_run["positive-aware"].filter(pl.col("rank") <= DEPTH),
    ]
    tops = [mined.filter(pl.col("rank") <= depth) for depth in DEPTHS]
    return [f"{frame['relevant'].mean():.1%}" if len(frame) else "" for frame in [*tops, *trained_on]]


def pseudo_label_cells(workspace: Workspace, gold: pl.DataFrame) -> list[str]:
    """Return how many queries got a pseudo-label, and how many a right one: the sample's answers are known."""
    found = workspace.sql(
        "select query_id, passage_id from pseudo_labels join queries using (query_key) "
        "join passages using (passage_key)"
    )
    right = found.join(gold, on=["query_id", "passage_id"], how="semi")
    return [str(len(found)), f"{len(right) / max(len(found), 1):.1%}"]


def values(roots: list[Path], arm: str, metric: str) -> Values:
    """Return the values of an arm, one a query in the order of the queries."""
    found = {}
    for root in roots:
        notes = root / "arms.json"
        measured = json.loads(notes.read_text("utf-8")) if notes.exists() else {}
        if arm in measured:
            frame = Workspace(root).scan("metrics").filter(run_id=measured[arm], metric=metric)
            found[root.name] = frame.sort("query_key").collect()["value"].to_numpy()
    return found


def less(ours: Values, theirs: Values) -> Values:
    """Return the differences by query, for the seeds that both have."""
    return {seed: ours[seed] - theirs[seed] for seed in ours if seed in theirs}


def mean(found: Values) -> Any:
    """Return the mean over seeds, by query."""
    return np.mean(list(found.values()), axis=0)


def shown(numbers: Any, *, signed: bool = False) -> str:
    """Return a mean over queries with its interval."""
    found = interval(numbers, 0)
    sign = "+" if signed else ""
    return f"{found.mean:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"


if __name__ == "__main__":
    main()
