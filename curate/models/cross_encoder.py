"""The scorer: a cross-encoder that reads a query and a passage together and returns one logit per pair.

Each text is tokenized once, however many pairs contain it. Array operations assemble the pairs, which are sorted
by length across all queries and batched by a token budget, so there is almost no padding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.errors import BadSettings
from curate.models.batching import model_inputs
from curate.models.folder import fingerprint, model_id
from curate.models.modular_head import ModularHead
from curate.models.openvino_model import OpenVinoModel, openvino_settings
from curate.models.pair_batches import (
    ALONE,
    NO_TOKENS,
    PROBES,
    Floats,
    Ints,
    TokenizedPair,
    machine_settings,
    refuse_if_converted_wrong,
    refuse_if_the_batch_matters,
    score_in_batches,
)
from curate.models.pretrained import (
    accepted,
    check_fits,
    inference,
    load_pretrained,
    load_tokenizer,
    load_transformer,
    number_format,
    padding_id,
    scores_in_fp32,
    token_vectors,
)
from curate.models.scorer_spec import ScorerSpec, read_scorer_spec
from curate.models.transfer import Coming

if TYPE_CHECKING:
    import torch


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
    """A loaded cross-encoder with one logit, or with classes of which one means relevant.

    The logit of classes is that of the relevant one minus the logarithm of the others' summed exponentials, so
    that its sigmoid is the softmax of the relevant class.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_length: int | None = None,
        relevant_class: str | None = None,
        spec: ScorerSpec | None = None,
        backend: str = "torch",
    ) -> None:
        """Load the model in `folder`, which scores as `spec` says, or else as its files and the options do.

        Raises BadInput if it is not a cross-encoder with a trained head, or if the back end gives other scores.
        """
        self.spec = spec or read_scorer_spec(folder, max_length, relevant_class)
        place = folder / self.spec.transformer
        self.tokenizer = load_tokenizer(place, lower_case=bool(self.spec.lower_case))
        dtype = number_format()
        of_backend = openvino_settings() if backend == "openvino" else {}
        self.head = ModularHead(folder, self.spec.head) if self.spec.head else None
        loaded = dtype if backend == "torch" else "fp32"
        self.model = (
            load_transformer(place, loaded)
            if self.head
            else load_pretrained("AutoModelForSequenceClassification", place, loaded)
        )
        if not self.head:
            scores_in_fp32(self.model, self.model.config.num_labels)
        check_fits(place, self.tokenizer, self.model)
        self.padding = padding_id(self.model, self.tokenizer)
        self.max_length, self.prompt = self.spec.max_length, self.spec.prompt or ""
        self._refuse_if_the_prompt_fills_the_pair()
        self.settings: dict[str, Any] = {
            "template": "query, title + text",
            "truncation": "longest_first",
            **self.spec.settings(),
            **machine_settings(dtype, self.model),
            **of_backend,
        }
        self.fingerprint = fingerprint(folder, self.settings)
        self.scorer_id = model_id(folder, self.fingerprint)
        self.frame = _frame(self.tokenizer)
        self.tokenizes_apart = self.frame is not None and self._agrees_with_tokenizer()
        probes = self._tokenize_pairs(
            [self.prompt + query for query, _ in ALONE], [passage for _, passage in ALONE]
        )
        if backend == "openvino":
            self._convert(folder, dtype, probes)
        refuse_if_the_batch_matters(folder, dtype, probes, self._logits)

    def prepare(self, queries: Sequence[str], passages: Sequence[str], pairs: Ints) -> list[TokenizedPair]:
        """Return the token ids of `pairs` (n x 2: index into queries, index into passages), truncated to fit.

        A pair has no ids if its query or its passage has no token of its own.
        """
        queries = [self.prompt + query for query in queries]
        query_ids, passage_ids = self._ids(queries), self._ids(passages)
        bare = self._ids([self.prompt])[0]
        asks = np.asarray([not np.array_equal(ids, bare) for ids in query_ids], bool)
        tells = np.asarray([len(ids) > 0 for ids in passage_ids], bool)
        known = asks[pairs[:, 0]] & tells[pairs[:, 1]]
        there = pairs[known]
        if self.frame is None or not self.tokenizes_apart:
            rows = self._tokenize_pairs([queries[q] for q, _ in there], [passages[p] for _, p in there])
        else:
            rows = self._assemble(self.frame, query_ids, passage_ids, there)
        found = iter(rows)
        return [next(found) if is_known else NO_TOKENS for is_known in known]

    def _assemble(
        self, frame: Frame, query_ids: list[Ints], passage_ids: list[Ints], pairs: Ints
    ) -> list[TokenizedPair]:
        room = self.max_length - frame.size
        before, between, after = (
            np.asarray(part, np.int32) for part in (frame.before, frame.between, frame.after)
        )
        segments = np.asarray(frame.segments, np.int8)
        rows = []
        for q, p in pairs.tolist():
            keep_first, keep_second = longest_first(len(query_ids[q]), len(passage_ids[p]), room)
            first, second = query_ids[q][:keep_first], passage_ids[p][:keep_second]
            sizes = (len(before), len(first), len(between), len(second), len(after))
            cut = len(first) + len(second) < len(query_ids[q]) + len(passage_ids[p])
            ids = np.concatenate([before, first, between, second, after])
            rows.append(TokenizedPair(ids, np.repeat(segments, sizes), cut))
        return rows

    def score(self, rows: Sequence[TokenizedPair], advance: Callable[[int], None] = lambda _count: None) -> Floats:
        """Return the logits of tokenized pairs as float32, in the same order. Equal rows give equal bytes.

        A pair without ids has no score: its logit is NaN. Raises CurateError if another logit is not finite.
        """
        return score_in_batches(self.scorer_id, rows, self._forward, advance)

    def _convert(self, folder: Path, dtype: str, probes: list[TokenizedPair]) -> None:
        """Have OpenVINO compute the model from now on; raises BadInput if that gives other scores.

        They are compared in batches of several sizes and lengths, because a converter may keep those of its
        example.
        """
        long = self._tokenize_pairs([self.prompt + "when does rain fall"], ["rain and snow " * self.max_length])
        batches = [probes, *([probe] for probe in probes), long, [*probes, *long]]
        before = [self._logits(batch) for batch in batches]
        outputs = 0 if self.head else self.model.config.num_labels
        self.model = OpenVinoModel(self.model, accepted(self.model, self._inputs(probes)), dtype, outputs)
        after = [self._logits(batch) for batch in batches]
        refuse_if_converted_wrong(folder, dtype, np.concatenate(before), np.concatenate(after))

    def _inputs(self, rows: list[TokenizedPair]) -> dict[str, Any]:
        columns: dict[str, Any] = {"input_ids": [row.ids for row in rows]}
        if "token_type_ids" in self.tokenizer.model_input_names:
            columns["token_type_ids"] = [row.segments for row in rows]
        return model_inputs(self.model, columns, self.padding)

    def _logits(self, rows: list[TokenizedPair]) -> Floats:
        return Coming(self._forward(rows)).array()

    def _forward(self, rows: list[TokenizedPair]) -> "torch.Tensor":
        """Return the logits of pairs that are computed together, as float32 on the device."""
        with inference():
            inputs = self._inputs(rows)
            logits = (
                self.head(token_vectors(self.model, inputs), inputs["attention_mask"])
                if self.head
                else self.model(**accepted(self.model, inputs))[0].float()
            )
            values: torch.Tensor = logits[:, 0]
            if self.spec.relevant_class is not None:
                others = [number for number in range(logits.shape[1]) if number != self.spec.relevant_class]
                values = logits[:, self.spec.relevant_class] - logits[:, others].logsumexp(1)
        return values

    def _refuse_if_the_prompt_fills_the_pair(self) -> None:
        """Raise BadSettings if the prompt leaves no room for a query beside a long passage."""
        used = len(self.tokenizer(self.prompt, add_special_tokens=False)["input_ids"])
        if self.prompt and 2 * used >= self.max_length - self.tokenizer.num_special_tokens_to_add(pair=True):
            raise BadSettings(
                f"max_length = {self.max_length} leaves no room for a query beside the prompt of {used} tokens "
                "and a long passage. Set a larger one: --max-length"
            )

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
        cut = [bool(encoding.overflowing) for encoding in encoded.encodings]
        return [
            TokenizedPair(row, np.asarray(kinds, np.int8), was_cut)
            for row, kinds, was_cut in zip(ids, segments, cut, strict=True)
        ]

    def _agrees_with_tokenizer(self) -> bool:
        """Return whether pairs assembled here equal the tokenizer's pairs, on PROBES."""
        queries, passages = [probe[0] for probe in PROBES], [probe[1] for probe in PROBES]
        self.tokenizes_apart = True
        ours = self.prepare(queries, passages, np.stack([np.arange(len(PROBES))] * 2, axis=1))
        theirs = self._tokenize_pairs([self.prompt + query for query in queries], passages)
        return all(
            np.array_equal(mine[0], own[0]) and np.array_equal(mine[1], own[1])
            for mine, own in zip(ours, theirs, strict=True)
        )


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
