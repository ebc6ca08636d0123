"""Scorers beside the CrossEncoder of sentence-transformers: pairs for each second of CPU time, in one process.

    python benchmarks/scorers.py [modular] [causal] [--queries N] [--depth N] [--rounds N] [--dtype fp32|bf16]
    python benchmarks/scorers.py --preparing WORKSPACE SCORER

modular: 149 M parameters in the shape of ModernBERT-base, with the head of the Ettin rerankers. causal: 0.6 B in
the shape of Qwen3-Reranker. The weights are random, which changes no speed. Both tools score the same pairs, in
turn, and the script prints the largest difference of their logits. Each query has the same number of passages,
drawn from one collection, as the candidates of a run have. `--preparing`: what the processor does for each pair
before the model reads it, for a tenth of what a scorer lacks of the newest run in WORKSPACE, at depth 50: with the
tokens of its passages made anew in every shard, and stored. It leaves these in the workspace.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

LETTERS = "etaoinshrdlcumwfgypbvk"
TEMPLATE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n<Instruct>: Given a '
    "web search query, retrieve relevant passages that answer the query\n"
    '<Query>: {{ messages | selectattr("role", "eq", "query") | map(attribute="content") | first }}\n'
    '<Document>: {{ messages | selectattr("role", "eq", "document") | map(attribute="content") | first }}'
    "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
)
QWEN = {
    "hidden_size": 1024, "num_hidden_layers": 28, "intermediate_size": 3072, "num_attention_heads": 16,
    "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True,
}  # fmt: skip


def main() -> None:
    """Time both tools on each shape, print a Markdown row each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shapes", nargs="*", choices=[*WRITERS, []])  # none: both
    parser.add_argument("--queries", type=int, default=4)
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2, help="the best one of each tool counts")
    parser.add_argument("--dtype", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--preparing", nargs=2, metavar=("WORKSPACE", "SCORER"))
    options = parser.parse_args()
    if options.preparing:
        print(preparing(*options.preparing))
        return
    os.environ |= {"CURATE_DEVICE": "cpu", "CURATE_DTYPE": options.dtype}
    words = vocabulary()
    queries, passages, pairs = collection(words, options.queries, options.depth)
    print("| shape | pairs | curate, pairs per CPU second | sentence-transformers | ratio | largest difference |")
    print("|---|---|---|---|---|---|")
    for shape in options.shapes or WRITERS:
        with tempfile.TemporaryDirectory() as holder:
            folder = WRITERS[shape](Path(holder) / shape, words)
            tools = (
                curate_scores(folder, queries, passages, pairs),
                library_scores(folder, queries, passages, pairs, options.dtype),
            )
            rounds = [[timed(tool) for tool in tools] for _ in range(options.rounds)]
        (ours, own), (theirs, other) = (min(found, key=itemgetter(0)) for found in zip(*rounds, strict=True))
        difference = float(np.abs(own - other).max())
        speeds = f"{len(pairs) / ours:.2f} | {len(pairs) / theirs:.2f} | {theirs / ours:.2f}"
        print(f"| {shape}, {options.dtype} | {len(pairs)} | {speeds} | {difference:.2g} |", flush=True)


def preparing(root: str, scorer: str) -> str:
    """Return a Markdown table of processor time."""
    from curate import Workspace, sql_files
    from curate.config import Denoise
    from curate.denoise.scoring import Scoring
    from curate.progress import SILENT

    workspace = Workspace(root)
    run, settings = workspace.records("mine")[-1].job, Denoise(depth=50, scorer=scorer)

    def prepare() -> float:
        """Return the seconds for each pair of a tenth of the shards."""
        scoring = Scoring.of(workspace, run, settings)
        few = scoring.to_do[::10]
        started = time.process_time()
        with scoring.reading(scoring.to_do) as connection:
            found = time.process_time() - started
            for block in few:
                scoring.prepare(sql_files.cursor(connection), block)
        of_few = time.process_time() - started - found
        return found / scoring.unscored + of_few / sum(block.unscored for block in few)

    store = Scoring.of(workspace, run, settings).store
    assert store, "this scorer reads texts"
    without = prepare()
    started = time.process_time()
    store.write(SILENT)
    writing, passages = time.process_time() - started, sum(shard.rows for shard in store.shards)
    return "\n".join([
        "| | microseconds of a processor |\n|---|---|",
        f"| a pair, passages tokenized in every shard | {without * 1e6:.1f} |",
        f"| a passage, tokenized and stored once | {writing / passages * 1e6:.1f} |",
        f"| a pair, passages stored | {prepare() * 1e6:.1f} |",
    ])  # fmt: skip


def timed(score: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Return the CPU seconds of a call, which other work on the machine does not change much, and its result."""
    started = time.process_time()
    found = score()
    return time.process_time() - started, found


def curate_scores(
    folder: Path, queries: list[str], passages: list[str], pairs: np.ndarray, backend: str = "torch"
) -> Callable[[], np.ndarray]:
    """Return a function that tokenizes and scores; the model is loaded and warm."""
    from curate.models.scorer import find_source
    from curate.models.scorer_options import ScorerOptions

    scorer = find_source(str(folder), folder.parent, ScorerOptions(backend=backend)).open()
    scorer.score(scorer.prepare(queries, passages, pairs[:1]))
    return lambda: scorer.score(scorer.prepare(queries, passages, pairs))


def library_scores(
    folder: Path, queries: list[str], passages: list[str], pairs: np.ndarray, dtype: str
) -> Callable[[], np.ndarray]:
    """Return the same of sentence-transformers, at its default batch size and at most 512 tokens."""
    import torch
    from sentence_transformers import CrossEncoder

    formats = {"dtype": torch.float32 if dtype == "fp32" else torch.bfloat16}
    model = CrossEncoder(str(folder), device="cpu", max_length=512, model_kwargs=formats)
    texts = [(queries[q], passages[p]) for q, p in pairs.tolist()]
    options: dict[str, Any] = {"activation_fn": torch.nn.Identity(), "show_progress_bar": False}
    model.predict(texts[:1], **options)
    return lambda: np.asarray(model.predict(texts, **options))


def vocabulary() -> list[str]:
    """Return made-up words, the frequent ones first."""
    rng = random.Random(0)
    return list(dict.fromkeys("".join(rng.choices(LETTERS, k=rng.randint(2, 9))) for _ in range(20_000)))


def collection(words: list[str], queries: int, depth: int) -> tuple[list[str], list[str], np.ndarray]:
    """Return queries, passages of 30 to 140 words, none of which is cut, and the pairs to score."""
    rng = random.Random(1)

    def text(shortest: int, longest: int) -> str:
        return " ".join(words[int(len(words) ** rng.random()) - 1] for _ in range(rng.randint(shortest, longest)))

    passages = [text(30, 140) for _ in range(queries * depth)]
    pairs = [(query, passage) for query in range(queries) for passage in rng.sample(range(len(passages)), depth)]
    return [text(4, 12) for _ in range(queries)], passages, np.array(pairs)


def write_tokenizer(folder: Path, words: list[str], size: int, special: list[str]) -> Any:
    """Save a byte-level tokenizer that knows the words, and has tokens enough for a model of `size` of them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=16_000, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([" ".join(words), "yes no " * 99], trainer)
    tokenizer.add_tokens([f"<unused{number}>" for number in range(size - tokenizer.get_vocab_size())])
    if "[CLS]" in special:
        ids = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=ids
        )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=special[0], model_max_length=8192)
    fast.model_input_names = ["input_ids", "attention_mask"]
    fast.save_pretrained(folder)
    return fast


