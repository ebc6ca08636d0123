"""A report as Markdown, for pull requests and model cards: the answer, and the tables; charts are left out.

Texts of a collection stand in code spans, in which nothing is a link, a mention, an image or HTML.
"""

import re
from collections.abc import Iterator, Sequence

from .document import Card, Document, Section, Table, Tile, Word
from .safe_text import clean

SIGNS = {"good": "✓ ", "care": "! ", "bad": "✗ ", "unknown": "? ", "plain": ""}
SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$])")
MENTION = re.compile(r"@(?=[a-z])|(?<!\w)@(?=\w)|#(?=\w)|:(?=//)|www(?=\.)", re.IGNORECASE)
"""What GitHub makes a mention, a reference or a link of, even where nothing asks for it."""
LONG = 24
"""A table with more rows is left out: a chart of the page shows it."""


def markdown(document: Document) -> str:
    """Return the document as GitHub-flavoured Markdown. Equal documents give equal bytes."""
    return "\n".join(_lines(document)).rstrip() + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield from [f"# {_plain(document.question)}", "", f"**{_plain(document.answer)}**", ""]
    if document.trust:
        yield from [f"**Can you trust that?** {_plain(document.trust)}", ""]
    for warning in document.warnings:
        yield from [f"> {_plain(warning)}", ""]
    if document.tiles:
        yield from _table(
            Table(
                ["", "figure", "what it means"],
                [_tile(tile) for tile in document.tiles],
                texts=("figure", "what it means"),
            )
        )
    for name, value in document.about:
        yield f"- {_plain(name)}: {_plain(value)}"
    yield ""
    for section in document.sections:
        yield from _section(section)


def _tile(tile: Tile) -> list[str]:
    advice = f" {tile.advice}" if tile.advice and tile.state in ("care", "bad", "unknown") else ""
    return [tile.title, f"{SIGNS[tile.state]}{tile.value}", f"{tile.detail}{advice}"]


def _section(section: Section) -> Iterator[str]:
    yield from [f"## {_plain(section.title)}", ""]
    if section.lead:
        yield from [_plain(section.lead), ""]
    for figure in section.figures:
        if len(figure.table.rows) <= LONG:
            yield from _table(figure.table)
        else:
            yield from [f"{_plain(figure.table.about)}: {len(figure.table.rows)} rows, in the page.", ""]
    for card in section.cards:
        yield from _card(card)
    if section.how:
        yield from [_plain(section.how), ""]


def _table(table: Table) -> Iterator[str]:
    if not table.rows:
        return
    texts = {0, *(i for i, head in enumerate(table.heads) if head in table.texts)}
    yield _row([_plain(head) for head in table.heads])
    yield _row([":--" if i in texts else "--:" for i in range(len(table.heads))])
    for i, row in enumerate(table.rows):
        cells = [_plain(cell) for cell in row]
        yield _row([f"**{cell}**" if i in table.marked and cell else cell for cell in cells])
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _card(card: Card) -> Iterator[str]:
    yield from [f"- {_code(card.title)} ({_plain(card.about)})"]
    for passage in card.passages:
        yield f"  - {_plain(passage.label)} ({_plain(passage.about)}): {_marked(passage.text)}"
    yield ""


def _marked(words: Sequence[Word]) -> str:
    """Return a text as code spans, those of shared words in bold."""
    spans = []
    for word in words:
        before, after = (" " * word.text.startswith(" "), " " * word.text.endswith(" "))
        inner = word.text.strip()
        if not inner:
            spans.append(" ")
            continue
        span = _code(inner)
        spans.append(f"{before}{f'**{span}**' if word.shared else span}{after}")
    return "".join(spans)


def _code(text: str) -> str:
    """Return a text as a code span, with a fence that the text does not have."""
    ticks = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (ticks + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _plain(text: str) -> str:
    """Return a text in which no character means anything, and nothing becomes a link or a mention."""
    return MENTION.sub(lambda found: f"{found[0]}<!-- -->", SPECIAL.sub(r"\\\1", clean(text)))
