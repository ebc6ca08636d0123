"""The tokens of SQL that somebody is typing: where a statement ends, and what is inside quotation marks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<text>'(?:[^']|'')*(?:'|\Z)|\$\$.*?(?:\$\$|\Z))
    |(?P<name>"(?:[^"]|"")*(?:"|\Z))
    |(?P<word>\$?\w+)
    |(?P<space>\s+)
    |(?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
CLOSED = re.compile(r"""'(?:[^']|'')*'|\$\$.*\$\$|"(?:[^"]|"")*"|/\*.*\*/""", re.DOTALL)


@dataclass(frozen=True)
class Token:
    """A piece of SQL."""

    kind: str
    """comment, text (in quotes), name (in double quotes), word, space or sign."""
    value: str

    @property
    def is_open(self) -> bool:
        """Whether what is typed next still belongs to it, as in a quotation without its end."""
        return self.kind in ("comment", "text", "name") and not CLOSED.fullmatch(self.value)


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens, which joined are the text."""
    for match in TOKEN.finditer(text):
        yield Token(str(match.lastgroup), match[0])


def statements(text: str) -> list[str]:
    """Return the statements of a text, without the semicolons that end them; what is empty is left out.

    The last one may lack its semicolon.
    """
    return [statement for statement in _split(text) if _has_content(statement)]


def is_whole(text: str) -> bool:
    """Return whether the text ends with the semicolon of a statement, perhaps with a comment behind it."""
    return not _has_content(_split(text)[-1]) and not any(token.is_open for token in _last(text))


def _last(text: str) -> list[Token]:
    found = list(tokens(text))
    return [token for token in found[-1:] if token.kind != "comment" or token.value.startswith("/*")]


def _split(text: str) -> list[str]:
    parts = [""]
    for token in tokens(text):
        if token == Token("sign", ";"):
            parts.append("")
        else:
            parts[-1] += token.value
    return [part.strip() for part in parts]


def _has_content(statement: str) -> bool:
    return any(token.kind not in ("space", "comment") for token in tokens(statement))
