"""The overview of a workspace for people: the answer first, then every report."""

from collections.abc import Sequence

from curate.counted import counted

from . import answers
from .document import Document
from .report_rows import Overview
from .sections import sections

QUESTION = "How many of the top {depth} were false negatives?"


def document(overview: Overview, warnings: Sequence[str] = ()) -> Document:
    """Return an overview as a document. warnings: what is to be known about the run."""
    loaded = overview.reports["collection"].rows[0]
    counts = (("passages", "passages"), ("queries", "queries"), ("positives", "labelled positives"))
    collection = ("collection", ", ".join(counted(loaded[name], words) for name, words in counts))
    if "headline" not in overview.reports:
        return Document(
            title="curate report",
            question=QUESTION.format(depth="k"),
            answer="Nobody knows yet.",
            trust="",
            tiles=[],
            about=[collection, ("next", overview.next or "")],
            warnings=warnings,
        )
    headline = overview.reports["headline"]
    setting, shown = headline.setting, answers.tiles(overview)
    return Document(
        title=f"curate report: {setting['run_id']}, cutoffs {setting['cutoffs']}",
        question=QUESTION.format(depth=setting["depth"]),
        answer=answers.answer(overview.reports),
        trust=answers.trust(shown),
        tiles=shown,
        about=[collection, *answers.about(setting)],
        warnings=warnings,
        sections=sections(overview),
    )
