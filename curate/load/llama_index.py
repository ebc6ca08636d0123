"""LlamaIndex's EmbeddingQAFinetuneDataset: one JSON object with queries, corpus and relevant_docs."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curate.errors import BadInput
from curate.load.lines import Advance, blocks
from curate.load.shown import printable, shown

START = re.compile(rb'\s*\{\s*("mode"\s*:\s*"\w*"\s*,\s*)?"(queries|corpus|relevant_docs)"\s*:\s*\{')
PARTS = {"passages": "corpus", "queries": "queries", "unlabeled": "queries", "qrels": "relevant_docs"}


def is_llama_index(start: bytes) -> bool:
    """Return whether a file that begins with these bytes has this form."""
    return START.match(start) is not None


class LlamaIndexRows:
    """The passages, the queries or the labels of such a file, with their numbers from 1."""

    unended = False

    def __init__(self, path: Path, kind: str, advance: Advance) -> None:
        if kind not in PARTS:
            raise BadInput(f"found passages, queries and labels of LlamaIndex, expected {kind}", file=shown(path))
        self.path = path
        self.part = PARTS[kind]
        self.advance = advance

    def __iter__(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yield (number, raw values of the fields); raises BadInput if the part is not there or not an object."""
        entries = self._part().items()
        if self.part == "corpus":
            rows: Iterator[tuple[Any, ...]] = ((name, None, text) for name, text in entries)
        elif self.part == "queries":
            rows = iter(entries)
        else:
            rows = ((name, passage, 1) for name, found in entries for passage in _listed(found))
        yield from enumerate(rows, 1)

    def _part(self) -> dict[str, Any]:
        name = shown(self.path)
        try:
            whole = json.loads(b"".join(blocks(self.path, self.advance)), object_pairs_hook=_without_twins)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"broken JSON: {printable(str(error))}", file=name) from error
        part = whole.get(self.part) if isinstance(whole, dict) else None
        if not isinstance(part, dict):
            raise BadInput(f"no object '{self.part}', as files of LlamaIndex have", file=name)
        return part


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _value in pairs)
        twin = next(key for key in found if counts[key] > 1)
        raise ValueError(f"the key '{twin[:80]}' appears {counts[twin]} times in one object")
    return found


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]
