"""What is current: the runs and the cutoffs that every command uses if none are named."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import add_run

import curate
from curate import BadSettings, Workspace, sql_files
from curate.choose_run import chosen_run, training_runs
from curate.cli.main import run
from curate.cutoffs import cutoffs_in_force
from curate.jobs import Job
from curate.models.folder import fingerprint
from curate.named_queries import rows

Make = Callable[..., Workspace]
Tell = Callable[..., tuple[int, str, str]]
PASSAGES = {
    "paris": "Paris is the capital.",
    "rome": "Rome has hills.",
    "oslo": "Oslo has a fjord.",
    "bern": "Bern.",
}
PROBABILITIES = {"rome": 0.95, "oslo": 0.5, "bern": 0.02}


@pytest.fixture
def denoised(make_workspace: Make) -> Workspace:
    """Return a set whose run bm25-train is denoised: one false negative, one uncertain, one hard negative."""
    found = {"france": ["paris", "rome", "oslo", "bern"]}
    workspace = make_workspace(
        PASSAGES, {"france": "capital of france"}, qrels=[("france", "paris")], candidates=found
    )
    score(workspace, "bm25-train", list(PROBABILITIES))
    curate.set_cutoffs(workspace, "default", scorer_id="judge", depth=4, negative_below=0.1, positive_above=0.9)
    return workspace


def score(workspace: Workspace, of_run: str, passages: list[str]) -> None:
    """Write what a `curate denoise` of one run leaves behind."""
    job = Job(workspace, "denoise", f"score-{of_run}-{len(workspace.records())}", {"run": of_run})
    job.write_rows("scores", [
        {"scorer_id": "judge", "query_key": 0, "passage_key": list(PASSAGES).index(passage),
         "logit": math.log(PROBABILITIES[passage] / (1 - PROBABILITIES[passage]))}
        for passage in passages
    ])  # fmt: skip
    model = {"model_id": "judge", "role": "cross-encoder", "path": "no/longer/there", "fingerprint": "f" * 64}
    job.write_rows("models", [{**model, "settings": json.dumps({"max_length": 64})}])
    job.finish()


def mine(workspace: Workspace, name: str, passages: list[str]) -> None:
    """Add a newer run over train."""
    add_run(workspace, name, "train", [
        {"run_id": name, "query_key": 0, "passage_key": list(PASSAGES).index(passage), "rank": rank, "score": 1.0}
        for rank, passage in enumerate(passages, 1)
    ])  # fmt: skip


@pytest.fixture
def tell(denoised: Workspace, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Return a function that runs a command in the denoised set: exit code, stdout and stderr."""

    def tell(*arguments: str) -> tuple[int, str, str]:
        code = run(["-C", str(denoised.root), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return tell


def test_a_run_mined_after_denoising_does_not_become_current(denoised: Workspace) -> None:
    """An experiment with another index changes no report, export or training."""
    mine(denoised, "experiment", ["bern", "oslo"])
    assert chosen_run(denoised, None) == "bm25-train"
    assert training_runs(denoised, None, augmented=True) == ["bm25-train"]
    assert curate.report(denoised, "funnel").parameters["run"] == "bm25-train"


def test_the_run_denoised_last_is_current(denoised: Workspace) -> None:
    """This is so even if another run was denoised before, and if it is not the newest."""
    mine(denoised, "second", ["bern"])
    mine(denoised, "third", ["bern"])
    score(denoised, "second", ["bern"])
    assert curate.status(denoised).runs[1]["because"] == "denoised last"
    assert chosen_run(denoised, None) == "second"


def test_without_any_score_the_newest_run_is_current(make_workspace: Make) -> None:
    """Nothing else can decide."""
    workspace = make_workspace(
        PASSAGES, {"france": "?"}, qrels=[("france", "paris")], candidates={"france": ["rome"]}
    )
    mine(workspace, "newer", ["oslo"])
    assert chosen_run(workspace, None) == "newer"


def test_use_chooses_a_run_and_auto_withdraws_the_choice(denoised: Workspace) -> None:
    """The choice outranks the rule, also for runs denoised later. The history stays."""
    mine(denoised, "second", ["bern"])
    assert curate.use(denoised, run="second").runs == {"train": "second"}
    score(denoised, "bm25-train", [])
    assert chosen_run(denoised, None) == "second"
    assert curate.use(denoised, auto=True).because["train"] == "denoised last"
    assert chosen_run(denoised, None) == "bm25-train"
    assert denoised.scan("choices").sort("number").collect()["name"].to_list() == ["second", None]


def test_use_chooses_cutoffs_for_exports_and_reports(denoised: Workspace) -> None:
    """Without a choice they are `default`."""
    curate.set_cutoffs(denoised, "strict", negative_below=0.01)
    assert cutoffs_in_force(denoised, None)["name"] == "default"
    curate.use(denoised, cutoffs="strict")
    assert cutoffs_in_force(denoised, None)["name"] == "strict"
    assert curate.report(denoised, "funnel").parameters["cutoffs"] == "strict"


def test_without_default_the_cutoffs_set_last_are_current(make_workspace: Make) -> None:
    """Whoever named them otherwise from the start meets no error."""
    workspace = make_workspace(PASSAGES, {"france": "?"})
    for name in ("careful", "bold"):
        curate.set_cutoffs(workspace, name, scorer_id="judge", depth=4, negative_below=0.1, positive_above=0.9)
    assert cutoffs_in_force(workspace, None)["name"] == "bold"


def test_an_unknown_run_or_name_cannot_be_chosen(denoised: Workspace) -> None:
    """The message lists what there is."""
    with pytest.raises(BadSettings, match="no run 'bm52': there are bm25-train"):
        curate.use(denoised, run="bm52")
    with pytest.raises(BadSettings, match="no cutoffs 'strict'; the cutoffs are: default"):
        curate.use(denoised, cutoffs="strict")


def test_a_command_says_what_it_used_and_what_is_unscored(denoised: Workspace, tell: Tell) -> None:
    """What came from the command line is not repeated. `--quiet` is silent."""
    mine(denoised, "second", ["paris", "rome"])
    curate.set_cutoffs(denoised, "other judge", scorer_id="nobody")
    _, _, said = tell("export", "--format", "triplet", "--dry-run")
    assert said == ""
    _, out, said = tell("report", "funnel", "--json")
    assert "using run bm25-train (denoised last; the newest is second), cutoffs 'default' over the top 4" in said
    assert json.loads(out)["parameters"]["run"] == "bm25-train"
    _, _, said = tell("report", "funnel", "--run", "bm25-train", "--cutoffs", "other judge")
    assert "using" not in said
    assert "3 of 4 candidates of run bm25-train are unscored" in said
    assert "Run: curate denoise --run bm25-train --cutoffs 'other judge'" in said
    assert tell("-q", "report", "funnel")[2] == ""


def test_a_plan_says_the_same_as_the_command(denoised: Workspace) -> None:
    """A dry run has the notes in its result."""
    mine(denoised, "second", ["rome"])
    notes = curate.plan_export(denoised, format="triplet").notes
    assert "using run bm25-train (denoised last; the newest is second)" in notes[1]


def test_what_was_loaded_after_mining_is_said(denoised: Workspace, tell: Tell) -> None:
    """Passages and queries that a run has never seen make it stale."""
    load = Job(denoised, "load", "load-00002")
    load.write_rows("passages", [
        {"passage_key": 4, "passage_id": "riga", "title": "", "text": "Riga.", "text_hash": 1}
    ])  # fmt: skip
    load.write_rows(
        "queries", [{"query_key": 1, "query_id": "latvia", "text": "?", "text_hash": 2, "split": "train"}]
    )
    load.finish(counts={"passages": 1, "queries": 1})
    said = tell("report", "funnel")[2]
    assert "1 passage was loaded after run bm25-train was made. Run: curate mine --split train" in said
    assert "1 query of 'train' is not in run bm25-train" in said
    assert curate.status(denoised).next == "curate mine --split train, then curate denoise --scorer MODEL"


def test_the_first_views_count_every_pair_once(denoised: Workspace) -> None:
    """Two runs and two cutoffs make four rows of a pair in `decisions`, and one in `current_decisions`."""
    mine(denoised, "second", ["paris", "rome"])
    curate.set_cutoffs(denoised, "strict", negative_below=0.01)
    every = denoised.sql("select count(*) as pairs from decisions")["pairs"][0]
    found = denoised.sql("select passage_id, decision, decided_by from current_decisions order by rank").rows()
    assert every == 12
    assert found == [
        ("paris", "positive", "people"),
        ("rome", "false_negative", "scorer"),
        ("oslo", "uncertain", "scorer"),
        ("bern", "hard_negative", "scorer"),
    ]


def test_the_current_pseudo_labels_are_those_of_the_run_augmented_last(make_workspace: Make) -> None:
    """Several runs over the same queries would otherwise count a label several times."""
    workspace = make_workspace(PASSAGES, {"france": "capital of france"}, unlabeled=["france"])
    for name in ("first", "second"):
        add_run(workspace, name, "unlabeled", [
            {"run_id": name, "query_key": 0, "passage_key": 1, "rank": 1, "score": 1.0}
        ])  # fmt: skip
        score(workspace, name, ["rome"] if name == "first" else [])
    curate.set_cutoffs(workspace, "default", scorer_id="judge", depth=4, negative_below=0.1, positive_above=0.9)
    assert workspace.sql("select count(*) as labels from pseudo_labels")["labels"][0] == 2
    assert workspace.sql("select run_id, passage_id from current_pseudo_labels").rows() == [("second", "rome")]


def test_the_named_query_pseudo_labels_answers_though_a_view_has_its_name(tell: Tell) -> None:
    """It is listed, so it must run. Without unlabeled queries it names the command that is missing."""
    code, _, said = tell("sql", "pseudo_labels")
    assert code == 2
    assert "no candidates for the split 'unlabeled' yet" in said


def test_a_report_on_a_query_asks_for_its_id(tell: Tell) -> None:
    """The hint is a command, not the name of another report."""
    assert "try: curate report query ID" in tell("report", "query")[2]
    assert "Run: curate report query ID" in tell("report", "query_card")[2]


def test_a_misspelt_split_gets_the_nearest_name(tell: Tell) -> None:
    """It is not advised to mine a split that does not exist."""
    code, _, said = tell("evaluate", "--split", "trian")
    assert code == 2
    assert "no split 'trian': did you mean 'train'?" in said


def test_cutoffs_are_set_without_a_model(denoised: Workspace, tell: Tell) -> None:
    """What is not given is as in the current cutoffs. The scorer's folder is gone."""
    code, out, _ = tell("cutoffs", "set", "strict", "--negative-below", "0.01", "--json")
    (row,) = json.loads(out)["cutoffs"]
    assert (code, row["scorer_id"], row["depth"], row["current"]) == (0, "judge", 4, False)
    assert "default (current): hard negative below 0.1, false negative above 0.9, top 4" in tell("cutoffs")[1]
    decisions = denoised.sql("select decision from found where cutoffs = 'strict' and passage_key = 3")
    assert decisions["decision"].to_list() == ["uncertain"]


def test_denoise_with_other_cutoffs_scores_nothing_and_needs_no_model(denoised: Workspace) -> None:
    """Scorer and depth are those of the current cutoffs. An experiment that was mined since changes nothing."""
    mine(denoised, "experiment", ["bern", "oslo"])
    plan = curate.plan_denoise(denoised, negative_below=0.01, cutoffs="strict")
    assert (plan.unit, plan.total, plan.cached) == ("cutoffs", 1, 0)
    result = curate.denoise(denoised, negative_below=0.01, cutoffs="strict")
    assert (result.run_id, result.scored_now, result.cutoffs["depth"]) == ("bm25-train", 0, 4)
    assert curate.plan_denoise(denoised, negative_below=0.01, cutoffs="strict").cached == 1


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"negative_below": 1.5}, "negative_below"),
        ({"negative_below": 0.95}, "above positive_above"),
        ({"scorer": "jugde"}, "no scorer 'jugde' has scored here: did you mean 'judge'?"),
    ],
)
def test_cutoffs_that_make_no_sense_are_refused(denoised: Workspace, values: dict[str, Any], wrong: str) -> None:
    """Nothing is written."""
    before = len(denoised.records())
    with pytest.raises(BadSettings, match=wrong.replace("?", r"\?")):
        curate.set_cutoffs(denoised, "odd", **values)
    assert len(denoised.records()) == before


