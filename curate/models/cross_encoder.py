"""The scorer: a cross-encoder that reads a query and a passage together and returns one logit per pair.

Each text is tokenized once, however many pairs contain it. Array operations put the pairs together, which are
sorted by length across all queries and batched by a token budget, so there is almost no padding.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.errors import BadSettings
from curate.models.batching import model_inputs
from curate.models.folder import fingerprint, model_id
from curate.models.int8_store import Int8Store
from curate.models.modular_head import ModularHead
from curate.models.openvino_model import INT8, OpenVinoModel, converted, openvino_settings, take_last_layer
from curate.models.pair_batches import (
    ALONE,
    PROBES,
    Floats,
    Ints,
    machine_settings,
    refuse_if_converted_wrong,
    refuse_if_the_batch_matters,
    score_in_batches,
)
from curate.models.pair_tokens import NO_TOKENS, PairTokens, TokenizedPair
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
from curate.models.special_tokens import PairFrame, long_text, pair_frame
from curate.models.text_tokens import TextTokens
from curate.models.transfer import Coming
from curate.ragged import Bools, Ragged

if TYPE_CHECKING:
    import torch


AT_ONCE = 16_384  # pairs that are put together at the same time, which takes three times the memory of the result


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
        root: Path | None = None,
    ) -> None:
        """Load the model in `folder`, which scores as `spec` says, or else as its files and the options do.

        root: the workspace that has the graph of the model for the back end `openvino-int8`. Raises BadInput if it
        is not a cross-encoder with a trained head, or if the back end gives other scores. Raises NotAvailable if
        the graph is not there.
        """
        self.spec = spec or read_scorer_spec(folder, max_length, relevant_class)
        place = folder / self.spec.transformer
        self.tokenizer = load_tokenizer(place, lower_case=bool(self.spec.lower_case))
        dtype = number_format()
        of_backend: dict[str, Any] = openvino_settings(backend) if backend != "torch" else {}
        stored = Int8Store(root or folder).get(folder, self.spec) if backend == INT8 else None
        if stored:
            of_backend["int8"] = stored.settings
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
        self._refuse_if_a_pair_has_no_room()
        self.settings: dict[str, Any] = {
            "template": "query, title + text",
            "truncation": "longest_first",
            **self.spec.settings(),
            **machine_settings(dtype, self.model),
            **of_backend,
        }
        if self.tokenizer.truncation_side != "right":
            self.settings["truncation_side"] = self.tokenizer.truncation_side
        self.fingerprint = fingerprint(folder, self.settings)
        self.scorer_id = model_id(folder, self.fingerprint)
        self._asked, self._read = TextTokens(self.tokenizer, self.prompt), TextTokens(self.tokenizer)
        self.frame = pair_frame(self.tokenizer)
        self.tokenizes_apart = self.frame is not None and self._agrees_with_tokenizer(self.frame)
        self._probes = self._tokenize_pairs(
            [self.prompt + query for query, _ in ALONE], [passage for _, passage in ALONE]
        )
        precision = "int8" if stored else dtype
        if backend != "torch":
            self._convert(folder, dtype, precision, stored.graph if stored else None)
        refuse_if_the_batch_matters(folder, precision, self._probes, self._logits)

    @property
    def passage_tokens(self) -> TextTokens | None:
        """What makes the tokens that `prepare_tokens` reads; None if pairs have to be made of the texts."""
        return self._read if self.frame and self.tokenizes_apart and self._read.can_be_stored else None

    def prepare(self, queries: Sequence[str], passages: Sequence[str], pairs: Ints) -> PairTokens:
        """Return the token ids of `pairs` (n x 2: index into queries, index into passages), truncated to fit.

        A pair has no ids if its query or its passage has no token of its own.
        """
        asked, read = self._asked.of(queries, self.max_length), self._read.of(passages, self.max_length)
        if self.frame and self.tokenizes_apart:
            return self._assembled(self.frame, asked, read, pairs)
        known = self._are_known(asked, read, pairs)
        texts = [(self.prompt + queries[q], passages[p]) for q, p in pairs[known].tolist()]
        found = iter(self._tokenize_pairs([query for query, _ in texts], [passage for _, passage in texts]))
        return PairTokens.of([next(found) if is_known else NO_TOKENS for is_known in known])

    def prepare_tokens(self, queries: Sequence[str], passages: Ragged, pairs: Ints) -> PairTokens:
        """Return the same of passages that are given by their tokens, which `passage_tokens` has made."""
        if not self.frame:
            raise ValueError("this scorer reads texts")
        return self._assembled(self.frame, self._asked.of(queries, self.max_length), passages, pairs)

    def _assembled(self, frame: PairFrame, asked: Ragged, read: Ragged, pairs: Ints) -> PairTokens:
        found = PairTokens.together([
            frame.around(asked.take(part[:, 0]), read.take(part[:, 1]), self.max_length)
            for part in (pairs[start : start + AT_ONCE] for start in range(0, len(pairs), AT_ONCE))
        ])  # fmt: skip
        return found.only(self._are_known(asked, read, pairs))

    def _are_known(self, asked: Ragged, read: Ragged, pairs: Ints) -> Bools:
        """Return which pairs have a query and a passage with a token of its own."""
        says_nothing = asked.are(self._asked.of([""])[0])
        known: Bools = ~says_nothing[pairs[:, 0]] & (read.lengths > 0)[pairs[:, 1]]
        return known

    def score(self, rows: Sequence[TokenizedPair], advance: Callable[[int], None] = lambda _count: None) -> Floats:
        """Return the logits of tokenized pairs as float32, in the same order. Equal rows give equal bytes.

        A pair without ids has no score: its logit is NaN. Raises CurateError if another logit is not finite.
        """
        return score_in_batches(self.scorer_id, rows, self._forward, advance)

    def take_graph(self) -> Any:
        """Return the graph that OpenVINO makes of the model, without its last layer. It scores no more then."""
        take_last_layer(self.model, self._outputs)
        return converted(self.model, accepted(self.model, self._inputs(self._probes)))

    def inputs_of(self, row: PairTokens) -> list[Any]:
        """Return the arrays that this graph takes for pairs that are computed together."""
        return [value.numpy() for value in accepted(self.model, self._inputs(row)).values()]

    @property
    def _outputs(self) -> int:
        """The outputs of the last layer, which computes in float32; 0 if modules behind the model do."""
        return 0 if self.head else int(self.model.config.num_labels)

    def _convert(self, folder: Path, dtype: str, precision: str, stored: Path | None) -> None:
        """Have OpenVINO compute the model from now on; raises BadInput if that gives other scores.

        They are compared in batches of several sizes and lengths, because a converter may keep those of its
        example. stored: the file of a graph in int8.
        """
        probes = self._probes
        long = self._tokenize_pairs([self.prompt + "when does rain fall"], ["rain and snow " * self.max_length])
        alone = [probes[at : at + 1] for at in range(len(probes))]
        batches = [probes, *alone, long, PairTokens.of([*probes, *long])]
        before = [self._logits(batch) for batch in batches]
        example = accepted(self.model, self._inputs(probes))
        self.model = OpenVinoModel(self.model, example, dtype, self._outputs, stored)
        after = [self._logits(batch) for batch in batches]
        refuse_if_converted_wrong(folder, precision, np.concatenate(before), np.concatenate(after))

    def _inputs(self, rows: PairTokens) -> dict[str, Any]:
        columns = {"input_ids": rows.ids}
        if "token_type_ids" in self.tokenizer.model_input_names:
            columns["token_type_ids"] = rows.segments
        return model_inputs(self.model, columns, self.padding)

    def _logits(self, rows: PairTokens) -> Floats:
        return Coming(self._forward(rows)).array()

    def _forward(self, rows: PairTokens) -> "torch.Tensor":
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

    def _refuse_if_a_pair_has_no_room(self) -> None:
        """Raise BadSettings if special tokens or the prompt leave no room for a query beside a long passage."""
        used = len(self.tokenizer(self.prompt, add_special_tokens=False)["input_ids"])
        room = self.max_length - self.tokenizer.num_special_tokens_to_add(pair=True)
        if room < 2:
            raise BadSettings(
                f"max_length = {self.max_length} leaves no room for a query and a passage between the special "
                "tokens. Set a larger one: --max-length"
            )
        if self.prompt and 2 * used >= room:
            raise BadSettings(
                f"max_length = {self.max_length} leaves no room for a query beside the prompt of {used} tokens "
                "and a long passage. Set a larger one: --max-length"
            )

    def _tokenize_pairs(self, queries: list[str], passages: list[str]) -> PairTokens:
        if not queries:
            return PairTokens.of([])
        encoded = self.tokenizer(queries, passages, truncation="longest_first", max_length=self.max_length)
        ids = [np.asarray(row, np.int32) for row in encoded["input_ids"]]
        segments = encoded.get("token_type_ids") or [np.zeros(len(row), np.int8) for row in ids]
        cut = [bool(encoding.overflowing) for encoding in encoded.encodings]
        rows = zip(ids, segments, cut, strict=True)
        return PairTokens.of(
            [TokenizedPair(row, np.asarray(kinds, np.int8), was_cut) for row, kinds, was_cut in rows]
        )

    def _agrees_with_tokenizer(self, frame: PairFrame) -> bool:
        """Return whether pairs assembled here equal the tokenizer's pairs, also those that it cuts."""
        long, longer = long_text("rain", self.max_length), long_text("snow", self.max_length + 1)
        probes = [*PROBES, ("when", long), (long, "fog"), (long, longer), (longer, long)]
        queries, passages = [query for query, _ in probes], [passage for _, passage in probes]
        same = np.stack([np.arange(len(probes))] * 2, axis=1)
        ours = self._assembled(frame, self._asked.of(queries), self._read.of(passages), same)
        theirs = self._tokenize_pairs([self.prompt + query for query in queries], passages)
        return all(
            np.array_equal(mine.ids, own.ids) and np.array_equal(mine.segments, own.segments)
            for mine, own in zip(ours, theirs, strict=True)
        )
