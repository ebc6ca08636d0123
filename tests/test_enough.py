"""`curate denoise --enough N`: ranks are scored in waves, and N hard negatives are enough for a query."""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import write_workspace
from toy_scorer import ToyScorer, introduce

import curate
from curate import Workspace, named_queries
from curate.calibrate.request import CalibrateRequest
from curate.cli.main import cli
from curate.config import Denoise
from curate.cutoffs import set_cutoffs
from curate.denoise import resolve_scorer, scoring, stage
from curate.denoise.agreement import Agreement
from curate.denoise.plan_scoring import known_pace
from curate.denoise.resolve_scorer import find_scorer
from curate.denoise.score_job import Scored, first_waves, later_waves
from curate.denoise.scoring import Scoring
from curate.denoise.stage import Denoised, DenoiseOptions, DenoiseRequest, plan_denoise
from curate.errors import BadSettings, NotMet, StepMissing, UnsoundJudge
from curate.jobs import Job
from curate.progress import Progress
from curate.standing import states, warnings

RUN = "bm25-train"
QUERIES, DEPTH, ENOUGH = 130, 16, 2
ENDS = [4, 8, 16]
"""Twice as many ranks as negatives are enough, then as many again as there were before."""
NEGATIVE, UNCERTAIN, RELEVANT, LABELLED = -4.0, 0.0, 3.0, 4.0
chance = random.Random(5)
# Most candidates of a query are alike, so that some queries need one wave and others all of them.
LOGITS = [
    [chance.choices((NEGATIVE, UNCERTAIN, RELEVANT), (hard, 3, 2))[0] for _ in range(DEPTH)]
    for hard in (chance.choice((1, 4, 20)) for _ in range(QUERIES))
]
LABEL = [chance.randrange(DEPTH) for _ in range(QUERIES)]
for _query, _rank in enumerate(LABEL):
    LOGITS[_query][_rank] = LABELLED


def known_logit(query: str, passage: str) -> float:
    """Return the logit of `question 3` and `passage 3 7`, its candidate at place 7; others are irrelevant."""
    owner, place = map(int, passage.split()[1:])
    return LOGITS[owner][place] if query == f"question {owner}" else -6.0


def strict_logit(query: str, passage: str) -> float:
    """Return the logit of a second judge, which rejects fewer: of the irrelevant, those at even places."""
    logit = known_logit(query, passage)
    return UNCERTAIN if logit == NEGATIVE and int(passage.split()[2]) % 2 else logit


@pytest.fixture(scope="module", autouse=True)
def judges() -> Iterator[dict[str, ToyScorer]]:
    """Two judges that every workspace knows by name. Shards are small; what each call also writes is left out."""
    found = {name: ToyScorer(name, logit) for name, logit in (("toy", known_logit), ("strict", strict_logit))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolve_scorer, "find_source", lambda name, *_: found[name.removeprefix("models/")])
        patch.setattr(scoring, "SMALLEST_SHARD", 800)
        patch.setattr(Workspace, "refresh_catalogue", lambda _self: True)
        patch.setattr(stage, "audit", lambda *_: {})
        yield found


