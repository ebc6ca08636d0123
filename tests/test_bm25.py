"""BM25: its tokens, its scores, and the order of passages with equal scores."""

import math
from collections import Counter
from pathlib import Path

import pytest

from curate.mine.bm25_index import Bm25, tokens

PASSAGES = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "cats and dogs are animals",
    "a mat is a small carpet",
    "the cat and the dog share the mat and the carpet",
    "nothing in common",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, WORLD!", ["hello", "world"]),
        ("ﬁne Ⅷ", ["fine", "viii"]),
        ("snake_case don't", ["snake", "case", "don", "t"]),
        ("naïve café", ["naïve", "café"]),
        ("हिन्दी कवि", ["हिन्दी", "कवि"]),
        ("北京大学 東", ["北京", "京大", "大学", "東"]),
        ("iPhone12の機能", ["iphone12", "の機", "機能"]),
        ("ไทย", ["ไท", "ทย"]),
        ("?! --- _", []),
    ],
)
def test_tokens_are_runs_of_letters_and_digits_and_bigrams_without_spaces(text: str, expected: list[str]) -> None:
    """Text is normalized by NFKC and lower case.

    Scripts without spaces give character bigrams; a lone character is a token.
    """
    assert tokens(text) == expected


@pytest.mark.parametrize("query", ["cat", "the cat", "dog dog mat", "carpet of animals", "share the log"])
def test_scores_are_those_of_the_formula(tmp_path: Path, query: str) -> None:
    """k1 = 1.2, b = 0.75, idf = ln(1 + (N - n + 0.5) / (n + 0.5)). Short passages keep their exact length."""
    index = Bm25.build(tmp_path / "index", enumerate(PASSAGES))

    found = index.search(query, 10)

    expected = by_hand(query)
    assert [key for _, key in found] == [key for _, key in expected]
    assert [score for score, _ in found] == pytest.approx([score for score, _ in expected], rel=1e-5)


def test_equal_scores_stand_in_the_order_of_the_keys_even_at_the_cut(tmp_path: Path) -> None:
    """Of 300 passages with equal scores, the five with the smallest keys are returned."""
    passages = [(key, "same words") for key in range(300)] + [(300, "same words words")]

    index = Bm25.build(tmp_path / "index", passages)

    assert [key for _, key in index.search("words", 6)] == [300, 0, 1, 2, 3, 4]


def test_a_depth_beyond_the_collection_gives_what_there_is(tmp_path: Path) -> None:
    """Only passages that share a term with the query are found."""
    index = Bm25.build(tmp_path / "index", enumerate(PASSAGES))

    assert {key for _, key in index.search("mat", 1000)} == {0, 3, 4}


@pytest.mark.parametrize("query", ["what is: a cat?", 'c++ "unclosed cat', "(((cat", "NOT cat", "cat AND", "cat*"])
def test_no_query_is_a_syntax_error(tmp_path: Path, query: str) -> None:
    """A query consists of words; there is no query language."""
    index = Bm25.build(tmp_path / "index", enumerate(PASSAGES))

    assert 0 in {key for _, key in index.search(query, 10)}


@pytest.mark.parametrize("query", ["", "?!", "zebra"])
def test_a_query_without_a_known_term_finds_nothing(tmp_path: Path, query: str) -> None:
    """Without a known term there are no candidates."""
    index = Bm25.build(tmp_path / "index", enumerate(PASSAGES))

    assert index.search(query, 10) == []


def by_hand(query: str) -> list[tuple[float, int]]:
    """Return the scores of all passages according to the formula."""
    documents = [Counter(tokens(text)) for text in PASSAGES]
    average = sum(document.total() for document in documents) / len(documents)
    scores = []
    for key, document in enumerate(documents):
        score = 0.0
        for term in tokens(query):
            holding = sum(term in other for other in documents)
            idf = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
            length = 1.2 * (0.25 + 0.75 * document.total() / average)
            score += idf * 2.2 * document[term] / (document[term] + length)
        scores.append((score, key))
    return sorted((pair for pair in scores if pair[0] > 0), key=lambda pair: (-pair[0], pair[1]))
