"""Texts as an encoder reads them: after a prompt, between special tokens, and cut to a length."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from curate.errors import BadSettings
from curate.models.special_tokens import long_text, text_frame
from curate.models.text_tokens import TextTokens
from curate.ragged import Bools, Ragged

# Texts, not all of them cut, for which the tokens that are put together here must be those of the tokenizer.
PROBES = ("what is a run?", "zürich 東京", " Two words, and\ttabs\nand lines; e.g. naïve café - 100 %! ", "", " ")


class Tokenized(NamedTuple):
    """The tokens of some texts."""

    columns: dict[str, Ragged]
    """`input_ids` and, for some tokenizers, `token_type_ids`: a row for each text."""
    truncated: int
    """How many of the texts were cut."""
    tokenless: Bools
    """For each text, whether it adds no token to the prompt."""


class EncoderTokens:
    """What makes the tokens of the texts on one side, queries or passages."""

    def __init__(self, tokenizer: Any, prompt: str, most: int, side: str) -> None:
        """Take the prompt and the most tokens of a text; raises BadSettings if they leave no room for one."""
        self.tokenizer, self.prompt, self.most = tokenizer, prompt, most
        self.bare: list[int] = tokenizer(prompt)["input_ids"]
        """The tokens of a text that is empty but for the prompt."""
        if len(self.bare) >= most:
            raise BadSettings(
                f"{side}_max_length = {most} leaves no room for a {side} beside the prompt and the special "
                f"tokens, which are {len(self.bare)} tokens. Set a larger one: --{side}-max-length"
            )
        self.frame = text_frame(tokenizer)

    def of(self, texts: list[str], keep: Callable[[Ragged], None] | None = None) -> Tokenized:
        """Return the tokens of texts. keep: is given what `own` makes of them, unless `own` is None."""
        if self.own is None:
            return self._by_tokenizer(texts)
        alone = self.own.of(texts)
        if keep:
            keep(alone)
        return self.fitted(alone)

    def fitted(self, alone: Ragged) -> Tokenized:
        """Return the tokens of texts that are given as `own` makes them, which must not be None."""
        if self.frame is None:
            raise ValueError("only the tokenizer makes the tokens of this model")
        columns, cut = self.frame.around(alone, self.most)
        return Tokenized(columns, int(cut.sum()), columns["input_ids"].are(self.bare))

    @cached_property
    def own(self) -> TextTokens | None:
        """What makes the tokens of the texts alone; None if only the tokenizer gives what the model reads."""
        own, texts = TextTokens(self.tokenizer, self.prompt), [*PROBES, long_text("rain", self.most)]
        if self.frame is None:
            return None
        ours, theirs = self.fitted(own.of(texts)), self._by_tokenizer(texts)
        same = [*ours.columns] == [*theirs.columns] and all(
            np.array_equal(mine, right)
            for name, rows in theirs.columns.items()
            for mine, right in zip(ours.columns[name], rows, strict=True)
        )
        return own if same and own.can_be_stored else None

    def _by_tokenizer(self, texts: list[str]) -> Tokenized:
        tokens = self.tokenizer(
            [self.prompt + text for text in texts],
            truncation=True,
            max_length=self.most,
            return_attention_mask=False,
        )
        truncated = sum(bool(encoding.overflowing) for encoding in tokens.encodings)
        columns = {name: Ragged.of(rows) for name, rows in tokens.items()}
        return Tokenized(columns, truncated, columns["input_ids"].are(self.bare))
