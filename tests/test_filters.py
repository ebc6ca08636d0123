"""The filters of others (`sql/filters`), beside plain Python and beside sentence-transformers."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from conftest import write_workspace

from curate import Workspace, sql_files
from curate.cli.main import cli
from curate.cutoffs import set_cutoffs
from curate.errors import BadSettings
from curate.jobs import Job
from curate.reports import report_rows

Floats = npt.NDArray[np.float32]
QUERIES, PASSAGES, DEPTH = 12, 40, 15
RUN = "dense-train"


class World:
    """Twelve queries and forty passages as unit vectors; each query has one positive, every third has two.

    A positive is near its query, or anywhere: some are found at the first ranks, and others not at all.
    """

    def __init__(self) -> None:
        drawn = np.random.default_rng(7)
        self.queries = unit(drawn.normal(size=(QUERIES, 6)))
        self.passages = unit(drawn.normal(size=(PASSAGES, 6)))
        self.positives = {q: [q, 20 + q] if q % 3 == 0 else [q] for q in range(QUERIES)}
        for q in range(0, QUERIES, 2):
            near = self.queries[q] + 0.3 * drawn.normal(size=6)
            self.passages[q] = unit(near[None])[0]
        self.scores: Floats = self.queries @ self.passages.T
        self.probabilities = drawn.beta(0.4, 0.4, size=(QUERIES, PASSAGES)).clip(0.001, 0.999)

    def ranked(self, query: int, depth: int) -> list[int]:
        """Return the first passages of a query."""
        order = sorted(range(PASSAGES), key=lambda p: (-self.scores[query, p], p))
        return order[:depth]

    def workspace(
        self, folder: Path, depth: int, *, unscored: frozenset[int] = frozenset(), **run: Any
    ) -> Workspace:
        """Return a workspace with a run and the scores of 'judge', without those of some passages."""
        workspace = write_workspace(
            folder,
            {f"p{p}": f"passage number {p}" for p in range(PASSAGES)},
            {f"q{q}": f"query number {q}" for q in range(QUERIES)},
            qrels=[(f"q{q}", f"p{p}") for q, found in self.positives.items() for p in found],
        )
        mine = Job(workspace, "mine", RUN)
        found = [(q, p, rank) for q in range(QUERIES) for rank, p in enumerate(self.ranked(q, depth), 1)]
        mine.write_rows(
            "candidates",
            [
                {"run_id": RUN, "query_key": q, "passage_key": p, "rank": rank, "score": float(self.scores[q, p])}
                for q, p, rank in found
            ],
        )
        about: dict[str, Any] = {
            "retriever": "dense",
            "index": "exact",
            "model_id": "encoder",
            "recall": None,
            "sources": [],
        }
        counts = {"run_id": RUN, "split": "train", "depth": depth, "queries": QUERIES, "round": 1}
        mine.write_rows("runs", [{**about, **counts, **run}])
        mine.finish()
        scored = Job(workspace, "denoise", "score-judge", {"run": RUN, "depth": depth}, {"scorer": "j" * 64})
        scored.write_rows(
            "scores",
            [
                {"scorer_id": "judge", "query_key": q, "passage_key": p, "logit": logit(self.probabilities[q, p])}
                for q in range(QUERIES)
                for p in range(PASSAGES)
                if p not in unscored
            ],
        )
        model = {"model_id": "judge", "role": "cross-encoder", "path": "models/judge", "fingerprint": "j" * 64}
        scored.write_rows("models", [{**model, "settings": "{}"}])
        scored.finish(scorer_id="judge", run=RUN, pairs=1, scoring_seconds=1.0)
        set_cutoffs(workspace, "default", scorer_id="judge", depth=depth, negative_below=0.1, positive_above=0.9)
        return workspace


def unit(vectors: npt.NDArray[Any]) -> Floats:
    """Return vectors of length 1."""
    unit_length: Floats = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit_length


def logit(probability: float) -> float:
    """Return the logit of a probability."""
    return math.log(probability / (1 - probability))


WORLD = World()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace whose run has 15 of the 40 passages of each query."""
    return WORLD.workspace(tmp_path_factory.mktemp("filters") / "set", DEPTH)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace whose run has all passages of each query."""
    return WORLD.workspace(tmp_path_factory.mktemp("whole") / "set", PASSAGES)


Kept = dict[str, dict[tuple[int, int], bool | None]]
"""Filter -> what it does with each candidate, by query and passage."""


def kept(workspace: Workspace) -> Kept:
    """Return what the filters do."""
    with workspace.connect_lazily() as connection:
        rows = sql_files.query(
            connection,
            "select filter, query_key, passage_key, kept from filtered_candidates($run, 'default')",
            {"run": RUN},
        ).fetchall()
    found: Kept = {name: {} for name, *_ in rows}
    for name, q, p, value in rows:
        found[name][q, p] = value
    return found


@pytest.fixture(scope="module")
def found(workspace: Workspace) -> Kept:
    """Return what the filters do with the candidates of the shared workspace."""
    return kept(workspace)


@pytest.fixture(scope="module")
def of_whole(whole: Workspace) -> Kept:
    """Return what they do with all passages."""
    return kept(whole)


def said(workspace: Workspace) -> Floats:
    """Return the probabilities as the workspace has them: query x passage."""
    rows = workspace.scan("probabilities").collect().sort("query_key", "passage_key")
    return rows["probability"].to_numpy().reshape(QUERIES, PASSAGES)


def lowest(scores: Floats, query: int) -> np.float32:
    """Return the score of the query's positive, of two the lower one."""
    return min(scores[query, p] for p in WORLD.positives[query])


