"""RocketQA's steps, one after the other, on a collection with planted false negatives: which of them help.

    torchrun --nproc-per-node 2 benchmarks/ablation.py COLLECTION SCORER --folder DIR --encoder MODEL
        [--seeds 0,1,2] [--starts trained,cut] [--whole]
    python benchmarks/ablation_table.py COLLECTION --folder DIR

COLLECTION is a BEIR folder with qrels/train_sparse.tsv, as in planted.py; SCORER a cross-encoder. What is done is
not done again, so it can be stopped at any time: there is one workspace a start and seed below DIR. Starts:
`trained` is MODEL as it is, `cut` its first layers only, which hardly retrieve. `--whole` takes all queries and
passages of the collection in place of a sample, which is work for a GPU: in pieces, `timeout 300 torchrun ...`.
`denoised-longer` is the control of augmentation: at least as many steps, by whole epochs, without pseudo-labels.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from ablation_sample import cut, sample, write

import curate
from curate.mine.import_run import import_run
from curate.shards import write_text
from curate.train.dual_encoder import train_dual_encoder
from curate.train.launch import environment
from curate.train.world import World

# Negatives come from the top 4, of which nearly half are false on squad-win; masks know the top 8.
DEPTH = 4
SCORERD = 8
SETTINGS = {
    "trained": {"learning_rate": 5e-5, "epochs": 1},
    "cut": {"learning_rate": 2e-4, "epochs": 3},
}
TRAINING = {"batch_rows": 32, "passage_max_length": 96, "dev_every": 0, "depth": DEPTH}
ARMS: dict[str, dict[str, Any]] = {
    "in-batch": {"hard_negatives": 0, "augmented": False, "cross_batch": False},
    "cross-batch": {"hard_negatives": 0, "augmented": False},
    "undenoised": {"hard_negatives": 1, "augmented": False, "denoised": False},
    "undenoised-first": {"hard_negatives": 1, "augmented": False, "denoised": False, "depth": 1},
    "positive-aware": {"hard_negatives": 1, "augmented": False, "denoised": False},
    "denoised": {"hard_negatives": 1, "augmented": False},
    "augmented": {"hard_negatives": 1, "augmented": True},
    "denoised-longer": {"hard_negatives": 1, "augmented": False},
}
# Without a scorer there is nothing to mask by but the labels.
MASKS = {"positive-aware": "labels"}
SHARE_OF_POSITIVE = 0.95


def main() -> None:
    """Run what is not done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("scorer", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--starts", default="trained,cut")
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    folder, scorer = options.folder.resolve(), options.scorer.resolve()
    encoders = {"trained": options.encoder.resolve(), "cut": folder / "cut"}
    with environment() as world:
        first(world, lambda: prepare(options, folder))
        for seed in options.seeds.split(","):
            for start in options.starts.split(","):
                Procedure(folder / f"{start}-{seed}", start, int(seed), encoders[start], world).run(scorer)


def first(world: World, work: Callable[[], Any]) -> None:
    """Let the first process do something with everybody's threads while the others wait."""
    if world.is_first:
        threads = torch.get_num_threads()
        torch.set_num_threads(threads * world.size)
        work()
        torch.set_num_threads(threads)
    world.wait()


def prepare(options: argparse.Namespace, folder: Path) -> None:
    """Write the sample and the cut encoder, unless they stand."""
    sample(options.collection.resolve(), folder / "sample", whole=options.whole)
    cut(options.encoder.resolve(), folder / "cut")


@dataclass(frozen=True)
class Procedure:
    """All arms of one start and seed."""

    root: Path
    start: str
    seed: int
    encoder: Path
    world: World

    @property
    def workspace(self) -> curate.Workspace:
        """The workspace, as it stands now."""
        return curate.Workspace(self.root)

    def run(self, scorer: Path) -> None:
        """Train and measure every arm that is not yet."""
        first(self.world, self.begin)
        self.train("cross-batch", "none", None)
        first(self.world, lambda: self.mine(scorer))
        runs = json.loads((self.root / "runs.json").read_text("utf-8"))
        for arm in ARMS:
            for masks in ("none", MASKS.get(arm, "decisions")):
                # Without masks and hard negatives nothing is read of a run.
                needs_run = masks != "none" or ARMS[arm]["hard_negatives"]
                self.train(arm, masks, runs.get(arm, runs["mined"]) if needs_run else None)

    def begin(self) -> None:
        """Load the sample, and measure the start as it is."""
        if not (self.root / "curate.toml").exists():
            curate.Workspace.create(self.root, f"seed = {self.seed}\n")
        curate.load(self.workspace, self.root.parent / "sample")
        self.measure(str(self.encoder), "zero-shot")

    def mine(self, scorer: Path) -> None:
        """Mine with the cross-batch model, denoise, augment, filter; note which run is whose."""
        mined = curate.mine(self.workspace, retriever="dense", encoder="models/cross-batch", depth=100).run_id
        curate.denoise(self.workspace, run=mined, scorer=str(scorer), depth=SCORERD)
        augmented = curate.augment(
            self.workspace, scorer=str(scorer), encoder="models/cross-batch", depth=SCORERD
        ).run_id
        # A positive beyond rank 100 has a lower score than every candidate: none of them passes.
        below_positive = pl.col("score") <= SHARE_OF_POSITIVE * pl.col("positive")
        runs = {
            "mined": [mined],
            "augmented": [mined, augmented],
            "positive-aware": [self.filtered(mined, below_positive, "filtered")],
            "undenoised-first": [self.filtered(mined, pl.col("unlabelled"), "unlabelled")],
        }
        write_text(self.root / "runs.json", json.dumps(runs, indent=1))

    def filtered(self, run: str, condition: pl.Expr, name: str) -> str:
        """Import a run's candidates for which the condition holds, ranked anew; return the id that they get."""
        frame = self.workspace.sql(
            "select query_id, passage_id, score, p.passage_key is null as unlabelled, "
            "max(score) filter (where not unlabelled) over (partition by c.query_key) as positive "
            "from candidates c join queries using (query_key) join passages using (passage_key) "
            "left join positives p on p.query_key = c.query_key and p.passage_key = c.passage_key "
            "where run_id = $run order by c.query_key, rank",
            run=run,
        )
        kept = frame.filter(condition).with_columns(place=pl.int_range(1, pl.len() + 1).over("query_id"))
        rows = kept.select("query_id", "passage_id", "place", "score").rows()
        path = self.root / f"{name}.trec"
        write(path, [f"{query} Q0 {passage} {place} {score} {name}" for query, passage, place, score in rows])
        return import_run(self.workspace, path, split="train", name=name).run_id

    def train(self, arm: str, masks: str, run: list[str] | None) -> None:
        """Train one arm in all processes, and measure it."""
        name = arm if masks == "none" else f"{arm}-masked"
        began = time.monotonic()
        options = {**TRAINING, **SETTINGS[self.start], **ARMS[arm], "init": str(self.encoder), "masks": masks}
        if arm == "denoised-longer":
            options["epochs"] = math.ceil(
                options["epochs"] * self.steps_of("augmented") / self.steps_of("denoised")
            )
        found = train_dual_encoder(self.workspace, run=run, name=name, world=self.world, **options)
        first(self.world, lambda: self.measure(f"models/{name}", name))
        if self.world.is_first and found.trained_now:
            seconds = time.monotonic() - began
            print(f"{self.root.name} {name}: {found.rows:,} rows, {seconds:.0f} s", file=sys.stderr, flush=True)

    def steps_of(self, arm: str) -> int:
        """Return the steps of an arm that is trained."""
        return next(
            record.facts["steps"] for record in self.workspace.records("train") if record.job == f"train-{arm}"
        )

    def measure(self, encoder: str, name: str) -> None:
        """Evaluate a model on test, and note which run is whose."""
        notes = self.root / "arms.json"
        arms = json.loads(notes.read_text("utf-8")) if notes.exists() else {}
        if name not in arms:
            arms[name] = curate.evaluate(self.workspace, encoder=encoder, depth=50).runs[-1]
            write_text(notes, json.dumps(arms, indent=1))


if __name__ == "__main__":
    main()
