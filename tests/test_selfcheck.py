"""`curate selfcheck`: labelled positives are hidden, and denoising is asked what it would make of them."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from conftest import add_run, write_workspace
from sampled import judged_run
from test_estimates import judge, truth

import curate
from curate import BadSettings, StepMissing, Workspace, named_queries
from curate.annotate.sheet import Sheet
from curate.calibration import write_calibration
from curate.cli.main import run
from curate.cutoffs import set_cutoffs
from curate.jobs import Job
from curate.judge_split import JudgeSplit, write_judge_queries
from curate.reports.selfcheck import print_selfcheck
from curate.selfcheck import SelfCheck

Make = Callable[..., Workspace]
Pair = tuple[str, str]
CUTS = {"depth": 6, "negative_below": 0.1, "positive_above": 0.9}
RUN = "bm25-train"
QUERIES = 12
TAKEN: dict[str, Callable[[float], bool]] = {
    "negative_below": lambda probability: probability >= 0.1,
    "positive_above": lambda probability: probability > 0.9,
}


def score(
    workspace: Workspace,
    probabilities: Mapping[Pair, float],
    *,
    scorer: str = "judge",
    training: str | None = None,
) -> None:
    """Write scores with these probabilities; `training` trained the scorer."""
    queries = dict(workspace.sql("select query_id, query_key from queries").rows())
    passages = dict(workspace.sql("select passage_id, passage_key from passages").rows())
    job = Job(workspace, "denoise", f"score-{scorer}", {"run": RUN, "depth": 6}, {"scorer": scorer[0] * 64})
    rows = [
        {
            "scorer_id": scorer,
            "query_key": queries[query],
            "passage_key": passages[passage],
            "logit": math.log(value / (1 - value)),
        }
        for (query, passage), value in probabilities.items()
    ]
    job.write_rows("scores", rows)
    path = f"models/{training}" if training else f"elsewhere/{scorer}"
    about = {"model_id": scorer, "role": "cross-encoder", "path": path, "fingerprint": scorer[0] * 64}
    job.write_rows("models", [{**about, "settings": "{}"}])
    job.finish(scorer_id=scorer, run=RUN)


class World:
    """Twelve queries, each with the passages a to h: a, b and c are labelled, a alone for every third query.

    The run has six of them, so that some positives are not found. Passage d was judged not relevant. Nobody has
    scored the pairs in `unscored`.
    """

    def __init__(self, folder: Path) -> None:
        names = [f"q{n}" for n in range(QUERIES)]
        self.positives = {q: [f"{q}{x}" for x in ("a" if n % 3 == 0 else "abc")] for n, q in enumerate(names)}
        orders = ["badecf", "eafdbg", "cfghdb", "adbecg"]
        self.found = {q: [q + x for x in orders[n % 4]] for n, q in enumerate(names)}
        self.judged = {(q, f"{q}d") for q in names}
        self.unscored = {("q1", "q1b"), ("q2", "q2g")}
        every = [(q, q + x) for q in names for x in "abcdefgh"]
        self.probability = {
            pair: (0.037 * (i * i % 27) + 0.005) for i, pair in enumerate(every) if pair not in self.unscored
        }
        self.workspace = write_workspace(
            folder,
            {passage: f"passage {passage}" for _, passage in every},
            {q: f"what is {q}" for q in names},
            qrels=[
                *((q, p) for q, of in self.positives.items() for p in of),
                *((q, p, 0) for q, p in sorted(self.judged)),
            ],
            candidates=self.found,
        )
        score(self.workspace, self.probability)
        set_cutoffs(self.workspace, "default", scorer_id="judge", **CUTS)  # type: ignore[arg-type]

    def hidden(self, share: float = 1, seed: int = 0) -> set[Pair]:
        """Return the hidden pairs, drawn here by Python's own md5."""
        drawn = sorted(self.positives, key=lambda q: draw(seed, q, "selfcheck"))[: math.ceil(share * QUERIES)]
        kept = {
            q: min(of, key=lambda p: draw(seed, q, f"selfcheck {p}"))
            for q, of in self.positives.items()
            if len(of) > 1
        }
        return {(q, p) for q in drawn for p in self.positives[q] if p != kept.get(q)}

    def rank(self, pair: Pair) -> int | None:
        found = self.found[pair[0]]
        return found.index(pair[1]) + 1 if pair[1] in found else None