Rule = Callable[[Floats, int, int, int], bool]
"""Whether a candidate is kept: scores, query, passage, rank."""
f32 = np.float32
RULES: dict[str, tuple[str, Rule]] = {
    "none": ("retriever", lambda _s, _q, _p, _rank: True),
    "hn_mine 2-200": ("retriever", lambda _s, _q, _p, rank: rank in range(3, 201)),
    "hn_mine 10-210": ("retriever", lambda _s, _q, _p, rank: rank in range(11, 211)),
    "max_score 0.8": ("retriever", lambda s, q, p, _rank: bool(s[q, p] <= f32(0.8))),
    "absolute_margin 0": ("retriever", lambda s, q, p, _rank: bool(s[q, p] <= lowest(s, q))),
    "TopK-MarginPos 0.05": ("retriever", lambda s, q, p, _rank: bool(s[q, p] + f32(0.05) <= lowest(s, q))),
    "TopK-PercPos 95 %": (
        "retriever",
        lambda s, q, p, _rank: bool(s[q, p] <= lowest(s, q) - abs(lowest(s, q)) * f32(0.05)),
    ),
    "curate": ("scorer", lambda s, q, p, _rank: bool(s[q, p] < f32(0.1))),
    "scorer, absolute_margin 0": ("scorer", lambda s, q, p, _rank: bool(s[q, p] <= lowest(s, q))),
    "scorer, relative_margin 0.05": (
        "scorer",
        lambda s, q, p, _rank: bool(s[q, p] <= lowest(s, q) - abs(lowest(s, q)) * f32(0.05)),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_what_a_loop_says_that_knows_the_score_of_every_positive(
    workspace: Workspace, found: Kept, name: str
) -> None:
    """A positive that an exact search did not return is below its list, which is enough to decide.

    Without a margin, the last of the list is unknown: the positive might have the same score.
    """
    compares, rule = RULES[name]
    scores = WORLD.scores if compares == "retriever" else said(workspace)
    lists = {q: WORLD.ranked(q, DEPTH) for q in range(QUERIES)}
    missed = {q for q, positives in WORLD.positives.items() if not set(positives) <= set(lists[q])}
    assert len(missed) > 3
    expected: dict[tuple[int, int], bool | None] = {
        (q, p): rule(scores, q, p, rank)
        for q in range(QUERIES)
        for rank, p in enumerate(lists[q], 1)
        if p not in WORLD.positives[q]
    }
    if name == "absolute_margin 0":
        expected |= {(q, lists[q][-1]): None for q in missed if lists[q][-1] not in WORLD.positives[q]}
    assert found[name] == expected


def test_every_filter_has_a_rule_here_or_is_compared_with_sentence_transformers(workspace: Workspace) -> None:
    """The settings are rows: a new one needs an oracle."""
    names = set(workspace.scan("filter_settings").collect()["filter"])
    assert names == {*RULES, "all of the docstring"}
    assert names >= set(BY_SENTENCE_TRANSFORMERS)


class Encoder:
    """What `mine_hard_negatives` asks of a model: a text is a number, and its vector is that of the world."""

    device = "cpu"

    def encode_query(self, texts: list[str], **_options: object) -> Floats:
        """Return the vectors of queries."""
        return WORLD.queries[[int(text.split()[-1]) for text in texts]]

    def encode_document(self, texts: list[str], **_options: object) -> Floats:
        """Return the vectors of passages."""
        return WORLD.passages[[int(text.split()[-1]) for text in texts]]

    def similarity(self, queries: Floats, passages: Any) -> Any:
        """Return all products."""
        import torch

        return torch.from_numpy(np.asarray(queries) @ np.asarray(passages).T)

    def similarity_pairwise(self, queries: Floats, passages: Floats) -> Any:
        """Return the products of pairs."""
        import torch

        matrix = self.similarity(queries, passages)
        return torch.diagonal(matrix).clone()


class CrossEncoder:
    """What `mine_hard_negatives` asks of a cross-encoder: it says what the scorer of the workspace says."""

    def __init__(self, probabilities: Floats) -> None:
        self.probabilities = probabilities

    def predict(self, pairs: list[tuple[str, str]], **_options: object) -> Any:
        """Return the probabilities of pairs."""
        import torch

        keys = [(int(query.split()[-1]), int(passage.split()[-1])) for query, passage in pairs]
        return torch.tensor([self.probabilities[q, p] for q, p in keys], dtype=torch.float32)


BY_SENTENCE_TRANSFORMERS: dict[str, dict[str, Any]] = {
    "none": {},
    "max_score 0.8": {"max_score": 0.8},
    "absolute_margin 0": {"absolute_margin": 0},
    "TopK-MarginPos 0.05": {"absolute_margin": 0.05},
    "TopK-PercPos 95 %": {"relative_margin": 0.05},
    "all of the docstring": {"range_min": 10, "max_score": 0.8, "relative_margin": 0.05},
    "scorer, absolute_margin 0": {"cross_encoder": True, "absolute_margin": 0},
    "scorer, relative_margin 0.05": {"cross_encoder": True, "relative_margin": 0.05},
}


@pytest.mark.parametrize("name", BY_SENTENCE_TRANSFORMERS)
def test_a_filter_keeps_what_mine_hard_negatives_of_sentence_transformers_keeps(
    whole: Workspace, of_whole: Kept, name: str
) -> None:
    """It gets all passages, and as many negatives are asked of it as there are."""
    datasets = pytest.importorskip("datasets")
    library = pytest.importorskip("sentence_transformers.util.hard_negatives")
    options = dict(BY_SENTENCE_TRANSFORMERS[name])
    if options.pop("cross_encoder", False):
        options["cross_encoder"] = CrossEncoder(said(whole))
    pairs = [(q, p) for q, positives in WORLD.positives.items() for p in positives]
    mined = library.mine_hard_negatives(
        datasets.Dataset.from_dict(
            {"query": [f"query number {q}" for q, _ in pairs], "answer": [f"passage number {p}" for _, p in pairs]}
        ),
        Encoder(),
        corpus=[f"passage number {p}" for p in range(PASSAGES)],
        range_max=PASSAGES,
        num_negatives=PASSAGES - options.get("range_min", 0),
        output_format="labeled-pair",
        verbose=False,
        **options,
    )
    theirs = {
        (int(row["query"].split()[-1]), int(row["answer"].split()[-1])) for row in mined if row["label"] == 0
    }
    ours = of_whole[name]
    assert None not in ours.values()
    assert {pair for pair, value in ours.items() if value} == theirs
    assert name == "none" or 0 < len(theirs) < len(ours)


@pytest.mark.parametrize("run", [{"index": "IVF16,Flat", "recall": 0.9}, {"retriever": "trec", "index": None}])
def test_nothing_is_guessed_of_a_positive_that_a_search_might_have_missed(
    tmp_path: Path, run: dict[str, Any]
) -> None:
    """What a positive that was found already removes is removed; of the rest nobody knows."""
    workspace = WORLD.workspace(tmp_path / "set", DEPTH, **run)
    if run.get("retriever") == "trec":
        assert "TopK-PercPos 95 %" not in kept(workspace)  # nobody knows what these scores are
        return
    found = kept(workspace)["TopK-PercPos 95 %"]
    for (q, p), value in found.items():
        there = [x for x in WORLD.positives[q] if x in WORLD.ranked(q, DEPTH)]
        missed = len(there) < len(WORLD.positives[q])
        least = min((WORLD.scores[q, x] for x in there), default=None)
        over = least is not None and bool(WORLD.scores[q, p] > least - abs(least) * f32(0.05))
        assert value is (False if over else None if missed else True)
    assert set(found.values()) == {True, False, None}


def test_a_positive_that_was_loaded_after_the_run_is_unknown(tmp_path: Path) -> None:
    """The search did not see it, so that its absence says nothing, even of the last candidates."""
    workspace = WORLD.workspace(tmp_path / "set", DEPTH)
    before = kept(workspace)["TopK-PercPos 95 %"]
    load = Job(workspace, "load", "load-00002")
    new = {"passage_key": PASSAGES, "passage_id": "new", "title": "", "text": "a new passage", "text_hash": 1}
    load.write_rows("passages", [new])
    label = {"query_key": 1, "passage_key": PASSAGES, "relevance": 1, "split": "train", "source": "new.tsv"}
    load.write_rows("qrels", [{**label, "revision": 2, "corrects": False}])
    load.finish(counts={"passages": 1})
    for key, value in kept(workspace)["TopK-PercPos 95 %"].items():
        assert value is (None if key[0] == 1 and before[key] else before[key])
    assert True in {value for (q, _), value in before.items() if q == 1}


def test_what_the_scorer_has_not_scored_is_unknown_to_the_filters_that_compare_its_scores(tmp_path: Path) -> None:
    """Passage 5 is the positive of query 5, and a candidate of others."""
    workspace = WORLD.workspace(tmp_path / "set", DEPTH, unscored=frozenset({5}))
    found = kept(workspace)
    others = found["scorer, relative_margin 0.05"]
    assert {value for (_, p), value in others.items() if p == 5} == {None}
    assert {value for (q, _), value in others.items() if q == 5} == {None}
    assert {value for (_, p), value in found["curate"].items() if p == 5} == {None}


def test_scores_beyond_1_are_no_cosines_and_have_no_filter_that_needs_them(tmp_path: Path) -> None:
    """Margins of 0.05 and a maximum of 0.8 would mean nothing for BM25."""
    workspace = WORLD.workspace(tmp_path / "set", DEPTH, retriever="bm25", index=None, model_id=None)
    names = {row["filter"] for row in report_rows.report(workspace, "filters").rows}
    assert names == {*RULES} - {"max_score 0.8", "TopK-MarginPos 0.05"}


def test_the_report_counts_what_is_kept_and_the_queries_that_are_left_short(
    workspace: Workspace, found: Kept
) -> None:
    """Fewer than eight of the thirteen or more candidates of a query."""
    for row in report_rows.report(workspace, "filters", negatives=8).rows:
        values = found[row["filter"]]
        assert (row["candidates"], row["kept"]) == (len(values), sum(value is True for value in values.values()))
        assert row["removed"] + row["unknown"] == row["candidates"] - row["kept"]
        by_query = [[value for (q, _), value in values.items() if q == query] for query in range(QUERIES)]
        assert row["short"] == sum(sum(value is not False for value in one) < 8 for one in by_query)
        assert row["short"] + row["perhaps_short"] == sum(one.count(True) < 8 for one in by_query)
        assert (row["judged"], row["false_share"]) == (0, None)


def test_hidden_labels_say_how_right_each_filter_is(workspace: Workspace, found: Kept, tmp_path: Path) -> None:
    """Of the labelled queries, every candidate is relevant or not; of the others nothing is known."""
    relevant = {(q, p) for q in range(6) for p in (q, q + 1, q + 30)}
    file = tmp_path / "complete.tsv"
    file.write_text("query-id\tcorpus-id\tscore\n" + "".join(f"q{q}\tp{p}\t1\n" for q, p in sorted(relevant)))
    for row in report_rows.report(workspace, "filters", hidden=file).rows:
        values = {key: value for key, value in found[row["filter"]].items() if key[0] < 6}
        true = [key for key in values if key in relevant]
        left = [key for key, value in values.items() if value]
        assert (row["judged"], row["relevant"]) == (len(values), len(true))
        assert (row["kept_judged"], row["kept_relevant"]) == (len(left), len(set(left) & relevant))
        assert row["false_share"] == (round(len(set(left) & relevant) / len(left), 6) if left else None)
        assert row["unknown_relevant"] == sum(values[key] is None for key in true)
        caught = round(sum(values[key] is False for key in true) / len(true), 6)
        assert row["caught_share"] == (None if row["unknown_relevant"] else caught)


def test_only_filters_are_measured_by_hidden_labels(workspace: Workspace, tmp_path: Path) -> None:
    """Another report would leave them out without a word."""
    with pytest.raises(BadSettings, match="'funnel' is not measured by hidden labels"):
        report_rows.report(workspace, "funnel", hidden=tmp_path / "complete.tsv")


def test_verdicts_of_people_are_the_truth_and_change_no_filter(of_whole: Kept, tmp_path: Path) -> None:
    """p30 is drawn as one of two pairs, p31 as one of four: it stands for twice as many candidates."""
    workspace = WORLD.workspace(tmp_path / "set", PASSAGES)
    load = Job(workspace, "load", "load-00002")
    about = {"query_key": 1, "annotator": "ann", "sample_id": None, "note": None, "judged_at": None}
    load.write_rows(
        "annotations",
        [
            {
                **about,
                "passage_key": p,
                "relevant": p == 30,
                "inclusion": inclusion,
                "revision": 2,
                "corrects": False,
            }
            for p, inclusion in ((30, 0.5), (31, 0.25))
        ],
    )
    load.finish(counts={})
    assert kept(workspace) == of_whole
    rows = {row["filter"]: row for row in report_rows.report(workspace, "filters").rows}
    assert (rows["none"]["judged"], rows["none"]["relevant"]) == (2, 1)
    assert rows["none"]["false_share"] == round(2 / 6, 6)
    assert rows["none"]["caught_share"] == 0


def test_the_terminal_and_the_page_show_the_filters(workspace: Workspace, tmp_path: Path) -> None:
    """The overview has them below the sweep of the cutoffs."""
    run = ["-C", str(workspace.root), "report"]
    text = CliRunner().invoke(cli, [*run, "filters"]).output
    assert "TopK-PercPos 95 %" in text
    page = tmp_path / "report.html"
    assert CliRunner().invoke(cli, [*run, "-o", str(page)]).exit_code == 0
    assert "NV-Retriever; mine_hard_negatives: relative_margin=0.05" in page.read_text("utf-8")


def test_the_order_of_the_filters_is_that_of_their_settings(workspace: Workspace) -> None:
    """That of curate first, then those that compare the retriever's scores."""
    settings = workspace.scan("filter_settings").collect().sort("place")["filter"].to_list()
    rows = report_rows.report(workspace, "filters").rows
    assert [row["filter"] for row in rows] == settings
