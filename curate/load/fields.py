"""The fields of each kind of input, and the names that they may have in files."""

from collections.abc import Iterable
from dataclasses import dataclass

from curate.load.shown import printable
from curate.load.training_rows import training_form


class Unfit(Exception):  # not named ...Error: an unfit row may be allowed
    """A row cannot be loaded. Rejects are counted by the text before the first colon."""

    query_id: str | None = None
    """The query that the row names, if that much of it could be read."""


class OtherForm(Unfit):
    """The file is of another form, so that it is refused as a whole; `run`: the command that reads it, if any."""

    def __init__(self, what: str, run: str | None = None) -> None:
        self.run = run
        super().__init__(what)


@dataclass(frozen=True)
class Field:
    """One field of a row. If a file has several of its names, the first of `names` counts."""

    name: str
    names: tuple[str, ...]
    needed: bool = True


_ID = ("_id", "id")
_PASSAGE = ("passage_id", "passage-id", "docid", "doc_id", "pid", "docno")
_QUERY = ("query_id", "query-id", "qid")
_CORPUS = ("corpus-id", "corpus_id", *_PASSAGE)
_ASKED = (Field("id", (*_ID, *_QUERY)), Field("text", ("text", "query", "question")))

FIELDS = {
    "passages": (
        Field("id", (*_ID, *_PASSAGE)),
        Field("title", ("title",), needed=False),
        Field("text", ("text", "contents", "passage", "body", "content")),
    ),
    "queries": _ASKED,
    "unlabeled": _ASKED,
    "qrels": (
        Field("query id", _QUERY),
        Field("passage id", _CORPUS),
        Field("relevance", ("score", "relevance", "rel", "label")),
    ),
    "annotations": (
        Field("query id", _QUERY),
        Field("passage id", _CORPUS),
        Field("relevant", ("relevant",)),
        Field("annotator", ("annotator",)),
        Field("note", ("note",), needed=False),
        Field("sample_id", ("sample_id",), needed=False),
        Field("judged_at", ("judged_at",), needed=False),
        Field("inclusion", ("inclusion",), needed=False),
    ),
}


def located(found: Iterable[str], fields: tuple[Field, ...]) -> bool:
    """Return whether any of the fields has one of the names in `found`."""
    return any(_places(list(found), fields))


def _places(found: list[str], fields: tuple[Field, ...]) -> tuple[str | None, ...]:
    return tuple(next((name for name in field.names if name in found), None) for field in fields)


def locate(found: Iterable[str], fields: tuple[Field, ...]) -> tuple[str | None, ...]:
    """Return the name in `found` of each field, or None for an optional field that is missing.

    Raises OtherForm for the names of a training set or of a run, and Unfit, with the names that were found and
    expected, if a needed field is missing.
    """
    found = list(found)
    form = training_form(found)
    if form:
        raise OtherForm(form)
    if fields is FIELDS["qrels"] and "rank" in found:
        raise OtherForm(
            "a run, because it has ranks, not qrels. Write it as a TREC run and use: curate mine --run FILE"
        )
    places = _places(found, fields)
    missing = [field for field, place in zip(fields, places, strict=True) if field.needed and place is None]
    if missing:
        wanted = "; ".join(f"no {field.name} ({', '.join(field.names)})" for field in missing)
        raise Unfit(f"missing field: {wanted}; found: {printable(', '.join(found)[:200]) or 'nothing'}")
    return places
