"""Calibration (curate/calibrate/, sql/macros/probability.sql): what the logits of a scorer mean."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from planted_scores import DEPTH, Planted
from sampled import judged_run
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from test_decisions import PASSAGES, cut, decision, logit, score

import curate
from curate import Workspace, sql_files
from curate.calibrate.forms import Curve, Evidence, compressed, fit
from curate.calibrate.pairs import Source
from curate.calibrate.prior import share_of_relevant
from curate.calibration import calibrated_elsewhere, write_calibration
from curate.cli.main import run
from curate.cutoffs import are_set, cutoffs_in_force, set_cutoffs
from curate.errors import CurateError, StepMissing, UnknownName
from curate.jobs import Job, numbered
from curate.query_output import SCHEMA

Make = Callable[..., Workspace]


def calibrate(workspace: Workspace, a: float, b: float, c: float, scorer: str = "judge") -> str:
    """Write a calibration and return its id."""
    job = numbered(workspace, "calibrate")
    facts = {"scorer_id": scorer, "form": "beta", "evidence": "labels", "queries": 1, "positives": 1, "others": 1}
    write_calibration(
        workspace,
        job,
        {"calibration": {**facts, "seed": 0, "a": a, "b": b, "c": c}, "reliability": [], "promises": []},
    )
    return job


@pytest.fixture
def scored(make_workspace: Make) -> Workspace:
    """One query with an unlabelled candidate that a scorer gives the logit 0.4 (0.60), and a labelled positive."""
    workspace = make_workspace(
        PASSAGES, {"q": "?"}, qrels=[("q", "answer")], candidates={"q": ["other", "answer"]}
    )
    score(workspace, {(0, 2): 0.4, (0, 0): 2.0})
    cut(workspace)
    return workspace


def probabilities(workspace: Workspace, logits: list[float], a: float, b: float, c: float) -> np.ndarray[Any, Any]:
    query = "select probability(unnest($logits)::float, $a::double, $b::double, $c::double) as p"
    return workspace.sql(query, logits=logits, a=a, b=b, c=c)["p"].to_numpy()


def test_without_a_calibration_the_probability_is_the_sigmoid_to_the_last_bit(make_workspace: Make) -> None:
    """The bytes are those of 1 / (1 + exp(-x)), also where exp overflows."""
    workspace = make_workspace(PASSAGES, {})
    logits = [*np.random.default_rng(0).normal(0, 6, 5000), 0.0, -0.0, 88.0, -88.0, 800.0, -800.0, 3e38, -3e38]
    query = "select (1 / (1 + exp(-unnest($logits)::float::double)))::float as p"
    plain = workspace.sql(query, logits=logits)["p"].to_numpy()
    assert probabilities(workspace, logits, 1, 1, 0).tobytes() == plain.tobytes()


@pytest.mark.parametrize(("a", "b", "c"), [(0.5, 0.5, -1.0), (2.0, 0.3, 0.7), (0.0, 1.0, 0.0), (1.0, 0.0, -2.0)])
def test_a_calibration_is_the_beta_form(make_workspace: Make, a: float, b: float, c: float) -> None:
    """sigmoid(a ln s(x) - b ln s(-x) + c), computed here as it is written (Kull et al. 2017)."""
    logits = [-30.0, -4.0, -1.0, 0.0, 0.5, 3.0, 30.0]
    found = probabilities(make_workspace(PASSAGES, {}), logits, a, b, c)
    for x, p in zip(logits, found, strict=True):
        log_s, log_other = -math.log1p(math.exp(-x)), -math.log1p(math.exp(x))
        assert p == pytest.approx(1 / (1 + math.exp(-(a * log_s - b * log_other + c))), rel=1e-6)


@pytest.mark.parametrize(("a", "b", "c"), [(0.7, 1.9, -3.0), (5.0, 0.0, 1.0), (0.0, 5.0, 1.0)])
def test_a_higher_logit_is_never_less_probable(make_workspace: Make, a: float, b: float, c: float) -> None:
    """Nothing overflows at the ends of float32 either."""
    found = probabilities(make_workspace(PASSAGES, {}), [-3e38, *np.linspace(-40, 40, 999), 3e38], a, b, c)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()


def test_a_new_calibration_is_used_by_cutoffs_that_are_set_after_it(scored: Workspace) -> None:
    """0.4 + 3 is above 0.9. The former revision keeps what it had, and nothing is scored again."""
    before = sorted(scored.root.glob("tables/scores/**/*"))
    made = calibrate(scored, 1, 1, 3)
    assert decision(scored, "other") == "uncertain"
    row = set_cutoffs(scored, "default")
    assert (row["calibration_id"], row["revision"]) == (made, 2)
    assert decision(scored, "other") == "false_negative"
    revisions = scored.sql("select calibration_id from stored_cutoffs order by revision")["calibration_id"]
    assert revisions.to_list() == [None, made]
    assert sorted(scored.root.glob("tables/scores/**/*")) == before


def test_cutoffs_with_two_calibrations_stand_side_by_side(scored: Workspace) -> None:
    """Probability and decision belong to the cutoffs, as the columns of the view say."""
    made = calibrate(scored, 1, 1, -3)
    cut(scored, "calibrated")
    query = "select cutoffs, probability::double as p, decision from decisions where rank = 1 order by cutoffs"
    (first, second) = scored.sql(query).rows()
    assert first[::2] == ("calibrated", "hard_negative")
    assert first[1] == pytest.approx(1 / (1 + math.exp(2.6)))
    assert second[::2] == ("default", "uncertain")
    assert cutoffs_in_force(scored, "calibrated")["calibration_id"] == made


def test_a_calibration_that_was_chosen_stays_until_there_is_a_newer_one(scored: Workspace) -> None:
    """Other values of the cutoffs do not change their scale, also of cutoffs that begin as their copy."""
    first, second = calibrate(scored, 1, 1, 3), calibrate(scored, 1, 1, -3)
    assert set_cutoffs(scored, "default")["calibration_id"] == second
    assert set_cutoffs(scored, "default", calibration=first)["calibration_id"] == first
    assert set_cutoffs(scored, "default", depth=20)["calibration_id"] == first
    assert set_cutoffs(scored, "default", calibration="none")["calibration_id"] is None
    assert set_cutoffs(scored, "strict", depth=30)["calibration_id"] is None
    third = calibrate(scored, 1, 1, 0)
    assert not are_set(scored, "default", depth=20)
    assert set_cutoffs(scored, "default", depth=20)["calibration_id"] == third
    assert are_set(scored, "default", depth=20)


def test_a_calibration_is_of_one_scorer(scored: Workspace) -> None:
    """Another scorer's calibration is neither taken nor accepted."""
    other = calibrate(scored, 1, 1, 3, scorer="somebody else")
    assert set_cutoffs(scored, "default", depth=20)["calibration_id"] is None
    with pytest.raises(UnknownName, match=r"no calibration 'calibrate-00001' of judge"):
        set_cutoffs(scored, "default", calibration=other)
    assert set_cutoffs(scored, "theirs", scorer_id="somebody else")["calibration_id"] == other