def draw(seed: int, query: str, words: str) -> int:
    digest = hashlib.md5("\x1f".join([str(seed), query, words]).encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest, "little")


def clustered(outcomes: Sequence[tuple[str, bool]]) -> tuple[float, float]:
    """Return the interval of Wilson with the effective number of pairs, query by query (docs/reports.md)."""
    of = {q: [hit for _, hit in group] for q, group in groupby(sorted(outcomes), key=lambda pair: pair[0])}
    total, hits, queries = len(outcomes), sum(hit for _, hit in outcomes), len(of)
    share = hits / total
    variance = (
        queries / (queries - 1) * sum((sum(pairs) - share * len(pairs)) ** 2 for pairs in of.values()) / total**2
    )
    pairs = min(share * (1 - share) / variance if variance else queries, total)
    pairs /= (1 + 1.210365 / (queries - 1) + 1.440077 / (queries - 1) ** 2) ** 2
    z = 3.841459
    middle, width = share + z / 2 / pairs, math.sqrt(z / pairs * (share * (1 - share) + z / 4 / pairs))
    return (middle - width) / (1 + z / pairs), (middle + width) / (1 + z / pairs)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return one workspace for all tests: none of them changes the cutoffs `default`."""
    return World(tmp_path_factory.mktemp("world") / "set")


@pytest.fixture(scope="module")
def checked(world: World) -> SelfCheck:
    return curate.selfcheck(world.workspace)


# What a double loop finds


def test_recall_is_what_a_double_loop_finds(world: World, checked: SelfCheck) -> None:
    """Both cutoffs, over all ranks and by range of ranks, with intervals by query."""
    for cutoff, is_taken in TAKEN.items():
        for part, ranks in (("all", range(1, 7)), ("ranks 1-5", range(1, 6)), ("ranks 6-6", [6])):
            outcomes = [
                (pair[0], is_taken(world.probability[pair]))
                for pair in world.hidden()
                if world.rank(pair) in ranks and pair in world.probability
            ]
            row = checked.of("recall", "hidden", cutoff, part)
            assert (row["taken"], row["pairs"]) == (sum(hit for _, hit in outcomes), len(outcomes))
            assert row["value"] == pytest.approx(row["taken"] / row["pairs"], abs=1e-6)
            if row["queries"] >= 5:
                assert (row["low"], row["high"]) == pytest.approx(clustered(outcomes), abs=1e-5)
            else:
                assert row["low"] is row["high"] is None


def test_cost_is_measured_on_what_people_judged_and_bounded_elsewhere(world: World, checked: SelfCheck) -> None:
    """Candidates without any label give an upper bound, without an interval that would look like a measurement."""
    candidates = [(q, p) for q, of in world.found.items() for p in of if (q, p) in world.probability]
    judged = [pair for pair in candidates if pair in world.judged]
    others = [(q, p) for q, p in candidates if p not in world.positives[q] and (q, p) not in world.judged]
    for cutoff, is_taken in TAKEN.items():
        rows = {kind: checked.of("cost", kind, cutoff) for kind in ("judged", "unlabelled")}
        for row, pairs in zip(rows.values(), (judged, others), strict=True):
            assert (row["taken"], row["pairs"]) == (
                sum(is_taken(world.probability[pair]) for pair in pairs),
                len(pairs),
            )
        assert (rows["judged"]["means"], rows["unlabelled"]["means"]) == ("measured", "upper bound")
        assert rows["unlabelled"]["low"] is None


def test_every_labelled_positive_is_somewhere(world: World, checked: SelfCheck) -> None:
    """Each is counted once: hidden or kept; the hidden ones are not found, unscored or counted."""
    counts, hidden = checked.counts, world.hidden()
    found = [pair for pair in hidden if world.rank(pair)]
    assert counts["labelled"] == sum(map(len, world.positives.values())) == counts["hidden"] + counts["kept"]
    assert counts["hidden"] == len(hidden) == counts["not_found"] + len(found)
    assert counts["unscored"] == len([pair for pair in found if pair not in world.probability])
    assert counts["counted"] == len(found) - counts["unscored"]
    assert (counts["by_text"], counts["seen"], counts["not_mined"]) == (0, 0, 0)


def test_the_table_per_cutoff_is_that_of_the_cutoffs_set_to_each_value(world: World, checked: SelfCheck) -> None:
    """Setting negative_below to a value of the table gives its row, in force."""
    set_cutoffs(world.workspace, "other", negative_below=0.3)
    after = curate.selfcheck(world.workspace, cutoffs="other")
    assert [row["negative_below"] for row in checked.by_cutoff if row["in_force"]] == [0.1]
    assert [row["negative_below"] for row in after.by_cutoff if row["in_force"]] == [0.3]
    without = [[{**row, "in_force": None} for row in found.by_cutoff] for found in (checked, after)]
    assert without[0] == without[1]
    (row,) = [row for row in after.by_cutoff if row["in_force"]]
    assert row["recall"] == after.of("recall", "hidden")["value"]


def test_a_share_hides_positives_of_fewer_queries(world: World) -> None:
    """The same seed draws the same queries, by hash of their ids. Those of a smaller share are among them."""
    for share, seed in ((0.5, 0), (0.5, 1), (0.25, 1)):
        listed = world.workspace.sql(
            "select queries.query_id, passages.passage_id "
            f"from hidden_positives('{RUN}', 'default', {share}, {seed}) as hidden "
            "inner join queries using (query_key) inner join passages using (passage_key)"
        ).rows()
        assert set(listed) == world.hidden(share, seed)
        assert curate.selfcheck(world.workspace, share=share, seed=seed).counts["hidden"] == len(listed)
    assert world.hidden(0.25, 1) < world.hidden(0.5, 1) != world.hidden(0.5, 0)


def test_the_same_call_gives_the_same_result(world: World, checked: SelfCheck) -> None:
    assert curate.selfcheck(world.workspace) == checked


def test_the_named_query_lists_the_hidden_positives(world: World, checked: SelfCheck) -> None:
    """Those that would become negatives come first. Its counts are those of the command."""
    listed = curate.report(world.workspace, "hidden_positives").rows
    by_decision = Counter(row["decision"] for row in listed if row["is_found"])
    recall = checked.of("recall", "hidden")
    assert by_decision["hard_negative"] == recall["pairs"] - recall["taken"]
    assert by_decision["unscored"] == checked.counts["unscored"]
    assert [row["decision"] for row in listed][: by_decision["hard_negative"]] == (
        ["hard_negative"] * by_decision["hard_negative"]
    )
    # A query whose only label is hidden has no positive any more.
    assert {row["query_id"] for row in listed if row["decision"] == "pseudo_positive"} <= {"q0", "q3", "q6", "q9"}


# Which positives count


def single(make: Make, queries: int = 8, texts: Mapping[str, str] | None = None, **options: Any) -> Workspace:
    """Return a workspace whose query n has the positive p<n> at rank 1 and an unlabelled passage at rank 2."""
    passages = {f"p{n}": f"passage number {n}" for n in range(queries + 1)} | dict(texts or {})
    ranked = {f"q{n}": [f"p{n}", f"p{n + 1}"] for n in range(queries)}
    labels = [(f"q{n}", f"p{n}") for n in range(queries)]
    return make(passages, {q: f"what is {q}" for q in ranked}, qrels=labels, candidates=ranked, **options)


def scored(workspace: Workspace, queries: int = 8, **options: Any) -> Workspace:
    """Score positives with 0.95 for even numbers and 0.05 for odd ones, and the others with 0.02."""
    of = {(f"q{n}", f"p{n}"): 0.05 if n % 2 else 0.95 for n in range(queries)}
    score(workspace, {**of, **{(f"q{n}", f"p{n + 1}"): 0.02 for n in range(queries)}}, **options)
    set_cutoffs(workspace, "default", scorer_id="judge", **CUTS)  # type: ignore[arg-type]
    return workspace


def saw(workspace: Workspace, queries: Sequence[int]) -> None:
    """Record that a training saw these queries."""
    job = Job(workspace, "train", "train-judge", {"kind": "cross-encoder"})
    write_judge_queries(job, JudgeSplit(1, 0, trained=list(queries)), None)
    job.finish()


def test_positives_that_trained_the_scorer_are_not_counted(make_workspace: Make) -> None:
    """The judge was trained on the even queries, whose positives it all recognises: only the odd ones count."""
    workspace = single(make_workspace)
    saw(workspace, [0, 2, 4, 6])
    found = curate.selfcheck(scored(workspace, training="judge"))
    assert found.of("recall", "hidden")["value"] == 0
    assert (found.counts["seen"], found.counts["seen_queries"], found.counts["hidden"]) == (4, 4, 4)
    assert found.of("cost", "unlabelled")["pairs"] == 4
    assert not any("not trained in this workspace" in note for note in found.notes)


def test_if_all_positives_trained_the_scorer_the_message_says_what_helps(make_workspace: Make) -> None:
    workspace = single(make_workspace)
    saw(workspace, range(8))
    with pytest.raises(StepMissing, match=r"all 8 labelled positives .* trained judge: it knows them") as refused:
        curate.selfcheck(scored(workspace, training="judge"))
    assert refused.value.run == "curate train cross-encoder --folds 5"


def test_of_a_scorer_from_elsewhere_nobody_knows_what_trained_it(make_workspace: Make) -> None:
    found = curate.selfcheck(scored(single(make_workspace)))
    assert any("judge was not trained in this workspace" in note for note in found.notes)


def test_of_two_judges_none_may_have_seen_the_query(make_workspace: Make) -> None:
    """The mean of both decides, and a query that one of them saw does not count."""
    workspace = single(make_workspace)
    saw(workspace, [0, 1])
    scored(workspace, training="judge")
    others = {(f"q{n}", f"p{n + 1}"): 0.02 for n in range(8)}
    score(workspace, {**others, **{(f"q{n}", f"p{n}"): 0.5 for n in range(8)}}, scorer="other")
    set_cutoffs(workspace, "both", scorer=["judge", "other"], join="mean", negative_below=0.3)
    found = curate.selfcheck(workspace, cutoffs="both")
    recall = found.of("recall", "hidden")
    assert (recall["taken"], recall["pairs"]) == (3, 6)  # the mean of 0.5 with 0.95 or 0.05
    assert found.by_cutoff
    set_cutoffs(workspace, "both", join="all")
    joined = curate.selfcheck(workspace, cutoffs="both")
    assert joined.of("recall", "hidden")["taken"] == 6  # the one of 0.5 is not below
    assert not joined.by_cutoff
    assert any("joined by 'all'" in note for note in joined.notes)


def test_a_positive_that_its_text_gives_away_is_no_merit_of_the_scorer(make_workspace: Make) -> None:
    """Both positives of a query have one text: whichever is hidden, denoising knows it by the other."""
    passages = {"a": "the tower", "b": "The tower!", **{f"p{n}": f"passage {n}" for n in range(6)}}
    asked = {"q": "how high", **{f"q{n}": f"what is {n}" for n in range(6)}}
    labels = [("q", "a"), ("q", "b"), *((f"q{n}", f"p{n}") for n in range(6))]
    workspace = make_workspace(
        passages, asked, qrels=labels, candidates={"q": ["a", "b"], **{f"q{n}": [f"p{n}"] for n in range(6)}}
    )
    score(workspace, {("q", "a"): 0.01, ("q", "b"): 0.01, **{(f"q{n}", f"p{n}"): 0.95 for n in range(6)}})
    set_cutoffs(workspace, "default", scorer_id="judge", **CUTS)  # type: ignore[arg-type]
    found = curate.selfcheck(workspace)
    assert (found.counts["by_text"], found.of("recall", "hidden")["value"]) == (1, 1)


def test_queries_that_were_not_mined_and_positives_beyond_the_depth_are_told_apart(make_workspace: Make) -> None:
    workspace = scored(single(make_workspace))
    set_cutoffs(workspace, "default", depth=1)
    add_run(
        workspace,
        "second",
        "train",
        [
            {"run_id": "second", "query_key": q, "passage_key": p, "rank": rank, "score": 9.0 - rank}
            for q in range(6)
            for rank, p in ((1, q + 1), (2, q))
        ],
    )
    found = curate.selfcheck(workspace, run="second")
    with pytest.raises(KeyError):
        found.of("recall", "hidden")
    counts = found.counts
    assert (counts["not_found"], counts["beyond"], counts["not_mined"], counts["counted"]) == (6, 6, 2, 0)


# What else is known of the cost


def test_a_calibrated_scorer_has_an_opinion_which_is_named_so(world: World, checked: SelfCheck) -> None:
    """Its probabilities say how many of the unlabelled candidates are relevant, of those taken out and of all."""
    assert not any(row["means"] == "opinion" for row in checked.figures)
    calibration = {
        "scorer_id": "judge",
        "a": 1.0,
        "b": 1.0,
        "c": 0.0,
        "form": "platt",
        "evidence": "labels",
        "run_id": RUN,
        "depth": 6,
        "queries": 9,
        "positives": 9,
        "others": 9,
        "seed": 0,
        **dict.fromkeys(("prior", "log_loss_before", "log_loss", "error_before", "error"), 0.1),
    }
    settings = {"calibration": calibration, "reliability": [], "promises": []}
    write_calibration(world.workspace, "calibrate-00001", settings)
    set_cutoffs(world.workspace, "calibrated")
    found = curate.selfcheck(world.workspace, cutoffs="calibrated")
    pairs = [
        world.probability[q, p]
        for q, of in world.found.items()
        for p in of
        if (q, p) in world.probability and p not in world.positives[q] and (q, p) not in world.judged
    ]
    out = [p for p in pairs if p >= 0.1]
    expected = {
        "recall": sum(out) / sum(pairs),
        "cost": sum(1 - p for p in out) / sum(1 - p for p in pairs),
        "precision": sum(out) / len(out),
    }
    for what, value in expected.items():
        (row,) = [
            row
            for row in found.figures
            if (row["what"], row["means"], row["cutoff"]) == (what, "opinion", "negative_below")
        ]
        assert row["value"] == pytest.approx(value, abs=1e-5)
    assert any(note.startswith("Learnt from labels") and "calibrate-00001" in note for note in found.notes)


def test_verdicts_on_a_sample_estimate_recall_and_cost(tmp_path: Path) -> None:
    """All 168 unlabelled candidates are judged, so the estimates are counts. Other cutoffs: another population."""
    workspace = judged_run(tmp_path)
    curate.draw_sample(workspace, "audit", queries=24, pairs=1000)
    pairs = [pair.id for pair in Sheet.of(workspace, "audit", "").pairs]
    assert not any(row["of"] == "sample" for row in curate.selfcheck(workspace).figures)
    judge(workspace, {pair: truth(pair) for pair in pairs})
    found = curate.selfcheck(workspace)
    estimates = curate.estimate(workspace, "audit")
    for what in ("recall", "cost"):
        row = found.of(what, "sample")
        assert (row["value"], row["means"]) == (estimates.of(what, "denoising")["value"], "estimate")
    # The verdicts enter as a sample only: its strata are no fair picture of the candidates.
    assert not any(row["of"] == "judged" for row in found.figures)
    set_cutoffs(workspace, "default", negative_below=0.2)
    assert not any(row["of"] == "sample" for row in curate.selfcheck(workspace).figures)


def test_where_scoring_stopped_early_unlabelled_candidates_say_nothing(make_workspace: Make) -> None:
    """Deep ranks have scores only for queries with few negatives."""
    workspace = single(make_workspace)
    score(workspace, {(f"q{n}", f"p{n}"): 0.95 for n in range(8)} | {("q0", "p1"): 0.5})
    set_cutoffs(workspace, "default", scorer_id="judge", enough=1, **CUTS)  # type: ignore[arg-type]
    found = curate.selfcheck(workspace)
    assert found.of("recall", "hidden")["value"] == 1
    assert not any(row["of"] == "unlabelled" for row in found.figures)
    assert any("Scoring stopped early" in note for note in found.notes)


# Nothing to check


@pytest.mark.parametrize("share", [0, -0.5, 1.5, math.nan, math.inf])
def test_a_share_that_cannot_be_meant_is_refused(world: World, share: float) -> None:
    with pytest.raises(BadSettings, match="share must be above 0 and at most 1"):
        curate.selfcheck(world.workspace, share=share)
    with pytest.raises(BadSettings, match="share must be above 0 and at most 1"):
        named_queries.values(world.workspace, "hidden_positives", {"share": str(share)})


def test_without_candidates_scores_or_labels_the_next_step_is_named(make_workspace: Make, tmp_path: Path) -> None:
    empty = Workspace.create(tmp_path / "empty")
    with pytest.raises(StepMissing, match="no candidates for the split 'train' yet"):
        curate.selfcheck(empty)
    workspace = single(make_workspace)
    with pytest.raises(StepMissing, match="no cutoffs yet"):
        curate.selfcheck(workspace)
    score(workspace, {("q0", "p1"): 0.5})
    set_cutoffs(workspace, "default", scorer_id="judge", **CUTS)  # type: ignore[arg-type]
    with pytest.raises(StepMissing, match=r"none of the 8 hidden positives in the top 6 .* unscored") as refused:
        curate.selfcheck(workspace)
    assert refused.value.run == f"curate denoise --run {RUN} --cutoffs default"
    assert workspace.root.exists()


def test_a_run_over_queries_without_labels_has_nothing_to_hide(tmp_path: Path) -> None:
    workspace = judged_run(tmp_path, split="unlabeled")
    with pytest.raises(StepMissing, match="no labelled positive in the split unlabeled"):
        curate.selfcheck(workspace, run="bm25-unlabeled")


# The command


@pytest.mark.parametrize("columns", ["60", "80", "160"])
def test_figures_fit_the_terminal(
    checked: SelfCheck, columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    print_selfcheck(checked)
    shown = capsys.readouterr().out
    assert all(len(line) <= int(columns) for line in shown.splitlines())
    assert "at most" in shown
    assert "* 0.1" in shown


def test_the_command_prints_the_same(world: World, checked: SelfCheck, capsys: pytest.CaptureFixture[str]) -> None:
    print_selfcheck(checked)
    expected = capsys.readouterr().out
    assert run(["-C", str(world.workspace.root), "selfcheck", "--cutoffs", "default"]) == 0
    assert capsys.readouterr().out == expected


def test_json_has_the_fields_of_the_result(
    world: World, checked: SelfCheck, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-C", str(world.workspace.root), "selfcheck", "--json", "--share", "1"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown.pop("schema") == "curate.selfcheck/2"
    assert SelfCheck(**shown) == checked


def test_the_named_query_takes_share_and_seed_as_text(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(world.workspace.root)
    arguments = ["-C", root, "sql", "hidden_positives", "-p", "share=0.5", "-p", "seed=1", "--format", "ndjson"]
    assert run(arguments) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(row["query_id"], row["passage_id"]) for row in rows} == world.hidden(0.5, 1)
    assert run(["-C", root, "sql", "hidden_positives", "-p", "seed=x"]) == 2
