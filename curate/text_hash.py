"""Text hashes that ignore case, punctuation and white space."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Any run of characters other than letters, digits and marks, except a single space, which can stay as it is.
GAP = r" *[^\p{L}\p{N}\p{M} ][^\p{L}\p{N}\p{M}]*|  +"


def text_hashes(texts: Sequence[str]) -> "npt.NDArray[np.uint64]":
    """Return a 64-bit hash of each text; texts that differ only in case, punctuation and white space share it.

    The hash is an 8-byte blake2b digest, read as little-endian, of the words joined by single spaces. Words are
    runs of letters, digits and marks after NFKC and case folding. For a text without words, the digest is that of
    the stripped text.
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
