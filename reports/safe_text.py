"""Safe display of a collection's texts: characters that could control the terminal are shown as escapes."""

import unicodedata

JOINERS = "\u200c\u200d\u00ad"  # scripts and emoji need the first two; the third is invisible and harmless
ENOUGH = 16  # characters per cell at most; accents and joiners take no cell


def clean(text: str, encoding: str = "utf-8") -> str:
    r"""Return `text` on one line, with control, format and bidi characters as visible escapes (\x1b, \u202e).

    Characters that `encoding` lacks become escapes too, so the width of a line is known.
    """
    one_line = " ".join(text.split())
    shown = "".join(_visible(character) for character in one_line)
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def visible(text: str) -> str:
    r"""Return a message whose control, format and bidi characters are escapes; line breaks and tabs stay."""
    return "".join(character if character in "\n\t" else _visible(character) for character in text)


def shorten(text: str, cells: int, encoding: str = "utf-8") -> str:
    """Return the beginning of `text`, cleaned, in at most `cells` terminal cells. A cut is marked by '...'."""
    from rich.cells import cell_len, set_cell_size

    shown = clean(text[: cells * ENOUGH], encoding)
    if cell_len(shown) <= cells and len(text) <= cells * ENOUGH:
        return shown
    return set_cell_size(shown, max(cells - 3, 0)).rstrip() + "..."


def _visible(character: str) -> str:
    if unicodedata.category(character) in ("Cc", "Cf", "Cs") and character not in JOINERS:
        return character.encode("unicode_escape").decode("ascii")
    return character
