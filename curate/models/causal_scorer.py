"""A causal language model that judges a pair: the logit of yes less that of no, where its answer begins.

The text around query and passage is never cut. Each query is tokenized once with the text before and behind it,
each passage with the text that ends the pair. The model computes two logits a token instead of its vocabulary's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.errors import BadSettings
from curate.models.batching import model_inputs
from curate.models.causal_spec import CausalSpec
from curate.models.folder import fingerprint, model_id
from curate.models.pair_batches import (
    ALONE,
    PROBES,
    Floats,
    Ints,
    machine_settings,
    refuse_if_the_batch_matters,
    score_in_batches,
)
from curate.models.pair_tokens import NO_TOKENS, PairTokens, TokenizedPair
from curate.models.pretrained import (
    accepted,
    check_fits,
    in_fp32,
    inference,
    load_pretrained,
    load_tokenizer,
    number_format,
    padding_id,
)
from curate.models.transfer import Coming

if TYPE_CHECKING:
    import torch

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Part:
    """The tokens of a text and of what stands around it."""

    before: Tokens
    own: Tokens
    after: Tokens

    @property
    def size(self) -> int:
        """The number of all tokens."""
        return len(self.before) + len(self.own) + len(self.after)


class CausalScorer:
    """A loaded causal language model. It satisfies `PairScorer`."""

    def __init__(self, folder: Path, spec: CausalSpec) -> None:
        """Load the model in `folder`. Raises BadInput if it is not whole, BadSettings if no text would fit."""
        self.spec = spec
        place = folder / spec.transformer
        self.tokenizer = load_tokenizer(place, lower_case=bool(spec.lower_case))
        dtype = number_format()
        self.model = load_pretrained("AutoModelForCausalLM", place, dtype)
        check_fits(place, self.tokenizer, self.model)
        self.padding = padding_id(self.model, self.tokenizer)
        self.model.config.use_cache = False
        _keep_only(self.model, spec.answers)
        self.settings = {
            "template": "query, title + text",
            "truncation": "passage, then query",
            **spec.settings(),
            **machine_settings(dtype, self.model),
        }
        self.fingerprint = fingerprint(folder, self.settings)
        self.scorer_id = model_id(folder, self.fingerprint)
        self.tokenizes_apart = self._agrees_with_tokenizer()
        self.middle, self.closing = self._ids(spec.middle), self._ids(spec.closing)
        self._refuse_if_the_template_fills_the_pair()
        queries, passages = zip(*ALONE, strict=True)
        probes = self.prepare(queries, passages, np.stack([np.arange(len(ALONE))] * 2, axis=1))
        refuse_if_the_batch_matters(folder, dtype, probes, lambda rows: Coming(self._forward(rows)).array())

    def prepare(self, queries: Sequence[str], passages: Sequence[str], pairs: Ints) -> PairTokens:
        """Return the token ids of `pairs` (n x 2: index into queries, index into passages), cut to fit.

        A pair has no ids if its query or its passage has no token of its own.
        """
        if self.tokenizes_apart:
            asked, read = self._apart(queries, passages)
            return PairTokens.of([self._row(asked[q], read[p]) for q, p in pairs.tolist()])
        return PairTokens.of([self._row(*self._together(queries[q], passages[p])) for q, p in pairs.tolist()])

    def score(self, rows: Sequence[TokenizedPair], advance: Callable[[int], None] = lambda _count: None) -> Floats:
        """Return the logits of tokenized pairs as float32, in the same order. Equal rows give equal bytes.

        A pair without ids has no score: its logit is NaN. Raises CurateError if another logit is not finite.
        """
        return score_in_batches(self.scorer_id, rows, self._forward, advance)

    def _forward(self, rows: PairTokens) -> "torch.Tensor":
        """Return the logits of pairs that are computed together, as float32 on the device."""
        import torch

        with inference():
            inputs = model_inputs(self.model, {"input_ids": rows.ids}, self.padding)
            logits = self.model(**accepted(self.model, inputs)).logits
            last = inputs["attention_mask"].sum(1) - 1
            answers = logits[torch.arange(len(rows), device=logits.device), last].float()
            values: torch.Tensor = answers[:, 0] if self.spec.no is None else answers[:, 0] - answers[:, 1]
        return values

    def _row(self, asked: Part, read: Part) -> TokenizedPair:
        """Return the tokens of a pair. If it is too long, the passage is cut, but not below half of the room."""
        if not (len(asked.own) and len(read.own)):
            return NO_TOKENS
        if asked.size + read.size <= self.spec.max_length:
            return TokenizedPair(_whole(asked, read), NO_TOKENS.segments)
        # A token can hold the end of a text and the beginning of what follows, which a cut therefore writes anew.
        between = np.concatenate([asked.after, read.before])
        room = self.spec.max_length - len(asked.before) - len(between) - len(self.closing)
        passage = min(len(read.own), max(room - len(asked.own), room // 2))
        query = min(len(asked.own), room - passage)
        if query < len(asked.own):
            query, between = query + len(between) - len(self.middle), self.middle
        after = read.after if passage == len(read.own) else self.closing
        ids = np.concatenate([asked.before, asked.own[:query], between, read.own[:passage], after])
        return TokenizedPair(ids, NO_TOKENS.segments, cut=True)

    def _apart(self, queries: Sequence[str], passages: Sequence[str]) -> tuple[list[Part], list[Part]]:
        """Return the tokens of queries and of passages, each with the part of the template on its side.

        The space before a passage goes with its first word, as in most tokenizers.
        """
        head = self.spec.middle.rstrip(" ")
        tail = self.spec.middle[len(head) :]
        return self._parts(self.spec.opening, queries, head), self._parts(tail, passages, self.spec.closing)

    def _together(self, query: str, passage: str) -> tuple[Part, Part]:
        """Return the tokens of one pair, which is tokenized as a whole."""
        spec = self.spec
        (asked,) = self._parts(spec.opening, [query], spec.middle + passage + spec.closing)
        (read,) = self._parts(spec.opening + query + spec.middle, [passage], spec.closing)
        start = len(read.before)
        used = len(asked.before) + len(asked.own)
        return Part(asked.before, asked.own, read.before[used:start]), Part(read.before[:0], read.own, read.after)

    def _parts(self, before: str, texts: Sequence[str], after: str) -> list[Part]:
        encoded = self.tokenizer(
            [before + text + after for text in texts], add_special_tokens=False, return_offsets_mapping=True
        )
        rows = zip(texts, encoded["input_ids"], encoded["offset_mapping"], strict=True)
        return [_part(len(before), text, np.asarray(ids, np.int32), np.asarray(at)) for text, ids, at in rows]

    def _ids(self, text: str) -> Tokens:
        return np.asarray(self.tokenizer(text, add_special_tokens=False)["input_ids"], np.int32)

    def _agrees_with_tokenizer(self) -> bool:
        """Return whether queries and passages that are tokenized apart give the tokens of the whole, on PROBES."""
        asked, read = self._apart(*zip(*PROBES, strict=True))
        whole = [self.spec.opening + q + self.spec.middle + p + self.spec.closing for q, p in PROBES]
        return all(
            np.array_equal(_whole(*parts), self._ids(text))
            for parts, text in zip(zip(asked, read, strict=True), whole, strict=True)
        )

    def _refuse_if_the_template_fills_the_pair(self) -> None:
        used = len(self._ids(self.spec.opening)) + len(self.middle) + len(self.closing)
        if 2 * used > self.spec.max_length:
            raise BadSettings(
                f"max_length = {self.spec.max_length} leaves too little room beside the {used} tokens of the "
                f"template, which are never cut. Set at least {2 * used}: --max-length"
            )


def _whole(asked: Part, read: Part) -> Tokens:
    return np.concatenate([asked.before, asked.own, asked.after, read.before, read.own, read.after])


def _part(start: int, text: str, ids: Tokens, offsets: Ints) -> Part:
    """Return the tokens before, of and after a text that begins at the character `start`."""
    own = np.flatnonzero((offsets[:, 1] > start) & (offsets[:, 0] < start + len(text)))
    if not len(own) or not text.strip():
        return Part(ids, ids[:0], ids[:0])
    return Part(ids[: own[0]], ids[own[0] : own[-1] + 1], ids[own[-1] + 1 :])


def _keep_only(model: Any, answers: list[int]) -> None:
    """Make the model compute the logits of `answers` alone, in float32. What it does with its logits stays."""
    import torch

    head = model.get_output_embeddings()
    rows = torch.nn.Linear(head.weight.shape[1], len(answers), bias=head.bias is not None)
    rows.weight.data = head.weight.data[answers]
    if head.bias is not None:
        rows.bias.data = head.bias.data[answers]
    model.set_output_embeddings(in_fp32(rows))
