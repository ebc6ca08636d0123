"""The one definition of the training set (sql/training_set), on which exports, trainings and reports agree."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import add_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import curate
from curate import CurateError, Workspace, sql_files
from curate.config import TrainDualEncoder
from curate.cutoffs import set_cutoffs
from curate.jobs import Job
from curate.text_hash import text_hashes
from curate.train.training_source import TrainingSource
from curate.training_set import TrainingSet

# Two pairs of texts differ only in case and punctuation, so curate treats them as equal. A query asks one of them.
TEXTS = ("rain", "RAIN!", "snow", "hail", "Hail.")
ASKED = ("when does it rain", "Snow?", "what is hail", "who likes wind")
LOGITS = (-5.0, -3.0, 0.0, 0.5, 3.0, 5.0)
BELOW, ABOVE = 0.1, 0.9
Pair = tuple[int, int]


@dataclass
class World:
    """A collection, runs and scores as plain Python values; queries and passages are numbers."""

    passages: list[str]
    queries: list[tuple[str, str]]
    """The text and the split of each query."""
    qrels: dict[Pair, int]
    annotations: dict[tuple[str, int, int], bool]
    runs: list[tuple[str, dict[int, list[int]]]]
    """The split of each run, and its passages by rank for each query."""
    logits: dict[Pair, float]
    depth: int
    pseudo_positives: str
    promote: bool
    augmented: bool
    negatives: int
    chosen: list[int] = field(default_factory=list)
    """The runs that the training set uses."""

    # The double loop: the rules of the tables, views and training_set in plain Python.

    def key(self, text: str) -> str:
        return "".join(letter for letter in text.casefold() if letter.isalnum() or letter == " ")

    def relevant(self, query: int, passage: int) -> bool | None:
        """Return people's verdict: the majority of the annotations, else the qrels."""
        votes = [verdict for (_, q, p), verdict in self.annotations.items() if (q, p) == (query, passage)]
        if sum(votes) * 2 != len(votes):
            return sum(votes) * 2 > len(votes)
        return self.qrels[query, passage] > 0 if (query, passage) in self.qrels else None

    def labelled(self, query: int) -> list[int]:
        return [p for p in range(len(self.passages)) if self.relevant(query, p)]

    def decision(self, query: int, passage: int) -> str:
        relevant, positives = self.relevant(query, passage), self.labelled(query)
        if relevant:
            return "positive"
        same = {self.key(self.passages[p]) for p in positives} | {self.key(self.queries[query][0])}
        if self.key(self.passages[passage]) in same:
            return "duplicate"
        if relevant is False:
            return "hard_negative"
        if (query, passage) not in self.logits:
            return "unscored"
        probability = 1 / (1 + 2.718281828459045 ** -self.logits[query, passage])
        if probability < BELOW:
            return "hard_negative"
        if probability <= ABOVE:
            return "uncertain"
        return "false_negative" if positives else "pseudo_positive"

    def found(self, run: int) -> list[tuple[int, int, int]]:
        """Return (query, passage, rank) for a run, down to the depth that is judged."""
        return [
            (query, passage, rank)
            for query, passages in self.runs[run][1].items()
            for rank, passage in enumerate(passages[: self.depth], 1)
        ]

    def pairs(self) -> dict[Pair, int]:
        """Return the pairs that the chosen runs found, each with its best rank."""
        best: dict[Pair, int] = {}
        for query, passage, rank in sorted(triple for run in self.chosen for triple in self.found(run)):
            best[query, passage] = min(rank, best.get((query, passage), rank))
        return best

    def may_train(self, query: int) -> bool:
        text, split = self.queries[query]
        held_out = {self.key(other) for other, of in self.queries if of in ("dev", "test")}
        return split in ("train", "unlabeled") and self.key(text) not in held_out

    def positives(self, query: int) -> dict[int, str]:
        """Return the positives of a query, each with its source."""
        if not self.may_train(query):
            return {}
        found = [p for q, p in self.pairs() if q == query]
        sources = dict.fromkeys(self.labelled(query), "people")
        if self.promote:
            sources |= {p: "promoted" for p in found if self.decision(query, p) == "false_negative"}
        if self.augmented and self.queries[query][1] == "unlabeled":
            confident = [p for p in found if self.decision(query, p) == "pseudo_positive"]
            rank = self.pairs()
            confident.sort(key=lambda p: (-self.logits[query, p], rank[query, p], p))
            keep = confident if self.pseudo_positives == "all" else confident[:1]
            sources |= dict.fromkeys(keep, "pseudo")
        return sources

    def pool(self, query: int) -> set[int]:
        """Return the hard negatives that a query may be trained against; several may have equal texts."""
        positives = self.positives(query)
        if not positives:
            return set()
        found = {p: self.decision(query, p) for q, p in self.pairs() if q == query}
        held = {self.key(self.passages[p]) for p in positives}
        held |= {
            self.key(self.passages[p]) for p, d in found.items() if d in ("false_negative", "pseudo_positive")
        }
        return {p for p, d in found.items() if d == "hard_negative" and self.key(self.passages[p]) not in held}

    def unsure(self, query: int) -> list[str]:
        """Return the texts that may be soft labels of a query, in order."""
        positives = self.positives(query)
        found = {p: self.decision(query, p) for q, p in self.pairs() if q == query and positives}
        decided = {self.key(self.passages[p]) for p in positives}
        decided |= {self.key(self.passages[p]) for p, d in found.items() if d not in ("uncertain", "unscored")}
        return sorted({self.key(self.passages[p]) for p, d in found.items() if d == "uncertain"} - decided)

    def figures(self) -> Counter[str]:
        """Return how many pairs of the chosen runs have each decision, and the figures derived from that."""
        return self.figures_of(list(self.pairs()))

    def figures_of_run(self, run: int) -> Counter[str]:
        return self.figures_of([(query, passage) for query, passage, _ in self.found(run)])

    def figures_of(self, pairs: list[Pair]) -> Counter[str]:
        decisions = Counter(self.decision(query, passage) for query, passage in pairs)
        judged = len(pairs) - decisions["positive"] - decisions["unscored"]
        people = sum(self.relevant(*pair) is False and self.decision(*pair) == "hard_negative" for pair in pairs)
        told_apart = {"judged": judged, "judged_irrelevant": people, "unjudged": judged - people}
        denoised = judged - decisions["hard_negative"]
        return Counter({**decisions, **told_apart, "candidates": len(pairs), "denoised": denoised})


