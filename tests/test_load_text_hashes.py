"""`text_hash`, which decides which texts count as the same."""

import re
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.text_hash import text_hashes

WORD = "LNM"  # the categories of letters, digits and marks


def tokens(text: str) -> list[str]:
    """Return the tokens of a text by the rule, character by character: an oracle without Polars and Rust."""
    raised = re.sub("[\u2070\u00b9\u00b2\u00b3\u2074-\u207e]+", r"^\g<0>", text)
    folded = plain(unicodedata.normalize("NFKC", raised)).casefold()
    return [folded[start:end] for start, end in spans(folded)]


def plain(text: str) -> str:
    """Return the text without invisible characters and with hyphens in place of the dashes that mean them."""
    seen = [letter for letter in text if unicodedata.category(letter) != "Cf"]
    for at, letter in enumerate(seen):
        inside = 0 < at < len(seen) - 1 and seen[at - 1].isdecimal() and seen[at + 1].isdecimal()
        if letter in "\u2010\u2011\u2012\u2013\u2212" or (letter in "\u2014\u2015" and inside):
            seen[at] = "-"
    return "".join(seen)


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each token of a text that is folded already."""

    def is_word(at: int) -> bool:
        return 0 <= at < len(text) and unicodedata.category(text[at])[0] in WORD

    def is_sign(at: int) -> bool:
        category = unicodedata.category(text[at])[0]
        return text[at] in "#%\u2030\u2031&*@" or (category == "S" and text[at] != "`")

    def is_digit(at: int) -> bool:
        return 0 <= at < len(text) and unicodedata.category(text[at])[0] == "N"

    at = 0
    while at < len(text):
        start = at
        attached = (
            text[at] in "-." and is_word(at + 1) and (at == 0 or (not is_word(at - 1) and text[at - 1] != "."))
        )
        if is_word(at) or attached:
            at += 1
            while is_word(at) or (at < len(text) and is_digit(at - 1) and is_digit(at + 1) and not is_sign(at)):
                at += 1
            yield start, at
        elif is_sign(at):
            while at < len(text) and is_sign(at):
                at += 1
            yield start, at
        else:
            at += 1


def by_hand(text: str) -> int:
    kept = " ".join(tokens(text)) or text.strip()
    return int.from_bytes(blake2b(kept.encode(), digest_size=8).digest(), "little")


TEXTS = [
    "",
    "one two",
    "  One,  TWO!? ",
    "a . b",
    "a. b",
    "1,5",
    "15",
    "C++, C# and .NET",
    "x > 0: 50 % of $1,000.5 (10:30)",
    "-5 is less than 5; 3-5",
    "R&D, a*b, @home",
    "covid-19, state-of-the-art",
    "2019\u20132020, 1\u20142, \u22125, a\u2014b \u2013 c \u2014d co\u00adop\ufeff",
    "`code` 10\u2075",
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
    """The rule: NFKC, case folding, the tokens joined by single spaces, then blake2b."""
    assert text_hashes(TEXTS).tolist() == [by_hand(text) for text in TEXTS]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("One, two.", "one  two"),
        ("Hello, world!", "hello world"),
        ("stra\u00dfe", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("...", " ... "),
        ("a \u2014 b", "a b"),
        ("wait\u2014what", "wait what"),
        ("a **bold word** and **x**; **Note:** rain", "a bold word and x; note: rain"),
        ("he said \u2014yes", "he said yes"),
        ("2019\u20132020", "2019-2020"),
        ("2019\u20142020", "2019-2020"),
        ("\u22125", "-5"),
        ("co\u00adoperate", "cooperate"),
        ("zero\u200bwidth", "zerowidth"),
        ("COVID-19", "covid 19"),
        ("- a well-known item", "A well known item"),
        ("In C++?", "in c++"),
        ("x>0", "x > 0"),
        ("50%", "50 %"),
        ("the `name`", '"The" name'),
    ],
)
def test_case_punctuation_and_white_space_do_not_count(one: str, other: str) -> None:
    """Such texts are the same for a reader."""
    first, second = text_hashes([one, other])
    assert first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("caf\u00e9", "cafe"),
        ("a b", "ab"),
        ("...", "?!"),
        ("How to sort in C++?", "How to sort in C#?"),
        ("in C#", "in C"),
        ("in .NET", "in net"),
        ("x > 0", "x < 0"),
        ("x != 0", "x = 0"),
        ("a -> b", "a > b"),
        ("$5", "\u20ac5"),
        ("$5", "5"),
        ("50 %", "50"),
        ("-5", "5"),
        ("f(**kwargs, **more)", "f(kwargs, more)"),
        ("2**3**4", "2 3 4"),
        ("a*b", "a b"),
        ("rm *tmp*", "rm tmp"),
        ("x = -5", "x = 5"),
        ("blood group A-", "blood group A"),
        ("git push --force", "git push force"),
        ("1.5", "15"),
        ("1.5", "1 5"),
        ("1.5", "1:5"),
        ("R&D", "RD"),
        ("R&D", "R D"),
        ("f(x)", "fx"),
        ("10\u2075", "105"),
        ("\N{GRINNING FACE}", "\N{WEARY FACE}"),
    ],
)
def test_symbols_and_punctuation_with_a_meaning_count(one: str, other: str) -> None:
    """If such texts were the same, training rows would be lost and duplicates would be wrong."""
    first, second = text_hashes([one, other])
    assert first != second


def test_special_texts_and_plain_ones_do_not_depend_on_their_neighbours() -> None:
    """Texts are hashed in batches, and most take a shorter way."""
    texts = ["rain", "C++", "snow.", "-5", "hail"]
    assert text_hashes(texts).tolist() == [int(text_hashes([text])[0]) for text in texts]
    assert text_hashes([]).tolist() == []


@given(st.text(st.sampled_from("a\u00e9B1 2.,?!()'\"\u3002\u4e00"), max_size=12))
def test_both_ways_give_the_same_tokens(text: str) -> None:
    """A text with a symbol takes the longer way, which does the same with the rest of the text."""
    assert text_hashes([f"{text} \u20ac"]).tolist() == [by_hand(f"{text} \u20ac")]
    assert text_hashes([text]).tolist() == [by_hand(text)]
