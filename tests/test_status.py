"""`curate status`: what stands, what is stale, what is unscored, and the next command."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from conftest import add_run

import curate
from curate import Workspace
from curate.cli.main import run
from curate.denoise.score_job import score_job
from curate.jobs import Job
from curate.shards import Manifest
from curate.standing import command_to_mine, warnings

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
    curate.use(mined, auto=True)
    assert curate.status(mined).next == "nothing is stale"


def test_the_text_never_cuts_an_id_and_json_has_a_schema(
    mined: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """People read the one, programs the other."""
    score(mined, {"rome": -3.0, "oslo": -2.0})
    assert run(["-C", str(mined.root), "status"]) == 0
    shown = capsys.readouterr().out
    assert "* bm25-train: 1 query of 'train', top 3, denoised last" in shown
    assert "3 of 3 candidates within the cutoffs' depth are scored" in shown
    assert run(["-C", str(mined.root), "status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "curate.status/2"
    assert found["cutoffs"][0]["negative_below"] == 0.1


def load_another(workspace: Workspace) -> None:
    """Load one more passage, so that every run lacks it."""
    job = Job(workspace, "load", "load-00002")
    row = {"passage_key": 3, "passage_id": "bern", "title": "", "text": "Bern.", "text_hash": 4}
    job.write_rows("passages", [row])
    job.finish(counts={"passages": 1})


def newer_run(workspace: Workspace) -> None:
    """Add a run over train that is newer than all loads."""
    found = [
        {"run_id": "new", "query_key": 0, "passage_key": key, "rank": key + 1, "score": 1.0} for key in range(4)
    ]
    add_run(workspace, "new", "train", found)


def test_a_newer_run_is_denoised_and_used_instead_of_mined_again(mined: Workspace) -> None:
    """Mining once more would give the same run, and the advice would come back."""
    score(mined, {"rome": -3.0, "oslo": -2.0})
    load_another(mined)
    assert curate.status(mined).next.endswith(", then curate denoise --scorer MODEL")
    newer_run(mined)
    assert curate.status(mined).next == "curate denoise --run new --scorer MODEL"
    curate.set_cutoffs(mined, "default", enough=2)  # the newer run stops at as many negatives
    assert curate.status(mined).next == "curate denoise --run new --enough 2 --scorer MODEL"
    curate.use(mined, run="bm25-train")
    assert curate.status(mined).next == "curate use new"


def test_the_advice_to_mine_says_how_the_run_was_mined(mined: Workspace) -> None:
    """Its record has the options; those that are not the default are given again, quoted for a shell."""
    record = mined.records("mine")[0]
    dense = {"split": "train", "retriever": "dense", "depth": 100}
    options = {"encoder": "my models/tower", "index": "exact", "normalize": False}
    made = replace(record, settings=dense, facts={"options": options})
    assert (
        command_to_mine(made, "train", mined.settings.mine)
        == "curate mine --split train --retriever dense --encoder 'my models/tower' --no-normalize"
    )
    lexical = {"split": "train", "retriever": "bm25", "language": "english"}
    named = replace(record, settings=lexical, facts={"language_detected": False})
    assert command_to_mine(named, "train", mined.settings.mine) == "curate mine --split train --language english"
    detected = replace(named, facts={"language_detected": True})
    assert command_to_mine(detected, "train", mined.settings.mine) == "curate mine --split train"
    settings = {"split": "dev", "retriever": "trec", "depth": 9, "name": "mine", "own_copies": True}
    imported = replace(record, settings=settings, inputs={"run": "0"})
    assert (
        command_to_mine(imported, "dev", mined.settings.mine)
        == "curate mine --run FILE --split dev --name mine --own-copies"
    )


def test_the_advice_to_export_has_every_setting_of_the_export(mined: Workspace) -> None:
    """Otherwise it would make another set under the same name."""
    score(mined, {"rome": -3.0, "oslo": -2.0})
    curate.export(
        mined,
        format="triplet",
        name="first",
        run=["bm25-train"],
        negatives=2,
        positives=3,
        promote=True,
        augmented=False,
        seed=7,
    )
    score(mined, {"paris": 3.0})
    assert curate.status(mined).next == (
        "curate export --name first --format triplet --positives 3 --negatives 2 --promote --no-augmented "
        "--seed 7 --force"
    )


def test_new_queries_are_counted_although_others_left_the_split(mined: Workspace) -> None:
    """`france` becomes a dev query, and `italy` is new in train: one query is missing, not none."""
    job = Job(mined, "load", "load-00002")
    job.write_rows(
        "queries", [{"query_key": 1, "query_id": "italy", "text": "rome?", "text_hash": 5, "split": None}]
    )
    label = {"query_key": 0, "passage_key": 0, "relevance": 1}
    job.write_rows("qrels", [{**label, "split": "dev"}, {**label, "query_key": 1, "split": "train"}])
    job.finish(counts={"passages": 0})
    assert [row["queries_missing"] for row in curate.status(mined).runs] == [1]


def test_pairs_that_the_scorer_cannot_read_are_no_work_that_is_left(mined: Workspace) -> None:
    """Once the scorer has read all pairs, the advice to score them would never go away."""
    score(mined, {"rome": -3.0})
    assert curate.status(mined).next == "curate denoise --run bm25-train --cutoffs default"
    job = score_job(mined, "bm25-train", 3, "f" * 64)
    model = {"model_id": "judge", "role": "cross-encoder", "path": "judge", "fingerprint": "f" * 64}
    job.write_rows("models", [{**model, "settings": "{}"}])
    job.finish()
    (state,) = curate.status(mined).runs
    assert (state["unscored"], state["all_read"]) == (1, True)
    assert warnings(state, "default") == [
        "1 of 3 candidates of run bm25-train have no score, "
        "because the scorer finds no token in their query or passage"
    ]
    assert curate.status(mined).next == "curate report, then curate export"


def test_damaged_files_are_named(mined: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them, instead of an error about the first."""
    shards = sorted(path for path in mined.root.glob("tables/*/*/*.parquet"))[:2]
    for shard in shards:
        Manifest.path(shard).unlink()
    assert run(["-C", str(mined.root), "status"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{shard.relative_to(mined.root)} has no valid manifest beside it" in shown for shard in shards)
    assert "Next: curate rebuild" in shown
