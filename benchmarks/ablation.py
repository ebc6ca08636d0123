"""RocketQA's steps, one after the other, on a collection with planted false negatives: which of them help.

    python benchmarks/ablation.py run COLLECTION JUDGE --folder DIR --encoder MODEL [--seeds 0,1,2]
        [--starts trained,cut]
    python benchmarks/ablation.py table DIR
    python benchmarks/ablation.py false COLLECTION --folder DIR

COLLECTION is a BEIR folder with qrels/train_sparse.tsv, as in planted.py; JUDGE a cross-encoder. `run` does what
is not done yet and can be stopped at any time: every step is a command of curate, in one workspace a start and
seed below DIR. Starts: `trained` is MODEL as it is, `cut` its first layers only, which hardly retrieve. `table`
prints the arms and the steps between them; `false`, how many mined candidates are relevant without a label.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from planted import by_hash, truth

from curate import Workspace
from curate.bootstrap import interval

SIZES = {"questions": 800, "unlabeled": 400, "test": 400, "passages": 4000}
# Negatives come from the top 4, of which nearly half are false on squad-win; masks know the top 8.
DEPTH = 4
JUDGED = 8
KEPT_LAYERS = 3
RATES = {"trained": "5e-5", "cut": "2e-4"}
TRAINING = [
    "--devices", "2", "--batch-rows", "32", "--passage-max-length", "96", "--dev-every", "0",
    "--depth", str(DEPTH),
]  # fmt: skip
EPOCHS = {"trained": "2", "cut": "3"}
ARMS = {
    "in-batch": ["--hard-negatives", "0", "--no-augmented", "--no-cross-batch"],
    "cross-batch": ["--hard-negatives", "0", "--no-augmented"],
    "undenoised": ["--hard-negatives", "1", "--no-augmented", "--no-denoised"],
    "positive-aware": ["--hard-negatives", "1", "--no-augmented", "--no-denoised"],
    "denoised": ["--hard-negatives", "1", "--no-augmented"],
    "augmented": ["--hard-negatives", "1", "--augmented"],
}
# Each arm, and the one that it is held against.
STEPS = [
    ("cross-batch", "in-batch"),
    ("undenoised", "cross-batch"),
    ("denoised", "undenoised"),
    ("augmented", "denoised"),
    ("positive-aware", "denoised"),
]
# Without a judge there is nothing to mask by but the labels.
MASKS = {"positive-aware": "labels"}
SHARE_OF_POSITIVE = 0.95


def main() -> None:
    """Run what is not done, or print the table of what is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    running = commands.add_parser("run")
    running.add_argument("collection", type=Path)
    running.add_argument("judge", type=Path)
    running.add_argument("--folder", type=Path, required=True)
    running.add_argument("--encoder", type=Path, required=True)
    running.add_argument("--seeds", default="0,1,2")
    running.add_argument("--starts", default="trained,cut")
    commands.add_parser("table").add_argument("folder", type=Path)
    counting = commands.add_parser("false")
    counting.add_argument("collection", type=Path)
    counting.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    if options.command == "table":
        print(f"{table(options.folder.resolve())}\n\n{steps(options.folder.resolve())}")
        return
    if options.command == "false":
        print(false_shares(options.collection.resolve(), options.folder.resolve()))
        return
    folder = options.folder.resolve()
    sample(options.collection.resolve(), folder / "sample")
    for start in options.starts.split(","):
        encoder = options.encoder.resolve() if start == "trained" else cut(options.encoder, folder / "cut")
        for seed in options.seeds.split(","):
            procedure(folder, start, int(seed), encoder, options.judge.resolve())


def sample(collection: Path, target: Path) -> None:
    """Write a BEIR folder: questions by hash, all their passages, labelled or not, and others by hash."""
    if target.exists():
        return
    qrels = {path.stem: truth(path) for path in (collection / "qrels").glob("*.tsv")}
    labelled = qrels["train_sparse"]
    asked = {
        "train": by_hash(labelled["query_id"].unique().to_list(), SIZES["questions"]),
        "test": by_hash(qrels["test"]["query_id"].unique().to_list(), SIZES["test"]),
        "unlabeled": by_hash(qrels["unlabeled_gold"]["query_id"].unique().to_list(), SIZES["unlabeled"]),
    }
    known = pl.concat([frame.select("query_id", "passage_id") for frame in qrels.values()])
    chosen = [name for names in asked.values() for name in names]
    needed = set(known.filter(pl.col("query_id").is_in(chosen))["passage_id"])
    passages = {json.loads(line)["_id"]: line for line in lines(collection / "corpus.jsonl")}
    needed |= set(by_hash(sorted(set(passages) - needed), max(0, SIZES["passages"] - len(needed))))
    made = fresh(target)
    (made / "qrels").mkdir()
    write(made / "corpus.jsonl", [passages[name] for name in sorted(needed & set(passages))])
    queries = {json.loads(line)["_id"]: line for line in lines(collection / "queries.jsonl")}
    questions = {json.loads(line)["_id"]: line for line in lines(collection / "unlabeled.jsonl")}
    write(made / "queries.jsonl", [queries[name] for name in sorted([*asked["train"], *asked["test"]])])
    write(made / "unlabeled.jsonl", [questions[name] for name in sorted(asked["unlabeled"])])
    columns = {"query_id": "query-id", "passage_id": "corpus-id"}
    for split, name in (("train", "train_sparse"), ("test", "test")):
        kept = qrels[name].filter(pl.col("query_id").is_in(asked[split]))
        kept.rename(columns).write_csv(made / "qrels" / f"{split}.tsv", separator="\t")
    made.rename(target)