def copy(workspace: Workspace, folder: Path) -> Workspace:
    return Workspace(Path(shutil.copytree(workspace.root, folder / "set")))


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return the collection, not denoised, which tests only read."""
    names = {(q, p): f"p{q}-{p}" for q in range(QUERIES) for p in range(DEPTH)}
    return write_workspace(
        tmp_path_factory.mktemp("enough") / "set",
        {name: f"passage {q} {p}" for (q, p), name in names.items()},
        {f"q{q}": f"question {q}" for q in range(QUERIES)},
        candidates={f"q{q}": [names[q, p] for p in range(DEPTH)] for q in range(QUERIES)},
        qrels=[(f"q{q}", names[q, p]) for q, p in enumerate(LABEL)],
    )


@pytest.fixture
def fresh(collection: Workspace, tmp_path: Path) -> Workspace:
    """Return a copy of the collection, to go on with."""
    return copy(collection, tmp_path)


@pytest.fixture(scope="module")
def outcome(
    collection: Workspace, tmp_path_factory: pytest.TempPathFactory, judges: dict[str, ToyScorer]
) -> tuple[Workspace, Denoised]:
    """Return a workspace that was denoised with --enough, which tests only read, and the outcome."""
    judges["toy"].asked = []
    workspace = copy(collection, tmp_path_factory.mktemp("denoised"))
    result = curate.denoise(workspace, scorer="toy", depth=DEPTH, enough=ENOUGH)
    assert len(judges["toy"].asked) == result.scored_now
    return workspace, result


@pytest.fixture
def stopped(outcome: tuple[Workspace, Denoised], tmp_path: Path) -> Workspace:
    """Return a copy of that workspace, to go on with."""
    return copy(outcome[0], tmp_path)


def sample_of(workspace: Workspace) -> set[int]:
    """Return the queries that are scored in full."""
    rows = workspace.sql(f"select query_key from sampled_queries('{RUN}', 'toy')").rows()
    return {query for (query,) in rows}


def brute_force(workspace: Workspace) -> set[tuple[int, int]]:
    """Return the pairs (query, passage) that waves score, by a loop over queries; labels are no negatives."""
    sample = sample_of(workspace)
    pairs = set(workspace.sql(f"select query_key, passage_key from random_pairs('{RUN}')").rows())
    for query, logits in enumerate(LOGITS):
        scored = 0
        for end in [DEPTH] if query in sample else ENDS:
            if sum(logit == NEGATIVE for logit in logits[:scored]) >= ENOUGH:
                break
            scored = end
        pairs |= {(query, query * DEPTH + place) for place in (*range(scored), LABEL[query])}
    return pairs


def ledger(workspace: Workspace, scorer: str = "toy") -> list[tuple[int, int]]:
    return workspace.sql(f"select query_key, passage_key from scores where scorer_id = '{scorer}'").rows()


def scores(workspace: Workspace) -> dict[str, bytes]:
    tables = workspace.root / "tables"
    return {str(path.relative_to(tables)): path.read_bytes() for path in tables.glob("scores/**/*.parquet")}


def test_the_ranks_looked_at_double_from_wave_to_wave() -> None:
    """A query gets at most twice the scores that it needs. Together, the waves are the whole depth once."""
    row = {"enough": 4, "depth": 50, "name": "default", "scorer_id": "toy", "negative_below": 0.1}
    row |= {"positive_above": 0.9, "calibration_id": None, "joined": None, "judges": None}
    waves = [*first_waves(50, 4), *later_waves(row)]
    assert [(wave.queries, wave.above, wave.last) for wave in waves] == [
        ("sample", 0, 50),
        ("others", 0, 8),
        ("short", 8, 16),
        ("short", 16, 32),
        ("short", 32, 50),
    ]
    assert [(wave.queries, wave.last) for wave in first_waves(50, None)] == [("every", 50)]
    assert later_waves({**row, "enough": 25}) == []  # twice 25 ranks are all of them


def test_waves_score_what_a_loop_over_the_queries_scores(outcome: tuple[Workspace, Denoised]) -> None:
    """Positives, random passages and the sample are scored too, nothing twice. The rest is unscored and told."""
    workspace, result = outcome
    expected = brute_force(workspace)
    assert sorted(ledger(workspace)) == sorted(expected)
    assert result.scored_now == result.pairs == len(expected)
    left = sum((q, q * DEPTH + p) not in expected for q in range(QUERIES) for p in range(DEPTH))
    assert result.left_unscored == left > 0
    assert result.saved_seconds == pytest.approx(left * result.seconds / result.scored_now)
    assert f"{left} candidates were left unscored, because their queries have 2 hard negatives" in result.text()

    # Nothing calls them a fault.
    (state,) = states(workspace, [RUN], "default")
    assert (state["unscored"], state["left"]) == (left, left)
    assert warnings(state, "default") == []
    status = curate.status(workspace)
    assert f"{left} need no score (--enough 2)" in status.text()
    assert not status.next.startswith("curate denoise")


def test_shares_are_those_of_all_candidates_or_unknown(stopped: Workspace) -> None:
    """Of the first four ranks, every candidate is scored. Deeper, only queries with few negatives are."""
    parameters = {"run": RUN, "cutoffs": "default"}
    for row in report(stopped, "denoised_by_rank", parameters):
        assert (row["denoised_rate"] is None) == (row["unscored"] > 0) == (row["last_rank"] > 4), row
    exported = curate.export(stopped, format="triplet", negatives=2).text()
    assert "unjudged ones were denoised" in exported
    assert "%" not in exported
    assert "because scoring of a query stopped at 2 hard negatives" in exported


def report(workspace: Workspace, name: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
    with workspace.connect_lazily() as connection:
        return named_queries.rows(connection, name, parameters)


def test_the_judge_is_measured_on_queries_drawn_by_chance(outcome: tuple[Workspace, Denoised]) -> None:
    """Queries without enough negatives have all their scores, too, but they are those on which it found few."""
    workspace, result = outcome
    assert result.judge.queries == 100
    rows = report(workspace, "judge", {"run": RUN, "cutoffs": "default", "scorer": "toy"})
    assert {row["query_id"] for row in rows} == {f"q{query}" for query in sample_of(workspace)}
    for row in rows:
        rank = LABEL[int(row["query_id"][1:])] + 1
        assert (row["judge_rr"], row["retriever_rr"]) == (1.0, 1 / rank if rank <= 10 else 0.0)


def test_no_query_that_trained_the_judge_is_in_its_sample(judges: dict[str, ToyScorer], fresh: Workspace) -> None:
    """The sample is drawn before the first score, when nothing but its path says what the judge has seen."""
    job = Job(fresh, "train", "train-m")
    seen = range(20, QUERIES)
    job.write_rows("judge_queries", [{"training": "train-m", "query_key": q, "fold": None} for q in seen])
    job.finish()
    judges["trained"] = ToyScorer("trained", known_logit, place="models/m")
    scorer = find_scorer(fresh, Denoise(scorer="trained"))
    sample, others = (
        Scoring(fresh, RUN, DEPTH, scorer, wave).queries["query_key"].to_pylist()
        for wave in first_waves(DEPTH, ENOUGH)
    )
    assert (sorted(sample), sorted(others)) == ([*range(20)], [*seen])


def test_a_command_that_is_killed_goes_on_to_the_same_bytes(
    outcome: tuple[Workspace, Denoised], judges: dict[str, ToyScorer], fresh: Workspace
) -> None:
    """What a wave scores depends on the waves before it alone: killed in the sample, then in the last wave."""
    whole = len(ledger(outcome[0]))
    judges["toy"].asked = []
    for dies_after in (900, whole - 1):
        judges["toy"].dies_after = dies_after
        with pytest.raises(KeyboardInterrupt):
            curate.denoise(fresh, scorer="toy", depth=DEPTH, enough=ENOUGH)
    judges["toy"].dies_after = None
    curate.denoise(fresh, scorer="toy", depth=DEPTH, enough=ENOUGH)
    assert scores(fresh) == scores(outcome[0])
    assert len(judges["toy"].asked) == whole


def test_other_cutoffs_or_all_scores_need_only_what_is_missing(
    stopped: Workspace, judges: dict[str, ToyScorer]
) -> None:
    """Below 0.01 nothing is a negative any more, so every query needs all of its scores. None is made twice."""
    judges["toy"].asked = []
    before = len(ledger(stopped))
    set_cutoffs(stopped, "strict", negative_below=0.01)
    (state,) = states(stopped, [RUN], "strict")
    assert state["left"] == 0 < state["unscored"]
    command = f"curate denoise --run {RUN} --cutoffs strict --enough 2"
    said = f"{state['unscored']:,} of {QUERIES * DEPTH:,} candidates of run {RUN} are unscored. Run: {command}"
    assert warnings(state, "strict") == [said]
    curate.denoise(stopped, run=RUN, cutoffs="strict", enough=2 * ENOUGH)
    assert states(stopped, [RUN], "strict")[0]["unscored"] == 0
    assert {(q, q * DEPTH + p) for q in range(QUERIES) for p in range(DEPTH)} <= set(ledger(stopped))
    assert len(judges["toy"].asked) == len(set(judges["toy"].asked)) == len(ledger(stopped)) - before

    # Denoising all would only set the cutoffs, by which all shares are known.
    assert plan_denoise(stopped, scorer="toy", depth=DEPTH).unit == "cutoffs"
    set_cutoffs(stopped, "default", enough=0)
    rows = report(stopped, "denoised_by_rank", {"run": RUN, "cutoffs": "default"})
    assert all(row["denoised_rate"] is not None for row in rows)


def test_joined_judges_score_each_wave_together(fresh: Workspace) -> None:
    """With `all`, a candidate is a negative once both reject it: those at odd places are not."""
    names = ["strict", "toy"]
    introduce(fresh, *names)
    set_cutoffs(fresh, "both", scorer=names, join="all", depth=8)
    curate.denoise(fresh, cutoffs="both", enough=ENOUGH)
    scored = set(ledger(fresh))
    assert scored == set(ledger(fresh, "strict"))
    both = [[logit == NEGATIVE and not p % 2 for p, logit in enumerate(logits)] for logits in LOGITS]
    for query in set(range(QUERIES)) - sample_of(fresh):
        for above, end in pairwise([0, 4, 8]):
            is_asked = not above or sum(both[query][:above]) < ENOUGH
            places = [place for place in range(above, end) if place != LABEL[query]]
            assert all(((query, query * DEPTH + place) in scored) == is_asked for place in places)


def test_scores_of_a_later_wave_that_are_lost_are_made_again(stopped: Workspace) -> None:
    """A wave is a job, which can be run again as of its time."""
    before = scores(stopped)
    later = [record for record in stopped.records("denoise") if record.settings["wave"]["queries"] == "short"]
    lost = next(stopped.root / name for record in later for name in record.outputs if "/scores/" in name)
    lost.unlink()
    curate.rebuild(stopped)
    assert scores(stopped) == before


def test_early_stopping_is_refused_where_all_scores_count(
    outcome: tuple[Workspace, Denoised], make_workspace: Callable[..., Workspace]
) -> None:
    """Runs that measure need all scores. A calibration takes the ranks that all queries have scores of."""
    dev = make_workspace({"p": "passage 0 0"}, {"q": "question 0"}, candidates={"q": ["p"]}, split="dev")
    with pytest.raises(BadSettings, match="is over dev: its scores measure and calibrate the judge"):
        curate.denoise(dev, run=RUN, scorer="toy", enough=ENOUGH)
    of_all = f"calibrate --scorer toy --run {RUN} --depth 4"
    with pytest.raises(StepMissing, match=f"scoring stopped early.*{of_all}") as refused:
        curate.plan_calibrate(outcome[0], depth=DEPTH)
    assert refused.value.run == f"curate denoise --cutoffs default --run {RUN} --depth 16 --enough 0"
    by_default = CalibrateRequest.of(outcome[0])
    assert by_default.depth == 4
    assert by_default.notes[0].startswith(
        "from the top 4, of which all queries have scores: deeper ranks, down to 16"
    )


def test_a_dry_run_says_how_many_pairs_there_are_at_most(
    outcome: tuple[Workspace, Denoised], collection: Workspace
) -> None:
    """Where scoring stops depends on scores. Once all is done, nothing is left."""
    options: DenoiseOptions = {"scorer": "toy", "depth": DEPTH, "enough": ENOUGH}
    plan = plan_denoise(collection, **options)
    assert plan.total - plan.cached >= QUERIES * DEPTH
    (first,) = [note for note in plan.notes if "in any case" in note]
    assert first.endswith(
        "pairs are scored in any case; the rest only for queries with fewer than 2 hard negatives"
    )
    done = plan_denoise(outcome[0], **options)
    assert done.total == done.cached


# Sets of a few queries, each of which shows one thing.


def few_queries(
    folder: Path, judges: dict[str, ToyScorer], logits: list[list[float]], texts: list[list[int]] | None = None
) -> Workspace:
    """Return a set with the judge `few`, which gives the candidate of query q at place p the logit logits[q][p].

    The first candidates are labels. The queries have trained the judge, so that none is in its sample. texts: the
    place whose text each candidate has; -1 is the text of place 1 in capitals, which is relevant for the judge.
    """

    def logit(query: str, passage: str) -> float:
        owner, place = map(int, passage.split()[1:])
        if query != f"question {owner}":
            return -6.0
        return RELEVANT if passage.isupper() else logits[owner][place]

    places = [(q, p) for q in range(len(logits)) for p in range(len(logits[0]))]
    shown = texts or [[*range(len(logits[0]))] for _ in logits]
    workspace = write_workspace(
        folder / "few",
        {f"p{q}-{p}": f"PASSAGE {q} 1" if shown[q][p] < 0 else f"passage {q} {shown[q][p]}" for q, p in places},
        {f"q{q}": f"question {q}" for q in range(len(logits))},
        candidates={f"q{q}": [f"p{q}-{p}" for p in range(len(logits[0]))] for q in range(len(logits))},
        qrels=[(f"q{q}", f"p{q}-0") for q in range(len(logits))],
    )
    job = Job(workspace, "train", "train-few")
    seen = range(len(logits))
    job.write_rows("judge_queries", [{"training": "train-few", "query_key": q, "fold": None} for q in seen])
    job.finish()
    judges["few"] = ToyScorer("few", logit, place="models/few")
    return workspace


class IdOf(str):
    """The id of a scorer, which can also be asked of a fingerprint that `ToyScorer` made of its name."""

    def __call__(self, fingerprint: str) -> str:
        return bytes.fromhex(fingerprint.rstrip("0")).decode()


class OnAnotherMachine(ToyScorer):
    """A scorer whose files this machine opens in another number format, which makes it another scorer."""

    @property
    def scorer_id(self) -> IdOf:  # type: ignore[override]
        return IdOf(self.name)

    def open(self) -> ToyScorer:
        return ToyScorer(f"{self.name}_", self.logit, place=self.place)


N, U = NEGATIVE, UNCERTAIN
FEW = [[LABELLED, N, N, U, N, U, U, N], [LABELLED, U, U, N, N, N, N, U], [LABELLED, U, U, U, U, U, N, N]]
"""With one negative, the first query has enough at rank 2, the second at rank 4 and the third nowhere before 7."""


@pytest.mark.parametrize(
    "then",
    [
        pytest.param({"enough": 2}, id="the first waves have something to score"),
        pytest.param({"enough": 1, "negative_below": 0.01}, id="only a later wave has"),
    ],
)
def test_one_scorer_scores_all_waves_also_on_another_machine(
    tmp_path: Path, judges: dict[str, ToyScorer], then: dict[str, Any]
) -> None:
    """The scores of the first machine stay its own. The second begins anew, and the cutoffs are by its scores."""
    workspace = few_queries(tmp_path, judges, FEW)
    first = curate.denoise(workspace, scorer="few", depth=8, enough=1)
    before = ledger(workspace, "few")
    judges["few"] = OnAnotherMachine("few", judges["few"].logit, place="models/few")
    second = curate.denoise(workspace, scorer="few", depth=8, **then)
    assert (first.scorer_id, second.scorer_id, second.cutoffs["scorer_id"]) == ("few", "few_", "few_")
    assert ledger(workspace, "few") == before
    assert second.pairs == second.scored_now == len(ledger(workspace, "few_"))
    (state,) = states(workspace, [RUN], "default")
    assert state["unscored"] == state["left"] == second.left_unscored == 24 - second.pairs


def test_what_two_scorers_have_scored_is_no_sum() -> None:
    """The remarks of a scorer are about all that it has scored, so that the newest ones are enough."""
    one, other = Scored("a", 1, 1, 1.0, ["1 of 1 was clipped"]), Scored("a", 2, 2, 1.0, ["2 of 3 were clipped"])
    assert (one + other).remarks == ["2 of 3 were clipped"]
    assert (one + Scored("a", 2, 0, 0.0)).remarks == one.remarks
    with pytest.raises(ValueError, match="scores of a and of b do not mix"):
        one + Scored("b", 1, 1, 1.0)


def test_what_flips_by_a_back_end_is_judged_anew_by_each_call(
    tmp_path: Path, judges: dict[str, ToyScorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cutoffs and the flips that it allows count, not those of the call that scored the first waves."""
    asked = set()

    def agree(_scoring: Scoring, settings: Denoise, _calibration: str | None, _progress: Progress) -> Agreement:
        asked.add(settings.negative_below)
        return Agreement("toy", 100, 0.1, settings.negative_below, settings.positive_above, 20, 0, 20)

    monkeypatch.setattr(Scoring, "agree", agree)
    workspace = few_queries(tmp_path, judges, FEW)
    curate.denoise(workspace, scorer="few", depth=8, enough=1, max_flips=0.5)
    assert asked == {Denoise().negative_below}
    with pytest.raises(NotMet, match="20 decisions flip"):
        curate.denoise(workspace, scorer="few", depth=8, enough=1, max_flips=0.1, negative_below=0.01)
    assert asked == {Denoise().negative_below, 0.01}