def test_a_scorer_is_known_by_its_files_wherever_they_are(denoised: Workspace, tmp_path: Path) -> None:
    """The folder from which it was read is gone; this one is a copy."""
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "config.json").write_text("{}")
    scorer = {"role": "cross-encoder", "path": "gone", "fingerprint": fingerprint(copy, {}), "settings": "{}"}
    job = Job(denoised, "denoise", "score-other")
    job.write_rows("models", [{"model_id": "other", **scorer}])
    job.finish()
    assert curate.set_cutoffs(denoised, "deep", scorer=str(copy))["scorer_id"] == "other"


def test_judged_negatives_are_in_no_rate(make_workspace: Make) -> None:
    """People judged one candidate not relevant. Of the two unjudged ones, one is denoised."""
    found = {"france": ["paris", "rome", "oslo", "bern"]}
    qrels = [("france", "paris"), ("france", "bern", 0)]
    workspace = make_workspace(PASSAGES, {"france": "capital?"}, qrels=qrels, candidates=found)
    score(workspace, "bm25-train", ["rome", "oslo"])
    curate.set_cutoffs(workspace, "default", scorer_id="judge", depth=4, negative_below=0.6, positive_above=0.9)
    with workspace.connect() as connection:
        asked = {"run": "bm25-train", "cutoffs": "default"}
        total = rows(connection, "denoised_by_rank", asked)
        by_rank = sql_files.select(connection, "reports/false_negatives_by_rank", **asked).pl()
    names = ("judged", "judged_irrelevant", "unjudged", "denoised")
    assert [sum(row[name] for row in total) for name in names] == [
        3, 1, 2, 1,
    ]  # fmt: skip
    assert by_rank.filter(rank=4)["denoised_rate"].to_list() == [None]
    funnel = {row["what"]: row["number"] for row in curate.report(workspace, "funnel").rows}
    assert (funnel["hard negatives"], funnel["judged not relevant by people"]) == (2, 1)
    card = curate.report(workspace, "query_card", query="france").rows
    assert [(row["passage_id"], row["decided_by"]) for row in card] == [
        ("paris", "people"), ("rome", "scorer"), ("oslo", "scorer"), ("bern", "people"),
    ]  # fmt: skip
    manifest = curate.export(workspace, format="labeled-list").figures
    assert (manifest["candidates_unjudged"], manifest["candidates_judged_irrelevant"]) == (2, 1)


