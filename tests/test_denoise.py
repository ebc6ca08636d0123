"""Denoising (curate/denoise): every pair is scored once, and unknown pairs are never negatives."""

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import curate
from curate import Workspace
from curate.cli.main import run
from curate.cutoffs import set_cutoffs
from curate.denoise import score_checks
from curate.denoise.stage import DenoiseOptions, DenoiseRequest, plan_denoise
from curate.errors import BadSettings, CurateError, Damaged
from curate.jobs import Job
from curate.models import cross_encoder
from curate.models.cross_encoder import CrossEncoder

Make = Callable[..., Workspace]
Model = Callable[..., Path]
PASSAGES = {
    f"p{number}": f"passage {chr(97 + number)} about {'abcdefghij'[number % 10] * 3}" for number in range(12)
}
QUERIES = {"q1": "what about aaa", "q2": "what about bbb", "q3": "nothing was found"}
FOUND = {"q1": ["p0", "p1", "p2", "p3"], "q2": ["p1", "p4", "p5"]}


@pytest.fixture
def small_set(make_workspace: Make) -> Workspace:
    return make_workspace(PASSAGES, QUERIES, qrels=[("q1", "p0"), ("q2", "p9")], candidates=FOUND)


def ledger(workspace: Workspace) -> list[tuple[str, str]]:
    query = """
        select query_id, passage_id from scores
        inner join queries using (query_key) inner join passages using (passage_key)
        order by query_key, passage_key
    """
    return workspace.sql(query).rows()


def test_every_candidate_and_every_positive_of_the_run_is_scored(
    small_set: Workspace, tiny_cross_encoder: Model
) -> None:
    """p9 was not retrieved for q2, but the audit and distillation need its score."""
    result = curate.denoise(small_set, scorer=str(tiny_cross_encoder()))
    expected = [
        ("q1", "p0"),
        ("q1", "p1"),
        ("q1", "p2"),
        ("q1", "p3"),
        ("q2", "p1"),
        ("q2", "p4"),
        ("q2", "p5"),
        ("q2", "p9"),
    ]
    assert ledger(small_set) == expected
    assert (result.pairs, result.scored_now) == (8, 8)


def test_the_ledger_holds_the_scorers_own_logits(small_set: Workspace, tiny_cross_encoder: Model) -> None:
    """Logits are stored by query and passage, not by line (a defect of RocketQA's scripts)."""
    folder = tiny_cross_encoder()
    curate.denoise(small_set, scorer=str(folder))
    rows = small_set.sql("select query_key, passage_key, logit from scores order by query_key, passage_key")
    scorer = CrossEncoder(folder)
    pairs = rows.select("query_key", "passage_key").to_numpy()
    tokens = scorer.prepare(list(QUERIES.values()), list(PASSAGES.values()), pairs)
    assert rows["logit"].to_numpy() == pytest.approx(scorer.score(tokens), abs=0.05)