def test_every_probability_of_a_set_has_the_same_scale(scored: Workspace) -> None:
    """Decisions, card, histogram, recognised positives and the rows of an export read one macro."""
    calibrate(scored, 1, 1, logit(0.98) - 0.4)
    set_cutoffs(scored, "default")
    card = curate.report(scored, "query_card", query="q").rows
    assert [row["probability"] for row in card] == pytest.approx([0.98, 0.9959], abs=1e-4)
    found = curate.report(scored, "positives_recognised").rows
    assert [row["positives"] for row in found] == [1, 0, 0, 0]
    bins = curate.report(scored, "score_histogram").rows
    assert bins[19]["positives"] == bins[19]["unlabelled"] == 1
    folder = scored.root / curate.export(scored, promote=True).path
    shown = (folder / "README.md").read_text("utf-8")
    assert "calibrated: sigmoid(1 ln s(x) - 1 ln s(-x) + " in shown
    (path,) = folder.glob("provenance/*.parquet")
    (passages,) = pl.read_parquet(path)["passages"].to_list()
    assert [row["probability"] for row in passages] == pytest.approx([0.9959, 0.98], abs=1e-4)


def test_an_export_made_under_another_calibration_is_stale(scored: Workspace) -> None:
    """So is a trained model: both compare what their cutoffs decide by."""
    curate.export(scored, promote=True)
    assert [row["changed"] for row in curate.status(scored).exports] == [[]]
    calibrate(scored, 1, 1, 3)
    assert [row["changed"] for row in curate.status(scored).exports] == [[]]
    set_cutoffs(scored, "default")
    assert [row["changed"] for row in curate.status(scored).exports] == [["cutoffs 'default'"]]


