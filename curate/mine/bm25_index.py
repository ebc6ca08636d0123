"""BM25 search over the passages with tantivy (k1 = 1.2, b = 0.75), on tokens that curate makes itself.

Text never reaches tantivy's query parser, so no query can be a syntax error. The index is a folder that may be
deleted at any time, because it can be built again from the passages.
"""

import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from curate.shards import file_sha256, known_sha256, read_json, write_json

TOKENIZER = "curate-1"
"""The version of `tokens`. It must change with that function, so that older indexes are built again."""

# Scripts that are written without spaces: Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar.
UNSPACED = re.compile(
    "([\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+)"
)
ASCII_WORD = re.compile("[a-z0-9]+")
HEAP = 1_000_000_000  # bytes; enough for one segment of up to about a million passages
BODY, KEY = "body", "key"
FILES = "curate.json"  # in the folder of an index: the name of each of its files -> its sha256

Hits = list[tuple[float, int]]
"""Pairs of (score, passage_key), best first. Equal scores are in the order of the keys."""


def tokens(text: str) -> list[str]:
    """Return the terms of a text: NFKC, lower case, runs of letters, digits and their marks.

    A run in a script without spaces becomes its character bigrams; a run of one character stays as it is.
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
    # `re` has no class of combining marks. Without them, words in Hindi or Arabic would be split.
    marks = (chr(code) for code in range(0x300, sys.maxunicode) if unicodedata.category(chr(code))[0] == "M")
    return re.compile(f"[\\w{''.join(marks)}]+")


class Bm25:
    """A BM25 index in a folder."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        self._schema = _schema()
        self._searcher = tantivy.Index(self._schema, str(folder)).searcher()

    @staticmethod
    def is_intact(folder: Path) -> bool:
        """Return whether every file of the index in `folder` still has the bytes that were written."""
        try:
            return all(known_sha256(folder / name) == sha256 for name, sha256 in read_json(folder / FILES).items())
        except (OSError, ValueError, TypeError):
            return False

    @property
    def size(self) -> int:
        """The number of passages in the index."""
        return int(self._searcher.num_docs)

    @classmethod
    def build(cls, folder: Path, passages: Iterable[tuple[int, str]]) -> "Bm25":
        """Build the index of (passage_key, text) and return it; `folder` appears only once it is complete.

        There is one writer thread and one commit, so the same passages give the same segments and the same scores.
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
        write_json(temporary / FILES, {path.name: file_sha256(path) for path in sorted(temporary.iterdir())})
        temporary.replace(folder)
        return cls(folder)

    def search(self, text: str, depth: int) -> Hits:
        """Return the `depth` best passages for a query, or fewer if not enough share a term with it."""
        terms = tokens(text)
        if not terms:
            return []
        query, limit = self._query(terms), depth + 1
        found = self._searcher.search(query, limit=limit, count=False).hits
        # If several passages tie at the last rank, tantivy chooses among them: fetch all of them.
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
