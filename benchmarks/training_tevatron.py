"""Tevatron's own trainer on the rows of training.py: tokens, seconds, loss and memory as a line of JSON.

    PYTHON benchmarks/training_tevatron.py ROWS.parquet MODEL BATCH_ROWS

PYTHON is that of an environment of its own, because tevatron 0.1.0 (2021, the newest on PyPI) trains with
transformers 4.45 and not with 4.46:

    pip install tevatron==0.1.0 transformers==4.45.2 accelerate==1.0.1 torch datasets polars

It pools CLS and scores by the dot product, so its loss is not that of the others. Queries are padded to 32
tokens, which cuts none of them.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
from tevatron.driver import train as driver
from tevatron.trainer import DenseTrainer
from transformers import AutoTokenizer


def main() -> None:
    """Write the rows as Tevatron reads them, have its driver train, and print what it took."""
    rows, model, batch_rows = sys.argv[1:]
    grouped = pl.read_parquet(rows).group_by("row_number", maintain_order=True).agg(pl.first("query"), "passage")
    grouped = grouped.filter(pl.col("passage").list.len() == 2)
    found = timed()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        (Path(folder) / "data" / "train.jsonl").write_text("".join(map(line, grouped.rows())), "utf-8")
        sys.argv = [
            "train", "--output_dir", f"{folder}/out", "--model_name_or_path", model, "--do_train",
            "--dataset_name", f"{folder}/data", "--dataset_proc_num", "1", "--train_n_passages", "2",
            "--per_device_train_batch_size", batch_rows, "--q_max_len", "32", "--p_max_len", "128",
            "--learning_rate", "3e-5", "--num_train_epochs", "1", "--save_strategy", "no", "--logging_steps", "1",
            "--report_to", "none", "--disable_tqdm", "True", "--use_cpu", "--bf16",
        ]  # fmt: skip
        driver.main()
    tokenizer = AutoTokenizer.from_pretrained(model)
    texts = [*grouped["query"], *grouped["passage"].explode()]
    found["tokens"] = sum(map(len, tokenizer(texts, truncation=True, max_length=128)["input_ids"]))
    found["gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(found))


def line(row: tuple[int, str, list[str]]) -> str:
    """Return a row as a line of Tevatron's JSONL."""
    number, query, passages = row
    shown = [{"docid": f"{number}-{n}", "title": "", "text": text} for n, text in enumerate(passages)]
    return (
        json.dumps(
            {
                "query_id": str(number),
                "query": query,
                "positive_passages": shown[:1],
                "negative_passages": shown[1:],
            }
        )
        + "\n"
    )


def timed() -> dict[str, Any]:
    """Have the trainer take its time; return where seconds and mean loss will stand."""
    found: dict[str, Any] = {}
    train = DenseTrainer.train

    def train_timed(self: Any, *arguments: Any, **options: Any) -> Any:
        began = time.monotonic()
        outcome = train(self, *arguments, **options)
        found["seconds"] = time.monotonic() - began
        losses = [float(entry["loss"]) for entry in self.state.log_history if "loss" in entry]
        found["loss"] = sum(losses) / len(losses)
        return outcome

    DenseTrainer.train = train_timed
    return found


if __name__ == "__main__":
    main()
