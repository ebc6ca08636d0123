"""The scorer: a cross-encoder that reads a query and a passage together and returns one logit per pair.

Each text is tokenized once, however many pairs contain it. Array operations assemble the pairs, which are sorted
by length across all queries and batched by a token budget, so there is almost no padding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.errors import BadInput, CurateError
from curate.models.batching import token_batches
from curate.models.embedding_spec import token_limit
from curate.models.folder import fingerprint, model_id
from curate.models.pretrained import device, load_pretrained, load_tokenizer, number_format

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
TokenizedPair = tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]
"""The token ids of a pair, and the segment id of each token."""

# Tokens per forward pass. The budget shapes the batches, and the last bits of a score depend on its batch.
TOKEN_BUDGET = {"cpu": 4096, "cuda": 65536, "mps": 16384}
PROBES = (
    ("what is a run?", "A run: one retriever's ranked lists."),
    ("zürich 東京", "Two words, and\ttabs\nand lines; e.g. naïve café - 100 %!"),
    ("x", "a passage that is longer than the query by far, so that only the passage is cut " * 40),
    ("a query as long as its passage is " * 60, "and a passage as long as its query is " * 60),
)


@dataclass(frozen=True)
class Frame:
    """The special tokens around a pair: `before` query `between` passage `after`, with their segment ids."""

    before: list[int]
    between: list[int]
    after: list[int]
    segments: tuple[int, int, int, int, int]

    @property
    def size(self) -> int:
        """The number of special tokens in a pair."""
        return len(self.before) + len(self.between) + len(self.after)


class CrossEncoder:
    """A loaded cross-encoder with one logit, or with two classes (logit = l1 - l0)."""

    def __init__(self, folder: Path, *, max_length: int | None = None) -> None:
        """Load the model in `folder`. Raises BadInput if it is not a cross-encoder with a trained head."""
        self.tokenizer = load_tokenizer(folder)
        dtype = number_format()
        self.model = load_pretrained("AutoModelForSequenceClassification", folder, dtype)
        config = self.model.config
        if config.num_labels not in (1, 2):
            raise BadInput(
                f"{folder} has {config.num_labels} classes; expected a cross-encoder with one logit or two"
            )
        if self.model.get_input_embeddings().num_embeddings < len(self.tokenizer):
            raise BadInput(f"{folder}: the tokenizer has more tokens than the model, so it belongs to another one")
        self.max_length = token_limit(folder, max_length)
        self.settings = scorer_settings(self.max_length, dtype, device())
        self.fingerprint = fingerprint(folder, self.settings)
        self.scorer_id = model_id(folder, self.fingerprint)
        self.frame = _frame(self.tokenizer)
        self.tokenizes_apart = self.frame is not None and self._agrees_with_tokenizer()

    def tokenize(self, queries: Sequence[str], passages: Sequence[str], pairs: Ints) -> list[TokenizedPair]:
        """Return the token ids of `pairs` (n x 2: index into queries, index into passages), truncated to fit."""
        if self.frame is None or not self.tokenizes_apart:
            return self._tokenize_pairs([queries[q] for q, _ in pairs], [passages[p] for _, p in pairs])
        query_ids, passage_ids = self._ids(queries), self._ids(passages)
        frame, room = self.frame, self.max_length - self.frame.size
        before, between, after = (
            np.asarray(part, np.int32) for part in (frame.before, frame.between, frame.after)
        )
        segments = np.asarray(frame.segments, np.int8)
        rows = []
        for q, p in pairs.tolist():
            keep_first, keep_second = longest_first(len(query_ids[q]), len(passage_ids[p]), room)
            first, second = query_ids[q][:keep_first], passage_ids[p][:keep_second]
            sizes = (len(before), len(first), len(between), len(second), len(after))
            rows.append((np.concatenate([before, first, between, second, after]), np.repeat(segments, sizes)))
        return rows

    def score(self, rows: Sequence[TokenizedPair], advance: Callable[[int], None] = lambda _count: None) -> Floats:
        """Return the logits of tokenized pairs as float32, in the same order. Equal rows give equal bytes.

        Raises CurateError if a logit is not finite.
        """
        logits = np.empty(len(rows), np.float32)
        for batch in token_batches([len(ids) for ids, _ in rows], TOKEN_BUDGET[device()]):
            logits[batch] = self._forward([rows[index] for index in batch])
            advance(len(batch))
        if not np.isfinite(logits).all():
            raise CurateError(
                f"{self.scorer_id} gives scores that are not finite "
                f"({int((~np.isfinite(logits)).sum()):,} of {len(rows):,}). "
                "Nothing of this shard was kept. Use another scorer."
            )
        return logits

    def _forward(self, rows: list[TokenizedPair]) -> Floats:
        import torch

        width = max(len(ids) for ids, _ in rows)
        inputs = {
            "input_ids": np.full((len(rows), width), self.tokenizer.pad_token_id or 0, np.int64),
            "attention_mask": np.zeros((len(rows), width), np.int64),
            "token_type_ids": np.zeros((len(rows), width), np.int64),
        }
        for index, (ids, segments) in enumerate(rows):
            inputs["input_ids"][index, : len(ids)] = ids
            inputs["attention_mask"][index, : len(ids)] = 1
            inputs["token_type_ids"][index, : len(ids)] = segments
        if "token_type_ids" not in self.tokenizer.model_input_names:
            del inputs["token_type_ids"]
        with torch.inference_mode():
            on_device = {name: torch.from_numpy(array).to(device()) for name, array in inputs.items()}
            logits = self.model(**on_device).logits.float()
        values = logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]
        result: Floats = values.cpu().numpy()
        return result

    def _ids(self, texts: Sequence[str]) -> list[Ints]:
        encoded = self.tokenizer(
            list(texts), add_special_tokens=False, truncation=True, max_length=self.max_length
        )
        return [np.asarray(ids, np.int32) for ids in encoded["input_ids"]]

    def _tokenize_pairs(self, queries: list[str], passages: list[str]) -> list[TokenizedPair]:
        if not queries:
            return []
        encoded = self.tokenizer(queries, passages, truncation="longest_first", max_length=self.max_length)
        ids = [np.asarray(row, np.int32) for row in encoded["input_ids"]]
        segments = encoded.get("token_type_ids") or [np.zeros(len(row), np.int8) for row in ids]
        return [(row, np.asarray(kinds, np.int8)) for row, kinds in zip(ids, segments, strict=True)]

    def _agrees_with_tokenizer(self) -> bool:
        """Return whether pairs assembled here equal the tokenizer's pairs, on PROBES."""
        queries, passages = [probe[0] for probe in PROBES], [probe[1] for probe in PROBES]
        self.tokenizes_apart = True
        ours = self.tokenize(queries, passages, np.stack([np.arange(len(PROBES))] * 2, axis=1))
        theirs = self._tokenize_pairs(queries, passages)
        return all(
            np.array_equal(mine[0], own[0]) and np.array_equal(mine[1], own[1])
            for mine, own in zip(ours, theirs, strict=True)
        )


