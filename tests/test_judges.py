"""Cutoffs of several scorers, whose probabilities are joined (sql/views/probabilities.sql)."""

import itertools
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import add_run, write_workspace

import curate
from curate import Workspace, sql_files
from curate.calibration import write_calibration
from curate.cli.main import run
from curate.cutoffs import cutoffs_in_force, set_cutoffs
from curate.errors import BadSettings, StepMissing, UnknownName
from curate.jobs import Job

Make = Callable[..., Workspace]
Model = Callable[..., Path]
LOW, HIGH = 0.1, 0.9
JUDGES = ("anna", "berta", "carla")
ONE = {"scorer_id": "anna", "depth": 50, "negative_below": LOW, "positive_above": HIGH}


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def score(workspace: Workspace, by: dict[str, dict[tuple[int, int], float]]) -> None:
    """Write probabilities (scorer -> (query, passage) -> probability) into the ledger as logits."""
    for scorer, pairs in by.items():
        job = Job(workspace, "denoise", f"score-{len(workspace.records())}", {"run": "bm25-train", "depth": 50})
        row = {
            "model_id": scorer,
            "role": "cross-encoder",
            "path": scorer,
            "fingerprint": scorer,
            "settings": "{}",
        }
        job.write_rows("models", [row])
        rows = [
            {"scorer_id": scorer, "query_key": q, "passage_key": p, "logit": logit(value)}
            for (q, p), value in pairs.items()
        ]
        job.write_rows("scores", rows)
        job.finish(scorer_id=scorer, run="bm25-train")


def judged(make: Make, pairs: list[tuple[float | None, ...]], join: str) -> list[str]:
    """Return the decision on one unlabelled candidate for each tuple, which has a probability for each judge."""
    names = [f"p{n}" for n in range(len(pairs))]
    workspace = make(
        {name: f"passage {name}" for name in ("answer", *names)},
        {"q": "question"},
        qrels=[("q", "answer")],
        candidates={"q": names},
    )
    judges = JUDGES[: len(pairs[0])]
    score(
        workspace,
        {
            judge: {(0, n + 1): of[at] for n, of in enumerate(pairs) if of[at] is not None}  # type: ignore[misc]
            for at, judge in enumerate(judges)
        },
    )
    set_cutoffs(workspace, "joined", scorer=judges, join=join, negative_below=LOW, positive_above=HIGH)
    query = "select decision from decisions where cutoffs = 'joined' order by passage_key"
    return [str(row) for row in workspace.sql(query)["decision"]]


NEGATIVE, UNCERTAIN, POSITIVE, UNSCORED = "hard_negative", "uncertain", "false_negative", "unscored"


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        # both below, one below, both above, one above, opposites, both between, just one of them knows the pair
        ("all", [NEGATIVE, UNCERTAIN, POSITIVE, UNCERTAIN, UNCERTAIN, UNCERTAIN, UNSCORED, UNSCORED, UNCERTAIN]),
        ("any", [NEGATIVE, NEGATIVE, POSITIVE, POSITIVE, UNCERTAIN, UNCERTAIN, UNSCORED, UNSCORED, UNSCORED]),
        ("mean", [NEGATIVE, UNCERTAIN, POSITIVE, UNCERTAIN, UNCERTAIN, UNCERTAIN, UNSCORED, UNSCORED, UNCERTAIN]),
    ],
)
def test_two_judges_decide_together(make_workspace: Make, join: str, expected: list[str]) -> None:
    """With all, both must agree. With any, one is enough unless the other one says the opposite."""
    pairs: list[tuple[float | None, ...]] = [
        (0.04, 0.05), (0.04, 0.30), (0.95, 0.96), (0.96, 0.60), (0.05, 0.95), (0.4, 0.5),
        (0.04, None), (None, 0.96), (0.5, None),
    ]  # fmt: skip
    assert judged(make_workspace, pairs, join) == expected


def band(probability: float) -> str:
    return NEGATIVE if probability < LOW else UNCERTAIN if probability <= HIGH else POSITIVE


def by_rule(join: str, probabilities: tuple[float, ...]) -> str:
    """Return the decision of judges who have all scored a pair, by the rule as the documentation tells it."""
    bands = {band(value) for value in probabilities}
    if join == "mean":
        return band(sum(probabilities) / len(probabilities))
    if join == "all":
        return bands.pop() if len(bands) == 1 else UNCERTAIN
    certain = bands - {UNCERTAIN}
    return certain.pop() if len(certain) == 1 else UNCERTAIN


