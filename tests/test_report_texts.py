"""The words that query and passage share, as reports mark them (reports/texts.py)."""

import pytest

from curate import sql_files
from curate.reports.texts import WORDS, passage

TEXTS = [
    "The cat's mat_2, naïve Ünïts: 3.14",
    "東京の塔は高い。Tokyo Tower",
    "ภาษาไทย กับ python",
    "हिन्दी में कितने अक्षर हैं",
    "한국어의 단어, العربية والكلمات",
    "",
]


def marked(text: str, shared: list[str]) -> list[str]:
    """Return the words of a passage that are marked."""
    return [word.text for word in passage(text, shared) if word.shared]


@pytest.mark.parametrize("text", TEXTS)
def test_words_are_those_of_the_queries(text: str) -> None:
    """The SQL that finds the shared words and the page that marks them cut a text at the same places."""
    with sql_files.connect() as connection:
        connection.execute(sql_files.text("macros/words_of"))
        (expected,) = connection.execute("select words_of($1)", [text]).fetchall()[0]
    assert [word.lower() for word in WORDS.findall(text)] == expected


def test_shared_words_are_marked_in_every_script() -> None:
    """Letters of a script without spaces one by one, others as whole words."""
    assert marked("A Cat sat with cats", ["cat"]) == ["Cat"]
    assert marked("東京の塔", ["京", "塔"]) == ["京", "塔"]
    assert marked("हिन्दी में अक्षर", ["हिन्दी"]) == ["हिन्दी"]
