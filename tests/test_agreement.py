"""`curate report agreement`: where two scorers disagree (sql/reports/agreement.sql)."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import add_run, write_workspace
from planted_scores import DEPTH, Planted
from scipy.stats import spearmanr  # type: ignore[import-untyped]
from sklearn.metrics import cohen_kappa_score  # type: ignore[import-untyped]

import curate
from curate import Workspace
from curate.calibration import write_calibration
from curate.cli.main import run
from curate.cutoffs import set_cutoffs
from curate.errors import BadSettings, StepMissing
from curate.jobs import Job

Make = Callable[..., Workspace]
VERDICTS = ("irrelevant", "uncertain", "relevant")


def write(workspace: Workspace, scorer: str, logits: dict[tuple[int, int], float]) -> None:
    """Write a scorer and its logits: (query, passage) -> logit."""
    job = Job(workspace, "denoise", f"score-{scorer}", {"run": "bm25-train", "depth": DEPTH})
    job.write_rows(
        "models",
        [{"model_id": scorer, "role": "cross-encoder", "path": scorer, "fingerprint": scorer, "settings": "{}"}],
    )
    rows = [{"scorer_id": scorer, "query_key": q, "passage_key": p, "logit": x} for (q, p), x in logits.items()]
    job.write_rows("scores", rows)
    job.finish(scorer_id=scorer, run="bm25-train")


class Two:
    """Sixty queries with ten candidates each, scored by `judge` and `second`; some logits are equal."""

    def __init__(self, folder: Path) -> None:
        planted = Planted(folder, 60)
        self.workspace = planted.workspace
        random = np.random.default_rng(1)
        self.unlabelled = [(int(q), int(p)) for q, p in zip(*np.nonzero(~planted.labelled), strict=True)]
        self.first = {pair: float(planted.logits[pair]) - 4 for pair in self.unlabelled}
        self.second = {pair: round(x + random.normal(0, 1.5), 1) for pair, x in self.first.items()}
        write(self.workspace, "second", {(q, q * DEPTH + p): x for (q, p), x in self.second.items()})
        calibrate(self.workspace, "calibrate-00001", "judge", -4.0)  # its logits are 4 too high
        set_cutoffs(self.workspace, "default", scorer="judge", depth=DEPTH)

    def verdicts(self, pairs: list[tuple[int, int]]) -> tuple[list[str], list[str]]:
        return [verdict(self.first[pair]) for pair in pairs], [verdict(self.second[pair]) for pair in pairs]


def calibrate(workspace: Workspace, name: str, scorer: str, c: float) -> None:
    row = {"scorer_id": scorer, "a": 1.0, "b": 1.0, "c": c, "form": "platt", "evidence": "annotations"}
    counts = {"queries": 50, "positives": 50, "others": 50, "seed": 0}
    write_calibration(workspace, name, {"calibration": {**row, **counts}, "reliability": [], "promises": []})


def verdict(logit: float) -> str:
    probability = 1 / (1 + np.exp(-logit))
    return "irrelevant" if probability < 0.1 else "uncertain" if probability <= 0.9 else "relevant"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Two:
    return Two(tmp_path_factory.mktemp("two") / "set")


def rows(workspace: Workspace, part: str, **options: Any) -> dict[str, dict[str, Any]]:
    """Return the bands of a part of the report."""
    found = curate.report(workspace, "agreement", **options).rows
    return {row["band"]: row for row in found if row["part"] == part}


def test_agreement_kappa_and_rank_correlation_are_those_of_scikit_learn_and_scipy(two: Two) -> None:
    """Labelled candidates do not count. The first scorer's probabilities are calibrated."""
    found = rows(two.workspace, "all")["all"]
    first, second = two.verdicts(two.unlabelled)
    assert found["pairs"] == len(two.unlabelled)
    assert found["alike"] == sum(a == b for a, b in zip(first, second, strict=True))
    assert found["kappa"] == pytest.approx(cohen_kappa_score(first, second), abs=1e-4)
    both = [[float(of[pair]) for pair in two.unlabelled] for of in (two.first, two.second)]
    assert found["rank_correlation"] == pytest.approx(spearmanr(*both).statistic, abs=2e-3)
    for one in VERDICTS:
        for other in VERDICTS:
            count = sum((a, b) == (one, other) for a, b in zip(first, second, strict=True))
            assert found[f"{one}_{other}"] == count