@pytest.mark.parametrize("join", ["all", "any", "mean"])
def test_a_pair_without_one_score_is_decided_only_if_no_score_could_change_that(
    make_workspace: Make, join: str
) -> None:
    """The oracle tries every value that a missing probability might have. Three judges, random pairs."""
    draw = random.Random(3)
    values = [0.0001, 0.05, 0.2, 0.5, 0.8, 0.95, 0.9999]
    pairs = [
        tuple(None if draw.random() < 0.25 else draw.choice(values) + draw.uniform(-5e-5, 5e-5) for _ in JUDGES)
        for _ in range(300)
    ]
    possible = [n / 50 for n in range(51)]
    expected = []
    for pair in pairs:
        filled = itertools.product(*([value] if value is not None else possible for value in pair))
        outcomes = {by_rule(join, whole) for whole in filled} if pair != (None, None, None) else set()
        expected.append(outcomes.pop() if len(outcomes) == 1 else UNSCORED)
    assert judged(make_workspace, pairs, join) == expected
    assert {NEGATIVE, UNCERTAIN, POSITIVE, UNSCORED} == set(expected)


def test_people_and_texts_outrank_all_judges(make_workspace: Make) -> None:
    """Joined judges stand where one scorer does in the order of decisions."""
    passages = {"answer": "Paris.", "twin": "PARIS", "wrong": "Rome.", "other": "Oslo."}
    qrels = [("q", "answer"), ("q", "wrong", 0)]
    workspace = make_workspace(passages, {"q": "capital"}, qrels=qrels, candidates={"q": list(passages)})
    high = {(0, n): 0.99 for n in range(4)}
    score(workspace, {"anna": high, "berta": high})
    set_cutoffs(workspace, "default", scorer=["anna", "berta"], join="all", depth=50)
    query = "select passage_id, decision, decided_by from current_decisions order by rank"
    assert workspace.sql(query).rows() == [
        ("answer", "positive", "people"),
        ("twin", "duplicate", "text"),
        ("wrong", "hard_negative", "people"),
        ("other", "false_negative", "scorer"),
    ]


@pytest.fixture
def scored(make_workspace: Make) -> Workspace:
    """Return twenty queries with four candidates; anna and berta have scored them, carla has not."""
    names = {(q, p): f"p{q}-{p}" for q in range(20) for p in range(4)}
    workspace = make_workspace(
        {name: f"passage number {name}" for name in names.values()},
        {f"q{q}": f"question {q}" for q in range(20)},
        qrels=[(f"q{q}", names[q, 0]) for q in range(20)],
        candidates={f"q{q}": [names[q, p] for p in range(4)] for q in range(20)},
    )
    pairs = {(q, q * 4 + p): 0.03 + 0.93 * (p == 0) + 0.001 * q for q in range(20) for p in range(4)}
    strangers = {
        pair: 0.05
        for pair in workspace.sql("select query_key, passage_key from random_pairs('bm25-train')").rows()
        if pair not in pairs
    }
    score(workspace, {name: {**pairs, **strangers} for name in ("anna", "berta")})
    return workspace


def test_cutoffs_of_one_scorer_have_no_more_values_than_before(scored: Workspace) -> None:
    """Exports and trainings keep the values of cutoffs. Those of one scorer are as they were."""
    set_cutoffs(scored, "default", scorer="anna")
    row = cutoffs_in_force(scored, None)
    assert set(row) == {
        "name", "scorer_id", "depth", "negative_below", "positive_above", "duplicate_above",
        "pseudo_positives", "revision", "calibration_id", "a", "b", "c", "scorer_fingerprint",
    }  # fmt: skip
    assert row["scorer_id"] == row["scorer_fingerprint"] == "anna"


def test_several_scorers_need_a_way_to_join_them(scored: Workspace) -> None:
    """Nothing is guessed. Errors name what there is."""
    both = ["anna", "berta"]
    with pytest.raises(
        BadSettings, match=r"2 scorers need --join all, any or mean \(all: beyond a cutoff only if"
    ):
        set_cutoffs(scored, "default", scorer=both)
    with pytest.raises(UnknownName, match=r"joined by one of all, any, mean: .*mean"):
        set_cutoffs(scored, "default", scorer=both, join="meen")
    with pytest.raises(BadSettings, match=r"join takes several scorers, and anna is one"):
        set_cutoffs(scored, "default", scorer="anna", join="mean")
    with pytest.raises(BadSettings, match=r"the scorer anna is named twice"):
        set_cutoffs(scored, "default", scorer=["anna", "anna"], join="mean")
    with pytest.raises(UnknownName, match=r"no scorer 'bertha' has scored here: .*berta"):
        set_cutoffs(scored, "default", scorer=["anna", "bertha"], join="mean")
    assert not scored.records("cutoffs")


