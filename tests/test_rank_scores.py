"""The ranks of a run as scores in the ledger, joined with those of a model (curate/denoise/rank_scores.py)."""

import math
import shlex
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_tiny_model
from toy_scorer import ToyScorer, introduce

import curate
from curate import Workspace, named_queries
from curate.calibrate.forms import Curve
from curate.calibration import write_calibration
from curate.cli.main import run as main
from curate.config import Retriever, Split
from curate.cutoffs import set_cutoffs
from curate.denoise import resolve_scorer
from curate.denoise.rank_scores import RankScorer, ranks_to_score, score_ranks
from curate.denoise.stage import plan_denoise
from curate.errors import BadSettings, StepMissing
from curate.family import kin
from curate.jobs import Job
from curate.mine.import_run import import_run
from curate.models.folder import weights_sha256

Make = Callable[..., Workspace]
Model = Callable[..., Path]
WORDS = ["rain", "snow", "hail", "wind", "fog", "sun"]
PASSAGES = {f"p{n}": f"{WORDS[n % 6]} falls on day {n}" for n in range(24)}
QUERIES = {f"q{n}": f"when does {WORDS[n]} fall" for n in range(6)}


@pytest.fixture
def workspace(make_workspace: Make) -> Workspace:
    """Return a workspace with a BM25 run, which finds the four passages with the word of each query."""
    made = make_workspace(
        PASSAGES,
        {**QUERIES, "new": "rain on day"},
        qrels=[(f"q{n}", f"p{n}") for n in range(6)],
        unlabeled=["new"],
    )
    curate.mine(made, split="train", retriever="bm25", depth=4)
    return made