def fresh(target: Path) -> Path:
    """Return an empty folder that becomes `target` by renaming: a folder that is there is whole."""
    made = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    return made


def lines(path: Path) -> list[str]:
    """Return the lines of a file."""
    return path.read_text("utf-8").splitlines()


def write(path: Path, rows: list[str]) -> None:
    """Write lines to a file."""
    path.write_text("".join(f"{row}\n" for row in rows), "utf-8")


def cut(encoder: Path, target: Path) -> Path:
    """Write the encoder's first layers as a model, and return its folder."""
    if target.exists():
        return target
    from transformers import AutoModel

    made = fresh(target)
    shutil.copytree(encoder, made, dirs_exist_ok=True)
    model = AutoModel.from_pretrained(made)
    model.encoder.layer = model.encoder.layer[:KEPT_LAYERS]
    model.config.num_hidden_layers = KEPT_LAYERS
    model.save_pretrained(made)
    return made.rename(target)


def procedure(folder: Path, start: str, seed: int, encoder: Path, judge: Path) -> None:
    """Train and measure every arm of one start and seed; what is done is not done again."""
    root = folder / f"{start}-{seed}"
    if not (root / "curate.toml").exists():
        Workspace.create(root, f"seed = {seed}\n")
    curate(root, "load", folder / "sample")
    fixed = [*TRAINING, "--init", encoder, "--learning-rate", RATES[start], "--epochs", EPOCHS[start]]
    measured(root, encoder, "zero-shot")
    trained(root, "cross-batch", "none", [], fixed)
    run = curate(root, "mine", "--retriever", "dense", "--encoder", "models/cross-batch", "--depth", 100)["run_id"]
    curate(root, "denoise", "--scorer", judge, "--depth", JUDGED)
    augmented = curate(root, "augment", "--scorer", judge, "--depth", JUDGED)["run_id"]
    filtered = positive_aware(root, run)
    runs = {"positive-aware": ["--run", filtered], "augmented": ["--run", run, "--run", augmented]}
    for arm in ARMS:
        for masks in ("none", MASKS.get(arm, "decisions")):
            # Without masks and hard negatives nothing is read of a run.
            needs_run = masks != "none" or arm not in ("in-batch", "cross-batch")
            trained(root, arm, masks, runs.get(arm, ["--run", run]) if needs_run else [], fixed)


def trained(root: Path, arm: str, masks: str, run: list[str], fixed: list[Any]) -> None:
    """Train one arm and measure it."""
    name = arm if masks == "none" else f"{arm}-masked"
    began = time.monotonic()
    found = curate(root, "train", "dual-encoder", *fixed, *ARMS[arm], "--masks", masks, *run, "--name", name)
    measured(root, f"models/{name}", name)
    seconds = time.monotonic() - began
    print(f"{root.name} {name}: {found['rows']:,} rows, {seconds:.0f} s", file=sys.stderr, flush=True)


def measured(root: Path, encoder: Path | str, name: str) -> None:
    """Evaluate a model on test, and note which run is whose."""
    notes = root / "arms.json"
    arms = json.loads(notes.read_text()) if notes.exists() else {}
    if name not in arms:
        arms[name] = curate(root, "evaluate", "--encoder", encoder, "--depth", 50)["runs"][-1]
        notes.write_text(json.dumps(arms, indent=1))


def positive_aware(root: Path, run: str) -> str:
    """Import the run without candidates above 95 % of their positive's score, as peers do; return its id."""
    workspace = Workspace(root)
    imported = [name for name in workspace.scan("runs").collect()["run_id"] if name.startswith("filtered-")]
    if imported:
        return str(imported[0])
    frame = workspace.sql(
        "select query_id, passage_id, rank, score, max(score) filter (where p.passage_key is not null) "
        "over (partition by c.query_key) as positive from candidates c join queries using (query_key) "
        "join passages using (passage_key) left join positives p on p.query_key = c.query_key "
        "and p.passage_key = c.passage_key where run_id = $run order by c.query_key, rank",
        run=run,
    )
    # A positive beyond rank 100 has a lower score than every candidate: none of them passes.
    kept = frame.filter(pl.col("score") <= SHARE_OF_POSITIVE * pl.col("positive"))
    kept = kept.with_columns(place=pl.int_range(1, pl.len() + 1).over("query_id"))
    path = root / "filtered.trec"
    write(path, [f"{q} Q0 {p} {place} {score} filtered" for q, p, _, score, _, place in kept.rows()])
    return str(curate(root, "mine", "--run", path, "--split", "train", "--name", "filtered")["run_id"])


