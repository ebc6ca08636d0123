"""`curate estimate`: figures, unsure verdicts, agreement, and what is said where no design is known."""

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import krippendorff
import numpy as np
import pytest
from sampled import DEPTH, QUERIES, judged_run, logit

import curate
from curate import StepMissing, Workspace
from curate.annotate.agreement import agreement
from curate.annotate.estimates import Estimates
from curate.annotate.sheet import PairId, Sheet
from curate.cli.main import run


def truth(pair: PairId) -> bool:
    """Return whether a pair is relevant: all false negatives are, and a third of the uncertain ones."""
    query, place = map(int, pair[1].removeprefix("p").split("-"))
    return logit(query, place) > 0 or (logit(query, place) == 0 and query % 3 == 0)


def judge(
    workspace: Workspace,
    verdicts: Mapping[PairId, bool | None],
    annotator: str = "ann",
    sample: str | None = "audit",
) -> None:
    """Load verdicts."""
    file = workspace.root.parent / f"{annotator}-{len(verdicts)}.jsonl"
    rows = [
        {
            "query_id": query,
            "passage_id": passage,
            "relevant": relevant,
            "annotator": annotator,
            "sample_id": sample,
        }
        for (query, passage), relevant in verdicts.items()
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    curate.load(workspace, annotations=[file])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace with a sample of half of the queries."""
    here = judged_run(tmp_path)
    curate.draw_sample(here, "audit", queries=12, pairs=60)
    return here


def ids(workspace: Workspace) -> list[PairId]:
    return [pair.id for pair in Sheet.of(workspace, "audit", "").pairs]


def values(found: Estimates) -> dict[str, float]:
    return {f"{row['what']} {row['part']}": row["value"] for row in found.estimates}


def test_whoever_judges_all_candidates_has_no_interval_left(tmp_path: Path) -> None:
    """24 queries with 7 unlabelled candidates each: the figures are counts, worked out here one by one."""
    workspace = judged_run(tmp_path)
    curate.draw_sample(workspace, "audit", queries=QUERIES, pairs=1000)
    judge(workspace, {pair: truth(pair) for pair in ids(workspace)})
    found = curate.estimate(workspace)
    pairs = [(q, place) for q, place in product(range(QUERIES), range(1, DEPTH))]
    relevant = [truth((f"q{q}", f"p{q}-{place}")) for q, place in pairs]
    first = [r for r, (_, place) in zip(relevant, pairs, strict=True) if place < 5]
    of_logit = {
        value: [r for r, p in zip(relevant, pairs, strict=True) if logit(*p) == value] for value in (5, 0, -5)
    }
    expected = {
        "false_negative_rate all": np.mean(relevant),
        "false_negative_rate ranks 1-5": np.mean(first),
        "false_negative_rate ranks 6-8": (sum(relevant) - sum(first)) / (len(relevant) - len(first)),
        "precision hard_negative": 1 - np.mean(of_logit[-5]),
        "precision false_negative": np.mean(of_logit[5]),
        "recall denoising": 1 - sum(of_logit[-5]) / sum(relevant),
        "cost denoising": 1 - (len(of_logit[-5]) - sum(of_logit[-5])) / (len(relevant) - sum(relevant)),
    }
    assert values(found) == pytest.approx(expected)
    assert all(row["low"] == pytest.approx(row["high"]) for row in found.estimates)
    assert found.verdicts == {
        "relevant": sum(relevant),
        "irrelevant": 168 - sum(relevant),
        "unsure": 0,
        "skipped": 0,
        "open": 0,
    }


def test_decisions_are_those_of_the_time_of_the_sample(workspace: Workspace) -> None:
    """Verdicts become decisions of people, and cutoffs may change: the estimate stays the same."""
    judge(workspace, {pair: truth(pair) for pair in ids(workspace)})
    before = curate.estimate(workspace)
    curate.set_cutoffs(workspace, "default", negative_below=0.001)
    assert curate.estimate(workspace) == before
    assert 0.2 < before.of("false_negative_rate")["low"] < before.of("false_negative_rate")["high"] < 0.7


def test_pairs_that_are_not_judged_yet_make_the_intervals_wider(workspace: Workspace) -> None:
    """The order is by hash, so that the first half is a smaller sample."""
    pairs = ids(workspace)
    judge(workspace, {pair: truth(pair) for pair in pairs[:30]})
    half = curate.estimate(workspace)
    whole_queries = max(end for end in range(31) if pairs[end - 1][0] != pairs[end][0])
    assert (half.verdicts["open"], half.of("false_negative_rate")["labels"]) == (60 - whole_queries, whole_queries)
    assert half.left_out == {"elsewhere": 0, "beyond": 30 - whole_queries}
    judge(workspace, {pair: truth(pair) for pair in pairs})
    whole = curate.estimate(workspace)
    widths = [
        found.of("false_negative_rate")["high"] - found.of("false_negative_rate")["low"] for found in (half, whole)
    ]
    assert widths[0] > 1.2 * widths[1]


def test_verdicts_that_do_not_name_the_sample_do_not_count(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of positives, chosen elsewhere, has pairs of the sample: by it, all would be relevant."""
    pairs = ids(workspace)
    positives = {pair: True for pair in pairs if truth(pair)}
    judge(workspace, positives, "elsewhere", sample=None)
    with pytest.raises(StepMissing, match="not name it"):
        curate.estimate(workspace, "audit")
    judge(workspace, {pair: truth(pair) for pair in pairs})
    found = curate.estimate(workspace)
    assert found.left_out == {"elsewhere": len(positives), "beyond": 0}
    assert found.verdicts["relevant"] == len(positives)
    assert run(["-C", str(workspace.root), "estimate"]) == 0
    assert f"{len(positives)} do not name the sample" in " ".join(capsys.readouterr().out.split())


def test_skipped_pairs_bound_the_estimate(workspace: Workspace) -> None:
    """The relevant ones were skipped, so that it is low, and its bounds say how high the true one may be."""
    pairs = ids(workspace)
    skipped = [pair for pair in pairs[:-1] if truth(pair)][:10]
    judge(workspace, {pair: truth(pair) for pair in pairs if pair not in skipped})
    found = curate.estimate(workspace)
    row = found.of("false_negative_rate")
    assert (found.verdicts["skipped"], found.verdicts["open"], row["unsure"]) == (10, 0, 10)
    judge(workspace, dict.fromkeys(skipped, True))
    assert curate.estimate(workspace).of("false_negative_rate")["value"] == pytest.approx(row["unsure_high"])


def test_pairs_that_are_not_settled_are_not_known(tmp_path: Path) -> None:
    """All pairs were drawn, and some are unsure: the interval is no point."""
    workspace = judged_run(tmp_path)
    curate.draw_sample(workspace, "audit", queries=QUERIES, pairs=1000)
    judge(workspace, {pair: None if n % 4 == 0 else truth(pair) for n, pair in enumerate(ids(workspace))})
    row = curate.estimate(workspace).of("false_negative_rate")
    assert row["high"] - row["low"] > 0.01


def test_unsure_verdicts_enter_no_estimate_and_bound_it(workspace: Workspace) -> None:
    """Without them it is as if they were open, and settled either way it is as if they had been so judged."""
    pairs = ids(workspace)
    unsure, sure = pairs[::10], [pair for pair in pairs if pair not in pairs[::10]]
    judge(workspace, {pair: truth(pair) for pair in sure} | dict.fromkeys(unsure))
    row = curate.estimate(workspace).of("false_negative_rate")
    assert (row["labels"], row["unsure"]) == (54, 6)
    assert row["unsure_low"] <= row["value"] <= row["unsure_high"]
    for settled, bound in ((False, "unsure_low"), (True, "unsure_high")):
        judge(workspace, dict.fromkeys(unsure, settled), "ben")
        assert curate.estimate(workspace).of("false_negative_rate")["value"] == pytest.approx(row[bound])


def test_pseudo_positives_of_queries_without_labels_have_a_precision(tmp_path: Path) -> None:
    """All of them are relevant here, which some labels do not prove."""
    workspace = judged_run(tmp_path, split="unlabeled")
    curate.draw_sample(workspace, "audit", run="bm25-unlabeled", queries=12, pairs=60)
    judge(workspace, {pair: truth(pair) for pair in ids(workspace)})
    row = curate.estimate(workspace).of("precision", "pseudo_positive")
    assert (row["value"], row["high"]) == (1.0, 1.0)
    assert 0.7 < row["low"] < 0.95


def test_plain_annotations_are_counted_and_nothing_is_made_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody knows how they were chosen. With a sample, they are told beside its figures."""
    workspace = judged_run(tmp_path)
    judge(workspace, {("q1", "p1-1"): True, ("q2", "p2-1"): False, ("q3", "p3-1"): None})
    with pytest.raises(StepMissing, match="nobody knows for which candidates") as error:
        curate.estimate(workspace)
    assert "1 are relevant, 1 are not, and 1 have no clear verdict" in str(error.value)
    curate.draw_sample(workspace, "audit", queries=12, pairs=30)
    with pytest.raises(StepMissing, match="nobody has judged"):
        curate.estimate(workspace)
    judge(workspace, {pair: truth(pair) for pair in ids(workspace)})
    assert curate.estimate(workspace).without_design["pairs"] >= 2
    assert run(["-C", str(workspace.root), "estimate"]) == 0
    assert "in no sample" in " ".join(capsys.readouterr().out.split())


def test_a_share_of_what_nobody_found_says_so(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """All pairs are irrelevant, which are not too few verdicts: there is only no recall of them."""
    judge(workspace, dict.fromkeys(ids(workspace), False))
    assert run(["-C", str(workspace.root), "estimate"]) == 0
    printed = capsys.readouterr().out
    assert "none is relevant" in printed
    assert "too few verdicts" not in printed


def test_whoever_looks_for_the_estimate_in_the_wrong_place_is_told(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """`curate annotate estimate audit` would otherwise look for a sample of that name."""
    assert run(["-C", str(workspace.root), "annotate", "estimate", "audit"]) != 0
    assert "curate estimate audit" in capsys.readouterr().err


def test_annotators_are_compared_on_the_pairs_that_both_judged(workspace: Workspace) -> None:
    """Kappa by its formula and alpha by its library. Ties decide nothing."""
    pairs = ids(workspace)
    ann = {pair: truth(pair) for pair in pairs}
    ben = {pair: truth(pair) != (number % 5 == 0) for number, pair in enumerate(pairs[:40])}
    judge(workspace, ann)
    judge(workspace, ben | {pairs[45]: None}, "ben")
    found = curate.estimate(workspace)
    (row,) = found.agreement.kappas
    assert (row["first"], row["second"], row["pairs"], row["agreed"]) == ("ann", "ben", 40, 32)
    yes = [sum(of[pair] for pair in pairs[:40]) / 40 for of in (ann, ben)]
    chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    assert row["kappa"] == pytest.approx((32 / 40 - chance) / (1 - chance))
    table = [[float(of[pair]) for pair in pairs[:40]] for of in (ann, ben)]
    alpha = krippendorff.alpha(reliability_data=table, level_of_measurement="nominal")
    assert found.agreement.alpha == pytest.approx(alpha)
    assert {(row["query_id"], row["passage_id"]) for row in found.agreement.differing} == set(pairs[:40:5])
    assert found.verdicts["unsure"] == 8


def test_verdicts_that_are_all_the_same_have_no_kappa() -> None:
    """Chance alone would agree on all of them."""
    about = {"query_key": 0, "query_id": "q", "passage_id": "p", "query": "?", "passage": "!"}
    rows = [
        {**about, "passage_key": p, "annotator": who, "relevant": True} for p in range(3) for who in ("a", "b")
    ]
    found = agreement(rows)
    assert [row["kappa"] for row in found.kappas] == [None]
    assert (found.alpha, found.differing) == (None, [])


@pytest.mark.parametrize("columns", [50, 80, 160])
def test_the_figures_fit_the_terminal(
    workspace: Workspace, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No number is broken or cut. A wide terminal draws the intervals."""
    judge(workspace, {pair: truth(pair) for pair in ids(workspace)} | {ids(workspace)[0]: None})
    monkeypatch.setenv("COLUMNS", str(columns))
    assert run(["-C", str(workspace.root), "estimate"]) == 0
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert all(len(line.rstrip()) <= columns for line in shown.splitlines())
    row = curate.estimate(workspace).of("false_negative_rate")
    assert f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %" in shown
    assert ("●" in shown) == (columns == 160)


def test_programs_get_the_same_figures(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """As one JSON object with its schema."""
    judge(workspace, {pair: truth(pair) for pair in ids(workspace)})
    assert run(["-C", str(workspace.root), "estimate", "audit", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["schema"] == "curate.estimates/2"
    assert shown["estimates"] == curate.estimate(workspace).estimates
