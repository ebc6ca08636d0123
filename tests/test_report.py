"""`curate report`: figures that can be counted by hand, in any terminal."""

import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from curate import Workspace
from curate.cli.main import run
from curate.cutoffs import set_cutoffs
from curate.errors import BadSettings
from curate.jobs import Job
from curate.reports import report_rows, terminal
from curate.reports.captions import TITLES
from curate.reports.page import Page

Make = Callable[..., Workspace]

PASSAGES = {
    "paris": "Paris is the capital of France.",
    "twin": "PARIS is the capital of France!",
    "seine": "The Seine flows through Paris, the French capital.",
    "rome": "Rome lies on the Tiber.",
    "hills": "Rome was built on seven hills.",
}
QUERIES = {"france": "capital of france", "seven": "which city has seven hills", "river": "river of rome"}
QRELS = [("france", "paris"), ("seven", "hills")]
CANDIDATES = {
    "france": ["paris", "twin", "seine", "rome", "hills"],
    "seven": ["hills", "rome", "seine", "paris"],
}
PROBABILITIES = {
    ("france", "paris"): 0.97,
    ("france", "seine"): 0.95,  # nobody labelled it: a false negative
    ("france", "rome"): 0.50,
    ("france", "hills"): 0.05,
    ("seven", "hills"): 0.40,
    ("seven", "rome"): 0.02,
    ("seven", "seine"): 0.03,  # ("seven", "paris") has no score
    ("river", "rome"): 0.93,
    ("river", "seine"): 0.92,
}


@pytest.fixture
def mined(make_workspace: Make) -> Workspace:
    """Return a workspace with two labelled queries with candidates, and one query without labels.

    Nothing is scored.
    """
    return make_workspace(PASSAGES, QUERIES, qrels=QRELS, unlabeled=["river"], candidates=CANDIDATES)


@pytest.fixture
def denoised(mined: Workspace) -> Workspace:
    """Return the mined workspace with scores and the cutoffs 0.1 and 0.9."""
    add_scores(mined)
    set_cutoffs(mined, "default", scorer_id="judge", depth=50, negative_below=0.1, positive_above=0.9)
    return mined


def add_scores(workspace: Workspace) -> None:
    query_keys, passage_keys = list(QUERIES), list(PASSAGES)
    ledger = [
        {
            "scorer_id": "judge",
            "query_key": query_keys.index(query),
            "passage_key": passage_keys.index(passage),
            "logit": math.log(probability / (1 - probability)),
        }
        for (query, passage), probability in PROBABILITIES.items()
    ]
    job = Job(workspace, "denoise", "score-bm25-train-1", {"run": "bm25-train"}, {"scorer": "f" * 64})
    job.write_rows("scores", ledger)
    job.write_rows(
        "models",
        [
            {
                "model_id": "judge",
                "role": "cross-encoder",
                "path": "models/judge",
                "fingerprint": "f" * 64,
                "settings": "{}",
            }
        ],
    )
    job.finish()


def add_run(workspace: Workspace, run_id: str, found: dict[str, list[str]], **facts: object) -> None:
    query_keys, passage_keys = list(QUERIES), list(PASSAGES)
    row = {"run_id": run_id, "retriever": "bm25", "split": "train", "depth": 5, "queries": len(found)}
    job = Job(workspace, "mine", run_id)
    job.write_rows(
        "candidates",
        [
            {
                "run_id": run_id,
                "query_key": query_keys.index(query),
                "passage_key": passage_keys.index(passage),
                "rank": rank,
                "score": 10.0 - rank,
            }
            for query, passages in found.items()
            for rank, passage in enumerate(passages, 1)
        ],
    )
    job.write_rows("runs", [{**row, "sources": [], "round": 2, **facts}])
    job.finish()


def column(report: report_rows.Report, name: str) -> list[object]:
    return [row[name] for row in report.rows]


