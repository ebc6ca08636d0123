"""Rows of training sets: a query with its positives and negatives in one row. They are refused by name."""

from collections.abc import Iterable

# The names that tell a form: all of the names of one of its sets.
FORMS = {
    "Tevatron": (
        {"positive_passages"},
        {"negative_passages"},
        {"positive_document_ids"},
        {"negative_document_ids"},
    ),
    "DPR": ({"positive_ctxs"}, {"negative_ctxs"}, {"hard_negative_ctxs"}),
    "FlagEmbedding": ({"pos", "neg"}, {"query", "pos"}, {"pos_scores"}, {"neg_scores"}),
    "NeMo": ({"pos_doc"}, {"neg_doc"}),
    "SimLM": ({"positives", "negatives"},),
    "PyLate": ({"query_id", "document_ids"},),
    "a teacher's scores": ({"query", "passages", "scores"}, {"query", "passage1", "passage2"}),
    "sentence-transformers": (
        {"anchor", "positive"},
        {"positive", "negative"},
        {"positive", "negative_1"},
        *({asked, other} for asked in ("query", "question") for other in ("positive", "negative", "negative_1")),
        *(
            {asked, other}
            for asked in ("query", "anchor")
            for other in ("positives", "negatives", "hard_negatives")
        ),
        {"sentence1", "sentence2"},
        *(
            {"query", other, label}
            for other in ("answer", "passage", "passages", "document", "documents", "response")
            for label in ("label", "labels", "score", "scores")
        ),
    ),
}


def training_form(names: Iterable[str]) -> str | None:
    """Return the form of training rows with these names, for a message, or None if it is no training row."""
    found = {name.lower() for name in names}
    for form, sets in FORMS.items():
        telling = next((names for names in sets if names <= found), None)
        if telling:
            return (
                f"training rows of the form of {form} (found: {', '.join(sorted(telling))}): each holds a query "
                "together with passages. curate loads passages, queries and labels from files of their own. "
                'Convert them: see "Training rows" in docs/input.md'
            )
    return None
