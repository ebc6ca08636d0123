"""BM25 over the passages, by tantivy: k1 = 1.2, b = 0.75, over tokens that curate makes itself.

Text never reaches tantivy's query parser, so that no query can be a syntax error. The index is a folder
that anyone may delete: it is made anew from the passages.
"""

import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

TOKENIZER = "curate-1"
"""Changes with `tokens`: an index of other tokens is another index."""

# Scripts that are written without spaces: Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar.
UNSPACED = re.compile(
    "([\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+)"
)
ASCII_WORD = re.compile("[a-z0-9]+")
HEAP = 1_000_000_000  # bytes: one segment up to about a million passages
BODY, KEY = "body", "key"

Hits = list[tuple[float, int]]
"""(score, passage_key), best first; equal scores in the order of the keys."""


def tokens(text: str) -> list[str]:
    """Return the terms of a text: NFKC, lower case, runs of letters, digits and their marks.

    A run in a script without spaces gives its character bigrams; a lone character stands for itself.
    """
    text = unicodedata.normalize("NFKC", text).lower().replace("_", " ")
    words = (ASCII_WORD if text.isascii() else _word()).findall(text)
    return [token for word in words for token in ([word] if word.isascii() else _pieces(word))]


def _pieces(word: str) -> list[str]:
    spaced_and_unspaced = UNSPACED.split(word)
    found = []
    for spaced, run in zip(spaced_and_unspaced[::2], [*spaced_and_unspaced[1::2], ""], strict=True):
        found += [spaced] if spaced else []
        found += [run] if len(run) == 1 else [run[at : at + 2] for at in range(len(run) - 1)]
    return found


@cache
def _word() -> re.Pattern[str]:
    # `re` has no class of combining marks, without which words of Hindi or Arabic fall to pieces.
    marks = (chr(code) for code in range(0x300, sys.maxunicode) if unicodedata.category(chr(code))[0] == "M")
    return re.compile(f"[\\w{''.join(marks)}]+")


class Bm25:
    """An index that stands in a folder."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        self._schema = _schema()
        self._searcher = tantivy.Index(self._schema, str(folder)).searcher()

    @property
    def size(self) -> int:
        """How many passages it holds."""
        return int(self._searcher.num_docs)

    @classmethod
    def build(cls, folder: Path, passages: Iterable[tuple[int, str]]) -> "Bm25":
        """Return the index of (passage_key, text) in `folder`, which appears in one step once it is complete.

        One writer thread and one commit: the same passages give the same segments, hence the same scores.
        """
        import tantivy

        temporary = folder.with_name(f".{folder.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        writer = tantivy.Index(_schema(), str(temporary)).writer(HEAP, num_threads=1)
        for key, text in passages:
            document = tantivy.Document()
            document.add_text(BODY, " ".join(tokens(text)))
            document.add_integer(KEY, key)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        temporary.replace(folder)
        return cls(folder)

    def search(self, text: str, depth: int) -> Hits:
        """Return the `depth` best passages for a query, fewer where fewer share a term with it."""
        terms = tokens(text)
        if not terms:
            return []
        query, limit = self._query(terms), depth + 1
        found = self._searcher.search(query, limit=limit, count=False).hits
        # Which of several passages with the score at the cut come back is tantivy's choice: fetch them all.
        while len(found) == limit and found[depth - 1][0] == found[-1][0]:
            limit *= 2
            found = self._searcher.search(query, limit=limit, count=False).hits
        keys = self._searcher.fast_field_values(KEY, [address for _, address in found])
        hits = [(score, int(key)) for (score, _), key in zip(found, keys, strict=True)]
        return sorted(hits, key=lambda hit: (-hit[0], hit[1]))[:depth]

    def _query(self, terms: list[str]) -> Any:
        from tantivy import Occur, Query

        clauses = [(Occur.Should, Query.term_query(self._schema, BODY, term, "freq")) for term in terms]
        return Query.boolean_query(clauses)


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field(BODY, stored=False, tokenizer_name="whitespace", index_option="freq")
    builder.add_integer_field(KEY, stored=True, indexed=False, fast=True)
    return builder.build()
