"""What the ablation runs on: a sample of a collection, and an encoder's first layers."""

import json
import shutil
from pathlib import Path

import polars as pl
from planted import by_hash, truth

SIZES = {"queries": 400, "unlabeled": 200, "test": 300, "passages": 2000}
KEPT_LAYERS = 2


def sample(collection: Path, target: Path, *, whole: bool = False) -> None:
    """Write a BEIR folder: queries by hash, all their passages, labelled or not, and others by hash.

    whole: all queries and passages.
    """
    if target.exists():
        return
    sizes = dict.fromkeys(SIZES, None) if whole else SIZES
    qrels = {path.stem: truth(path) for path in (collection / "qrels").glob("*.tsv")}
    labelled = qrels["train_sparse"]
    asked = {
        "train": by_hash(labelled["query_id"].unique().to_list(), sizes["queries"]),
        "test": by_hash(qrels["test"]["query_id"].unique().to_list(), sizes["test"]),
        "unlabeled": by_hash(qrels["unlabeled_gold"]["query_id"].unique().to_list(), sizes["unlabeled"]),
    }
    known = pl.concat([frame.select("query_id", "passage_id") for frame in qrels.values()])
    chosen = [name for names in asked.values() for name in names]
    needed = set(known.filter(pl.col("query_id").is_in(chosen))["passage_id"])
    passages = {json.loads(line)["_id"]: line for line in lines(collection / "corpus.jsonl")}
    others = sorted(set(passages) - needed)
    needed |= set(others if whole else by_hash(others, max(0, SIZES["passages"] - len(needed))))
    made = fresh(target)
    (made / "qrels").mkdir()
    write(made / "corpus.jsonl", [passages[name] for name in sorted(needed & set(passages))])
    queries = {json.loads(line)["_id"]: line for line in lines(collection / "queries.jsonl")}
    queries = {json.loads(line)["_id"]: line for line in lines(collection / "unlabeled.jsonl")}
    write(made / "queries.jsonl", [queries[name] for name in sorted([*asked["train"], *asked["test"]])])
    write(made / "unlabeled.jsonl", [queries[name] for name in sorted(asked["unlabeled"])])
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


def cut(encoder: Path, target: Path) -> None:
    """Write the encoder's first layers as a model."""
    if target.exists():
        return
    from transformers import AutoModel

    made = fresh(target)
    shutil.copytree(encoder, made, dirs_exist_ok=True)
    model = AutoModel.from_pretrained(made)
    model.encoder.layer = model.encoder.layer[:KEPT_LAYERS]
    model.config.num_hidden_layers = KEPT_LAYERS
    model.save_pretrained(made)
    made.rename(target)
