"""`text_hash`, which decides which texts count as the same."""

import unicodedata
from hashlib import blake2b

import pytest

from curate.text_hash import text_hashes


def by_hand(text: str) -> int:
    """Return the hash according to the rule, character by character, as an oracle without Polars."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in folded)
    words = " ".join(kept.split())
    return int.from_bytes(blake2b((words or text.strip()).encode(), digest_size=8).digest(), "little")


TEXTS = [
    "",
    "one two",
    "  One,  TWO!? ",
    "a . b",
    "a .b",
    "a. b",
    "1,5",
    "15",
    "na\u00efve STRASSE",
    "nai\u0308ve stra\u00dfe",
    "\u5b8b\u5e86\u9f84\u3002\u7b2c\u4e8c",
    "\uff21\uff22\uff23 \ufb01ne",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u092d\u093e\u0937\u093e",
    "x\x00y\u2028z\u00a0w\u3000v",
    "...",
    " ... ",
    "?!",
    "\N{GRINNING FACE}",
]


def test_the_hash_is_what_the_rule_says() -> None:
    """The rule: NFKC, case folding, words of letters, digits and marks, joined by single spaces, then blake2b."""
    assert text_hashes(TEXTS).tolist() == [by_hand(text) for text in TEXTS]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("One, two.", "one  two", True),
        ("stra\u00dfe", "STRASSE", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("caf\u00e9", "cafe", False),
        ("1.5", "15", False),
        ("a b", "ab", False),
        ("...", " ... ", True),
        ("...", "?!", False),
    ],
)
def test_texts_are_the_same_but_for_case_punctuation_and_white_space(one: str, other: str, same: bool) -> None:
    """Accents and digits distinguish texts. A text without any word is hashed as it is."""
    first, second = text_hashes([one, other])
    assert bool(first == second) == same