def test_the_same_again_computes_nothing(
    small_set: Workspace, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other cutoffs are a query, never a forward pass. The model is not even loaded."""
    scorer = str(tiny_cross_encoder())
    curate.denoise(small_set, scorer=scorer)
    before = sorted(small_set.root.glob("tables/scores/**/*.parquet"))
    monkeypatch.setattr(CrossEncoder, "__init__", lambda *_, **__: pytest.fail("the model was loaded"))
    again = curate.denoise(small_set, scorer=scorer, negative_below=0.4, cutoffs="loose")
    assert again.scored_now == 0
    assert sorted(small_set.root.glob("tables/scores/**/*.parquet")) == before
    assert sorted(small_set.scan("cutoffs").collect()["name"].to_list()) == ["default", "loose"]


def test_a_deeper_look_scores_only_what_is_new(small_set: Workspace, tiny_cross_encoder: Model) -> None:
    """The ledger answers for pairs that were scored in any run."""
    scorer = str(tiny_cross_encoder())
    shallow = curate.denoise(small_set, scorer=scorer, depth=2)
    deep = curate.denoise(small_set, scorer=scorer, depth=4)
    assert (shallow.scored_now, deep.scored_now) == (5, 3)
    assert len(ledger(small_set)) == len(set(ledger(small_set))) == 8


def test_another_scorer_starts_from_nothing(small_set: Workspace, tiny_cross_encoder: Model) -> None:
    """Scores with different fingerprints never mix."""
    curate.denoise(small_set, scorer=str(tiny_cross_encoder("a")))
    other = curate.denoise(small_set, scorer=str(tiny_cross_encoder("b", seed=1)))
    assert other.scored_now == 8
    assert small_set.sql("select count(distinct scorer_id) as n from scores")["n"].to_list() == [2]


def test_a_changed_model_under_the_same_name_is_another_scorer(
    small_set: Workspace, tiny_cross_encoder: Model
) -> None:
    """The fingerprint is computed from the files, not from the name."""
    folder = tiny_cross_encoder("m")
    curate.denoise(small_set, scorer=str(folder))
    (folder / "model.safetensors").write_bytes(
        (tiny_cross_encoder("n", seed=1) / "model.safetensors").read_bytes()
    )
    assert curate.denoise(small_set, scorer=str(folder)).scored_now == 8


def test_a_dry_run_tells_the_work_and_changes_nothing(small_set: Workspace, tiny_cross_encoder: Model) -> None:
    """It tells how many pairs are left, how many are in the ledger, and how long scoring takes."""
    scorer = str(tiny_cross_encoder())
    curate.denoise(small_set, scorer=scorer, depth=2)
    before = sorted(small_set.root.rglob("*"))
    plan = plan_denoise(small_set, scorer=scorer, depth=4)
    assert (plan.total, plan.cached) == (8, 5)
    assert plan.seconds is not None
    assert plan.tokens is not None
    assert plan.tokens >= 3 * 5  # three pairs, each with a letter on both sides and three special tokens
    assert sorted(small_set.root.rglob("*")) == before
    plan = plan_denoise(small_set, scorer=scorer, depth=2, negative_below=0.2)
    assert (plan.unit, plan.total, plan.cached) == ("cutoffs", 1, 0)
    curate.denoise(small_set, scorer=str(tiny_cross_encoder("other", seed=1)), depth=2)
    assert plan_denoise(small_set, scorer=scorer, depth=2).unit == "cutoffs"  # they are for the other scorer


def test_a_dry_run_plans_for_the_cutoffs_that_are_named(
    small_set: Workspace,
    tiny_cross_encoder: Model,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`strict` is still to be set, though `default` has these very values."""
    scorer = str(tiny_cross_encoder())
    curate.denoise(small_set, scorer=scorer, depth=2)
    monkeypatch.chdir(small_set.root)
    planned = {}
    for name in ("default", "strict"):
        assert run(["denoise", "--scorer", scorer, "--depth", "2", "--cutoffs", name, "--dry-run", "--json"]) == 0
        planned[name] = json.loads(capsys.readouterr().out)
    assert planned["default"]["cached"] == planned["default"]["total"]
    assert (planned["strict"]["unit"], planned["strict"]["cached"]) == ("cutoffs", 0)


def test_a_scorer_that_scores_all_alike_is_refused(
    make_workspace: Make, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken head gives every pair the same score; none of these scores is kept."""
    workspace = make_workspace(PASSAGES, QUERIES, qrels=[("q1", "p0")], candidates={"q1": list(PASSAGES)})
    monkeypatch.setattr(score_checks, "FEWEST_TO_COMPARE", 8)
    with pytest.raises(CurateError, match="the same score"):
        curate.denoise(workspace, scorer=str(tiny_cross_encoder(spread=0.0)))
    assert ledger(workspace) == []
    assert workspace.scan("cutoffs").collect().is_empty()


def test_scores_that_are_not_finite_are_refused(
    small_set: Workspace, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN would be above every cutoff."""
    monkeypatch.setattr(CrossEncoder, "_forward", lambda _self, rows: torch.full((len(rows),), torch.inf))
    with pytest.raises(CurateError, match="not finite"):
        curate.denoise(small_set, scorer=str(tiny_cross_encoder()))
    assert ledger(small_set) == []


def test_without_a_scorer_the_error_says_how_to_make_one(small_set: Workspace) -> None:
    """There is no default scorer from the hub."""
    with pytest.raises(BadSettings, match="curate train cross-encoder"):
        curate.denoise(small_set)


PROGRAM = """
import sys, curate
from curate.denoise import scoring
scoring.SMALLEST_SHARD = 3
curate.denoise(curate.Workspace(sys.argv[1]), scorer=sys.argv[2], depth=4)
"""


@pytest.mark.slow
def test_a_job_killed_at_any_moment_goes_on_to_the_same_bytes(
    small_set: Workspace, tiny_cross_encoder: Model
) -> None:
    """After repeated kill -9 and restarts, the result is the same as without any kill."""
    scorer = tiny_cross_encoder()
    command = [sys.executable, "-c", PROGRAM]
    whole = subprocess.run([*command, str(small_set.root), str(scorer)], check=True, capture_output=True)
    assert whole.returncode == 0
    expected = tables(small_set.root)
    assert sum(name.startswith("scores/score-") for name in expected) > 1, "the job must have several shards"
    chance = random.Random(7)
    for path in [*small_set.root.glob("tables/**/score-*"), *small_set.root.glob("tables/**/cutoffs-*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert tables(small_set.root) != expected
    for _ in range(3):
        process = subprocess.Popen([*command, str(small_set.root), str(scorer)], stderr=subprocess.DEVNULL)
        wait_for_shard(small_set.root, process, chance.random() * 0.05)
        process.kill()
        process.wait()
    subprocess.run([*command, str(small_set.root), str(scorer)], check=True, capture_output=True)
    assert tables(small_set.root) == expected


def wait_for_shard(root: Path, process: "subprocess.Popen[bytes]", longer: float) -> None:
    """Wait until the process has begun to write, and then a little longer."""
    known = len(list(root.glob("tables/scores/*/*.parquet")))
    while process.poll() is None and len(list(root.glob("tables/scores/*/*.parquet"))) == known:
        time.sleep(0.005)
    time.sleep(longer)


def tables(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root / "tables")): path.read_bytes() for path in root.glob("tables/**/*.parquet")}


def test_another_maximum_length_is_another_scorer(small_set: Workspace, tiny_cross_encoder: Model) -> None:
    """Logits at 32 tokens are never stored under the name of those at 64."""
    scorer = str(tiny_cross_encoder())
    short = curate.denoise(small_set, scorer=scorer, max_length=32, depth=2)
    own = curate.denoise(small_set, scorer=scorer, depth=4)
    assert short.scorer_id != own.scorer_id
    assert (short.scored_now, own.scored_now) == (5, 8)


def test_another_number_format_is_another_scorer(
    small_set: Workspace, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a workspace moves to a machine without bf16, its old scores are kept apart from new ones."""
    scorer = str(tiny_cross_encoder())
    monkeypatch.setattr(cross_encoder, "number_format", lambda: "bf16")
    before = curate.denoise(small_set, scorer=scorer, depth=2)
    monkeypatch.setattr(cross_encoder, "number_format", lambda: "fp32")
    assert curate.denoise(small_set, scorer=scorer, depth=2).scorer_id == before.scorer_id
    after = curate.denoise(small_set, scorer=scorer, depth=4)
    assert after.scorer_id != before.scorer_id
    assert after.scored_now == 8


def test_a_renamed_model_folder_is_the_same_scorer(small_set: Workspace, tiny_cross_encoder: Model) -> None:
    """The ledger answers by fingerprint, and the decisions use the name under which the scores are stored."""
    folder = tiny_cross_encoder("before")
    first = curate.denoise(small_set, scorer=str(folder))
    renamed = curate.denoise(small_set, scorer=str(folder.rename(folder.with_name("after"))))
    assert (renamed.scorer_id, renamed.scored_now) == (first.scorer_id, 0)


def test_labels_that_come_later_are_scored_too(small_set: Workspace, tiny_cross_encoder: Model) -> None:
    """An annotation can make a positive that no run found, and the audit needs its score."""
    scorer = str(tiny_cross_encoder())
    curate.denoise(small_set, scorer=scorer)
    job = Job(small_set, "load", "load-00002")
    job.write_rows("annotations", [{"query_key": 0, "passage_key": 11, "relevant": True, "annotator": "a person"}])
    job.finish()
    assert curate.denoise(small_set, scorer=scorer).scored_now == 1
    assert ("q1", "p11") in ledger(small_set)
    assert len(ledger(small_set)) == len(set(ledger(small_set)))


def test_a_lost_shard_of_a_finished_job_is_scored_again_by_rebuild(
    small_set: Workspace, tiny_cross_encoder: Model
) -> None:
    """The record names the shard, so its pairs are not taken for unscored ones."""
    scorer = str(tiny_cross_encoder())
    curate.denoise(small_set, scorer=scorer)
    expected = ledger(small_set)
    next(small_set.root.glob("tables/scores/score-*/*.parquet")).unlink()
    with pytest.raises(Damaged, match="is missing"):
        curate.denoise(small_set, scorer=scorer)
    curate.rebuild(small_set)
    assert ledger(small_set) == expected


def test_more_tokens_than_the_model_has_positions_are_refused(
    small_set: Workspace, tiny_cross_encoder: Model
) -> None:
    """The tiny model has 64 positions."""
    with pytest.raises(BadSettings, match="more than the 64 tokens"):
        curate.denoise(small_set, scorer=str(tiny_cross_encoder()), max_length=128)


def test_options_that_are_given_come_before_those_of_the_last_scorer(
    small_set: Workspace, tiny_cross_encoder: Model
) -> None:
    """All that is not given is as in the last call: here the scorer."""
    short = curate.denoise(small_set, scorer=str(tiny_cross_encoder()), max_length=32, depth=2)
    request = DenoiseRequest.of(small_set, max_length=48, relevant_class="yes", depth=3)
    assert (request.settings.max_length, request.settings.relevant_class, request.settings.depth) == (48, "yes", 3)
    assert request.settings.scorer
    assert curate.denoise(small_set, max_length=48).scorer_id != short.scorer_id
    assert DenoiseRequest.of(small_set).settings.max_length == 48


@pytest.mark.parametrize("option", sorted(set(DenoiseOptions.__annotations__) - {"negative_below"}))
def test_only_cutoffs_change_without_scoring(small_set: Workspace, tiny_cross_encoder: Model, option: str) -> None:
    """Every option besides the cutoffs and their names may change what the scorer says."""
    set_cutoffs(small_set, "default", scorer_id="judge", depth=50, negative_below=0.1, positive_above=0.9)
    values: dict[str, Any] = {"depth": 3, "max_length": 48, "negatives": 2, "positive_above": 0.8}
    values |= {"cutoffs": "default", "run": "bm25-train", "scorer": "models/ce", "relevant_class": "yes"}
    values |= {"instruction": "Find an answer", "prompt": "judge.txt", "requests": 2, "timeout": 9.0}
    values |= {"accept_judge": True, "enough": 2, "backend": "torch", "max_flips": 0.02, "duplicate_above": 0.9}
    options: DenoiseOptions = {"negative_below": 0.2, option: values[option]}  # type: ignore[misc]
    scores_stay = option in ("positive_above", "duplicate_above", "cutoffs", "negatives", "accept_judge")
    assert (DenoiseRequest.of(small_set, **options).only_cutoffs is not None) == scores_stay
