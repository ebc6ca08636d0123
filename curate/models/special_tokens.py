"""The special tokens that a tokenizer puts around a text or a pair, and the same done by array operations.

A frame is read from one encoded example. Whoever uses one first compares what it gives with the tokenizer's own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.models.pair_tokens import PairTokens
from curate.ragged import Bools, Ints, Ragged, beside

LONGEST = 10_000
"""The words of the longest text by which cutting is tried."""


@dataclass(frozen=True)
class TextFrame:
    """The special tokens around a text, and the segment that all tokens have; None: the tokenizer gives none."""

    before: list[int]
    after: list[int]
    segment: int | None

    def around(self, own: Ragged, most: int) -> tuple[dict[str, Ragged], Bools]:
        """Return texts of at most `most` tokens as a model reads them, and which of them were cut.

        own: the tokens of the texts alone. The columns are `input_ids` and, if there are segments,
        `token_type_ids`.
        """
        kept = np.minimum(own.lengths, most - len(self.before) - len(self.after))
        count = len(own)
        parts = [Ragged.repeated(self.before, count), own.first(kept), Ragged.repeated(self.after, count)]
        columns = {"input_ids": beside(parts)}
        if self.segment is not None:
            ids = columns["input_ids"]
            columns["token_type_ids"] = Ragged(np.full(len(ids.values), self.segment), ids.starts, ids.lengths)
        return columns, kept < own.lengths


@dataclass(frozen=True)
class PairFrame:
    """The special tokens around a pair: `before` query `between` passage `after`, with their segment ids."""

    before: list[int]
    between: list[int]
    after: list[int]
    segments: tuple[int, int, int, int, int]

    @property
    def size(self) -> int:
        """The number of special tokens in a pair."""
        return len(self.before) + len(self.between) + len(self.after)

    def around(self, queries: Ragged, passages: Ragged, most: int) -> PairTokens:
        """Return pairs of at most `most` tokens: each query with the passage of the same number.

        The longer text is cut first. queries and passages: the tokens of the texts alone.
        """
        count = len(queries)
        first, second = longest_first(queries.lengths, passages.lengths, most - self.size)
        parts = [
            Ragged.repeated(self.before, count),
            queries.first(first),
            Ragged.repeated(self.between, count),
            passages.first(second),
            Ragged.repeated(self.after, count),
        ]
        ids = beside(parts)
        sizes = np.stack([part.lengths for part in parts], axis=1).ravel()
        segments = np.repeat(np.tile(np.asarray(self.segments, np.int8), count), sizes)
        cut = (first < queries.lengths) | (second < passages.lengths)
        return PairTokens(ids, Ragged(segments, ids.starts, ids.lengths), cut, np.zeros(count, np.int64))


def text_frame(tokenizer: Any) -> TextFrame | None:
    """Return the special tokens around a text; None if they cannot be separated, or a text loses its beginning."""
    if tokenizer.truncation_side != "right":
        return None
    own = tokenizer("some text", add_special_tokens=False)["input_ids"]
    encoded = tokenizer("some text")
    ids, segments = encoded["input_ids"], encoded.get("token_type_ids")
    start = _find(np.asarray(ids), np.asarray(own), 0)
    return None if start < 0 else TextFrame(ids[:start], ids[start + len(own) :], segments and segments[0])


def pair_frame(tokenizer: Any) -> PairFrame | None:
    """Return the special tokens around a pair; None if they cannot be separated, or a text loses its beginning."""
    if tokenizer.truncation_side != "right":
        return None
    first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("first", "second text"))
    pair = tokenizer("first", "second text")
    ids, kinds = pair["input_ids"], pair.get("token_type_ids") or [0] * len(pair["input_ids"])
    row = np.asarray(ids)
    start = _find(row, np.asarray(first), 0)
    middle = _find(row, np.asarray(second), start + len(first))
    if start < 0 or middle < 0:
        return None
    end = middle + len(second)
    segments = (kinds[0], kinds[start], kinds[start + len(first)], kinds[middle], kinds[-1])
    return PairFrame(ids[:start], ids[start + len(first) : middle], ids[end:], segments)


def longest_first(first: Ints, second: Ints, room: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return how many tokens of two texts fit into `room`. As in tokenizers, the longer text is cut first."""
    short, long = np.minimum(first, second), np.maximum(first, second)
    long = np.where(short > room, short, np.minimum(long, np.maximum(short, room - short)))
    too_long = short + long > room
    short, long = np.where(too_long, room // 2, short), np.where(too_long, room - room // 2, long)
    is_short = np.less_equal(first, second)
    return np.where(is_short, short, long), np.where(is_short, long, short)


def long_text(word: str, tokens: int) -> str:
    """Return a text of more tokens than so many, by which cutting is tried."""
    return f"{word} " * (min(tokens, LONGEST) + 1)


def _find(row: Ints, part: Ints, start: int) -> int:
    """Return the first position of `part` in `row` at or after `start`, or -1."""
    for index in range(start, len(row) - len(part) + 1):
        if (row[index : index + len(part)] == part).all():
            return index
    return -1
