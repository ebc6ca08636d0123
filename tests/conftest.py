"""Fixtures that the tests share: workspaces so small that every row can be checked by eye."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curate import Workspace, sql_files
from curate.jobs import Job
from curate.progress import Silent
from curate.text_hash import text_hashes

Make = Callable[..., Workspace]
# This folder comes after all installed packages: processes that tests start import their functions from it.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def variables_as_before() -> Iterator[None]:
    """Restore the variables of curate: a call with a wrong option leaves those of its other options, and ends."""
    before = {name: value for name, value in os.environ.items() if name.startswith("CURATE_")}
    yield
    for name in [name for name in os.environ if name.startswith("CURATE_")]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def make_workspace(tmp_path: Path) -> Make:
    """Return a function that makes a workspace from literal rows."""
    return partial(write_workspace, tmp_path / "set")


def write_workspace(
    folder: Path,
    passages: dict[str, str],
    queries: dict[str, str],
    *,
    qrels: Iterable[tuple[str, str] | tuple[str, str, int]] = (),
    unlabeled: Iterable[str] = (),
    candidates: dict[str, list[str]] | None = None,
    split: str = "train",
    run: str = "bm25-train",
) -> Workspace:
    """Write a workspace from literal rows. Its shards come from the usual writer."""
    workspace = Workspace.create(folder)
    passage_keys = {name: key for key, name in enumerate(passages)}
    query_keys = {name: key for key, name in enumerate(queries)}
    load = Job(workspace, "load", "load-00001")
    _write(
        load,
        "passages",
        [
            {"passage_key": key, "passage_id": name, "title": "", "text": text, "text_hash": hashed}
            for (key, (name, text)), hashed in zip(
                enumerate(passages.items()), text_hashes(list(passages.values())), strict=True
            )
        ],
    )
    _write(
        load,
        "queries",
        [
            {
                "query_key": key,
                "query_id": name,
                "text": text,
                "text_hash": hashed,
                "split": "unlabeled" if name in unlabeled else None,
            }
            for (key, (name, text)), hashed in zip(
                enumerate(queries.items()), text_hashes(list(queries.values())), strict=True
            )
        ],
    )
    _write(
        load,
        "qrels",
        [
            {
                "query_key": query_keys[query],
                "passage_key": passage_keys[passage],
                "relevance": rest[0] if rest else 1,
                "split": split,
                "source": "qrels.tsv",
                "revision": 1,
                "corrects": False,
            }
            for query, passage, *rest in qrels
        ],
    )
    load.finish()
    if candidates is not None:
        add_run(
            workspace,
            run,
            "unlabeled" if split == "unlabeled" else split,
            [
                {
                    "run_id": run,
                    "query_key": query_keys[query],
                    "passage_key": passage_keys[passage],
                    "rank": rank,
                    "score": 10.0 - rank,
                }
                for query, found in candidates.items()
                for rank, passage in enumerate(found, 1)
            ],
        )
    return workspace


def add_run(workspace: Workspace, run: str, split: str, rows: list[dict[str, Any]]) -> None:
    """Write the candidates of a run and its row in `runs`."""
    job = Job(workspace, "mine", run)
    _write(job, "candidates", rows)
    _write(
        job,
        "runs",
        [
            {
                "run_id": run,
                "retriever": "bm25",
                "split": split,
                "depth": max((r["rank"] for r in rows), default=1),
                "queries": len({r["query_key"] for r in rows}),
                "model_id": None,
                "index": None,
                "recall": None,
                "sources": [],
                "round": len(workspace.records("mine")) + 1,
            }
        ],
    )
    job.finish()


def _write(job: Job, table: str, rows: list[dict[str, Any]]) -> None:
    job.write(table, 0, lambda: [pa.Table.from_pylist(rows, sql_files.schema(table))])


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that puts a model of `write_tiny_model` into a folder. Each kind is made only once."""
    made: dict[str, Path] = {}

    def put(folder: Path, **options: Any) -> Path:
        kind = str(sorted(options.items()))
        if kind not in made:
            made[kind] = write_tiny_model(tmp_path_factory.mktemp("models") / "tiny", **options)
        return Path(shutil.copytree(made[kind], folder))

    return put


@pytest.fixture
def tiny_cross_encoder(tmp_path: Path, tiny_model: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes a random two-layer BERT with a classification head; its tokens are letters."""
    return lambda name="tiny-ce", **options: tiny_model(tmp_path / name, **options)


@pytest.fixture
def tiny_encoder(tmp_path: Path, tiny_model: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes the transformer of a `tiny_cross_encoder`, without its head."""
    return lambda name="encoder": tiny_model(tmp_path / name, head=False)


def write_tiny_model(
    folder: Path, *, labels: int = 1, seed: int = 0, spread: float = 40.0, head: bool = True
) -> Path:
    """Write a model whose logits are spread across both cutoffs; with `spread=0` all logits are equal."""
    import string

    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    from curate.models.pretrained import quiet

    quiet()
    folder.mkdir(parents=True)
    pieces = [*string.ascii_lowercase, *string.digits]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces, *("##" + piece for piece in pieces), "."]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64, num_labels=labels, initializer_range=0.2,
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    model.classifier.weight.data *= spread
    (model if head else model.bert).save_pretrained(folder)
    return folder


class Interrupt(Silent):
    """A progress object that raises KeyboardInterrupt after a number of steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    @contextmanager
    def task(self, description: str, total: int, unit: str, done: int = 0) -> Iterator[Callable[[int], None]]:
        def advance(count: int) -> None:
            self.left -= 1
            if not self.left:
                self.stop()

        yield advance

    def stop(self) -> None:
        raise KeyboardInterrupt