def test_what_is_not_given_stays_as_it_was(scored: Workspace) -> None:
    """The judges and the join are values like the others, and the order of the judges does not matter."""
    first = set_cutoffs(scored, "default", scorer=["berta", "anna"], join="mean")
    assert set_cutoffs(scored, "default", scorer=["anna", "berta"]) == first
    deeper = set_cutoffs(scored, "default", depth=3)
    assert (deeper["joined"], deeper["judges"], deeper["scorer_id"]) == ("mean", first["judges"], None)
    copy = set_cutoffs(scored, "careful", join="all")  # new cutoffs begin as the current ones
    assert (copy["joined"], copy["judges"], copy["depth"]) == ("all", first["judges"], 3)
    alone = set_cutoffs(scored, "default", scorer="berta")
    assert (alone["scorer_id"], alone["joined"], alone["judges"]) == ("berta", None, None)


def calibrate(workspace: Workspace, name: str, scorer: str, c: float) -> None:
    """Write a calibration that adds c to the logits."""
    row = {"scorer_id": scorer, "a": 1.0, "b": 1.0, "c": c, "form": "platt", "evidence": "annotations"}
    counts = {"queries": 50, "positives": 50, "others": 50, "seed": 0}
    write_calibration(workspace, name, {"calibration": {**row, **counts}, "reliability": [], "promises": []})


def test_each_judge_has_its_own_calibration(scored: Workspace) -> None:
    """The mean is one of calibrated probabilities. A newer calibration is taken when the cutoffs are set."""
    calibrate(scored, "calibrate-00001", "berta", 2.0)
    row = set_cutoffs(scored, "default", scorer=["anna", "berta"], join="mean")
    assert {judge["scorer_id"]: judge["calibration_id"] for judge in row["judges"]} == {
        "anna": None,
        "berta": "calibrate-00001",
    }
    (mean,) = scored.sql("select probability from decisions where query_key = 0 and rank = 2")["probability"]
    assert mean == pytest.approx((0.03 + 1 / (1 + math.exp(-logit(0.03) - 2))) / 2, rel=1e-5)
    calibrate(scored, "calibrate-00002", "anna", 1.0)
    row = set_cutoffs(scored, "default", depth=3)
    assert [judge["calibration_id"] for judge in row["judges"]] == ["calibrate-00002", "calibrate-00001"]
    row = set_cutoffs(scored, "default", calibration=["none", "calibrate-00001"])
    assert [judge["calibration_id"] for judge in row["judges"]] == [None, "calibrate-00001"]
    with pytest.raises(UnknownName, match="no calibration 'calibrate-9' of anna or berta"):
        set_cutoffs(scored, "default", calibration="calibrate-9")
    with pytest.raises(BadSettings, match="more calibrations than scorers: none, calibrate-00001 for berta"):
        set_cutoffs(scored, "default", scorer="berta", calibration=["none", "calibrate-00001"])


def test_every_judge_must_have_a_scale(scored: Workspace) -> None:
    """A raw scorer beside one of probabilities makes the mean as meaningless as it is itself."""
    raw = {(q, q * 4 + p): 0.97 for q in range(20) for p in range(4)}
    random_pairs = scored.sql("select query_key, passage_key from random_pairs('bm25-train')").rows()
    score(scored, {"dora": {**raw, **dict.fromkeys(random_pairs, 0.95)}})
    with pytest.raises(StepMissing, match=r"mean nothing for dora: \d+ of \d+ random passages"):
        set_cutoffs(scored, "default", scorer=["anna", "dora"], join="mean")
    calibrate(scored, "calibrate-00001", "dora", -5.0)
    assert set_cutoffs(scored, "default", scorer=["anna", "dora"], join="mean")["joined"] == "mean"


