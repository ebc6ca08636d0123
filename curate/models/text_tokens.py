"""The tokens of texts alone: without special tokens and never cut. Models with the same vocabulary share them."""

import json
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

from curate.ragged import Ragged, below
from curate.shards import digest

AROUND = ("post_processor", "decoder", "truncation", "padding")
"""The parts of a tokenizer that do not change the tokens of a text itself."""
AT_ONCE = 1024
"""Texts whose tokens are Python numbers at the same time; these take ten times the memory of an array."""


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

    @cached_property
    def can_be_stored(self) -> bool:
        """Whether the tokens can be recognised later: a tokenizer with a part in Python has no description."""
        try:
            return bool(self.fingerprint)
        except Exception:  # noqa: BLE001 - tokenizers raises nothing more exact
            return False

    def of(self, texts: Sequence[str], most: int | None = None) -> Ragged:
        """Return the tokens of each text, or the first `most` of them."""
        return below([self._some(texts[start : start + AT_ONCE], most) for start in range(0, len(texts), AT_ONCE)])

    def _some(self, texts: Sequence[str], most: int | None) -> Ragged:
        encoded = self._whole().encode_batch_fast([self.prompt + text for text in texts], add_special_tokens=False)
        return Ragged.of([encoding.ids[:most] for encoding in encoded])

    def _whole(self) -> Any:
        """Return the tokenizer's core, so that it cuts nothing. transformers sets this anew at each call."""
        core = self.tokenizer.backend_tokenizer
        core.no_truncation()
        core.no_padding()
        core.encode_special_tokens = self.tokenizer.split_special_tokens
        return core