def test_a_measured_run_is_shown_while_another_process_writes(
    make_workspace: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Readers never wait: only what is still to be measured needs the lock."""
    workspace = make_workspace(
        PASSAGES, {"france": "?"}, qrels=[("france", "paris")], split="test", candidates={"france": ["paris"]}
    )
    split = workspace.scan("runs").collect()["split"][0]
    curate.evaluate(workspace, split=split)
    with workspace.lock():
        assert run(["-C", str(workspace.root), "evaluate", "--split", split]) == 0
    assert "MRR@10" in capsys.readouterr().out


def test_a_query_that_moved_to_another_split_has_each_pair_once(denoised: Workspace) -> None:
    """It was mined for dev, and then labels of test took it: rows of the old run are not current any more."""
    for split in ("dev", "test"):
        add_run(denoised, f"bm25-{split}", split, [
            {"run_id": f"bm25-{split}", "query_key": 0, "passage_key": 1, "rank": 1, "score": 1.0}
        ])  # fmt: skip
    job = Job(denoised, "load", "load-00002")
    job.write_rows(
        "qrels", [{"query_key": 0, "passage_key": 0, "relevance": 1, "split": "test", "source": "test.tsv"}]
    )
    job.finish()
    pairs = denoised.sql("select split, query_key, passage_key from current_decisions").rows()
    assert pairs == [("test", 0, 1)]