def scores(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the scores of ranks with the rank that each pair has in the run over train."""
    return workspace.sql(
        "select query_id, passage_id, rank, logit from scores join models on model_id = scorer_id "
        "join queries using (query_key) join passages using (passage_key) "
        "join candidates using (query_key, passage_key) join runs using (run_id) "
        "where runs.split = 'train' and role = 'ranks' order by query_id, rank"
    ).to_dicts()


def calibrated(workspace: Workspace, scorer: str) -> str:
    """Give a scorer the calibration sigmoid(logit), as `curate calibrate` would; return its id."""
    row = {"scorer_id": scorer, "a": 1.0, "b": 1.0, "c": 0.0, "form": "platt", "evidence": "labels", "queries": 1,
           "positives": 1, "others": 1, "seed": 0}  # fmt: skip
    name = f"calibrate-{len(workspace.records('calibrate')) + 1:05d}"
    write_calibration(workspace, name, {"calibration": row, "reliability": [], "promises": []})
    return name


def judge_of(workspace: Workspace) -> str:
    return str(workspace.sql("select model_id from models where role = 'cross-encoder'").item())


def with_judge(workspace: Workspace, folder: Path) -> str:
    """Let a model judge the top 3, and join it with the ranks by the mean as 'both'; return the ranks' id."""
    curate.denoise(workspace, scorer=str(folder), depth=3, accept_judge=True)
    judge = judge_of(workspace)
    ranks = score_ranks(workspace, run_over(workspace, "train"), 3).scorer_id
    for scorer in (judge, ranks):
        calibrated(workspace, scorer)
    set_cutoffs(workspace, "both", scorer=[judge, ranks], join="mean")
    return ranks


def run_over(workspace: Workspace, split: str) -> str:
    return str(workspace.sql("select run_id from current_runs where split = $split", split=split).item())


def test_a_score_is_minus_the_logarithm_of_the_rank(workspace: Workspace) -> None:
    """Of the candidates in the top-k, and of a positive that the run found below it."""
    score_ranks(workspace, run_over(workspace, "train"), 2)
    found = scores(workspace)
    assert all(row["logit"] == pytest.approx(-math.log(row["rank"]), abs=1e-6) for row in found)
    top = [(row["query_id"], row["rank"]) for row in found if row["rank"] <= 2]
    assert top == [(f"q{n}", rank) for n in range(6) for rank in (1, 2)]
    assert all(row["passage_id"] == f"p{row['query_id'][1]}" for row in found if row["rank"] > 2)


def test_one_rank_deeper_only_the_new_pairs_are_written(workspace: Workspace) -> None:
    """All scores of a shard are then equal, which would be a fault of a model."""
    run = run_over(workspace, "train")
    first = score_ranks(workspace, run, 3)
    before = len(scores(workspace))
    assert ranks_to_score(workspace, run, 4) == 24 - before > 0
    assert score_ranks(workspace, run, 4) == first
    assert len(scores(workspace)) == 24


def test_what_the_ledger_has_is_not_written_again(workspace: Workspace) -> None:
    """So nothing that depends on the scores, such as an exported set, becomes stale."""
    run = run_over(workspace, "train")
    score_ranks(workspace, run, 4)
    assert ranks_to_score(workspace, run, 2) == 0
    score_ranks(workspace, run, 2)
    assert len(workspace.records("ranks")) == 1


def test_a_pair_that_the_run_has_not_found_has_no_score(make_workspace: Make) -> None:
    """The label of q0 is a passage without its word."""
    made = make_workspace(PASSAGES, QUERIES, qrels=[("q0", "p1")])
    run = curate.mine(made, split="train", retriever="bm25", depth=4).run_id
    score_ranks(made, run, 4)
    assert [row["passage_id"] for row in scores(made)] == ["p0", "p6", "p12", "p18"]


@pytest.mark.parametrize("retriever", ["bm25", "dense", "hybrid"])
def test_one_retriever_has_one_id_for_every_split_and_depth(
    workspace: Workspace, tiny_encoder: Model, retriever: Retriever
) -> None:
    """A hybrid run is as deep as its sources, which changes what it unites: at another depth it is another one."""
    encoder = str(tiny_encoder())

    def of(split: Split, depth: int) -> str:
        run = curate.mine(workspace, split=split, retriever=retriever, depth=depth, encoder=encoder).run_id
        return RankScorer.of(workspace, run).scorer_id

    assert of("train", 4) == of("unlabeled", 4)
    assert (of("train", 4) == of("train", 5)) == (retriever != "hybrid")


def test_a_dense_run_made_before_scores_had_a_name_has_the_same_id(
    workspace: Workspace, tiny_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings do not say how it was scored, which changes no rank worth the name."""
    run = curate.mine(workspace, retriever="dense", depth=4, encoder=str(tiny_encoder())).run_id
    scorer = RankScorer.of(workspace, run)
    record = workspace.record(run)
    assert record is not None
    assert "score" in record.settings
    older = {name: value for name, value in record.settings.items() if name != "score"}

    monkeypatch.setattr(Workspace, "record", lambda *_: replace(record, settings=older))

    assert RankScorer.of(workspace, run) == scorer


def test_another_encoder_is_another_retriever(workspace: Workspace, tmp_path: Path) -> None:
    models = [str(write_tiny_model(tmp_path / f"encoder-{seed}", head=False, seed=seed)) for seed in (0, 1)]
    runs = [curate.mine(workspace, retriever="dense", depth=4, encoder=model).run_id for model in models]
    assert len({RankScorer.of(workspace, run).scorer_id for run in runs}) == 2


def test_an_imported_run_has_ranks_too(workspace: Workspace, tmp_path: Path) -> None:
    """Its id is that of the file, because nothing else is known of its retriever."""
    lines = [f"q{n} Q0 p{6 * place + n} {place + 1} {9 - place} other" for n in range(6) for place in range(3)]
    (tmp_path / "other.run").write_text("\n".join(lines) + "\n")
    run = import_run(workspace, tmp_path / "other.run", split="train").run_id
    assert score_ranks(workspace, run, 3).scorer_id.startswith("trec-ranks-")


def test_calibrating_makes_the_ranks_scores_and_leaves_the_current_run(workspace: Workspace) -> None:
    """Six labels are too few to calibrate, but the ranks stay, and the plan said how many there would be."""
    current = workspace.sql("select run_id, because from current_runs where split = 'train'").to_dicts()
    plan = curate.plan_calibrate(workspace, ranks=True, depth=3)
    assert plan.notes[-1] == f"the ranks of {plan.total} pairs become scores first"
    assert not scores(workspace)
    with pytest.raises(StepMissing, match="too little to calibrate bm25-ranks-"):
        curate.calibrate(workspace, ranks=True, depth=3)
    assert len(scores(workspace)) == plan.total
    assert workspace.sql("select run_id, because from current_runs where split = 'train'").to_dicts() == current


@pytest.mark.parametrize(
    "beside", [{"scorer": "judge"}, {"scale": "log-odds"}, {"precision": 0.9}, {"share_false": 0.05}]
)
def test_what_says_nothing_of_ranks_is_refused(workspace: Workspace, beside: dict[str, Any]) -> None:
    with pytest.raises(BadSettings, match=r"--ranks calibrates ranks, to join them with a model. Give it without"):
        curate.calibrate(workspace, ranks=True, **beside)


def test_ranks_are_calibrated_as_ranks_only(workspace: Workspace) -> None:
    """By their id they are refused, so that no other option slips through."""
    scorer = score_ranks(workspace, run_over(workspace, "train"), 3).scorer_id
    with pytest.raises(BadSettings, match=r"is no model\. Ranks are calibrated by: curate calibrate --ranks"):
        curate.calibrate(workspace, scorer=scorer, scale="log-odds")


def test_ranks_are_no_probabilities_until_they_are_calibrated(
    workspace: Workspace, tiny_cross_encoder: Model
) -> None:
    curate.denoise(workspace, scorer=str(tiny_cross_encoder()), depth=3, accept_judge=True)
    both = [judge_of(workspace), score_ranks(workspace, run_over(workspace, "train"), 3).scorer_id]
    with pytest.raises(StepMissing, match=r"which are no probabilities.*curate calibrate --ranks"):
        set_cutoffs(workspace, "both", scorer=both, join="mean")
    calibrated(workspace, both[1])
    set_cutoffs(workspace, "both", scorer=both, join="mean")


def test_ranks_never_decide_alone(workspace: Workspace) -> None:
    """Neither by their id, nor because no other scorer has scored here yet."""
    scorer = score_ranks(workspace, run_over(workspace, "train"), 3).scorer_id
    calibrated(workspace, scorer)
    with pytest.raises(BadSettings, match="ranks alone cannot denoise"):
        set_cutoffs(workspace, "x", scorer=scorer)
    for step in (lambda: set_cutoffs(workspace, "x"), lambda: curate.calibrate(workspace)):
        with pytest.raises(StepMissing, match="no cutoffs yet"):
            step()


@pytest.fixture
def labelled(make_workspace: Make) -> Workspace:
    """Return a workspace with 120 labelled queries, whose passages BM25 ranks by the words that they share."""
    words = ["".join(letters) for letters in product("abcde", "fghij", "klmno")]
    texts = [" ".join(words[n : n + 3]) for n in range(122)]
    passages = {f"p{n}": text for n, text in enumerate(texts)}
    queries = {f"q{n}": text for n, text in enumerate(texts[:120])}
    made = make_workspace(passages, queries, qrels=[(f"q{n}", f"p{n}") for n in range(120)])
    curate.mine(made, split="train", retriever="bm25", depth=4)
    return made


def test_the_next_command_joins_the_ranks_with_the_model(labelled: Workspace, tiny_cross_encoder: Model) -> None:
    """Before a model has scored, it says that one must; once they are joined, the calibration is only taken."""
    first = curate.calibrate(labelled, ranks=True, depth=3)
    ranks = first.calibration["scorer_id"]
    assert first.price in first.text()
    assert first.next.startswith("curate denoise --scorer MODEL, then: curate cutoffs set both --scorer MODEL ")
    model = str(tiny_cross_encoder())
    with pytest.raises(StepMissing, match="random passages have a probability"):
        curate.denoise(labelled, scorer=model, depth=3, accept_judge=True)
    judge = judge_of(labelled)
    curate.calibrate(labelled, scorer=judge, scale="log-odds")
    curate.denoise(labelled, scorer=model, depth=3, accept_judge=True)
    then = curate.calibrate(labelled, ranks=True).next
    assert then == f"curate cutoffs set both --scorer {judge} --scorer {ranks} --join mean"
    assert main(["-C", str(labelled.root), *shlex.split(then)[1:]]) == 0
    curate.use(labelled, cutoffs="both")
    assert curate.calibrate(labelled, ranks=True).next == "curate cutoffs set both"
    other = curate.mine(labelled, split="train", retriever="bm25", language="english", depth=4).run_id
    replaced = curate.calibrate(labelled, ranks=True, run=other)
    new = replaced.calibration["scorer_id"]
    assert new != ranks
    assert replaced.next == f"curate cutoffs set both --scorer {judge} --scorer {new} --join mean"


def test_calibrating_ranks_says_which_ranks_the_mean_never_keeps(labelled: Workspace) -> None:
    """The mean is at least half the probability of the rank; hard negatives have less than 0.1."""
    found = curate.calibrate(labelled, ranks=True, depth=3)
    curve = Curve(*(found.calibration[name] for name in "abc"))
    never = [rank for rank in (1, 2, 3) if curve.probability(np.array([-math.log(rank)]))[0] / 2 >= 0.1]
    assert never == [1]
    assert found.price.startswith("Under the mean with one model, rank 1 is never a hard negative")


def test_ranks_join_with_a_model(workspace: Workspace, tiny_cross_encoder: Model) -> None:
    """The probability is the mean of that of the model and of sigmoid(-ln 2) = 1/3 for the second rank."""
    ranks = with_judge(workspace, tiny_cross_encoder())
    found = workspace.sql(
        "select d.probability, s.probability as own from decisions d join scores using (query_key, passage_key) "
        "join probabilities s using (query_key, passage_key) where d.cutoffs = 'both' and s.cutoffs = 'default' "
        "and d.rank = 2 and decision not in ('positive', 'duplicate') and scores.scorer_id = $ranks",
        ranks=ranks,
    ).to_dicts()
    assert found
    assert all(row["probability"] == pytest.approx((row["own"] + 1 / 3) / 2, abs=1e-6) for row in found)


def test_denoising_and_augmenting_under_joined_cutoffs_score_by_both(
    workspace: Workspace, tiny_cross_encoder: Model
) -> None:
    """Of the ranks, nothing is said of how good a judge they are: they are the retriever."""
    ranks = with_judge(workspace, tiny_cross_encoder())
    plan = curate.plan_denoise(workspace, cutoffs="both", depth=4)
    assert ranks in plan.notes[0]
    assert any(note.endswith("become scores, too") for note in plan.notes)
    denoised = curate.denoise(workspace, cutoffs="both", depth=4, accept_judge=True)
    assert (denoised.scored_now, denoised.other_judges) == (plan.total - plan.cached, {})
    assert denoised.scorer_id == judge_of(workspace)
    planned = curate.plan_augment(workspace, cutoffs="both")
    assert not any("ranks" in note for note in planned.notes if note.startswith("Then"))
    curate.augment(workspace, cutoffs="both")
    unscored = workspace.sql("select count(*) from decisions where cutoffs = 'both' and decision = 'unscored'")
    assert unscored.item() == 0


def test_a_query_has_enough_negatives_once_model_and_ranks_say_so(
    labelled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its rank, the second candidate has a probability of 1/3.

    The model rejects all but the positive: by 0.0003 for a query with an even number, by 0.047 for another. So the
    mean is below 0.18 for the former alone. There, two ranks are enough.
    """

    def logit(query: str, passage: str) -> float:
        rejected = -8.0 if number[query] % 2 == 0 else -3.0
        return 5.0 if passage == positive[query] else rejected

    labels = labelled.sql(
        "select query_id, queries.text as query, passages.text as passage from positives "
        "join queries using (query_key) join passages using (passage_key)"
    ).to_dicts()
    number = {row["query"]: int(row["query_id"][1:]) for row in labels}
    positive = {row["query"]: row["passage"] for row in labels}
    toy = ToyScorer("toy", logit)
    monkeypatch.setattr(resolve_scorer, "find_source", lambda *_: toy)
    monkeypatch.setattr(Workspace, "refresh_catalogue", lambda _self: True)  # nothing here reads it
    introduce(labelled, "toy")
    run = run_over(labelled, "train")
    ranks = score_ranks(labelled, run, 1).scorer_id
    calibrated(labelled, ranks)
    set_cutoffs(labelled, "both", scorer=["toy", ranks], join="mean", depth=4, negative_below=0.18)
    result = curate.denoise(labelled, run=run, cutoffs="both", enough=1, accept_judge=True)

    pairs = labelled.sql(
        "select candidates.query_key, rank, scores.logit is null as lacking from candidates left join scores "
        "on scores.query_key = candidates.query_key and scores.passage_key = candidates.passage_key "
        "and scores.scorer_id = 'toy'"
    ).to_dicts()
    lacking = [pair for pair in pairs if pair["lacking"]]
    sample = set(labelled.sql(f"select query_key from sampled_queries('{run}', 'toy')")["query_key"].to_list())
    assert {pair["query_key"] for pair in lacking} == set(range(0, 120, 2)) - sample
    assert {pair["rank"] for pair in lacking} == {3, 4}
    assert result.left_unscored == len(lacking)
    assert len(scores(labelled)) == len(pairs)  # ranks cost nothing, so all are written
    plan = plan_denoise(labelled, run=run, cutoffs="both", enough=1)
    assert (plan.total, plan.notes[-1]) == (plan.cached, "cutoffs: both")


def test_cutoffs_with_the_ranks_of_another_retriever_are_refused_before_a_model_scores(
    workspace: Workspace, tiny_cross_encoder: Model
) -> None:
    """Also in a dry run. The message says what to calibrate."""
    with_judge(workspace, tiny_cross_encoder())
    curate.mine(workspace, split="train", retriever="bm25", language="english", depth=4)
    before = workspace.sql("select * from scores").height
    for ask in (curate.plan_denoise, curate.denoise):
        with pytest.raises(
            BadSettings, match=r"ranks of another retriever, bm25-ranks-.*curate calibrate --ranks --run"
        ):
            ask(workspace, cutoffs="both")
    assert workspace.sql("select * from scores").height == before


def test_augmenting_is_refused_before_it_mines_in_another_way(
    workspace: Workspace, tiny_cross_encoder: Model, tiny_encoder: Model
) -> None:
    with_judge(workspace, tiny_cross_encoder())
    with pytest.raises(BadSettings, match="augmenting would mine in another way"):
        curate.augment(workspace, cutoffs="both", encoder=str(tiny_encoder()))
    other = curate.mine(workspace, split="train", retriever="bm25", language="english", depth=4).run_id
    curate.use(workspace, run=other)
    with pytest.raises(BadSettings, match="ranks of another retriever"):
        curate.augment(workspace, cutoffs="both")
    assert workspace.sql("select run_id from runs where split = 'unlabeled'").is_empty()


def test_reports_on_one_judge_take_the_model(workspace: Workspace, tiny_cross_encoder: Model) -> None:
    """The ranks are the retriever, with which the judge is compared."""
    with_judge(workspace, tiny_cross_encoder())
    values = named_queries.values(workspace, "judge", {"cutoffs": "both"})
    assert values["scorer"] == judge_of(workspace)


def test_a_retriever_that_was_trained_here_is_no_judge(workspace: Workspace, tiny_encoder: Model) -> None:
    """Its ranks know the labels that would calibrate them, also when its training is forgotten."""
    model = workspace.root / "models" / "own"
    model.parent.mkdir()
    tiny_encoder().rename(model)
    Job(workspace, "train", "train-own", {"kind": "dual-encoder"}).finish(sha256=weights_sha256(model))
    run = curate.mine(workspace, split="train", retriever="dense", encoder="models/own", depth=4).run_id
    with pytest.raises(BadSettings, match="was trained here"):
        curate.calibrate(workspace, ranks=True, run=run)
    curate.rebuild(workspace, forget="train-own", yes=True)
    with pytest.raises(BadSettings, match="was trained here"):
        curate.calibrate(workspace, ranks=True, run=run)


def test_lost_scores_are_made_again(workspace: Workspace) -> None:
    """`curate rebuild` reads the ranks once more; the bytes are the same."""
    score_ranks(workspace, run_over(workspace, "train"), 3)
    (shard,) = workspace.shards("scores")
    before = shard.read_bytes()
    shard.unlink()
    curate.rebuild(workspace)
    assert shard.read_bytes() == before


def test_scores_that_were_lost_with_their_run_come_back_with_it(workspace: Workspace) -> None:
    """Without the run, `rebuild` takes them out, and says how to get them again."""
    run = run_over(workspace, "train")
    score_ranks(workspace, run, 3)
    before = scores(workspace)
    curate.rebuild(workspace, forget=run, yes=True)
    (shard,) = workspace.shards("scores")
    shard.unlink()
    (told,) = [note for note in curate.rebuild(workspace).mended if "are lost" in note]
    assert told.endswith(f"Score them again: curate calibrate --run {run} --ranks")
    curate.mine(workspace, split="train", retriever="bm25", depth=4)
    score_ranks(workspace, run, 3)
    assert scores(workspace) == before


def test_a_kill_before_the_record_loses_nothing(workspace: Workspace) -> None:
    """The shard is there, so the same command only writes the record."""
    run = run_over(workspace, "train")
    score_ranks(workspace, run, 3)
    (record,) = workspace.records("ranks")
    for folder in ("stages", "record-copies"):
        (workspace.root / "tables" / folder / f"{record.job}.json").unlink()
    (shard,) = workspace.shards("scores")
    before = shard.read_bytes()
    score_ranks(workspace, run, 3)
    (again,) = workspace.records("ranks")
    assert (again.facts, shard.read_bytes()) == (record.facts, before)


def test_ranks_and_the_encoder_that_made_them_are_of_one_family(workspace: Workspace, tiny_encoder: Model) -> None:
    run = curate.mine(workspace, split="train", retriever="dense", encoder=str(tiny_encoder()), depth=4).run_id
    scorer = score_ranks(workspace, run, 3).scorer_id
    (relation,) = kin(workspace, run, [scorer])
    assert relation.why == "certain: the scores are ranks by this encoder"


def test_the_doctor_examines_models_only(workspace: Workspace, tiny_cross_encoder: Model) -> None:
    """Ranks read no text."""
    with_judge(workspace, tiny_cross_encoder())
    curate.use(workspace, cutoffs="both")
    scorers = [subject.name for subject in curate.doctor(workspace).subjects if subject.kind == "scorer"]
    assert scorers == [judge_of(workspace)]