@st.composite
def worlds(draw: st.DrawFn) -> World:
    passages = draw(st.lists(st.sampled_from(TEXTS), min_size=3, max_size=6))
    splits = st.sampled_from(["train", "train", "unlabeled", "dev"])
    queries = draw(st.lists(st.tuples(st.sampled_from(ASKED), splits), min_size=2, max_size=5))
    pairs = st.tuples(st.integers(0, len(queries) - 1), st.integers(0, len(passages) - 1))
    qrels = draw(st.dictionaries(pairs, st.integers(0, 1), max_size=6))
    qrels = {pair: relevance for pair, relevance in qrels.items() if queries[pair[0]][1] != "unlabeled"}
    people = st.tuples(st.sampled_from(["ann", "bob"]), pairs).map(lambda found: (found[0], *found[1]))
    ranked = st.permutations(range(len(passages)))
    runs = []
    for split in draw(st.lists(st.sampled_from(["train", "unlabeled"]), min_size=1, max_size=3)):
        asked = [number for number, (_, of) in enumerate(queries) if of == split]
        cut = st.integers(0, len(passages))
        runs.append((split, {q: draw(ranked)[: draw(cut)] for q in asked}))
    chosen = draw(st.lists(st.sampled_from(range(len(runs))), min_size=1, unique=True))
    return World(
        passages=passages,
        queries=queries,
        qrels=qrels,
        annotations=draw(st.dictionaries(people, st.booleans(), max_size=4)),
        runs=runs,
        logits=draw(st.dictionaries(pairs, st.sampled_from(LOGITS), min_size=6, max_size=25)),
        depth=draw(st.integers(1, 7)),
        pseudo_positives=draw(st.sampled_from(["best", "all"])),
        promote=draw(st.booleans()),
        augmented=draw(st.booleans()),
        negatives=draw(st.integers(1, 4)),
        chosen=chosen,
    )


def workspace_of(world: World, folder: Path) -> Workspace:
    """Write a world's tables by the function that writes all shards."""
    workspace = Workspace.create(folder / "set")
    load = Job(workspace, "load", "load-00001")
    hashed_passages = zip(world.passages, text_hashes(world.passages), strict=True)
    load.write_rows("passages", [
        {"passage_key": key, "passage_id": f"p{key}", "title": "", "text": text, "text_hash": hashed}
        for key, (text, hashed) in enumerate(hashed_passages)
    ])  # fmt: skip
    hashed_queries = zip(world.queries, text_hashes([text for text, _ in world.queries]), strict=True)
    load.write_rows("queries", [
        {"query_key": key, "query_id": f"q{key}", "text": text, "split": split, "text_hash": hashed}
        for key, ((text, split), hashed) in enumerate(hashed_queries)
    ])  # fmt: skip
    load.write_rows("qrels", [
        {"query_key": q, "passage_key": p, "relevance": relevance, "split": world.queries[q][1], "source": "qrels"}
        for (q, p), relevance in world.qrels.items()
    ])  # fmt: skip
    load.write_rows("annotations", [
        {"query_key": q, "passage_key": p, "relevant": verdict, "annotator": name}
        for (name, q, p), verdict in world.annotations.items()
    ])  # fmt: skip
    load.finish()
    for number, (split, found) in enumerate(world.runs):
        add_run(workspace, run_id(number), split, [
            {"run_id": run_id(number), "query_key": q, "passage_key": p, "rank": rank, "score": 10.0 - rank}
            for q, passages in found.items() for rank, p in enumerate(passages, 1)
        ])  # fmt: skip
    scores = Job(workspace, "denoise", "score-00001")
    scores.write_rows("scores", [
        {"scorer_id": "judge", "query_key": q, "passage_key": p, "logit": logit}
        for (q, p), logit in world.logits.items()
    ])  # fmt: skip
    scores.finish()
    set_cutoffs(
        workspace,
        "default",
        scorer_id="judge",
        depth=world.depth,
        negative_below=BELOW,
        positive_above=ABOVE,
        pseudo_positives=world.pseudo_positives,
    )
    return workspace


