"""`curate status`: what stands, what is stale, what is unscored, and the next command."""

import json
from collections.abc import Callable

import pytest
from conftest import add_run

import curate
from curate import Workspace
from curate.cli.main import run
from curate.jobs import Job

Make = Callable[..., Workspace]
PASSAGES = {"paris": "Paris is the capital.", "rome": "Rome has hills.", "oslo": "Oslo has a fjord."}


def score(workspace: Workspace, passages: dict[str, float]) -> None:
    """Write logits for the query `france` and set the cutoffs 0.1 and 0.9 over the top 3."""
    job = Job(workspace, "denoise", f"score-bm25-train-{len(workspace.records())}", {"run": "bm25-train"})
    job.write_rows("scores", [
        {"scorer_id": "judge", "query_key": 0, "passage_key": list(PASSAGES).index(passage), "logit": logit}
        for passage, logit in passages.items()
    ])  # fmt: skip
    job.finish()
    curate.set_cutoffs(workspace, "default", scorer_id="judge", depth=3, negative_below=0.1, positive_above=0.9)


@pytest.fixture
def mined(make_workspace: Make) -> Workspace:
    """Return a set with one train query, and a run that found all three passages for it."""
    found = {"france": ["paris", "rome", "oslo"]}
    return make_workspace(PASSAGES, {"france": "capital?"}, qrels=[("france", "paris")], candidates=found)


def test_each_state_names_the_next_command(make_workspace: Make) -> None:
    """The way leads from the collection to an export."""
    workspace = make_workspace(PASSAGES, {"france": "capital?"}, qrels=[("france", "paris")])
    assert curate.status(workspace).next == "curate mine"
    add_run(workspace, "bm25-train", "train", [
        {"run_id": "bm25-train", "query_key": 0, "passage_key": key, "rank": key + 1, "score": 1.0}
        for key in range(3)
    ])  # fmt: skip
    assert "curate denoise --scorer MODEL" in curate.status(workspace).next
    score(workspace, {"paris": 3.0, "rome": -3.0})
    assert curate.status(workspace).next == "curate denoise --run bm25-train --cutoffs default"
    score(workspace, {"oslo": -3.0})
    assert curate.status(workspace).next == "curate report, then curate export"
    curate.export(workspace, format="triplet")
    assert curate.status(workspace).next == "nothing is stale"


def test_a_workspace_with_a_recipe_goes_on_with_the_recipe(make_workspace: Make) -> None:
    """`curate init --recipe` settles the steps, so `curate mine` is not the next one."""
    workspace = make_workspace(PASSAGES, {"france": "capital?"}, qrels=[("france", "paris")])
    (workspace.root / "curate.toml").write_text('[recipe]\ninit = "models/start"\n', "utf-8")
    assert curate.status(Workspace(workspace.root)).next == "curate run"


def test_scored_and_unscored_are_counted_within_the_depth(mined: Workspace) -> None:
    """A labelled positive needs no score to be decided."""
    score(mined, {"rome": -3.0})
    (state,) = curate.status(mined).runs
    assert (state["candidates"], state["unscored"], state["because"]) == (3, 1, "denoised last")


def test_an_export_says_what_changed_since(mined: Workspace) -> None:
    """New scores and other cutoffs make it stale. A new revision with the same values does not."""
    score(mined, {"rome": -3.0, "oslo": -2.0})
    curate.export(mined, format="triplet")
    assert curate.status(mined).exports[0]["changed"] == []
    curate.set_cutoffs(mined, "default", negative_below=0.2)
    assert curate.status(mined).exports[0]["changed"] == ["cutoffs 'default'"]
    assert curate.status(mined).next == "curate export --name triplet --format triplet --force"
    curate.set_cutoffs(mined, "default", negative_below=0.1)
    assert curate.status(mined).exports[0]["changed"] == []
    score(mined, {"paris": 3.0})
    assert curate.status(mined).exports[0]["changed"] == ["scores"]


def test_an_export_of_another_run_is_not_called_current(mined: Workspace) -> None:
    """It is not stale either: its own run did not change."""
    score(mined, {"rome": -3.0, "oslo": -2.0})
    curate.export(mined, format="triplet")
    add_run(mined, "other", "train", [
        {"run_id": "other", "query_key": 0, "passage_key": 1, "rank": 1, "score": 1.0}
    ])  # fmt: skip
    curate.use(mined, run="other")
    (exported,) = curate.status(mined).exports
    assert (exported["current"], exported["changed"]) == (False, [])
    assert "not of the current runs, but of bm25-train" in curate.status(mined).text()


def test_the_text_never_cuts_an_id_and_json_has_a_schema(
    mined: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """People read the one, programs the other."""
    score(mined, {"rome": -3.0, "oslo": -2.0})
    assert run(["-C", str(mined.root), "status"]) == 0
    shown = capsys.readouterr().out
    assert "* bm25-train: 1 queries of 'train', top 3, denoised last" in shown
    assert "3 of 3 candidates within the cutoffs' depth are scored" in shown
    assert run(["-C", str(mined.root), "status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "curate.status/2"
    assert found["cutoffs"][0]["negative_below"] == 0.1