def write_modular(folder: Path, words: list[str]) -> Path:
    """Save a modular cross-encoder in the shape of ModernBERT-base."""
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import LayerNorm, Pooling
    from transformers import ModernBertConfig, ModernBertModel

    base = folder.with_name("base")
    write_tokenizer(base, words, 50_368, ["[PAD]", "[CLS]", "[SEP]"])
    ModernBertModel(ModernBertConfig(pad_token_id=0, reference_compile=False)).save_pretrained(base)
    last = Dense(768, 1, activation_function=torch.nn.Identity(), module_output_name="scores")
    first = Dense(768, 768, activation_function=torch.nn.GELU())
    transformer = Transformer(str(base), transformer_task="feature-extraction")
    modules = [transformer, Pooling(768, "cls"), first, LayerNorm(768), last]
    CrossEncoder(modules=modules, device="cpu").save_pretrained(str(folder))
    return folder


def write_causal(folder: Path, words: list[str]) -> Path:
    """Save a causal reranker in the shape of Qwen3-Reranker-0.6B."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = write_tokenizer(folder, words, 151_669, special)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    Qwen3ForCausalLM(Qwen3Config(vocab_size=151_936, pad_token_id=0, **QWEN)).save_pretrained(folder)
    return folder


WRITERS = {"modular": write_modular, "causal": write_causal}

if __name__ == "__main__":
    main()