def run_id(number: int) -> str:
    return f"run-{number}"


@dataclass
class Drawn:
    """The contents of a training set, as a mapping from query to passages."""

    positives: dict[int, set[int]]
    negatives: dict[int, list[int]]
    unsure: dict[int, list[int]] = field(default_factory=dict)


def exported(workspace: Workspace, world: World) -> tuple[Drawn, Counter[str]] | None:
    """Return the content of `curate export` and its card's figures, or None if it refuses an empty set."""
    try:
        result = curate.export(
            workspace,
            run=[run_id(number) for number in world.chosen],
            promote=world.promote,
            augmented=world.augmented,
            negatives=world.negatives,
        )
    except CurateError:
        return None
    drawn = Drawn({}, {})
    for path in sorted((workspace.root / result.path).glob("provenance/*.parquet")):
        for row in pq.read_table(path).to_pylist():
            query = int(row["query_id"][1:])
            keys = {
                label: [int(p["passage_id"][1:]) for p in row["passages"] if p["label"] == label]
                for label in (0, 1)
            }
            drawn.positives[query], drawn.negatives[query] = set(keys[1]), keys[0]
    manifest = json.loads((workspace.root / result.path / "manifest.json").read_text("utf-8"))
    figures = {name.removeprefix("candidates_"): count for name, count in manifest["figures"].items()
               if name.startswith("candidates")}  # fmt: skip
    return drawn, Counter(figures)


def trained(workspace: Workspace, world: World) -> Drawn:
    """Return what one epoch of a training reads, with all positives."""
    training_set = TrainingSet(
        runs=[run_id(number) for number in world.chosen],
        cutoffs="default",
        seed=workspace.settings.seed,
        augmented=world.augmented,
        promote=world.promote,
    )
    rows = {
        "epochs": 1,
        "positives": 99,
        "hard_negatives": world.negatives,
        "random_negatives": 0,
        "uncertain": 99,
    }
    drawn = Drawn({}, {})
    with workspace.connect() as connection:
        training_set.create(connection)
        for path in ("train/soft_labels", "train/rows"):
            sql_files.execute(connection, path, **training_set.parameters, **rows)
        found = connection.table("train_rows").order("query_key, turn").fetchall()
    for _, query, passage, label, kind, _, _ in found:
        drawn.positives.setdefault(query, set())
        drawn.negatives.setdefault(query, [])
        if kind == "uncertain":
            drawn.unsure.setdefault(query, []).append(passage)
        else:
            drawn.positives[query].add(passage) if label else drawn.negatives[query].append(passage)
    return drawn


FUNNEL = {
    "candidates in the top-k": "candidates", "labelled positives": "positive",
    "duplicates of a positive": "duplicate", "unscored": "unscored", "false negatives": "false_negative",
    "pseudo-positives": "pseudo_positive", "uncertain": "uncertain", "hard negatives": "hard_negative",
    "judged not relevant by people": "judged_irrelevant",
}  # fmt: skip
COLUMNS = {
    "judged": "judged", "judged_irrelevant": "judged_irrelevant", "unjudged": "unjudged",
    "duplicates": "duplicate", "false_negatives": "false_negative",
    "pseudo_positives": "pseudo_positive", "uncertain": "uncertain", "hard_negatives": "hard_negative",
    "unscored": "unscored", "positives": "positive", "denoised": "denoised", "candidates": "candidates",
}  # fmt: skip


