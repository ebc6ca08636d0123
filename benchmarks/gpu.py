"""The speed of one GPU: scoring, encoding, exact search and training beside sentence-transformers, in six minutes.

    python benchmarks/gpu.py [PART ...] [--folder DIR] [--tiny]

Each part runs in a process of its own with a time limit, after one that only imports, and prints each result at
once as a line of JSON; a table of all follows. The models have random weights, which changes no speed, and 118
tokens a pair; tokenizing counts. sentence-transformers computes in the same number format, as it comes and without
cuDNN's attention, with two batch sizes each; `ratio` is that to its fastest so far. `share` is that of the matmul
rate of `machine`, for the tokens without padding; gradient caching computes the forward pass twice, which counts.
`--tiny` proves the script without a GPU.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scorers import vocabulary

os.environ["TOKENIZERS_PARALLELISM"] = "true"
SHAPES = {
    "minilm": {"num_hidden_layers": 6, "hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536},
    "base": {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072},
    "modernbert": {
        "num_hidden_layers": 22,
        "hidden_size": 768,
        "num_attention_heads": 12,
        "intermediate_size": 1152,
    },
    "tiny": {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 128},
}
TINY_MODERNBERT = {**SHAPES["tiny"], "global_attn_every_n_layers": 2}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
RESULTS = "results.jsonl"
SIZES = (64, 256)  # batch sizes of the peer
WARM = "import numpy, sentence_transformers, torch, transformers, curate.train.towers"


def main() -> None:
    """Run each part in a new process, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; without: all")
    parser.add_argument("--folder", type=Path, help="keeps the models and the results")
    parser.add_argument("--tiny", action="store_true", help="small models and collections, for a CPU")
    parser.add_argument("--here", action="store_true", help="run the parts in this process, without limits")
    options = parser.parse_args()
    if unknown := {*options.parts} - {*PARTS}:
        parser.error(f"no such part: {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as holder:
        folder = options.folder or Path(holder)
        folder.mkdir(parents=True, exist_ok=True)
        if options.here:
            for name in options.parts:
                PARTS[name][1](Bench(folder, options.tiny, name))
            return
        (folder / RESULTS).unlink(missing_ok=True)
        started = time.time()
        subprocess.run([sys.executable, "-c", WARM], check=True)
        Bench(folder, options.tiny, "imports").say("all", seconds=round(time.time() - started, 1))
        for name in options.parts or PARTS:
            run(name, folder, options.tiny)
        print(table(read(folder)))


def run(name: str, folder: Path, tiny: bool) -> None:
    """Run a part in a new process, which ends at the part's limit. What it measured before stays."""
    command = [sys.executable, __file__, name, "--here", "--folder", str(folder), *(["--tiny"] if tiny else [])]
    started, limit = time.time(), PARTS[name][0] * (10 if tiny else 1)  # a CPU may be busy with other work
    bench = Bench(folder, tiny, name)
    try:
        code = subprocess.run(command, timeout=limit, check=False).returncode
        bench.say("all", seconds=round(time.time() - started, 1), **({"failed": code} if code else {}))
    except subprocess.TimeoutExpired:
        bench.say("all", failed=f"not done after {limit} s")


class Bench:
    """Where a part takes its models and texts from, and where its results go."""

    def __init__(self, folder: Path, tiny: bool, part: str) -> None:
        self.folder, self.tiny, self.part = folder, tiny, part

    def say(self, what: str, **values: Any) -> None:
        """Print a result and keep it."""
        line = json.dumps({"part": self.part, "what": what, **values})
        print(line, flush=True)
        with (self.folder / RESULTS).open("a") as file:
            file.write(line + "\n")

    def count(self, full: int, tiny: int) -> int:
        """Return how many of something there are."""
        return tiny if self.tiny else full

    def texts(self, queries: int, passages: int) -> tuple[list[str], list[str]]:
        """Return queries of 4 to 12 words and passages of 20 to 195; a word is a token."""
        words, rng = vocabulary(), random.Random(1)

        def text(shortest: int, longest: int) -> str:
            return " ".join(
                words[int(len(words) ** rng.random()) - 1] for _ in range(rng.randint(shortest, longest))
            )

        return [text(4, 12) for _ in range(queries)], [text(20, 195) for _ in range(passages)]

    def model(self, shape: str, kind: str) -> Path:
        """Return the folder of a model of a shape; kind: cross-encoder or encoder. It is made once."""
        import torch
        from transformers import AutoConfig, AutoModelForSequenceClassification, BertTokenizerFast

        from curate.models.pretrained import quiet

        quiet()
        is_modern = shape == "modernbert"
        size = SHAPES[shape]
        if self.tiny:
            shape, size = f"tiny-{shape}", TINY_MODERNBERT if is_modern else SHAPES["tiny"]
        folder = self.folder / f"{kind}-{shape}"
        if not (folder / "model.safetensors").exists():
            torch.manual_seed(0)
            words = [*SPECIAL, *vocabulary()]
            # Weights that are large enough to tell texts apart, so that a difference of logits means something.
            size = {
                **size,
                "vocab_size": len(words),
                "num_labels": 1,
                "initializer_range": 0.08,
                "pad_token_id": 0,
            }
            if is_modern:
                size |= {"bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3}
            config = AutoConfig.for_model("modernbert" if is_modern else "bert", **size)
            model = AutoModelForSequenceClassification.from_config(config)
            model.classifier.weight.data *= 10
            (model if kind == "cross-encoder" else model.base_model).save_pretrained(folder)
            (folder / "vocab.txt").write_text("\n".join(words), "utf-8")
            read = ["input_ids", *([] if is_modern else ["token_type_ids"]), "attention_mask"]
            tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=256)
            tokenizer.model_input_names = read
            tokenizer.save_pretrained(folder)
        return folder

    def share(self, operations: float, seconds: float) -> dict[str, float]:
        """Return TFLOP/s, and its share of the matmul rate if that was measured."""
        rate = operations / seconds / 1e12
        peaks = [row["tflops"] for row in read(self.folder) if row["what"] == "matmul"]
        return {"tflops": round(rate, 3), **({"share": round(rate / peaks[-1], 3)} if peaks else {})}


def machine(bench: Bench) -> None:
    """Measure matmul in bf16, and try the attention for texts of various lengths."""
    import torch

    from curate.models.packed_trial import WINDOWS, attention_is_right
    from curate.models.pretrained import device

    on = device()
    name = torch.cuda.get_device_name() if on == "cuda" else on
    bench.say("device", name=name, torch=torch.__version__, cuda=torch.version.cuda)
    size = bench.count(8192, 512)
    left, right = (torch.randn(size, size, device=on, dtype=torch.bfloat16) for _ in range(2))
    timed(lambda: left @ right)
    seconds, _ = timed(lambda: [left @ right for _ in range(20)])
    bench.say("matmul", tflops=round(20 * 2 * size**3 / seconds / 1e12, 3))
    for head, trained in product((32, 64, 128), (False, True)):
        try:
            works: bool | str = all(attention_is_right(head, 1, *window, on, trained) for window in WINDOWS)
        except (ImportError, TypeError, ValueError, RuntimeError) as error:
            works = f"{type(error).__name__}: {error}"[:100]
        bench.say("packed attention", head=head, gradients=trained, works=works)


def score(bench: Bench, shape: str, count: int) -> None:
    """Score pairs, 50 passages a query, at most 256 tokens; the lengths are met for the first time."""
    import torch

    from curate.models.pair_tokens import PairTokens
    from curate.models.scorer import find_source
    from curate.models.transfer import prepared

    folder, pairs = bench.model(shape, "cross-encoder"), bench.count(count, 300)
    queries, passages = bench.texts(pairs // 50, bench.count(10_000, 100))
    rng = np.random.default_rng(0)
    both = np.stack([np.repeat(np.arange(pairs // 50), 50), rng.integers(0, len(passages), pairs)], 1)
    scorer: Any = find_source(str(folder), folder.parent).open()
    scorer.score(scorer.prepare(queries, passages, both[:20]))

    def ready() -> Iterator[Any]:
        """Tokenize each passage once, and the queries of a block with it, as `curate denoise` does."""
        tokens = scorer.passage_tokens.of(passages)

        def pairs_of(block: np.ndarray) -> Any:
            (asked, at), (read, of) = (np.unique(column, return_inverse=True) for column in block.T)
            texts = [queries[number] for number in asked]
            return scorer.prepare_tokens(texts, tokens.take(read), np.stack([at, of], 1))

        return prepared(np.array_split(both, 5), pairs_of)

    seconds, scored = timed(lambda: [scorer.score(rows) for rows in ready()])
    tokenizing, blocks = timed(lambda: list(ready()))
    rows = PairTokens.of([row for block in blocks for row in block])
    alone, logits = timed(lambda: scorer.score(rows))
    operations = 2 * weights(scorer.model) * int(rows.ids.lengths.sum())
    facts = {"form": scorer.settings.get("attention", "padded"), "dtype": scorer.settings["dtype"]}
    bench.say("curate", a_second=round(pairs / seconds), **facts, **bench.share(operations, seconds))
    bench.say("its tokenizing alone", a_second=round(pairs / tokenizing))
    bench.say("its model alone", a_second=round(pairs / alone), **bench.share(operations, alone))
    other_batches = float(np.abs(np.concatenate(scored) - logits).max())
    bench.say("largest difference of other batches", logits=round(other_batches, 4))
    from sentence_transformers import CrossEncoder

    texts = [(queries[q], passages[p]) for q, p in both.tolist()]
    kwargs = {"dtype": getattr(torch, {"bf16": "bfloat16", "fp32": "float32"}[facts["dtype"]])}
    model = CrossEncoder(str(folder), max_length=256, device=where(), model_kwargs=kwargs)
    options: dict[str, Any] = {"activation_fn": torch.nn.Identity(), "show_progress_bar": False}
    beside(
        bench, pairs / seconds, texts, lambda part, size: model.predict(part, batch_size=size, **options), logits
    )


def encode(bench: Bench) -> None:
    """Embed passages in the size of MiniLM-L6."""
    import torch
    from sentence_transformers import SentenceTransformer

    from curate.models.encoder import Encoder

    folder = bench.model("minilm", "encoder")
    _, passages = bench.texts(0, bench.count(40_000, 300))
    encoder = Encoder.open(str(folder))
    list(encoder.encode(passages[:20], "passage"))
    seconds, found = timed(lambda: list(encoder.encode(passages, "passage")))
    tokens = sum(len(ids) for ids in encoder.tokenize(passages, "passage").columns["input_ids"])
    work = bench.share(2 * weights(encoder.model) * tokens, seconds)
    facts = {"form": encoder.settings.get("attention", "padded"), "dtype": encoder.dtype}
    bench.say("curate", a_second=round(len(passages) / seconds), **facts, **work)
    kwargs = {"dtype": getattr(torch, {"bf16": "bfloat16", "fp32": "float32"}[encoder.dtype])}
    model = SentenceTransformer(str(folder), device=where(), model_kwargs=kwargs)
    options: dict[str, Any] = {"normalize_embeddings": True, "show_progress_bar": False}
    beside(
        bench,
        len(passages) / seconds,
        passages,
        lambda part, size: model.encode(part, batch_size=size, **options),
        np.concatenate([vectors.array for vectors in found]),
    )


def search(bench: Bench) -> None:
    """Search 1 M passages for 10 k queries, the 100 best of each, beside a matmul and its topk."""
    import torch

    from curate.mine.exact_search import exact

    rng = np.random.default_rng(0)
    queries = rng.standard_normal((bench.count(10_000, 100), 384), dtype=np.float32)
    passages = rng.standard_normal((bench.count(1_000_000, 20_000), 384), dtype=np.float32)
    parts = np.array_split(passages, 10)
    exact(queries[:1000], parts[:1], 100)
    ours, found = timed(lambda: exact(queries, parts, 100))
    asked, known = torch.from_numpy(queries).to(where()), torch.from_numpy(passages).to(where())

    def bare() -> torch.Tensor:
        return torch.cat([(part @ known.T).topk(100).indices for part in asked.split(1000)])

    bare()
    theirs, best = timed(bare)
    same = float((np.sort(found.keys, 1) == np.sort(best.cpu().numpy(), 1)).mean())
    bench.say("curate", seconds=round(ours, 3), times_matmul_and_topk=round(ours / theirs, 2), same=round(same, 5))
    bench.say("matmul and topk", seconds=round(theirs, 3))


def train(bench: Bench, shape: str) -> None:
    """Train a dual-encoder: 1,024 rows a step with one negative each, by gradient caching."""
    import torch
    from sentence_transformers import SentenceTransformer, losses

    from curate.models.packed import is_packed

    folder, rows = bench.model(shape, "encoder"), bench.count(1024, 16)
    queries, passages = bench.texts(rows * 8, rows * 16)
    step, model = curate_step(folder, queries, passages, rows)
    step(0)
    operations = 8 * weights(model)  # forward, backward, and the forward pass that gradient caching repeats
    seconds, tokens = timed(lambda: until(8, (step(number) for number in range(1, 8))))
    facts = {"form": "packed" if is_packed(model) else "padded", **bench.share(operations * tokens, seconds)}
    bench.say("curate", tokens_a_second=round(tokens / seconds), **facts)
    ours = tokens / seconds
    best = 0.0
    for size in SIZES if not bench.tiny else (8,):
        model = SentenceTransformer(str(folder), device=where())
        model.max_seq_length = 128
        loss = losses.CachedMultipleNegativesRankingLoss(model, mini_batch_size=size)
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-5, fused=True)

        def their_step(number: int, model: Any = model, loss: Any = loss, optimizer: Any = optimizer) -> int:
            columns = rows_of(number, queries, passages, rows)
            prepare = model.preprocess if hasattr(model, "preprocess") else model.tokenize
            features = [
                {k: v.to(where()) for k, v in prepare(column).items() if hasattr(v, "to")} for column in columns
            ]
            with torch.autocast(where(), torch.bfloat16):
                found = loss(features, None)
            found.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            return sum(int(feature["attention_mask"].sum()) for feature in features)

        for cudnn in (True, False):
            torch.backends.cuda.enable_cudnn_sdp(cudnn)
            their_step(0)
            seconds, tokens = timed(lambda: until(3, (their_step(number) for number in range(1, 8))))
            best = max(best, tokens / seconds)
            rate = round(tokens / seconds)
            bench.say("sentence-transformers", tokens_a_second=rate, mini_batch=size, cudnn=cudnn)
            bench.say("ratio", ours_to_theirs=round(ours / best, 2))


def curate_step(
    folder: Path, queries: list[str], passages: list[str], rows: int
) -> tuple[Callable[[int], int], Any]:
    """Return a function that makes a step and returns its tokens, and the model."""
    import torch

    from curate.config import TrainDualEncoder
    from curate.models.embedding_spec import read_embedding_spec
    from curate.models.pretrained import load_tokenizer
    from curate.ragged import Ragged
    from curate.train.batch import Batch
    from curate.train.dual_encoder_task import DualEncoderTask
    from curate.train.optimizer import adamw
    from curate.train.towers import towers_from
    from curate.train.world import World

    tokenizer = load_tokenizer(folder)
    towers = towers_from(folder, read_embedding_spec(folder, {}), separate=False, dtype="bf16").train()
    settings = TrainDualEncoder(gradient_cache=True, distill="none")
    task = DualEncoderTask(towers, settings, 0.05, "bf16", World(), None)  # type: ignore[arg-type]
    optimizer = adamw(towers, 0.01)
    for group in optimizer.param_groups:
        group["lr"] = 3e-5
    own = np.repeat(np.eye(rows, dtype=bool), 2, axis=1)
    positive = own & (np.arange(2 * rows) % 2 == 0)[None]

    def step(number: int) -> int:
        asked, positives, negatives = (
            [np.asarray(ids, np.int32) for ids in tokenizer(column, truncation=True, max_length=128)["input_ids"]]
            for column in rows_of(number, queries, passages, rows)
        )
        read = [text for both in zip(positives, negatives, strict=True) for text in both]
        batch = Batch(
            rows=rows,
            queries=Ragged.of(asked),
            passages=Ragged.of(read),
            counts=[2 * rows],
            positive=positive,
            negative=~positive,
            slots=np.arange(2 * rows).reshape(rows, 2),
            teacher=np.full((rows, 2), np.nan, np.float32),
            weights=np.ones((rows, 1), np.float32),
            taught_rows=0,
            taught_pairs=0,
            query_keys=np.arange(rows),
            passage_keys=np.arange(2 * rows),
        )
        outcome = task.backward(batch, number)
        torch.nn.utils.clip_grad_norm_(towers.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return outcome.tokens

    return step, towers.query


def rows_of(number: int, queries: list[str], passages: list[str], rows: int) -> list[list[str]]:
    """Return the queries, positives and negatives of a step."""
    first = number * rows % len(queries)
    return [queries[first : first + rows], passages[first : first + rows], passages[-first - rows :][:rows]]


def beside(
    bench: Bench, ours: float, texts: list[Any], compute: Callable[[list[Any], int], Any], expected: np.ndarray
) -> None:
    """Measure sentence-transformers for some seconds in each of its ways, and say how much faster curate is."""
    import torch

    sizes, limit, best = SIZES if not bench.tiny else (32,), 4.0, 0.0
    for size, cudnn in product(sizes, (True, False)):
        torch.backends.cuda.enable_cudnn_sdp(cudnn)
        compute(texts[:64], size)
        count, step = 0, max(2048, 2 * size)
        started = time.time()
        while count < len(texts) and time.time() - started < limit:
            found = compute(texts[count : count + step], size)
            count += len(found)
        rate = count / (time.time() - started)
        difference = float(np.abs(np.asarray(found) - expected[count - len(found) : count]).max())
        best = max(best, rate)
        facts = {"batch": size, "cudnn": cudnn, "largest_difference": round(difference, 4)}
        bench.say("sentence-transformers", a_second=round(rate), **facts)
        bench.say("ratio", ours_to_theirs=round(ours / best, 2), spread=round(float(expected.std()), 4))


def until(seconds: float, steps: Iterator[int]) -> int:
    """Return the sum of as many steps as begin within some seconds."""
    import torch

    total, started = 0, time.time()
    for step in steps:
        total += step
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        if time.time() - started > seconds:
            break
    return total


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of a call, with all that it left to the GPU, and its result."""
    import torch

    def wait() -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    wait()
    started = time.time()
    result = call()
    wait()
    return time.time() - started, result


def where() -> str:
    """Return the device."""
    from curate.models.pretrained import device

    return device()


def weights(model: Any) -> int:
    """Return the weights that every token meets: those of the layers, without embeddings and heads."""
    return sum(value.numel() for name, value in model.named_parameters() if re.search(r"\blayers?\.\d", name))


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the results so far."""
    path = folder / RESULTS
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Return the results as Markdown."""
    lines = ["| part | what | result |", "|---|---|---|"]
    for row in rows:
        values = ", ".join(f"{name} {value}" for name, value in row.items() if name not in ("part", "what"))
        lines.append(f"| {row['part']} | {row['what']} | {values} |")
    return "\n".join(lines)


# Seconds of each part at most: with 35 for the first imports, six minutes.
PARTS: dict[str, tuple[int, Callable[[Bench], None]]] = {
    "machine": (20, machine),
    "score-minilm": (60, lambda bench: score(bench, "minilm", 40_000)),
    "score-base": (60, lambda bench: score(bench, "base", 20_000)),
    "encode": (40, encode),
    "search": (25, search),
    "train": (60, lambda bench: train(bench, "base")),
    "train-modernbert": (60, lambda bench: train(bench, "modernbert")),
}

if __name__ == "__main__":
    main()
