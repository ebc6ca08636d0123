"""Docstrings as queries and the passages that answer them, in plain words without markup or tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from curate.demo.docstrings import Docstring

PASSAGE_WORDS = 100
SIGNATURE_WORDS = 12
FEWEST_WORDS = 10
QUERY_WORDS = range(4, 25)

# cumsum(input, dim) -> Tensor   ·   Table.slice(self, offset=0)   ·   1. read(n: int) -> bytes
SIGNATURE = re.compile(r"(\d+\. )?[\w.]+\(.*\)( *-+> *.*)?:?|[\w.]+\([^)]*")
UNDERLINE = re.compile(r"\s*[-=~^*]{3,}\s*")
HEADING = re.compile(r"\s*(\*\*)?(\w[\w ]{2,20}?)(:\*\*|\*\*:{0,2}|:{1,2})\s*")
OTHER_PARTS = {"see also", "references", "reference", "usage", "methods"}
PROMPT = re.compile(r"\s*(>>>|\.\.\.) ?")
NO_EXAMPLE = re.compile(r"(import|from) |#|\W*$")
DIRECTIVE = re.compile(r"(\s*)(\.\. |!!! |> ?\[!)([\w-]*).*")
WORDY = {"note", "warning", "tip", "important", "caution", "seealso"}
BOILERPLATE = re.compile(
    r"this functionality is considered unstable|it may be changed at any point", re.IGNORECASE
)

INLINE = (
    (re.compile(r":[\w:+-]+:`~?([^`<]+?)(?: *<[^`>]*>)?`"), r"\1"),  # :func:`~torch.cumsum`
    (re.compile(r"\[([^\]\[]+)\](?:\([^)]*\)|\[[^\]]*\]|_)"), r"\1"),  # [text](link)
    (re.compile(r"\$[^$]*\$|\\[a-zA-Z]+"), " "),  # TeX
    (re.compile(r"`+"), ""),
    (re.compile(r"(?<!\w)\*{1,2}(\w[^*]*?)\*{1,2}(?!\w)"), r"\1"),  # *emphasis*
    (re.compile(r"[^\w\s]{4,}|[│┌┐└┘├┤╞╡╪═─┆]+"), " "),
    (re.compile(r"\s+"), " "),
)
SENTENCE_END = re.compile(r"(?<![ (.]\w)(?<!e\.g)(?<!i\.e)(?<!etc)(?<!vs)[.!?](?=\s+[A-Z`:*]|$)")

# Summaries that say nothing about the object itself, or that hundreds of docstrings share.
EMPTY = re.compile(
    r"see |alias|deprecated|(abstract )?base class|same as|equivalent (of|to)|refer to|in-place version|"
    r"out-of-place|scalar (method|attribute)|initiali[sz]e self|concrete class|internal|subclass|a subclass|"
    r"this (method|class|function) |exception|raised |method generated|class for |common base|not implemented|"
    r"method equivalent|bool\(|\(property\)|helper|default |implementation"
)
LEADING = re.compile(r"\A(returns?|gets?|gives?) (back )?(an? |the )?(?=\w)", re.IGNORECASE)


@dataclass(frozen=True)
class Article:
    """A docstring in plain words, split into a passage and the query that it answers."""

    name: str
    package: str
    query: str | None
    """The first sentence, worded as a search; None if it says too little."""
    passage: str
    """The rest of the docstring: its signature, if it has one, and the text after the first sentence."""


def article(docstring: Docstring) -> Article | None:
    """Return a docstring as query and passage, or None if almost nothing follows the first sentence."""
    signature, text = _split_signature(docstring.text)
    paragraphs = list(_paragraphs(text))
    if not paragraphs:
        return None
    summary, rest = first_sentence(paragraphs[0])
    words = " ".join([rest, *paragraphs[1:]]).split()
    if len(words) < FEWEST_WORDS:
        return None
    passage = [*plain_text(signature).split()[:SIGNATURE_WORDS], *words][:PASSAGE_WORDS]
    return Article(docstring.name, docstring.package, query_of(summary, docstring.name), " ".join(passage))


def query_of(summary: str, name: str) -> str | None:
    """Return a summary line worded as a search, or None if it does not make a usable query."""
    own = re.escape(name.rpartition(".")[2])
    text = re.sub(rf"^(?:{own}|{re.escape(name)})(?:\([^)]*\))?[ :-]+(?=\w)", "", summary.rstrip(" .:;"))
    text = LEADING.sub("", text, count=1)
    if len(text.split()) not in QUERY_WORDS or EMPTY.match(summary.lower()) or not text[0].isalpha():
        return None
    first = text.split()[0]
    return text[0].lower() + text[1:] if first == first.capitalize() else text


def first_sentence(paragraph: str) -> tuple[str, str]:
    """Return the first sentence of a paragraph, and the rest."""
    end = SENTENCE_END.search(paragraph)
    return (paragraph, "") if end is None else (paragraph[: end.end()], paragraph[end.end() :].strip())


def plain_text(text: str) -> str:
    """Return `text` on one line, without markup."""
    for pattern, replacement in INLINE:
        text = pattern.sub(replacement, text)
    return text.strip()


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a docstring as plain text, without formulas and the output of examples."""
    lines = [line for line in _prose(text.splitlines()) if not BOILERPLATE.search(line)]
    for block in "\n".join(lines).split("\n\n"):
        plain = plain_text(block)
        if any(letter.isalpha() for letter in plain):
            yield plain


def _split_signature(text: str) -> tuple[str, str]:
    """Return the signature at the start of a docstring ("" if there is none, the last of several) and the rest."""
    signature, rest = "", text.strip()
    while SIGNATURE.fullmatch(first := rest.partition("\n")[0].strip()):
        signature, rest = first, rest.partition("\n")[2].strip()
        if ")" not in first:  # the signature spans several lines
            rest = rest.partition(")")[2].partition("\n")[2].strip()
    return signature, rest


def _prose(lines: list[str]) -> Iterator[str]:
    """Yield the lines of prose, and the code of examples. Formulas and mere references are left out."""
    skipped_part = doctest = False
    opaque: int | None = None  # the indentation of a directive whose content is not prose
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if heading := _heading(line, following):
            skipped_part, opaque = heading.lower() in OTHER_PARTS, None
        if opaque is not None and line.strip() and indent <= opaque:
            opaque = None
        prompt = PROMPT.match(line)
        doctest = bool(prompt) or (doctest and bool(line.strip()))
        if directive := DIRECTIVE.fullmatch(line):
            opaque = None if directive[3].lower() in WORDY else indent
        elif prompt and opaque is None and not skipped_part:
            code = line[prompt.end() :].partition("# doctest")[0]
            yield "" if NO_EXAMPLE.match(code) else code
        elif not (skipped_part or doctest or opaque is not None or UNDERLINE.fullmatch(line)):
            yield f"\n{heading}:" if heading else line


def _heading(line: str, following: str) -> str:
    if line.strip() and UNDERLINE.fullmatch(following):
        return line.strip()
    match = HEADING.fullmatch(line)
    return match[2] if match else ""
