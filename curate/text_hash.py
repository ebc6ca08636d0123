"""Text hashes that ignore case, white space, and punctuation that does not change the meaning."""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

# NFKC makes digits of superscripts, but 10⁵ is not 105.
SUPERSCRIPTS = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u207e]+")

# What follows is in the syntax of Rust's regex, which has no look-around. The first alternative that fits counts.
WORDS = r"\p{L}\p{N}\p{M}"
COUNTED = r"[\p{S}#%‰‱&*@--`]"  # signs that always count; ` is a quotation mark
REST = rf"[[^{WORDS}\p{{S}}#%‰‱&*@]`]"
INNER = r"[\p{P}--#%‰‱&*@]"  # counts between two digits
NUMBER = rf"[{WORDS}]*\p{{N}}{INNER}(?:\p{{N}}(?:[{WORDS}]*\p{{N}})?{INNER})*\p{{N}}[{WORDS}]*"
WORD = rf"(?:{NUMBER}|[{WORDS}]+)"
TOKENS = "|".join(
    [
        rf"({NUMBER})",  # 3.5, 1,000, 10:30
        rf"(?:^|{REST}*[{REST}--[.\-]])((?:--?|\.){WORD})",  # -5, --force, .NET
        rf"{REST}*?([-!:/]+[=>]|<-)",  # !=, ->, :=
        rf"({COUNTED}+)(-{WORD})?",  # ++, $, = -5
        rf"^{REST}+",
        rf"(-)(?:[{REST}--\-]{REST}*|$)",  # A-
        rf" *[{REST}--\ ]{REST}*",
    ]
)
# Few texts have something that only TOKENS finds. For the others GAPS does the same in a third of the time.
MEANT = rf"{COUNTED}|\p{{N}}\p{{P}}\p{{N}}|(?:^|[^{WORDS}])[-.][{WORDS}]|[{WORDS}]-(?:[^{WORDS}\-]|$)|[-!:/][=>]"
GAPS = rf" *[^{WORDS} ][^{WORDS}]*|  +"


def text_hashes(texts: Sequence[str]) -> "npt.NDArray[np.uint64]":
    """Return a 64-bit hash of each text; texts with the same tokens share it.

    Tokens are taken after NFKC and case folding. They are words (runs of letters, digits and marks); numbers with
    the punctuation between their digits; symbols and # % & * @; a hyphen on one side of a word; a point before a
    word; and operators such as != and ->. Other punctuation and white space only separate tokens. The hash is an
    8-byte blake2b digest, read as little-endian, of the tokens joined by single spaces. For a text without tokens,
    the digest is that of the stripped text.
    """
    import numpy as np
    import polars as pl

    folded = pl.Series([_folded(text) for text in texts], dtype=pl.String)
    plain = folded.str.replace_all(GAPS, " ")
    special = folded.str.contains(MEANT).arg_true()
    kept: Any = plain.scatter(special, _tokens(folded.gather(special))).str.strip_chars(" ").to_list()
    digests = [
        blake2b((tokens or text.strip()).encode(), digest_size=8).digest()
        for tokens, text in zip(kept, texts, strict=True)
    ]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def _folded(text: str) -> str:
    if not text.isascii():
        text = normalize("NFKC", SUPERSCRIPTS.sub(r"^\g<0>", text))
    return text.casefold()


def _tokens(texts: "pl.Series") -> "pl.Series":
    return texts.str.replace_all(TOKENS, " ${1}${2}${3}${4} ${5}${6} ").str.replace_all("  +", " ")
