"""What labels say of a report's own figures: people's verdicts on a sample, and positives that were hidden."""

from pathlib import Path

import pytest
from report_world import CUTS, PASSAGES, make
from sampled import judged_run
from test_estimates import judge, truth

import curate
from curate import Workspace
from curate.annotate.sheet import Sheet
from curate.cutoffs import set_cutoffs
from curate.reports import report_rows
from curate.reports.comparison import compare
from curate.reports.document import Document, Tile
from curate.reports.overview_document import document


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace whose sample has a verdict on each of the 168 unlabelled candidates."""
    workspace = judged_run(tmp_path_factory.mktemp("labels"))
    curate.draw_sample(workspace, "audit", queries=24, pairs=1000)
    judge(workspace, {pair.id: truth(pair.id) for pair in Sheet.of(workspace, "audit", "").pairs})
    return workspace


@pytest.fixture(scope="module")
def page(workspace: Workspace) -> Document:
    return document(report_rows.overview(workspace))


def tile(page: Document, title: str) -> Tile:
    return next(tile for tile in page.tiles if tile.title == title)


def test_the_answer_has_what_people_say_and_on_how_many_labels_it_rests(
    workspace: Workspace, page: Document
) -> None:
    row = curate.estimate(workspace).of("false_negative_rate")
    assert f"By people: {row['value']:.1%}".replace("%", " %") in page.answer
    assert "168 verdicts on pairs of 24 queries)." in page.answer
    assert "drawn by chance (sample 'audit')" in tile(page, "Relevant in the top-k, by people").detail


def test_the_page_has_every_estimate_of_the_command(workspace: Workspace, page: Document) -> None:
    section = next(section for section in page.sections if section.name == "estimates")
    assert len(section.figures[0].table.rows) == len(curate.estimate(workspace).estimates)


def test_hidden_positives_have_the_recall_of_the_self_check(workspace: Workspace, page: Document) -> None:
    value = curate.selfcheck(workspace).of("recall", "hidden")["value"]
    shown = tile(page, "Hidden positives that denoising finds")
    assert shown.value == f"{value:.1%}".replace("%", " %")


def test_a_judge_from_elsewhere_may_have_learnt_the_hidden_labels(page: Document) -> None:
    """Nobody knows what trained it, so that a high recall is no good sign by itself."""
    shown = tile(page, "Hidden positives that denoising finds")
    assert shown.state in ("care", "bad")
    assert "judge was not trained in this workspace" in shown.detail


def test_a_sample_of_earlier_cutoffs_says_nothing_of_the_new_ones(tmp_path: Path) -> None:
    workspace = judged_run(tmp_path)
    curate.draw_sample(workspace, "audit", queries=24, pairs=1000)
    judge(workspace, {pair.id: truth(pair.id) for pair in Sheet.of(workspace, "audit", "").pairs})
    set_cutoffs(workspace, "default", negative_below=0.2)
    assert "estimates" not in report_rows.overview(workspace).reports


def test_without_a_score_the_tile_of_hidden_positives_says_why(tmp_path: Path) -> None:
    workspace = make(tmp_path / "set", PASSAGES)
    set_cutoffs(workspace, "new", scorer_id="nobody", **CUTS)  # type: ignore[arg-type]
    shown = tile(document(report_rows.overview(workspace, cutoffs="new")), "Hidden positives that denoising finds")
    assert shown.value == "unknown"
    assert "unscored is not negative" in shown.detail


def test_a_comparison_has_no_rate_for_a_side_without_scores(tmp_path: Path) -> None:
    """p1 has the text of the positive p0: its text decided, and the scorer decided nothing."""
    workspace = make(tmp_path / "set", {**PASSAGES, "p1": PASSAGES["p0"]})
    set_cutoffs(workspace, "new", scorer_id="nobody", **CUTS)  # type: ignore[arg-type]
    rows = {row["figure"]: row for row in compare(workspace, ("default", "new")).figures if row["part"] == "all"}
    assert rows["false negatives"]["first"] is not None
    assert (rows["false negatives"]["second"], rows["false negatives"]["difference"]) == (None, None)
    assert rows["denoised"]["second"] is None


def test_a_newer_sample_that_nobody_has_judged_hides_no_older_one(tmp_path: Path) -> None:
    workspace = judged_run(tmp_path)
    curate.draw_sample(workspace, "audit", queries=24, pairs=60)
    judge(workspace, {pair.id: truth(pair.id) for pair in Sheet.of(workspace, "audit", "").pairs})
    curate.draw_sample(workspace, "next", queries=24, pairs=60)
    assert report_rows.overview(workspace).reports["estimates"].parameters["sample_id"] == "audit"