def test_enough_are_negatives_that_a_training_can_use(tmp_path: Path, judges: dict[str, ToyScorer]) -> None:
    """A training set has one passage of each text, and none with a text that the judge holds relevant.

    Of the first query, two of the first four candidates have one text. Of the second, one has a relevant text.
    """
    texts = [[0, 1, 1, 3, 4, 5, 6, 7], [0, 1, 2, -1, 4, 5, 6, 7]]
    workspace = few_queries(tmp_path, judges, [[LABELLED, N, N, U, N, U, U, U]] * 2, texts)
    result = curate.denoise(workspace, scorer="few", depth=8, enough=2)
    assert (result.pairs, result.left_unscored) == (16, 0)  # not 8 and 8
    assert curate.export(workspace, format="triplet", negatives=2).figures["queries_short"] == 0


def test_a_late_wave_may_find_nothing_to_tell_apart(tmp_path: Path, judges: dict[str, ToyScorer]) -> None:
    """Its few pairs may have equal scores, because earlier waves took those that differ."""
    alike = [[LABELLED, U, N, N] for _ in range(8)]
    assert curate.denoise(few_queries(tmp_path, judges, alike), scorer="few", depth=4, enough=1).pairs == 32


def test_zero_scores_all_whatever_the_settings_say(tmp_path: Path, judges: dict[str, ToyScorer]) -> None:
    """So `enough` in curate.toml can be switched off, and a set that stopped early can be completed."""
    workspace = with_settings(few_queries(tmp_path, judges, FEW), "scorer = 'few'\ndepth = 8\nenough = 1")
    stopped = curate.denoise(workspace)
    assert stopped.left_unscored > 0
    assert "hard negative at better ranks" in stopped.text()  # of one, it says "1 hard negative"
    whole = curate.denoise(workspace, enough=0)
    assert (whole.pairs, whole.left_unscored, whole.cutoffs["enough"]) == (24, 0, None)
    assert "left unscored" not in whole.text()
    assert "left unscored" not in replace(stopped, left_unscored=0).text()


