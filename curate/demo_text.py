"""From a docstring to a question and the passage that answers it: plain words, without markup or tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from curate.demo_docs import Docstring

PASSAGE_WORDS = 100
FEWEST_WORDS = 4
FEWEST_BODY_WORDS = 12
QUESTION_WORDS = range(4, 25)

# cumsum(input, dim) -> Tensor   ·   Table.slice(self, offset=0)   ·   1. read(n: int) -> bytes
SIGNATURE = re.compile(r"(\d+\. )?[\w.]+\(.*\)( *-+> *.*)?:?|[\w.]+\([^)]*")
UNDERLINE = re.compile(r"\s*[-=~^*]{3,}\s*")
HEADING = re.compile(r"\s*(\*\*)?(\w[\w ]{2,20}?)(:\*\*|\*\*:{0,2}|:{1,2})\s*")
OTHER_PARTS = {"see also", "references", "reference", "examples", "example", "usage", "methods"}
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

# What says nothing of the thing itself, or what hundreds of docstrings say alike.
EMPTY = re.compile(
    r"see |alias|deprecated|(abstract )?base class|same as|equivalent (of|to)|refer to|in-place version|"
    r"out-of-place|scalar (method|attribute)|initiali[sz]e self|concrete class|internal|subclass|a subclass|"
    r"this (method|class|function) |exception|raised |method generated|class for |common base|not implemented|"
    r"method equivalent|bool\(|\(property\)|helper|default |implementation"
)
NO_PROSE = re.compile(r"(Parameters|Args|Arguments|Returns|Raises|Attributes|Yields):")
LEADING = re.compile(r"\A(returns?|gets?|gives?) (back )?(an? |the )?(?=\w)", re.IGNORECASE)


@dataclass(frozen=True)
class Article:
    """A docstring in plain words, taken apart."""

    name: str
    package: str
    question: str | None
    """The first sentence as a search; None where it says too little or too little follows it."""
    body: str
    """What follows the first sentence."""
    whole: str
    """First sentence and body."""


def article(docstring: Docstring) -> Article | None:
    """Return a docstring as question and answer; None where it says next to nothing in words."""
    paragraphs = list(_paragraphs(docstring.text))
    whole = _cut(paragraphs)
    length = len(whole.split())
    if (
        length < FEWEST_WORDS
        or NO_PROSE.match(whole)
        or (length < FEWEST_BODY_WORDS and EMPTY.match(whole.lower()))
    ):
        return None
    summary, rest = first_sentence(paragraphs[0])
    body = _cut([rest, *paragraphs[1:]])
    question = question_of(summary, docstring.name) if len(body.split()) >= FEWEST_BODY_WORDS else None
    return Article(docstring.name, docstring.package, question, body, whole)


def question_of(summary: str, name: str) -> str | None:
    """Return a summary line as somebody searching would put it, or None where it makes no question."""
    own = re.escape(name.rpartition(".")[2])
    text = re.sub(rf"^(?:{own}|{re.escape(name)})(?:\([^)]*\))?[ :-]+(?=\w)", "", summary.rstrip(" .:;"))
    text = LEADING.sub("", text, count=1)
    if len(text.split()) not in QUESTION_WORDS or EMPTY.match(summary.lower()) or not text[0].isalpha():
        return None
    first = text.split()[0]
    return text[0].lower() + text[1:] if first == first.capitalize() else text


def first_sentence(paragraph: str) -> tuple[str, str]:
    """Return a paragraph's first sentence and the rest of it."""
    end = SENTENCE_END.search(paragraph)
    return (paragraph, "") if end is None else (paragraph[: end.end()], paragraph[end.end() :].strip())


def plain_text(text: str) -> str:
    """Return text on one line, without markup."""
    for pattern, replacement in INLINE:
        text = pattern.sub(replacement, text)
    return text.strip()


def _paragraphs(text: str) -> Iterator[str]:
    """Yield a docstring's paragraphs as plain text; signatures, examples and formulas are left out."""
    lines = [line for line in _prose(_without_signature(text).splitlines()) if not BOILERPLATE.search(line)]
    for block in "\n".join(lines).split("\n\n"):
        plain = plain_text(block)
        if any(letter.isalpha() for letter in plain):
            yield plain


def _without_signature(text: str) -> str:
    first, _, after = text.strip().partition("\n")
    while SIGNATURE.fullmatch(first.strip()):
        if ")" not in first:
            after = after.partition(")")[2].partition("\n")[2]
        first, _, after = after.strip().partition("\n")
    return f"{first}\n{after}"


def _prose(lines: list[str]) -> Iterator[str]:
    """Yield the lines outside doctests, formulas and the parts that only point elsewhere."""
    skipped_part = doctest = False
    opaque: int | None = None  # the indentation of a directive whose content is no prose
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if heading := _heading(line, following):
            skipped_part, opaque = heading.lower() in OTHER_PARTS, None
        if opaque is not None and line.strip() and indent <= opaque:
            opaque = None
        doctest = line.lstrip().startswith((">>>", "In [")) or (doctest and bool(line.strip()))
        if directive := DIRECTIVE.fullmatch(line):
            opaque = None if directive[3].lower() in WORDY else indent
        elif not (skipped_part or doctest or opaque is not None or UNDERLINE.fullmatch(line)):
            yield f"\n{heading}:" if heading else line


def _heading(line: str, following: str) -> str:
    if line.strip() and UNDERLINE.fullmatch(following):
        return line.strip()
    match = HEADING.fullmatch(line)
    return match[2] if match else ""


def _cut(paragraphs: list[str]) -> str:
    words = " ".join(paragraphs).split()
    return " ".join(words[:PASSAGE_WORDS])