def reported(workspace: Workspace, runs: int) -> Iterator[tuple[int, Counter[str]]]:
    """Yield the figures of a run in each report, by the names of the decisions."""
    with workspace.connect() as connection:
        for run in range(runs):
            asked = {"run": run_id(run), "cutoffs": "default", "negatives": 4}
            rows = sql_files.select(connection, "reports/funnel", **asked).pl().to_dicts()
            yield run, Counter({FUNNEL[row["what"]]: row["number"] for row in rows if row["what"] in FUNNEL})
            for name in (
                "reports/denoised_by_rank",
                "reports/false_negatives_by_rank",
                "reports/false_negatives_by_retriever",
                "reports/cutoffs_compared",
            ):
                sums: Counter[str] = Counter()
                for row in sql_files.select(connection, name, **asked).pl().to_dicts():
                    sums.update({to: row[column] for column, to in COLUMNS.items() if column in row})
                yield run, sums


def agree(said: Counter[str], true: Counter[str]) -> None:
    """Compare the figures that are reported; missing figures are not compared."""
    assert dict(said) == {name: true[name] for name in said}


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds())
def test_exports_trainings_and_reports_agree_with_a_double_loop(world: World) -> None:
    """All have the same positives, draw from the same negatives, and give the same figures."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = workspace_of(world, Path(folder))
        for run, said in reported(workspace, len(world.runs)):
            agree(said, world.figures_of_run(run))
        wanted = {q: set(world.positives(q)) for q in range(len(world.queries)) if world.positives(q)}
        training = trained(workspace, world)
        texts = {q: {world.key(world.passages[p]) for p in passages} for q, passages in wanted.items()}
        assert {q: {world.key(world.passages[p]) for p in ps} for q, ps in training.positives.items()} == texts
        for query in wanted:
            assert sorted(world.key(world.passages[p]) for p in training.unsure.get(query, [])) == world.unsure(
                query
            )
        for query, negatives in training.negatives.items():
            pool = world.pool(query)
            assert set(negatives) <= pool
            drawn = [world.key(world.passages[p]) for p in negatives]
            assert (
                len(set(drawn))
                == len(drawn)
                == min(world.negatives, len({world.key(world.passages[p]) for p in pool}))
            )
        only_unlabeled = all(world.runs[run][0] == "unlabeled" for run in world.chosen)
        export = exported(workspace, world)
        if export is None:
            assert not wanted or (only_unlabeled and not world.augmented)
            return
        assert export[0] == replace(training, unsure={})  # an export has no soft labels
        agree(export[1], world.figures())


def test_of_two_unlabeled_runs_a_query_keeps_one_pseudo_label(tmp_path: Path) -> None:
    """It is the best over both runs. Formerly a training kept the best of each run."""
    world = World(
        passages=["rain", "snow", "hail"],
        queries=[("what is hail", "unlabeled"), ("where is snow", "train")],
        qrels={(1, 1): 1},
        annotations={},
        runs=[("unlabeled", {0: [0, 2]}), ("unlabeled", {0: [1]}), ("train", {1: [0]})],
        logits={(0, 0): 3.0, (0, 1): 5.0, (0, 2): -5.0, (1, 0): -5.0},
        depth=5,
        pseudo_positives="best",
        promote=False,
        augmented=True,
        negatives=2,
        chosen=[0, 1, 2],
    )
    workspace = workspace_of(world, tmp_path)
    expected = Drawn({0: {1}, 1: {1}}, {0: [2], 1: [0]})
    assert trained(workspace, world) == expected
    found = exported(workspace, world)
    assert found is not None
    assert found[0] == expected


def test_promoted_positives_train_without_hard_negatives_too(tmp_path: Path) -> None:
    """Nothing but `promote` asks for the scorer then."""
    world = World(
        passages=["rain", "snow"],
        queries=[("when does it rain", "train")],
        qrels={(0, 0): 1},
        annotations={},
        runs=[("train", {0: [1]})],
        logits={(0, 1): 5.0},
        depth=5,
        pseudo_positives="best",
        promote=True,
        augmented=False,
        negatives=1,
        chosen=[0],
    )
    workspace = workspace_of(world, tmp_path)
    asked = TrainDualEncoder(hard_negatives=0, masks="labels", promote=True)
    source = TrainingSource(workspace, asked, None, "default")
    with workspace.connect() as connection:
        source.training_set.create(connection)
        found = connection.table("training_positives").order("place").project("passage_key, positive_source")
        assert found.fetchall() == [(0, "qrels"), (1, "promoted")]


def test_what_people_labelled_trains_though_its_query_came_without_labels(tmp_path: Path) -> None:
    """With an annotation, a query from the file of unlabeled queries is labelled, with or without augmentation."""
    world = World(
        passages=["rain", "snow"],
        queries=[("what is hail", "unlabeled")],
        qrels={},
        annotations={("ann", 0, 0): True},
        runs=[("unlabeled", {0: [0, 1]})],
        logits={(0, 1): -5.0},
        depth=5,
        pseudo_positives="best",
        promote=False,
        augmented=True,
        negatives=1,
        chosen=[0],
    )
    assert trained(workspace_of(world, tmp_path), world) == Drawn({0: {0}}, {0: [1]})