def with_settings(workspace: Workspace, denoise: str) -> Workspace:
    (workspace.root / "curate.toml").write_text(f"[denoise]\n{denoise}\n")
    return Workspace(workspace.root)


def test_other_runs_are_scored_in_full_whatever_the_settings_say(
    make_workspace: Callable[..., Workspace], judges: dict[str, ToyScorer]
) -> None:
    """A run over dev leaves the cutoffs' number as it is. Its shares are those of all candidates with a score."""
    judges["torn"] = ToyScorer("torn", lambda _q, passage: float("nan") if passage == "empty" else NEGATIVE)
    names = ["first", "second", "third", "empty"]
    queries, found = {"q": "question"}, {"q": names}
    dev = make_workspace(
        dict(zip(names, names, strict=True)), queries, candidates=found, qrels=[("q", "first")], split="dev"
    )
    dev = with_settings(dev, "scorer = 'torn'\ndepth = 4\nenough = 1")
    introduce(dev, "torn")
    set_cutoffs(dev, "default", scorer="torn", enough=3)
    result = curate.denoise(dev, run=RUN)
    assert (result.cutoffs["enough"], result.pairs, result.left_unscored) == (3, 4, 0)
    for name in ("denoised_by_rank", "false_negatives_by_rank"):
        rates = [
            (row["unscored"], row["denoised_rate"])
            for row in report(dev, name, {"run": RUN, "cutoffs": "default"})
        ]
        assert rates[1:3] == [(0, 0.0), (0, 0.0)]