def curate(root: Path, *arguments: object) -> dict[str, Any]:
    """Run a command of curate in a workspace; return its result."""
    command = [sys.executable, "-m", "curate", "-q", "-C", str(root), *map(str, arguments), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def table(folder: Path) -> str:
    """Return the arms as Markdown: the mean over seeds, its interval, and the difference from cross-batch."""
    rows = [
        "| start | arm | seeds | MRR@10 | Recall@50 | MRR@10 against cross-batch |",
        "|---|---|---|---|---|---|",
    ]
    for start in RATES:
        roots = sorted(folder.glob(f"{start}-*"))
        base = values(roots, "cross-batch", "MRR@10")
        for name in arm_names():
            found = values(roots, name, "MRR@10")
            if not found:
                continue
            recall = values(roots, name, "Recall@50")
            against = "" if not base or name == "cross-batch" else shown(mean(less(found, base)), signed=True)
            cells = [start, name, str(len(found)), shown(mean(found)), shown(mean(recall)), against]
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def steps(folder: Path) -> str:
    """Return each step between arms without masks, and what masks change in the mean of all arms, as Markdown."""
    rows = ["| start | step | MRR@10 | by seed |", "|---|---|---|---|"]
    for start in RATES:
        roots = sorted(folder.glob(f"{start}-*"))
        by_arm = {name: values(roots, name, "MRR@10") for name in arm_names()}
        found = {f"{ours} less {theirs}": less(by_arm[ours], by_arm[theirs]) for ours, theirs in STEPS}
        masked = [less(by_arm[f"{arm}-masked"], by_arm[arm]) for arm in ARMS]
        whole = [seed for seed in masked[0] if all(seed in each for each in masked)]
        found["masks, all arms"] = {seed: np.mean([each[seed] for each in masked], axis=0) for seed in whole}
        for step, differences in found.items():
            if differences:
                by_seed = ", ".join(f"{each.mean():+.3f}" for each in differences.values())
                rows.append(f"| {start} | {step} | {shown(mean(differences), signed=True)} | {by_seed} |")
    return "\n".join(rows)


def less(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Return the differences by query, for the seeds that both have."""
    return {seed: ours[seed] - theirs[seed] for seed in ours if seed in theirs}


def false_shares(collection: Path, folder: Path) -> str:
    """Return the shares of unlabelled candidates that are relevant, to a rank, and of the denoised negatives."""
    gold = truth(collection / "qrels" / "train.tsv").select("query_id", "passage_id", relevant=pl.lit(True))
    rows = [
        f"| workspace | top 1 | top 2 | top {DEPTH} | top 16 | denoised, top {DEPTH} |",
        "|---|---|---|---|---|---|",
    ]
    for root in sorted(folder.glob("*-[0-9]")):
        found = Workspace(root).sql(
            "select query_id, passage_id, rank, decision from decisions join queries using (query_key) "
            "join passages using (passage_key) join runs using (run_id) "
            "where runs.split = 'train' and retriever = 'dense' and decision not in ('positive', 'duplicate')"
        )
        if found.is_empty():
            continue  # nothing is judged yet
        found = found.join(gold, on=["query_id", "passage_id"], how="left").fill_null(False)
        tops = [found.filter(pl.col("rank") <= depth)["relevant"].mean() for depth in (1, 2, DEPTH, 16)]
        kept = found.filter(pl.col("rank") <= DEPTH, pl.col("decision") == "hard_negative")["relevant"].mean()
        rows.append(f"| {root.name} | {' | '.join(f'{share:.1%}' for share in [*tops, kept])} |")
    return "\n".join(rows)


def arm_names() -> Iterator[str]:
    """Yield the names of the arms in the order of the table."""
    yield "zero-shot"
    for arm in ARMS:
        yield arm
        yield f"{arm}-masked"


def values(roots: list[Path], arm: str, metric: str) -> dict[str, Any]:
    """Return start and seed -> the values of an arm by query, for the seeds that have it."""
    found = {}
    for root in roots:
        arms = json.loads((root / "arms.json").read_text()) if (root / "arms.json").exists() else {}
        if arm in arms:
            frame = Workspace(root).scan("metrics").filter(run_id=arms[arm], metric=metric)
            found[root.name] = frame.sort("query_key").collect()["value"].to_numpy()
    return found


def mean(found: dict[str, Any]) -> Any:
    """Return the mean over seeds, by query."""
    return np.mean(list(found.values()), axis=0)


def shown(numbers: Any, *, signed: bool = False) -> str:
    """Return a mean over queries with its interval."""
    found = interval(numbers, 0)
    sign = "+" if signed else ""
    return f"{found.mean:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"


if __name__ == "__main__":
    main()
