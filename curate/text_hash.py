"""Which texts are the same but for case, punctuation and white space."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Whatever is neither letter, digit nor mark, except one space between two of them: that may stay as it is.
GAP = r" *[^\p{L}\p{N}\p{M} ][^\p{L}\p{N}\p{M}]*|  +"


def text_hashes(texts: Sequence[str]) -> "npt.NDArray[np.uint64]":
    """Return a 64-bit hash of each text: the same for texts that differ in case, punctuation and white space.

    It is the first 8 bytes, little-endian, of blake2b over the words (letters, digits and marks after NFKC
    and case folding) joined by single spaces; of a text without any word, over the text itself, stripped.
    """
    import numpy as np
    import polars as pl

    folded: Any = [normalize("NFKC", text).casefold() for text in texts]
    words = pl.Series(folded, dtype=pl.String).str.replace_all(GAP, " ").str.strip_chars(" ")
    digests = [
        blake2b((kept or text.strip()).encode(), digest_size=8).digest()
        for kept, text in zip(words.to_list(), texts, strict=True)
    ]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