def test_disagreement_by_rank(two: Two) -> None:
    """Each band of ranks has the verdicts on its own candidates."""
    found = rows(two.workspace, "rank")
    bands = {"rank 1": (1, 1), "rank 2 to 3": (2, 3), "rank 4 to 5": (4, 5), "rank 6 to 10": (6, 10)}
    assert list(found) == list(bands)
    for band, (first, last) in bands.items():
        pairs = [pair for pair in two.unlabelled if first <= pair[1] + 1 <= last]
        ours, theirs = two.verdicts(pairs)
        share = np.mean([a != b for a, b in zip(ours, theirs, strict=True)])
        assert (found[band]["pairs"], found[band]["disagreement"]) == (len(pairs), pytest.approx(share, abs=1e-6))
        assert found[band]["kappa"] == pytest.approx(cohen_kappa_score(ours, theirs), abs=1e-4)


def test_the_order_of_the_scorers_turns_the_table_round(two: Two) -> None:
    """The first word of a column is the verdict of the first scorer."""
    one = rows(two.workspace, "all")["all"]
    other = rows(two.workspace, "all", scorer="second", against="judge")["all"]
    assert one["uncertain_irrelevant"] == other["irrelevant_uncertain"] != one["irrelevant_uncertain"]
    assert (one["kappa"], one["rank_correlation"]) == (other["kappa"], other["rank_correlation"])


def test_the_strongest_disagreements_come_first(two: Two) -> None:
    """The examples are pairs with other decisions, by the difference of the probabilities."""
    examples = curate.report(two.workspace, "disagreements", limit=5).rows
    gaps = [abs(row["probability"] - row["against"]) for row in examples]
    assert gaps == sorted(gaps, reverse=True)
    probability = {pair: 1 / (1 + np.exp(-x)) for pair, x in two.first.items()}
    against = {pair: 1 / (1 + np.exp(-x)) for pair, x in two.second.items()}
    greatest = max(
        abs(probability[pair] - against[pair])
        for pair in two.unlabelled
        if verdict(two.first[pair]) != verdict(two.second[pair])
    )
    assert gaps[0] == pytest.approx(greatest, abs=2e-4)
    assert all(row["verdict"] != row["against_verdict"] for row in examples)