def printed(report: report_rows.Report | report_rows.Overview, width: int = 100, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    page = Page(Console(file=stream, width=width, highlight=False, markup=False, emoji=False))
    if isinstance(report, report_rows.Report):
        terminal.show_report(page, report)
    else:
        terminal.show_overview(page, report)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


def test_the_funnel_takes_away_every_candidate_but_the_hard_negatives(denoised: Workspace) -> None:
    """9 candidates: 2 positives, 1 duplicate, 1 unscored, 1 false negative, 1 uncertain, 3 hard negatives."""
    funnel = report_rows.report(denoised, "funnel", negatives=2)
    assert column(funnel, "number") == [9, 2, 1, 1, 1, 1, 3, 2, 1, 1, 0]
    assert funnel.rows[6] == {
        "step": 7,
        "unit": "pairs",
        "part": "left over",
        "what": "hard negatives",
        "number": 3,
        "share": 0.333333,
    }


def test_denoised_by_rank_counts_what_is_no_hard_negative_among_the_judged(denoised: Workspace) -> None:
    """Unscored candidates are in no rate, because nothing is known about them."""
    report = report_rows.report(denoised, "denoised_by_rank")
    assert column(report, "first_rank") == [1, 2, 3, 4]
    assert column(report, "last_rank") == [1, 2, 3, 5]
    assert column(report, "judged") == [0, 2, 2, 2]
    assert column(report, "unscored") == [0, 0, 0, 1]
    assert column(report, "false_negative_rate") == [None, 0.0, 0.5, 0.0]
    assert column(report, "denoised_rate") == [None, 0.5, 0.5, 0.5]


def test_false_negatives_by_rank_has_every_rank(denoised: Workspace) -> None:
    """The counts are the same, with one row per rank."""
    report = report_rows.report(denoised, "false_negatives_by_rank")
    assert column(report, "rank") == [1, 2, 3, 4, 5]
    assert column(report, "false_negatives") == [0, 0, 1, 0, 0]
    assert column(report, "denoised") == [0, 1, 1, 1, 0]


def test_candidates_below_the_depth_of_the_cutoffs_are_not_reported(denoised: Workspace) -> None:
    """The depth is part of the cutoffs. Deeper candidates were never judged."""
    set_cutoffs(denoised, "shallow", scorer_id="judge", depth=2, negative_below=0.1, positive_above=0.9)
    assert column(report_rows.report(denoised, "funnel", cutoffs="shallow"), "number")[0] == 4


def test_the_histogram_has_twenty_bins_that_hold_every_score_once(denoised: Workspace) -> None:
    """Positives have 0.97 and 0.40, unlabelled candidates 0.95, 0.50, 0.05, 0.02 and 0.03."""
    report = report_rows.report(denoised, "score_histogram")
    assert [(row["bin"], row["positives"]) for row in report.rows if row["positives"]] == [(8, 1), (19, 1)]
    assert [(row["bin"], row["unlabelled"]) for row in report.rows if row["unlabelled"]] == [
        (0, 2),
        (1, 1),
        (10, 1),
        (19, 1),
    ]


def test_labelled_positives_count_as_recognised_above_the_upper_cutoff(denoised: Workspace) -> None:
    """0.97 is above 0.9, and 0.40 is between the cutoffs."""
    assert column(report_rows.report(denoised, "positives_recognised"), "positives") == [1, 1, 0, 0]


def test_the_positive_of_a_query_that_found_nothing_is_unscored(denoised: Workspace) -> None:
    """The text has no token for the retriever, so that the run has no candidate of the query."""
    job, key = Job(denoised, "load", "load-00002"), len(QUERIES)
    job.write_rows(
        "queries", [{"query_key": key, "query_id": "mute", "text": "?!", "text_hash": 9, "split": None}]
    )
    label = {"query_key": key, "passage_key": 0, "relevance": 1, "split": "train", "source": "qrels.tsv"}
    job.write_rows("qrels", [{**label, "revision": 1, "corrects": False}])
    job.finish(counts={"passages": 0})
    assert column(report_rows.report(denoised, "positives_recognised"), "positives") == [1, 1, 0, 1]


def test_the_shortfall_counts_each_query_once(denoised: Workspace) -> None:
    """One query has a single hard negative. The other has two, which is enough."""
    report = report_rows.report(denoised, "shortfall", negatives=2)
    assert column(report, "queries") == [0, 1, 1]
    assert column(report, "enough") == [False, False, True]


def test_a_query_without_candidates_has_no_negatives(denoised: Workspace) -> None:
    """A run over three queries has candidates for only one of them, so two queries have none."""
    add_run(denoised, "poor", {"france": ["hills"]}, queries=3)
    assert column(report_rows.report(denoised, "shortfall", run="poor", negatives=1), "queries") == [2, 1]
    assert column(report_rows.report(denoised, "funnel", run="poor", negatives=1), "number")[-4:] == [3, 1, 0, 2]


def test_suspects_show_the_false_negative_beside_a_labelled_positive(denoised: Workspace) -> None:
    """A person can see at a glance whether the scorer was right."""
    (suspect,) = report_rows.report(denoised, "suspects").rows
    assert suspect == {
        "query_id": "france",
        "passage_id": "seine",
        "rank": 3,
        "probability": 0.95,
        "query": QUERIES["france"],
        "passage": PASSAGES["seine"],
        "positive_id": "paris",
        "positive": PASSAGES["paris"],
        "shared_words": ["capital"],
    }


def test_pseudo_labels_are_reported_over_the_run_of_the_queries_without_labels(denoised: Workspace) -> None:
    """A query gets the best passage above the cutoff. A query whose candidates are unscored gets none."""
    add_run(denoised, "bm25-unlabeled", {"river": ["seine", "rome"]}, split="unlabeled")
    (label,) = report_rows.report(denoised, "pseudo_labels").rows
    assert (label["query_id"], label["passage_id"], label["probability"]) == ("river", "rome", 0.93)
    assert column(report_rows.report(denoised, "pseudo_label_outcomes"), "queries") == [1, 0, 0, 0, 0, 0]


def test_pseudo_positives_are_no_false_negatives(denoised: Workspace) -> None:
    """No label contradicts them. They have their own row and columns, and are in no false-negative rate."""
    add_run(denoised, "bm25-unlabeled", {"river": ["seine", "rome"]}, split="unlabeled")
    funnel = report_rows.report(denoised, "funnel", run="bm25-unlabeled", negatives=1)
    assert column(funnel, "what")[4:7] == ["false negatives", "pseudo-positives", "uncertain"]
    assert column(funnel, "number") == [2, 0, 0, 0, 0, 2, 0, 0, 1, 0, 0, 1]
    assert column(funnel, "step") == list(range(1, 13))
    for name in ("denoised_by_rank", "false_negatives_by_rank", "false_negatives_by_retriever"):
        report = report_rows.report(denoised, name, run="bm25-unlabeled")
        assert set(column(report, "false_negative_rate")) == {0.0}
        assert set(column(report, "denoised_rate")) == {1.0}
        assert [sum(row[name] for row in report.rows) for name in ("judged", "pseudo_positives")] == [2, 2]
    (compared,) = report_rows.report(denoised, "cutoffs_compared", run="bm25-unlabeled").rows
    assert (compared["false_negatives"], compared["pseudo_positives"]) == (0, 2)


def test_only_the_runs_own_queries_are_left_out_as_leaked(make_workspace: Make) -> None:
    """Two queries have the text of a dev query, but the run covers only one of them."""
    asked = {"france": "river of rome", "seven": "River of Rome?", "river": "river of ROME"}
    workspace = make_workspace(
        PASSAGES, asked, qrels=[("france", "rome")], split="dev", unlabeled=["seven", "river"]
    )
    add_scores(workspace)
    set_cutoffs(workspace, "default", scorer_id="judge", depth=5, negative_below=0.1, positive_above=0.9)
    add_run(workspace, "early", {"river": ["rome"]}, split="unlabeled")
    assert column(report_rows.report(workspace, "pseudo_label_outcomes"), "queries") == [0, 0, 0, 0, 0, 1]


def test_the_query_card_has_labelled_positives_that_were_not_found(denoised: Workspace) -> None:
    """Positives that the retriever missed are at the top, without a rank."""
    add_run(denoised, "blind", {"france": ["rome"]})
    card = report_rows.report(denoised, "query_card", query="france", run="blind")
    assert [(row["rank"], row["passage_id"], row["decision"]) for row in card.rows] == [
        (None, "paris", "positive"),
        (1, "rome", "uncertain"),
    ]


def test_the_card_of_an_unknown_query_names_ids_that_look_like_it(denoised: Workspace) -> None:
    """The ids are those of the user's own file."""
    with pytest.raises(BadSettings, match="no query 'frence'; similar ids: france"):
        report_rows.report(denoised, "query_card", query="frence")


def test_cutoffs_stand_side_by_side(denoised: Workspace) -> None:
    """A stricter cutoff leaves fewer negatives and needs no forward pass."""
    set_cutoffs(denoised, "strict", scorer_id="judge", depth=50, negative_below=0.04, positive_above=0.9)
    report = report_rows.report(denoised, "cutoffs_compared", negatives=2)
    assert [(row["name"], row["hard_negatives"], row["uncertain"]) for row in report.rows] == [
        ("default", 3, 1),
        ("strict", 2, 2),
    ]


def test_the_lineage_names_every_job_that_the_decisions_rest_on(denoised: Workspace) -> None:
    """The jobs are load, mine, denoise and cutoffs, with the fingerprint of the scorer."""
    report = report_rows.report(denoised, "lineage")
    assert column(report, "stage") == ["load", "mine", "denoise", "cutoffs"]
    assert column(report, "fingerprint") == [None, None, "f" * 64, "f" * 64]


def test_the_lineage_has_the_training_of_the_scorer_and_of_no_other(mined: Workspace) -> None:
    """The job train-judge made models/judge; models/judge-2 is another model."""
    for name in ("judge", "judge-2", "my-judge"):
        Job(mined, "train", f"train-{name}").finish()
    add_scores(mined)
    set_cutoffs(mined, "default", scorer_id="judge", depth=50, negative_below=0.1, positive_above=0.9)
    assert column(report_rows.report(mined, "lineage"), "stage") == ["load", "mine", "train", "denoise", "cutoffs"]
    assert "train-judge" in column(report_rows.report(mined, "lineage"), "job")


def test_a_model_trained_under_an_old_name_has_not_made_the_old_scores(denoised: Workspace) -> None:
    """A model that was trained after the scoring is another model."""
    Job(denoised, "train", "train-judge").finish()
    assert "train" not in column(report_rows.report(denoised, "lineage"), "stage")


def test_splits_count_queries_and_labels(denoised: Workspace) -> None:
    """Train has two queries with one positive each. One query has no labels."""
    assert report_rows.report(denoised, "splits").rows == [
        {"split": "train", "queries": 2, "labelled": 2, "judged": 2, "positives": 2},
        {"split": "unlabeled", "queries": 1, "labelled": 0, "judged": 0, "positives": 0},
    ]


def test_an_empty_workspace_says_what_to_do_first(tmp_path: Path) -> None:
    """An empty report is not a failure."""
    overview = report_rows.overview(Workspace.create(tmp_path / "set"))
    assert overview.next == "no collection yet. Run: curate load COLLECTION"
    assert "curate load" in printed(overview)


def test_before_mining_the_report_says_to_mine(make_workspace: Make) -> None:
    """The collection is already loaded."""
    overview = report_rows.overview(make_workspace(PASSAGES, QUERIES, qrels=QRELS))
    assert overview.reports["collection"].rows[0]["passages"] == 5
    assert "curate mine" in str(overview.next)


def test_before_denoising_the_report_says_to_denoise(mined: Workspace) -> None:
    """Unscored candidates give no figures yet. The command is on one line, however narrow the terminal."""
    for width in (40, 80, 160):
        assert "Run: curate denoise --scorer MODEL\n" in printed(report_rows.overview(mined), width=width)


def test_the_overview_shows_every_part(denoised: Workspace) -> None:
    """The overview goes from the collection to the pseudo-labels."""
    add_run(denoised, "bm25-unlabeled", {"river": ["seine", "rome"]}, split="unlabeled")
    shown = printed(report_rows.overview(denoised))
    for name in ("funnel", "denoised_by_rank", "score_histogram", "positives_recognised", "shortfall", "suspects"):
        assert TITLES[name] in shown
    assert TITLES["pseudo_labels"] in shown
    assert TITLES["false_negatives_by_retriever"] not in shown  # there is only one retriever


def test_the_retrievers_of_a_hybrid_run_are_compared(denoised: Workspace) -> None:
    """A candidate that two sources found counts for both."""
    add_run(denoised, "bm25-x", {"france": ["seine", "rome"]}, round=2)
    add_run(denoised, "dense-x", {"france": ["seine", "hills"]}, round=3, retriever="dense")
    add_run(
        denoised,
        "hybrid-x",
        {"france": ["seine", "rome", "hills"]},
        round=4,
        retriever="hybrid",
        sources=["bm25-x", "dense-x"],
    )
    report = report_rows.report(denoised, "false_negatives_by_retriever", run="hybrid-x")
    assert [
        (row["retriever"], row["judged"], row["only_here"], row["false_negatives"]) for row in report.rows
    ] == [
        ("bm25", 2, 1, 1),
        ("dense", 2, 1, 1),
    ]


@pytest.mark.parametrize("width", [40, 80, 100, 120])
@pytest.mark.parametrize(
    "name", ["funnel", "denoised_by_rank", "score_histogram", "suspects", "query_card", "lineage"]
)
def test_no_line_is_wider_than_the_terminal(denoised: Workspace, name: str, width: int) -> None:
    """This includes a narrow terminal."""
    query: report_rows.ReportOptions = {"query": "france"} if name == "query_card" else {}
    shown = printed(report_rows.report(denoised, name, **query), width=width)
    assert max(len(line) for line in shown.splitlines()) <= width


@pytest.mark.parametrize("width", [40, 80, 100])
def test_numbers_and_full_bars_are_never_cut(denoised: Workspace, width: int) -> None:
    """A narrow terminal loses bars, not digits. A bar of 100 % is complete."""
    shown = printed(report_rows.report(denoised, "funnel"), width=width)
    assert "100.0 %" in shown
    assert "33.3 %" in shown
    assert "█…" not in shown
    if width >= 80:
        assert "█" * (12 if width == 80 else 24) in shown


def test_an_ascii_terminal_gets_ascii(denoised: Workspace) -> None:
    """Bars are made of '#', and nothing raises UnicodeEncodeError."""
    shown = printed(report_rows.overview(denoised), encoding="ascii")
    assert "#####" in shown


def test_the_text_of_a_passage_never_steers_the_terminal(make_workspace: Make) -> None:
    """Passages are data: escape sequences are shown, and markup is not interpreted."""
    evil = "\x1b[31mred \x1b]8;;http://example.org\x07link [bold]x[/bold] [/x] \u202egnp.exe"
    workspace = make_workspace(
        {"paris": evil}, QUERIES, qrels=[("france", "paris")], candidates={"france": ["paris"]}
    )
    add_scores(workspace)
    set_cutoffs(workspace, "default", scorer_id="judge", depth=5, negative_below=0.1, positive_above=0.9)
    shown = printed(report_rows.report(workspace, "query_card", query="france"), width=160)
    assert not any(ord(character) < 32 and character != "\n" for character in shown)
    assert "\\x1b[31mred" in shown
    assert "[bold]x[/bold] [/x]" in shown
    assert "\\u202e" in shown


def test_a_pipe_gets_no_colours_and_json_has_stable_keys(
    denoised: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """`curate report | less` and `curate report --json | jq` both work."""
    assert run(["-C", str(denoised.root), "report"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert run(["-C", str(denoised.root), "report", "funnel", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "curate.report.funnel/2"
    assert list(found["rows"][0]) == ["step", "unit", "part", "what", "number", "share"]


def test_the_query_is_asked_by_its_id(denoised: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """The command is `curate report query ID`."""
    assert run(["-C", str(denoised.root), "report", "query", "france"]) == 0
    assert "false_negative" in capsys.readouterr().out


def test_a_misspelt_report_names_the_nearest(denoised: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 2, for a command line that is wrong."""
    assert run(["-C", str(denoised.root), "report", "funel"]) == 2
    assert "did you mean 'funnel'?" in capsys.readouterr().err


@pytest.mark.parametrize("width", [80, 100, 160])
def test_cutoffs_are_compared_with_nothing_hidden(denoised: Workspace, width: int) -> None:
    """Each name is a column, so a narrow terminal shows all figures, and what does not fit comes below."""
    for name in ("strict", "a longer name of cutoffs", "another long name of cutoffs"):
        set_cutoffs(denoised, name, negative_below=0.04)
    shown = printed(report_rows.report(denoised, "cutoffs_compared", negatives=2), width=width)
    assert "columns" not in shown.partition("One column")[0]
    assert shown.count("strict") == 1
    assert all(words in shown for words in ("queries with 2 or more", "hard negatives", "scorer", "another long"))
    assert max(map(len, shown.splitlines())) <= width


def test_a_report_without_room_for_its_columns_is_shown_as_a_list(denoised: Workspace) -> None:
    """`curate report setting` has eleven columns; none of them is dropped."""
    shown = printed(report_rows.report(denoised, "setting"), width=80)
    assert all(name in shown for name in ("run_id", "scorer_id", "pseudo_positives"))


def test_the_sum_by_rank_says_what_was_denoised(denoised: Workspace) -> None:
    """A rate of denoised candidates alone does not tell uncertain ones from false negatives."""
    shown = " ".join(printed(report_rows.report(denoised, "denoised_by_rank"), width=160).split())
    assert (
        "Denoised 50.0 % of 6 unjudged candidates (1 false negatives, 1 uncertain, 1 duplicates of a positive); "
        "1 are unscored."
    ) in shown