def test_a_candidate_is_unscored_when_the_row_of_its_calibration_is_gone(scored: Workspace) -> None:
    """On no scale there is no probability, and unknown is never negative."""
    made = calibrate(scored, 1, 1, -30)
    set_cutoffs(scored, "default")
    assert decision(scored, "other") == "hard_negative"
    curate.rebuild(scored, forget=made)
    assert decision(scored, "other") == "unscored"


def test_a_damaged_calibration_is_made_again(scored: Workspace) -> None:
    """Its record has its rows."""
    made = calibrate(scored, 1.5, 1.25, 3)
    path = scored.root / "tables" / "calibrations" / made / "00000.parquet"
    before = path.read_bytes()
    shutil.rmtree(path.parent)
    curate.rebuild(scored)
    assert path.read_bytes() == before


def test_the_cutoffs_show_their_calibration(
    scored: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`curate cutoffs` and `curate status` say on which scale a cutoff is."""
    monkeypatch.chdir(scored.root)
    assert run(["cutoffs"]) == 0
    assert "by judge, not calibrated\n" in capsys.readouterr().out
    calibrate(scored, 1, 1, 3)
    assert run(["cutoffs", "set", "default"]) == 0
    assert "by judge, calibrated by calibrate-00001\n" in capsys.readouterr().out
    assert "by judge\n    calibrated by calibrate-00001: up to date\n" in curate.status(scored).text()
    assert run(["cutoffs", "set", "default", "--calibration", "none"]) == 0
    assert "not calibrated" in capsys.readouterr().out


# --- curate calibrate ---


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """300 queries whose raw logits stand for known log-odds; each has a label and two annotated candidates."""
    made = Planted(tmp_path_factory.mktemp("planted") / "set", 300)
    random = np.random.default_rng(0)
    places = [(q, int(p)) for q in range(300) for p in random.choice(DEPTH, 2, replace=False)]
    made.annotate([(q, p) for q, p in places if not made.labelled[q, p]])
    return made


def truth(planted: Planted) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return logits and true relevance of the candidates that nobody labelled."""
    return planted.logits[~planted.labelled].astype(float), planted.relevant[~planted.labelled]


def true_error(calibration: dict[str, Any], planted: Planted) -> float:
    """Return the expected calibration error against the truth about all unlabelled candidates."""
    logits, relevant = truth(planted)
    curve = Curve(*(calibration[name] for name in ("a", "b", "c")))
    bins = np.minimum((curve.probability(logits) * 10).astype(int), 9)
    distances = [
        abs(curve.probability(logits)[bins == number].mean() - relevant[bins == number].mean())
        * (bins == number).mean()
        for number in np.unique(bins)
    ]
    return float(sum(distances))


@pytest.mark.parametrize("evidence", ["annotations", "labels", "both"])
def test_a_calibration_comes_close_to_the_truth(planted: Planted, evidence: Source) -> None:
    """Also from one label per query, with 22 % relevant ones among the candidates that have none."""
    found = curate.calibrate(planted.workspace, scorer="judge", evidence=evidence)
    assert found.calibration["evidence"] == evidence
    assert found.calibration["error_before"] > 0.5
    assert found.calibration["error"] <= 0.05
    assert true_error(found.calibration, planted) <= 0.05
    assert found.calibration["log_loss"] < found.calibration["log_loss_before"]
    share = truth(planted)[1].mean()
    assert found.calibration["prior"] == pytest.approx(share, abs=0.08)
    row = planted.workspace.sql("select * from calibrations order by calibration_id desc limit 1").to_dicts()[0]
    assert row == {"calibration_id": found.calibration_id, **found.calibration}


def test_annotations_outweigh_labels_by_default_and_the_same_again_writes_nothing(planted: Planted) -> None:
    """They are about the unlabelled candidates themselves. The fit is the same to the last bit."""
    first = curate.calibrate(planted.workspace, scorer="judge")
    records = len(planted.workspace.records())
    again = curate.calibrate(planted.workspace, scorer="judge")
    assert first.calibration["evidence"] == "annotations"
    assert again.already
    assert again.calibration == first.calibration
    assert len(planted.workspace.records()) == records
    plan = curate.plan_calibrate(planted.workspace, scorer="judge")
    assert plan.total == first.calibration["positives"] + first.calibration["others"]
    assert len(planted.workspace.records()) == records


def test_newer_labels_make_a_calibration_stale(tmp_path: Path) -> None:
    """`curate status` names the table. The same command learns from it, even if the curve stays as it was."""
    planted = Planted(tmp_path / "set", 120)
    workspace = planted.workspace
    planted.annotate([(q, p) for q in range(120) for p in range(2) if not planted.labelled[q, p]])
    curate.calibrate(workspace, scorer="judge")
    set_cutoffs(workspace, "default", scorer="judge", depth=5)
    assert [row["changed"] for row in curate.status(workspace).cutoffs] == [[]]
    planted.annotate([(0, 9)])
    assert "calibrated by calibrate-00001: stale, changed since: annotations" in curate.status(workspace).text()
    assert curate.calibrate(workspace, scorer="judge").calibration_id == "calibrate-00002"
    row = set_cutoffs(workspace, "default")
    assert [row["changed"] for row in curate.status(workspace).cutoffs] == [[]]
    assert calibrated_elsewhere(workspace, "bm25-train", {**row, "depth": DEPTH}) == []
    (warning,) = calibrated_elsewhere(workspace, "bm25-train", row)
    assert "calibrate-00002 was learnt from the top 10 of bm25-train" in warning


def test_the_reliability_is_counted_as_a_double_loop_would(planted: Planted) -> None:
    """Before calibrating, by hand: annotated pairs in tenths of the sigmoid of their logits."""
    found = curate.calibrate(planted.workspace, scorer="judge", evidence="annotations")
    rows = [row for row in found.reliability if row["part"] == "all" and not row["calibrated"]]
    pairs = planted.workspace.sql("select query_key as q, passage_key % 10 as p from annotations").rows()
    expected: dict[int, list[tuple[float, bool]]] = {}
    for q, p in pairs:
        probability = 1 / (1 + math.exp(-float(planted.logits[q, p])))
        expected.setdefault(min(int(probability * 10), 9), []).append((probability, bool(planted.relevant[q, p])))
    assert [row["bin"] for row in rows] == sorted(expected)
    for row in rows:
        found_here = expected[row["bin"]]
        assert row["pairs"] == pytest.approx(len(found_here))
        assert row["probability"] == pytest.approx(np.mean([p for p, _ in found_here]))
        assert row["relevant"] == pytest.approx(np.mean([r for _, r in found_here]))
    parts = {(row["part"], row["part_value"]) for row in found.reliability}
    assert parts == {("all", "all"), ("retriever", "bm25"), ("length", "up to 250 characters")}
    shown = curate.report(planted.workspace, "reliability").rows
    assert {row["part"] for row in shown} == {"all", "retriever", "length"}


def test_queries_that_trained_the_scorer_do_not_calibrate_it(planted: Planted, tmp_path: Path) -> None:
    """Neither their labels nor their annotations count, and the error says what to do."""
    root = Path(shutil.copytree(planted.workspace.root, tmp_path / "copy"))
    workspace = Workspace(root)
    job = Job(workspace, "denoise", "score-trained")
    facts = {
        "model_id": "trained",
        "role": "cross-encoder",
        "path": "models/m",
        "fingerprint": "g",
        "settings": "{}",
    }
    job.write_rows("models", [facts])
    job.write_rows(
        "scores", workspace.sql("select 'trained' as scorer_id, * exclude (scorer_id) from scores").to_dicts()
    )
    job.finish(scorer_id="trained")
    told = Job(workspace, "train", "train-m")
    told.finish()  # nothing says on which queries: it may have been any
    with pytest.raises(StepMissing, match="was trained on them, or may have been"):
        curate.calibrate(workspace, scorer="trained")
    told.write_rows(
        "judge_queries", [{"training": "train-m", "query_key": q, "fold": None} for q in range(20, 300)]
    )
    told.finish()
    with pytest.raises(
        StepMissing, match=r"280 of \d+ queries with labels are left out.*\(curate mine --split dev,"
    ):
        curate.calibrate(workspace, scorer="trained")


def test_too_little_is_refused_with_the_number_that_is_needed(tmp_path: Path) -> None:
    """Ten pairs of the rarer kind for each of three parameters; a hundred labelled positives."""
    few = Planted(tmp_path / "set", 60)
    with pytest.raises(StepMissing, match=r"labelled positives, of \d+ queries, where 100 and 50 are needed"):
        curate.calibrate(few.workspace, scorer="judge")
    few.annotate([(q, 0) for q in range(25)])
    with pytest.raises(
        StepMissing, match=r"as not relevant, of .* queries, where 30 of each and 20 queries are needed"
    ):
        curate.calibrate(few.workspace, scorer="judge", evidence="annotations")


def test_a_scorer_that_tells_nothing_is_refused(tmp_path: Path) -> None:
    """Its logits fall where relevance rises: no rising curve can mend that."""
    planted = Planted(tmp_path / "set", 60, reverse=True)
    planted.annotate([(q, p) for q in range(60) for p in range(4) if not planted.labelled[q, p]])
    with pytest.raises(CurateError, match="a higher logit does not mean a more relevant passage"):
        curate.calibrate(planted.workspace, scorer="judge", evidence="annotations")


def test_labels_do_not_calibrate_a_judge_that_tells_nothing_apart(tmp_path: Path) -> None:
    """By its scores all candidates may be relevant, and the fit would make them so."""
    planted = Planted(tmp_path / "set", 120, blind=True)
    with pytest.raises(StepMissing, match=r"up to \d+% of the unlabelled candidates may be relevant"):
        curate.calibrate(planted.workspace, scorer="judge")
    assert planted.workspace.sql("select * from calibrations").is_empty()


@pytest.mark.parametrize("weighted", [False, True])
def test_platts_form_is_logistic_regression(weighted: bool) -> None:
    """scikit-learn's, with the same small penalty on the standardised logit."""
    random = np.random.default_rng(1)
    relevant = (random.random(400) < 0.3).astype(float)
    logits = np.where(relevant == 1, random.normal(6, 1.5, 400), random.normal(3.5, 1.2, 400))
    weights = random.random(400) + 0.5 if weighted else np.ones(400)
    curve = fit(Evidence(logits, relevant, weights, np.zeros(400)), "platt")
    mean = np.average(logits, weights=weights)
    spread = np.sqrt(np.average((logits - mean) ** 2, weights=weights))
    theirs = LogisticRegression(C=100, tol=1e-10, max_iter=1000).fit(
        ((logits - mean) / spread)[:, None], relevant, weights
    )
    assert curve.a == curve.b == pytest.approx(theirs.coef_[0, 0] / spread, rel=1e-5)
    assert curve.c == pytest.approx(theirs.intercept_[0] - theirs.coef_[0, 0] * mean / spread, rel=1e-5)


def test_the_beta_form_is_logistic_regression_on_two_columns() -> None:
    """Where both slopes rise. Where one falls, it is 0 and the other is fitted alone."""
    random = np.random.default_rng(2)
    logits = random.normal(0, 2, 3000)
    true = Curve(0.4, 1.8, 0.3)
    relevant = (random.random(3000) < true.probability(logits)).astype(float)
    curve = fit(Evidence(logits, relevant, np.ones(3000), np.zeros(3000)), "beta")
    columns = np.stack([-np.logaddexp(0, -logits), np.logaddexp(0, logits)], axis=1)
    scaled = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    theirs = LogisticRegression(C=100, tol=1e-10, max_iter=1000).fit(scaled, relevant)
    assert [curve.a, curve.b] == pytest.approx(theirs.coef_[0] / columns.std(axis=0), rel=1e-4)
    falling = fit(Evidence(-logits, relevant, np.ones(3000), np.zeros(3000)), "beta")
    assert min(falling.a, falling.b) == 0


def test_candidates_that_nobody_judged_are_not_taken_for_irrelevant() -> None:
    """Of 20,000 unlabelled candidates 40 % are relevant. Labelled against unlabelled makes them improbable."""
    random = np.random.default_rng(3)
    unlabelled = random.random(20_000) < 0.4
    logits = np.concatenate([random.normal(2, 1, 1000), np.where(unlabelled, 2, 0) + random.normal(0, 1, 20_000)])
    prior = share_of_relevant(logits[:1000], logits[1000:])
    assert prior == pytest.approx(0.4, abs=0.06)
    relevant = np.concatenate([np.ones(1000), np.full(20_000, np.nan)])
    more = np.full(21_000, np.log1p(1000 / (prior * 20_000)))
    evidence = Evidence(logits, relevant, np.ones(21_000), more)
    curve = fit(compressed(evidence), "platt")
    assert curve.probability(logits[1000:]).mean() == pytest.approx(0.4, abs=0.05)
    true = 0.4 * math.exp(2) / (0.4 * math.exp(2) + 0.6)  # at 2, the centre of the relevant ones
    assert curve.probability(np.asarray([2.0]))[0] == pytest.approx(true, abs=0.08)
    naive = fit(Evidence(logits, np.nan_to_num(relevant), np.ones(21_000), np.zeros(21_000)), "platt")
    assert naive.probability(np.asarray([2.0]))[0] < 0.2


def test_close_logits_are_counted_together_without_a_difference() -> None:
    """A curve of three numbers does not see what 4,096 bins leave out."""
    random = np.random.default_rng(4)
    relevant = (random.random(20_000) < 0.5).astype(float)
    evidence = Evidence(relevant + random.normal(0, 1, 20_000), relevant, np.ones(20_000), np.zeros(20_000))
    whole, binned = fit(evidence, "beta"), fit(compressed(evidence), "beta")
    assert len(compressed(evidence).logits) == 2 * 4096
    assert [binned.a, binned.b, binned.c] == pytest.approx([whole.a, whole.b, whole.c], abs=1e-3)


def test_the_command_fits_and_says_what_to_do_next(
    planted: Planted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`curate calibrate` prints the formula, the evidence, the errors and the next command."""
    monkeypatch.chdir(planted.workspace.root)
    assert run(["calibrate", "--scorer", "judge", "--from", "labels"]) == 0
    shown = capsys.readouterr().out
    assert "probability = sigmoid(" in shown
    assert "queries that the scorer was not trained on" in shown
    assert "Expected calibration error 0." in shown
    assert "Next: curate denoise --scorer MODEL" in shown
    assert run(["calibrate", "--scorer", "judge", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == f"curate.calibrated/{SCHEMA}"
    assert run(["calibrate", "--scorer", "judge", "--precision", "1.5"]) == 2
    assert "precision must lie between 0 and 1" in capsys.readouterr().err


def test_pairs_that_no_verdict_decides_weigh_as_one(tmp_path: Path) -> None:
    """Unsure verdicts leave their pairs unlabelled, with a chance or without. None is said to be left out."""
    workspace = judged_run(tmp_path)
    about = {"annotator": "ann", "query_id": "q1"}
    lines: list[dict[str, Any]] = [
        {**about, "passage_id": "p1-1", "relevant": True, "inclusion": 0.25},
        {**about, "passage_id": "p1-2", "relevant": None, "inclusion": 0.01},
        {**about, "passage_id": "p1-3", "relevant": None},
    ]
    file = tmp_path / "verdicts.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    curate.load(workspace, annotations=[file])
    where = {"run": "bm25-train", "scorer": "judge", "depth": 8}
    schema = pa.schema([("query_id", pa.string()), ("passage_id", pa.string()), ("relevance", pa.int64())])
    with workspace.connect_lazily() as connection:
        connection.register("hidden", schema.empty_table())
        rows = sql_files.select(connection, "calibrate/pairs", **where, seed=0, queries=100).pl()
    assert rows.filter(query_key=1)["weight"].to_list() == [1, 4, 1, 1, 1, 1, 1, 1]
    (counts,) = workspace.select("calibrate/counts", **where).to_dicts()
    assert counts["without_chance"] == 0