@pytest.mark.parametrize("columns", [80, 160])
def test_in_a_terminal(
    two: Two, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both scorers are named, no line is too long, examples follow, and a scale that nobody checked is told."""
    monkeypatch.setenv("COLUMNS", str(columns))
    assert run(["-C", str(two.workspace.root), "report", "agreement", "--limit", "2"]) == 0
    told = capsys.readouterr()
    assert all(len(line) <= columns for line in told.out.splitlines())
    words = " ".join(told.out.split())
    assert "First: judge. Second: second. They decide alike about" in words
    assert len(re.findall(r"scorers +first 0\.\d{3} \w+, second 0\.\d{3} \w+", told.out)) == 2
    assert "warning: second is not calibrated" in told.err
    assert "warning: judge" not in told.err


# What is compared


def small(make: Make) -> Workspace:
    """Return one query whose candidates are of every kind."""
    passages = {
        "answer": "red apple",
        "twin": "RED APPLE!",
        "wrong": "green pear",
        "none": "blue sky at night",
        "half": "a red sky " + "word " * 40,
        "whole": "red apple pie " + "word " * 80,
        "once": "grey",
    }
    qrels = [("q", "answer"), ("q", "wrong", 0)]
    workspace = make(passages, {"q": "red apple"}, qrels=qrels, candidates={"q": list(passages)})
    write(workspace, "anna", {(0, p): 3.0 for p in range(7)})
    write(workspace, "berta", {(0, p): -3.0 for p in range(6)})
    set_cutoffs(workspace, "default", scorer="anna", depth=50)
    return workspace


def test_only_candidates_count_about_which_both_scores_decide(make_workspace: Make) -> None:
    """People and texts decide about three of them, and berta has not scored the last one."""
    found = rows(small(make_workspace), "all")["all"]
    assert (found["pairs"], found["relevant_irrelevant"], found["agreement"]) == (3, 3, 0.0)
    assert found["kappa"] == 0
    assert found["rank_correlation"] is None  # all logits are equal


def test_bands_of_length_and_of_word_overlap(make_workspace: Make) -> None:
    """Length counts the words of a passage, overlap the share of the query's words that it has."""
    workspace = small(make_workspace)
    counts = {band: row["pairs"] for band, row in rows(workspace, "length").items()}
    assert counts == {"up to 25 words": 1, "26 to 50 words": 1, "51 to 100 words": 1}
    counts = {band: row["pairs"] for band, row in rows(workspace, "overlap").items()}
    assert counts == {"overlap up to 25 %": 1, "overlap 26 to 50 %": 1, "overlap 76 to 100 %": 1}


def test_a_script_without_spaces_has_a_word_per_letter(make_workspace: Make) -> None:
    """Otherwise hardly any Chinese or Thai passage would share a word with its query."""
    workspace = make_workspace({"p": "x"}, {"q": "?"})
    words = workspace.sql("select words_of('東京Tower, it''s ÜBER-nice 2024') as words")["words"][0].to_list()
    assert words == ["東", "京", "tower", "it", "s", "über", "nice", "2024"]


def test_a_pair_counts_for_each_retriever_that_found_it(make_workspace: Make) -> None:
    """A hybrid run keeps its sources."""
    workspace = make_workspace(
        {f"p{n}": f"text {n}" for n in range(3)}, {"q": "text"}, candidates={"q": ["p0", "p1"]}
    )
    row = {"query_key": 0, "score": 1.0}
    add_run(workspace, "other", "train", [{**row, "run_id": "other", "passage_key": 1, "rank": 1}])
    job = Job(workspace, "mine", "both")
    job.write_rows("candidates", [{**row, "run_id": "both", "passage_key": p, "rank": p + 1} for p in (0, 1)])
    job.write_rows("runs", [{"run_id": "both", "retriever": "hybrid", "split": "train", "depth": 2, "queries": 1,
                             "sources": ["bm25-train", "other"], "round": 3}])  # fmt: skip
    job.finish()
    for scorer in ("anna", "berta"):
        write(workspace, scorer, {(0, p): 3.0 for p in range(3)})
    set_cutoffs(workspace, "default", scorer="anna", depth=50)
    assert rows(workspace, "retriever", run="both")["bm25"]["pairs"] == 2  # both sources are called bm25 here


# Which scorers


def test_two_scorers_are_found_and_more_must_be_named(make_workspace: Make) -> None:
    """The scorer of the cutoffs comes first. Joined cutoffs name their two."""
    workspace = make_workspace({"p": "text"}, {"q": "text"}, candidates={"q": ["p"]})
    write(workspace, "berta", {(0, 0): 3.0})
    set_cutoffs(workspace, "default", scorer="berta", depth=50)
    with pytest.raises(StepMissing, match="compares two scorers, and only berta has scored run bm25-train"):
        curate.report(workspace, "agreement")
    write(workspace, "anna", {(0, 0): 3.0})
    two = {"scorer": "berta", "against": "anna"}
    assert two.items() <= curate.report(workspace, "agreement").parameters.items()
    assert two.items() <= curate.report(workspace, "agreement", against="anna").parameters.items()
    write(workspace, "carla", {(0, 0): 3.0})
    with pytest.raises(BadSettings, match=r"Name them, by --scorer ID --against ID .*: berta, anna, carla"):
        curate.report(workspace, "agreement")
    with pytest.raises(BadSettings, match="anna is named twice"):
        curate.report(workspace, "agreement", scorer="anna", against="anna")
    set_cutoffs(workspace, "default", scorer=["carla", "anna"], join="mean")
    of_cutoffs = {"scorer": "anna", "against": "carla"}
    assert of_cutoffs.items() <= curate.report(workspace, "agreement").parameters.items()


def test_a_newest_calibration_stands_for_a_scorer_that_the_cutoffs_do_not_name(tmp_path: Path) -> None:
    """For their own scorer it is the one that the cutoffs have, even if there is a newer one."""
    workspace = write_workspace(tmp_path / "set", {"p": "a text"}, {"q": "text"}, candidates={"q": ["p"]})
    for scorer in ("anna", "berta"):
        write(workspace, scorer, {(0, 0): 0.0})
    set_cutoffs(workspace, "default", scorer="anna", depth=50)
    for n, c in enumerate((1.0, 2.0)):
        calibrate(workspace, f"calibrate-0000{n}-a", "anna", c)
        calibrate(workspace, f"calibrate-0000{n}-b", "berta", c)
    (row,) = workspace.sql(
        "select probability, against from judged_twice('bm25-train', 'default', 'anna', 'berta')"
    ).rows()
    assert row == pytest.approx((0.5, 1 / (1 + np.exp(-2.0))))
