"""BM25 search over the passages with tantivy (k1 = 1.2, b = 0.75), on words that curate finds itself.

Text never reaches tantivy's query parser, so no query can be a syntax error. tantivy stems the words. The index is
a folder that may be deleted at any time, because it can be built again from the passages.
"""

import shutil
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.mine.language import FUNCTION_WORDS
from curate.mine.tokens import tokens
from curate.shards import file_sha256, known_sha256, read_json, write_json

if TYPE_CHECKING:
    from curate.config import Language

ANALYZER = "curate-2"
"""The version of what makes terms of a text. It must change with it, so that older indexes are built again."""
STOP_WEIGHT = 0.3
"""The weight of a stop word in a query. Without stop words, some queries would find nothing."""
UNLISTED = ("none", "arabic", "greek", "romanian", "tamil", "turkish")  # tantivy has no stop words for them
CLAUSES = 100_000  # words whose part of a query is kept for the next query
HEAP = 1_000_000_000  # bytes; enough for one segment of up to about a million passages
BODY, KEY, STEMMED = "body", "key", "stemmed"
FILES = "curate.json"  # in the folder of an index: the name of each of its files -> its sha256

Hits = list[tuple[float, int]]
"""Pairs of (score, passage_key), best first. Equal scores are in the order of the keys."""


class Bm25:
    """A BM25 index in a folder, over passages in one language or in any (`none`)."""

    def __init__(self, folder: Path, language: "Language" = "none") -> None:
        self._language = language
        self._stemmed, self._telling = _stemmer(language), _without_stop_words(language)
        self._schema = _schema()
        self._clauses = lru_cache(CLAUSES)(self._clauses_of)
        self._searcher = _open(folder, self._stemmed).searcher()

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
    def build(cls, folder: Path, passages: Iterable[tuple[int, str]], language: "Language" = "none") -> "Bm25":
        """Build the index of (passage_key, text) and return it; `folder` appears only once it is complete.

        There is one writer thread and one commit, so the same passages give the same segments and the same scores.
        """
        import tantivy

        temporary = folder.with_name(f".{folder.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        writer = _open(temporary, _stemmer(language)).writer(HEAP, num_threads=1)
        for key, text in passages:
            document = tantivy.Document()
            document.add_text(BODY, " ".join(_words(text, language)))
            document.add_integer(KEY, key)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        write_json(temporary / FILES, {path.name: file_sha256(path) for path in sorted(temporary.iterdir())})
        temporary.replace(folder)
        return cls(folder, language)

    def search(self, text: str, depth: int) -> Hits:
        """Return the `depth` best passages for a query, or fewer if not enough share a term with it."""
        words = _words(text, self._language, query=True)
        if not words:
            return []
        query, limit = self._query(words), depth + 1
        found = self._searcher.search(query, limit=limit, count=False).hits
        # If several passages tie at the last rank, tantivy chooses among them: fetch all of them.
        while len(found) == limit and found[depth - 1][0] == found[-1][0]:
            limit *= 2
            found = self._searcher.search(query, limit=limit, count=False).hits
        keys = self._searcher.fast_field_values(KEY, [address for _, address in found])
        hits = [(score, int(key)) for (score, _), key in zip(found, keys, strict=True)]
        return sorted(hits, key=lambda hit: (-hit[0], hit[1]))[:depth]

    def _query(self, words: list[str]) -> Any:
        from tantivy import Query

        return Query.boolean_query([clause for word in words for clause in self._clauses(word)])

    def _clauses_of(self, word: str) -> list[Any]:
        from tantivy import Occur, Query

        weight = 1.0 if self._telling.analyze(word) else STOP_WEIGHT
        terms = [Query.term_query(self._schema, BODY, term, "freq") for term in self._stemmed.analyze(word)]
        return [(Occur.Should, term if weight == 1 else Query.boost_query(term, weight)) for term in terms]


def _words(text: str, language: "Language", *, query: bool = False) -> list[str]:
    words = tokens(text, query=query)
    # I is the capital of both i and ı. In a language, the two become one only after stemming, with the accents.
    return [word.replace("ı", "i") for word in words] if language == "none" and not text.isascii() else words


def _open(folder: Path, stemmer: Any) -> Any:
    import tantivy

    index = tantivy.Index(_schema(), str(folder))
    index.register_tokenizer(STEMMED, stemmer)
    return index


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field(BODY, stored=False, tokenizer_name=STEMMED, index_option="freq")
    builder.add_integer_field(KEY, stored=True, indexed=False, fast=True)
    return builder.build()


def _stemmer(language: "Language") -> Any:
    """Return what makes terms of words: the stemmer of the language, and no accents after it.

    Without a language accents stay: they tell words apart in Vietnamese.
    """
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    words = TextAnalyzerBuilder(Tokenizer.whitespace())
    if language == "none":
        return words.build()
    return words.filter(Filter.stemmer(language)).filter(Filter.ascii_fold()).build()


def _without_stop_words(language: "Language") -> Any:
    """Return what leaves the stop words of the language out: its function words, and those of tantivy's list."""
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    own = tokens(FUNCTION_WORDS.get(language, ""), query=True)
    words = TextAnalyzerBuilder(Tokenizer.whitespace()).filter(Filter.custom_stopword(own))
    return (words if language in UNLISTED else words.filter(Filter.stopword(language))).build()
