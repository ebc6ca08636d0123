"""BM25: its tokens, its scores, and the order of passages with equal scores."""

import math
from collections import Counter
from pathlib import Path

import pytest

from curate.config import Language
from curate.mine.bm25_index import STOP_WEIGHT, Bm25
from curate.mine.tokens import tokens

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
        ("?! --- _", []),
    ],
)
def test_tokens_are_runs_of_letters_and_digits(text: str, expected: list[str]) -> None:
    """Text is normalized by NFKC, and case is folded."""
    assert tokens(text) == tokens(text, query=True) == expected


@pytest.mark.parametrize(
    ("text", "pairs", "characters"),
    [
        ("北京大学 東", ["北京", "京大", "大学", "東"], ["北", "京", "大", "学", "東"]),
        ("iPhone12の機能", ["iphone12", "の機", "機能"], ["iphone12", "の", "機", "能"]),
        ("대한민국의 물", ["대한", "한민", "민국", "국의", "물"], ["대", "한", "민", "국", "의", "물"]),
        ("ไทย", ["ไท", "ทย"], ["ไ", "ท", "ย"]),
        ("กรุงที่", ["กรุ", "รุง", "งที่"], ["ก", "รุ", "ง", "ที่"]),
        ("မြန်မာ", ["မြန်", "န်မာ"], ["မြ", "န်", "မာ"]),
    ],
)
def test_scripts_without_spaces_and_korean_give_pairs_of_characters(
    text: str, pairs: list[str], characters: list[str]
) -> None:
    """A passage also has the characters. Vowels and tones above or below a letter belong to its character."""
    assert tokens(text, query=True) == pairs
    assert set(tokens(text)) == {*pairs, *characters}


@pytest.mark.parametrize(
    ("passage", "query"),
    [
        ("서울은 대한민국의 수도이다.", "서울 수도"),
        ("부산에는 큰 항구가 있다.", "항구"),
        ("그는 물을 마신다.", "물"),
        ("水是生命之源", "水"),
        ("人们常说猫喜欢吃鱼。", "鱼"),
        ("A型肝炎の予防", "A型"),
        ("ﾄｳｷｮｳの天気", "トウキョウ"),
        ("İSTANBUL büyük", "istanbul"),
        ("istanbul büyük", "İstanbul"),
        ("Iğdır bir ildir", "ığdır"),
        ("كِتَابٌ عَنِ التَّارِيخ", "كتاب"),
        ("كتـــاب", "كتاب"),
        ("أحمد إلى", "احمد"),
        ("کتاب‌ها", "كتاب"),
        ("שָׁלוֹם עוֹלָם", "שלום"),
        ("Росси́я", "россия"),
        ("ещё раз", "еще"),
        ("Η Αθήνα είναι", "ΑΘΗΝΑ"),
        ("Ο ΟΔΥΣΣΕΥΣ", "Οδυσσεύς"),
        ("Die STRASSE", "straße"),
        ("Donau\u00addampf\u00adschiff", "Donaudampfschiff"),
        ("im Jahr ١٩٤٥", "1945"),
        ("१९४७ में", "1947"),
        ("ज़मीन", "जमीन"),
        ("葛\U000e0100飾区", "葛飾"),
    ],
)
def test_a_query_finds_a_passage_that_spells_its_word_with_other_marks(
    tmp_path: Path, passage: str, query: str
) -> None:
    """Without a stemmer: particles, single characters, case, vowel points, stress, accents of Greek, digits."""
    index = Bm25.build(tmp_path / "index", [(1, passage), (2, "nothing of the kind")])

    assert [key for _, key in index.search(query, 10)] == [1]


@pytest.mark.parametrize(
    ("language", "passage", "query"),
    [
        ("english", "The dogs were running", "dog runs"),
        ("english", "A café in Zürich", "cafe zurich"),
        ("german", "Viele alte Häuser", "altes Haus"),
        ("french", "Les élèves chantaient", "eleve"),
        ("greek", "οι δρόμοι της πόλης", "ΔΡΟΜΟΣ"),
        ("russian", "в больших городах", "большой город"),
        ("turkish", "büyük şehirler", "sehir"),
        ("turkish", "IĞDIR bir ildir", "ığdır"),
    ],
)
def test_a_language_joins_the_forms_of_a_word(
    tmp_path: Path, language: Language, passage: str, query: str
) -> None:
    """With the stemmer of a language, accents are left out after it."""
    index = Bm25.build(tmp_path / "index", [(1, passage), (2, "42")], language)

    assert [key for _, key in index.search(query, 10)] == [1]


def test_accents_tell_words_apart_when_there_is_no_language(tmp_path: Path) -> None:
    """In Vietnamese, "ma", "má" and "mã" are three words."""
    index = Bm25.build(tmp_path / "index", enumerate(["ma", "má", "mã"]))

    assert [key for _, key in index.search("má", 10)] == [1]


def test_stop_words_count_less_and_are_still_found(tmp_path: Path) -> None:
    """A query of stop words only would otherwise find nothing."""
    passages = list(enumerate(["the band plays", "the king sleeps", "who was it"]))
    english = Bm25.build(tmp_path / "english", passages, "english")
    none = Bm25.build(tmp_path / "none", passages)

    [(weighed, key)], [(full, _)] = english.search("it", 10), none.search("it", 10)
    assert key == 2
    assert weighed == pytest.approx(STOP_WEIGHT * full)
    assert english.search("king", 10) == none.search("king", 10)


def test_an_index_gives_the_same_scores_when_it_is_opened_again(tmp_path: Path) -> None:
    """The folder has no stemmer in it; the language is given again."""
    built = Bm25.build(tmp_path / "index", enumerate(PASSAGES), "english")

    assert Bm25(tmp_path / "index", "english").search("cats mats", 10) == built.search("cats mats", 10)


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
