"""Text for the terminal: its escape sequences have no effect, and its width is known."""

import pytest
from rich.cells import cell_len

from curate.reports.safe_text import clean, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),  # clears the screen
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),  # writes to the clipboard
        ("\x9b31m", "\\x9b31m"),  # the same as ESC [ on some terminals
        ("a\u202eb", "a\\u202eb"),  # reverses the reading direction
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("\ufeffx\u200b", "\\ufeffx\\u200b"),  # invisible
        ("a\tb\nc\r\nd", "a b c d"),  # white space becomes one space
        ("[bold]x[/bold]", "[bold]x[/bold]"),  # markup is text
        ("naïve 日本語 🎉", "naïve 日本語 🎉"),
        ("👩\u200d🔬", "👩\u200d🔬"),  # one emoji made of two
    ],
)
def test_what_steers_a_terminal_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Letters of every script are kept."""
    assert clean(text) == shown


def test_characters_that_the_terminal_lacks_become_escapes() -> None:
    """An ASCII stream never raises, and the width is still known."""
    assert clean("né", "ascii") == "n\\xe9"


@pytest.mark.parametrize("cells", [4, 10, 11])
@pytest.mark.parametrize("text", ["a" * 50, "日本語" * 20, "🎉" * 30, "ab\x1bcd" * 9])
def test_a_shortened_text_fits_its_cells(text: str, cells: int) -> None:
    """Wide characters take two cells each."""
    short = shorten(text, cells)
    assert cell_len(short) <= cells
    assert short.endswith("...")


def test_a_text_that_fits_is_left_whole() -> None:
    """Nothing is missing, so there are no dots."""
    assert shorten("four", 4) == "four"