def scorer_settings(max_length: int, dtype: str, device_class: str) -> dict[str, Any]:
    """Return the settings that, besides the files, determine a scorer's logits. The fingerprint covers them."""
    return {
        "template": "query, title + text",
        "truncation": "longest_first",
        "max_length": max_length,
        "dtype": dtype,
        "device": device_class,
        "token_budget": TOKEN_BUDGET[device_class],
    }


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """Return how many tokens of two texts fit into `room`. As in tokenizers, the longer text is cut first."""
    if first + second <= room:
        return first, second
    short, long = sorted((first, second))
    long = short if short > room else max(short, room - short)
    if short + long > room:
        short, long = room // 2, room - room // 2
    return (short, long) if first <= second else (long, short)


def _frame(tokenizer: Any) -> Frame | None:
    """Return the special tokens around a pair, read from one encoded pair; None if they cannot be separated."""
    first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("first", "second text"))
    pair = tokenizer("first", "second text")
    ids, kinds = pair["input_ids"], pair.get("token_type_ids") or [0] * len(pair["input_ids"])
    row = np.asarray(ids)
    start = _find(row, np.asarray(first), 0)
    middle = _find(row, np.asarray(second), start + len(first))
    if start < 0 or middle < 0:
        return None
    end = middle + len(second)
    segment = (kinds[0], kinds[start], kinds[start + len(first)], kinds[middle], kinds[-1])
    return Frame(ids[:start], ids[start + len(first) : middle], ids[end:], segment)


def _find(row: Ints, part: Ints, start: int) -> int:
    """Return the first position of `part` in `row` at or after `start`, or -1."""
    for index in range(start, len(row) - len(part) + 1):
        if (row[index : index + len(part)] == part).all():
            return index
    return -1