def test_cutoffs_keep_their_number_until_another_is_given(tmp_path: Path, judges: dict[str, ToyScorer]) -> None:
    """With `--cutoffs NAME`, what is not given is as in these cutoffs. The command says that it stops early."""
    workspace = few_queries(tmp_path, judges, FEW)
    introduce(workspace, "few")
    set_cutoffs(workspace, "default", scorer="models/few", depth=8, enough=1)
    told = "a query with 1 hard negative gets no more scores (to score all: --enough 0)"
    assert told in plan_denoise(workspace, cutoffs="strict").notes
    for given, kept in ((None, 1), (0, 0), (2, 2)):
        assert DenoiseRequest.of(workspace, cutoffs="strict", enough=given).cutoff_values["enough"] == kept


def test_a_bad_judge_costs_the_sample_alone(fresh: Workspace, judges: dict[str, ToyScorer]) -> None:
    """It is refused before the first ranks of all queries are scored."""
    judges["bad"] = ToyScorer("bad", lambda query, passage: -known_logit(query, passage))
    with pytest.raises(UnsoundJudge):
        curate.denoise(fresh, scorer="bad", depth=DEPTH, enough=ENOUGH)
    (record,) = fresh.records("denoise")
    assert record.settings["wave"]["queries"] == "sample"


def test_the_largest_job_says_how_fast_a_scorer_is(tmp_path: Path, judges: dict[str, ToyScorer]) -> None:
    """The last wave is the smallest. In the time of a job, opening the model does not count."""
    workspace = few_queries(tmp_path, judges, FEW)
    for name, pairs, seconds in (("large", 1_000, 2.0), ("small", 10, 1.0)):
        Job(workspace, "denoise", name).finish(scorer_id="few", pairs=pairs, scoring_seconds=seconds)
    pace = known_pace(workspace, "few")
    assert pace is not None
    assert pace.per_second == 500


def test_the_lists_of_cutoffs_show_what_is_enough(tmp_path: Path, judges: dict[str, ToyScorer]) -> None:
    """`curate cutoffs set` changes it, without a model."""
    workspace = few_queries(tmp_path, judges, FEW)
    introduce(workspace, "few")
    set_cutoffs(workspace, "default", scorer="models/few", depth=8, enough=1)
    assert "the top 8, 1 hard negative is enough, by few" in curate.status(workspace).text()
    called = CliRunner().invoke(cli, ["-C", str(workspace.root), "cutoffs", "set", "default", "--enough", "2"])
    assert "top 8, 2 hard negatives are enough\n" in called.output
