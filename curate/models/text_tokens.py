"""The tokens of texts alone: without special tokens and never cut. Models with the same vocabulary share them."""

import json
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from itertools import chain
from typing import Any

import numpy as np

from curate.ragged import Ragged
from curate.shards import digest

AROUND = ("post_processor", "decoder", "truncation", "padding")
"""The parts of a tokenizer that do not change the tokens of a text itself."""


class TextTokens:
    """What makes the tokens of `prompt` + text."""

    def __init__(self, tokenizer: Any, prompt: str = "") -> None:
        """Use the fast `tokenizer`, as it is set up when `of` is called."""
        self.tokenizer, self.prompt = tokenizer, prompt

    @cached_property
    def fingerprint(self) -> str:
        """The digest of all that determines the tokens. Equal ones mean equal tokens."""
        parts = json.loads(self._whole().to_str())
        own = {name: part for name, part in parts.items() if name not in AROUND}
        return digest(own, self.tokenizer.split_special_tokens, self.prompt, version("tokenizers"))

    def of(self, texts: Sequence[str]) -> Ragged:
        """Return the tokens of each text."""
        encoded = self._whole().encode_batch_fast([self.prompt + text for text in texts], add_special_tokens=False)
        rows = [encoding.ids for encoding in encoded]
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        return Ragged.laid_out(np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum())), lengths)

    def _whole(self) -> Any:
        """Return the tokenizer's core, so that it cuts nothing. transformers sets this anew at each call."""
        core = self.tokenizer.backend_tokenizer
        core.no_truncation()
        core.no_padding()
        core.encode_special_tokens = self.tokenizer.split_special_tokens
        return core