def test_the_command_line_sets_and_shows_them(scored: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """--scorer is repeated. Lists, status and reports name the judges and how they are joined."""

    def told(*words: str) -> str:
        assert run(["-C", str(scored.root), *words]) == 0
        return "".join(capsys.readouterr())

    options = ("--scorer", "berta", "--scorer", "anna", "--join", "all")
    assert "by all of anna and berta, not calibrated" in told("cutoffs", "set", "both", *options)
    (shown,) = json.loads(told("cutoffs", "--json"))["cutoffs"]
    assert [judge["scorer_id"] for judge in shown["judges"]] == ["anna", "berta"]
    assert "by all of anna and berta" in told("status")
    funnel = told("report", "funnel")
    assert "are judged by all of anna and berta." in " ".join(funnel.split())
    assert "scorer all of anna and berta" in funnel
    assert "From candidates to hard negatives" in told("report")
    assert "all of 2" in told("report", "cutoffs_compared")


@pytest.mark.parametrize("option", ["--negative-below", "--positive-above", "--depth"])
def test_the_command_line_does_not_take_zero_for_an_option_that_is_not_given(
    scored: Workspace, option: str
) -> None:
    """It is no value that cutoffs can have, and leaving it out would set them to something else."""
    assert run(["-C", str(scored.root), "cutoffs", "set", "strict", option, "0"]) == 2


def test_what_takes_one_scorer_refuses_several_by_name(scored: Workspace, tiny_encoder: Model) -> None:
    """The figures of one judge, a calibration, a promise, distillation: each error names the judges."""
    set_cutoffs(scored, "default", scorer=["anna", "berta"], join="mean")
    join = "the cutoffs 'default' join anna and berta"
    with pytest.raises(BadSettings, match=f"{join}. Name it: --scorer ID"):
        curate.report(scored, "judge")
    assert len(curate.report(scored, "judge", scorer="berta").rows) == 20
    with pytest.raises(BadSettings, match=f"{join}. Give one of them: --scorer MODEL"):
        curate.calibrate(scored)
    with pytest.raises(BadSettings, match=f"a promise is about one scorer, but {join}"):
        curate.calibrate(scored, scorer="anna", precision=0.9)
    with pytest.raises(BadSettings, match=f"distillation teaches the scores of one scorer, but {join}"):
        curate.train_dual_encoder(scored, distill="kl", init=str(tiny_encoder()), hard_negatives=1)


def test_records_lead_to_every_judge(scored: Workspace) -> None:
    """Lineage names the jobs and calibrations of all judges, each job once; an export keeps all fingerprints."""
    calibrate(scored, "calibrate-00001", "berta", 0.1)
    set_cutoffs(scored, "default", scorer=["anna", "berta"], join="all")
    rows = curate.report(scored, "lineage").rows
    assert len(rows) == len({row["job"] for row in rows})
    assert {"calibrate-00001", "cutoffs-00001"} <= {row["job"] for row in rows}
    made = curate.export(scored, name="set")
    manifest = json.loads((scored.root / "exports" / "set" / "manifest.json").read_text("utf-8"))
    assert manifest["settings"]["cutoffs"]["judge_fingerprints"] == ["anna", "berta"]
    assert manifest["rows"] == made.rows == 20
    card = (scored.root / "exports" / "set" / "README.md").read_text("utf-8")
    assert "`berta` (fingerprint `berta`, calibrated by calibrate-00001), joined by `all`" in card
    assert curate.status(scored).exports[0]["changed"] == []
    set_cutoffs(scored, "default", join="any")
    assert curate.status(scored).exports[0]["changed"] == ["cutoffs 'default'"]


def test_a_training_depends_on_the_scores_of_every_judge(scored: Workspace) -> None:
    """The digest of what a training reads changes with a score of either, and not with those of a third."""
    set_cutoffs(scored, "default", scorer=["anna", "berta"], join="mean")

    def digest(*scorers: str) -> Any:
        values = {"runs": ["bm25-train"], "cutoffs": "default", "denoised": True, "depth": 0}
        return scored.select("train/scores_digest", scorers=list(scorers), **values)["digest"][0]

    both = digest("anna", "berta")
    assert len({both, digest("anna"), digest("berta"), "0"}) == 3  # the scores of the two do not cancel out
    score(scored, {"carla": {(0, 0): 0.5}})
    assert digest("anna", "berta") == both
    job = Job(scored, "denoise", "score-more")
    job.write_rows("scores", [{"scorer_id": "berta", "query_key": 0, "passage_key": 5, "logit": 1.0}])
    job.finish()
    add_run(scored, "more", "train", [
        {"run_id": "more", "query_key": 0, "passage_key": 5, "rank": 1, "score": 1.0}
    ])  # fmt: skip
    values = {"runs": ["more"], "cutoffs": "default", "denoised": True, "depth": 0}
    assert scored.select("train/scores_digest", scorers=["anna", "berta"], **values)["pairs"][0] == 41


def test_an_earlier_verdict_is_that_of_all_judges(scored: Workspace) -> None:
    """A training that leaves out what an earlier judge calls relevant may have joined ones."""
    set_cutoffs(scored, "one", scorer="anna")
    set_cutoffs(scored, "two", scorer=["anna", "berta"], join="all")
    score(scored, {"carla": {(q, q * 4): 0.05 if q < 5 else 0.96 for q in range(20)}})
    set_cutoffs(scored, "other", scorer=["anna", "carla"], join="all")
    with scored.connect() as connection:
        counts = {}
        for name in ("one", "two", "other"):
            sql_files.execute(connection, "train/earlier_verdicts", run="bm25-train", leave_out=name)
            counts[name] = connection.sql("select count(*) from earlier_verdicts where left_out").fetchall()[0][0]
    assert counts == {"one": 20, "two": 20, "other": 15}


# With models


@pytest.fixture
def two_models(tmp_path: Path, tiny_model: Model) -> list[str]:
    return [str(tiny_model(tmp_path / f"judge-{seed}", seed=seed)) for seed in (1, 2)]


def small(folder: Path) -> Workspace:
    return write_workspace(
        folder,
        {f"p{n}": f"text {chr(97 + n)}{chr(98 + n)} {n}" for n in range(8)},
        {"q0": "ab", "q1": "cd", "u0": "ef"},
        qrels=[("q0", "p0"), ("q1", "p1")],
        unlabeled=["u0"],
        candidates={"q0": ["p0", "p2", "p3"], "q1": ["p4", "p1", "p5"]},
    )


def test_denoise_scores_by_every_judge_of_the_cutoffs(tmp_path: Path, two_models: list[str]) -> None:
    """A new run is scored by all of them, dry or not, and the cutoffs stay joined."""
    workspace = small(tmp_path / "set")
    ids = [curate.denoise(workspace, scorer=name, cutoffs=f"c{n}").scorer_id for n, name in enumerate(two_models)]
    set_cutoffs(workspace, "default", scorer=two_models, join="mean")
    add_run(workspace, "more", "train", [
        {"run_id": "more", "query_key": 0, "passage_key": p, "rank": p, "score": -p} for p in range(1, 8)
    ])  # fmt: skip
    assert curate.status(workspace).next.startswith("curate ")
    plan = curate.plan_denoise(workspace, run="more", cutoffs="default")
    assert plan.total - plan.cached == 2 * 5  # p2 and p3 are scored already
    done = curate.denoise(workspace, run="more", cutoffs="default")
    assert (done.scorer_id, list(done.other_judges)) == (min(ids), [max(ids)])
    assert done.scored_now == 10
    assert done.cutoffs["joined"] == "mean"
    assert f"by mean of {min(ids)} and {max(ids)}" in done.text()
    assert set(workspace.sql("select decision from current_decisions")["decision"]) <= {
        "positive", "hard_negative", "uncertain", "false_negative"
    }  # fmt: skip
    with pytest.raises(BadSettings, match=r"--scorer sets cutoffs of one scorer, but the cutoffs 'default' join"):
        curate.denoise(workspace, scorer=two_models[0])
    only_cutoffs = curate.denoise(workspace, negative_below=0.05)
    assert (only_cutoffs.cutoffs["joined"], only_cutoffs.scored_now) == ("mean", 0)
    assert list(only_cutoffs.other_judges) == [max(ids)]


def test_augment_scores_by_every_judge_and_keeps_their_calibrations(tmp_path: Path, two_models: list[str]) -> None:
    """A pseudo-label is what the judges say together."""
    workspace = small(tmp_path / "set")
    ids = sorted(
        curate.denoise(workspace, scorer=name, cutoffs=f"c{n}").scorer_id for n, name in enumerate(two_models)
    )
    set_cutoffs(workspace, "default", scorer=two_models, join="all")
    calibrate(workspace, "calibrate-00001", ids[0], 0.5)  # newer than the cutoffs, which keep what they have
    done = curate.augment(workspace, cutoffs="default")
    assert done.scorer_id == f"all of {ids[0]} and {ids[1]}"
    found = workspace.select("workspace/scorers_of_run", run=done.run_id)["scorer_id"].to_list()
    assert found == ids
    row = cutoffs_in_force(workspace, "default")
    assert (row["joined"], [judge["calibration_id"] for judge in row["judges"]]) == ("all", [None, None])
    with pytest.raises(BadSettings, match="curate augment --scorer names one scorer"):
        curate.augment(workspace, cutoffs="default", scorer=two_models[0])


def test_damaged_cutoffs_of_several_judges_are_made_again(scored: Workspace) -> None:
    """Their record has all values."""
    set_cutoffs(scored, "default", scorer=["anna", "berta"], join="any")
    shard = max((scored.root / "tables" / "cutoffs").rglob("*.parquet"))
    before, rows = shard.read_bytes(), scored.sql("select * from cutoffs").rows()
    shard.write_bytes(b"damaged")
    curate.rebuild(scored)
    assert shard.read_bytes() == before
    assert Workspace(scored.root).sql("select * from cutoffs").rows() == rows
