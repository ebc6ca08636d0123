"""Several judges, each trained without one part of the queries, that score as one (`--folds`)."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Interrupt, write_workspace

from curate import Workspace
from curate.denoise.stage import denoise
from curate.errors import BadInput, Damaged, StaleModel
from curate.jobs import Job
from curate.models.cross_encoder import CrossEncoder
from curate.models.fold_scorer import Folds, FoldScorer
from curate.rebuild import rebuild
from curate.shards import Lineage
from curate.staleness import since_training
from curate.status import status
from curate.train.cross_encoder import (
    CrossEncoderTraining,
    TrainedCrossEncoder,
    plan_train_cross_encoder,
    train_cross_encoder,
)

Model = Callable[..., Path]
WORDS = ["rain", "snow", "hail", "wind", "fog", "sun"]
PASSAGES = {f"p{n}": f"{WORDS[n % 6]} number {n} falls on {WORDS[n // 6]} day" for n in range(24)}
QUERIES = {f"q{n}": f"when does {WORDS[n]} fall" for n in range(6)} | {"new": "when is the storm"}
SMALL: dict[str, Any] = {"groups": 8, "batch_groups": 2, "max_length": 48, "folds": 2}


def make(folder: Path) -> Workspace:
    """Return a workspace with six train queries with a positive each, and a query without labels."""
    ranked = {f"q{n}": [f"p{(n + shift) % 24}" for shift in range(12)] for n in range(6)}
    ranked["new"] = [f"p{n}" for n in range(12)]
    qrels = [(f"q{n}", f"p{n}") for n in range(6)]
    return write_workspace(folder, PASSAGES, QUERIES, qrels=qrels, candidates=ranked, unlabeled=["new"])


@pytest.fixture
def workspace(tmp_path: Path, trained: Workspace) -> Workspace:
    """Return a copy of the workspace with two judges, which a test may change."""
    return Workspace(shutil.copytree(trained.root, tmp_path / "set"))


@pytest.fixture
def init(tiny_encoder: Model) -> Path:
    return tiny_encoder()


def train(workspace: Workspace, init: Path, **options: Any) -> TrainedCrossEncoder:
    return train_cross_encoder(workspace, init=str(init), **{**SMALL, **options})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_model: Model) -> Workspace:
    """Return a workspace with two judges, which no test changes."""
    folder = tmp_path_factory.mktemp("two")
    workspace = make(folder / "set")
    train(workspace, tiny_model(folder / "encoder", head=False))
    return workspace


def test_each_query_is_unseen_by_one_judge(trained: Workspace) -> None:
    """Two judges of three queries each. The table says which, for all together and for each alone."""
    rows = trained.sql("select training, query_key, fold from judge_queries order by all")
    of_all = {query: fold for training, query, fold in rows.rows() if training == "train-cross-encoder"}
    assert sorted(of_all) == [0, 1, 2, 3, 4, 5]
    assert sorted(of_all.values()) == [1, 1, 1, 2, 2, 2]
    for fold in (1, 2):
        seen = {query for training, query, _ in rows.rows() if training == f"train-cross-encoder+fold-{fold}"}
        assert seen == {query for query, of in of_all.items() if of != fold}


def test_the_groups_of_a_judge_have_no_query_of_its_fold(trained: Workspace, init: Path, tmp_path: Path) -> None:
    """The second judge learns from the queries of the first fold alone."""
    import pyarrow.parquet as pq

    training = CrossEncoderTraining(trained, fold=2, init=str(init), **SMALL)
    training.write_groups(tmp_path / "groups.parquet", 8, Lineage("train", "test"))
    asked = set(pq.read_table(tmp_path / "groups.parquet")["query_id"].to_pylist())
    assert asked == {f"q{query}" for query, fold in training.split.fold_of.items() if fold == 1}


def test_a_query_is_scored_by_the_judge_that_has_not_seen_it(trained: Workspace) -> None:
    """Other queries get the mean of both judges. Case and punctuation of a query do not matter."""
    folder = trained.root / "models/cross-encoder"
    scorer, passages = FoldScorer(folder), list(PASSAGES.values())[:5]
    judges = [CrossEncoder(folder / f"fold-{fold}") for fold in (1, 2)]
    fold_of = dict(
        trained.sql("select query_key, fold from judge_queries where training = 'train-cross-encoder'").rows()
    )
    queries = [*list(QUERIES.values()), "When does rain FALL?"]
    pairs = np.asarray([(query, passage) for query in range(8) for passage in range(5)])
    found = scorer.score(scorer.prepare(queries, passages, pairs)).reshape(8, 5)
    each = [judge.score(judge.prepare(queries, passages, pairs)).reshape(8, 5) for judge in judges]
    for query in range(6):
        assert np.abs(found[query] - each[fold_of[query] - 1][query]).max() < 0.02  # the batches differ
    assert np.abs(found[6] - (each[0][6] + each[1][6]) / 2).max() < 0.02
    assert np.abs(found[7] - each[fold_of[0] - 1][7]).max() < 0.02
    assert np.abs(each[0] - each[1]).max() > 0.02  # they are two


def test_a_pair_without_a_token_has_no_score(trained: Workspace) -> None:
    """As with a single judge: NaN, and the others keep theirs."""
    scorer = FoldScorer(trained.root / "models/cross-encoder")
    rows = scorer.prepare(["when does rain fall", "  "], ["rain", " "], np.asarray([(0, 0), (0, 1), (1, 0)]))
    counted: list[int] = []
    logits = scorer.score(rows, counted.append)
    assert np.isnan(logits).tolist() == [False, True, True]
    assert sum(counted) == 1


def test_denoise_scores_out_of_fold_and_measures_on_every_query(workspace: Workspace) -> None:
    """To the user it is one scorer. No query counts as seen."""
    done = denoise(workspace, depth=8, scorer="models/cross-encoder")
    scorer = FoldScorer(workspace.root / "models/cross-encoder")
    assert done.scorer_id == scorer.scorer_id
    assert done.judge.queries == 6
    assert workspace.sql("select count(*) from seen_queries").item() == 0
    alone = denoise(workspace, depth=8, scorer="models/cross-encoder/fold-1", cutoffs="one")
    assert alone.judge.queries == 3  # the first judge alone has seen the other three
    assert [row["path"] for row in status(workspace).models] == ["models/cross-encoder"]


@pytest.mark.slow
def test_each_judge_opens_in_sentence_transformers(trained: Workspace) -> None:
    """A fold's folder is a cross-encoder like any other."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    folder = trained.root / "models/cross-encoder/fold-2"
    theirs = sentence_transformers.CrossEncoder(str(folder), device="cpu").predict([("when does fog fall", "fog")])
    ours = CrossEncoder(folder)
    logit = ours.score(ours.prepare(["when does fog fall"], ["fog"], np.asarray([(0, 0)])))
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(theirs, abs=0.01)


def test_an_interrupted_training_ends_with_the_same_judges(trained: Workspace, init: Path, tmp_path: Path) -> None:
    """The interrupt comes in the second judge. The first is not trained again."""
    workspace = make(tmp_path / "set")
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, checkpoint_every=1, progress=Interrupt(7))
    plan = plan_train_cross_encoder(workspace, init=str(init), **SMALL)
    assert (plan.total, plan.cached) == (16, 12)
    first = workspace.root / "models/cross-encoder/fold-1/model.safetensors"
    written = first.stat().st_mtime_ns
    resumed = train(workspace, init)
    assert first.stat().st_mtime_ns == written
    assert resumed.sha256 == train(trained, init).sha256
    files = [
        {path.name: path.is_file() and path.suffix == ".json" and path.read_text() for path in folder.iterdir()}
        for folder in (of.root / "models/cross-encoder" for of in (workspace, trained))
    ]
    assert files[0] == files[1]
    assert not list(workspace.root.glob("models/**/*.checkpoint"))


def test_the_outcome_tells_of_the_folds(trained: Workspace, init: Path) -> None:
    """The groups are those of all judges; six queries are too few to know anything of them."""
    again = train(trained, init)
    assert again.trained_now is False
    assert (again.folds, again.groups, again.steps, again.pairs, again.queries) == (2, 16, 8, 64, 6)
    text = again.text()
    assert "2 judges, each trained without its part of the 6 queries, which it scores" in text
    assert "with all candidates scored, and there are 6." in text
    assert again.judge.verdict == "unknown"


def test_another_number_of_folds_needs_another_name(trained: Workspace, init: Path) -> None:
    """A single judge is never written over several ones."""
    with pytest.raises(StaleModel, match="folds was 2, is 1"):
        train(trained, init, folds=1)
    with pytest.raises(StaleModel, match="folds was 2, is 3"):
        train(trained, init, folds=3)


def test_changed_labels_make_the_judges_stale(workspace: Workspace) -> None:
    """The record of all judges together knows what they were trained on."""
    record = workspace.record("train-cross-encoder")
    assert record
    assert since_training(workspace, record) == []
    job = Job(workspace, "load", "load-00002")
    job.write_rows("annotations", [
        {"query_key": 0, "passage_key": 9, "relevant": True, "annotator": "a", "revision": 1, "note": None}
    ])  # fmt: skip
    job.finish()
    assert since_training(workspace, record) == ["queries"]


def test_rebuild_writes_again_who_saw_what(workspace: Workspace) -> None:
    """A damaged shard of judge_queries comes back with its bytes, for all judges and for one."""
    shards = [
        workspace.root / f"tables/judge_queries/train-cross-encoder{of}/00000.parquet" for of in ("", "+fold-1")
    ]
    before = [shard.read_bytes() for shard in shards]
    for shard in shards:
        shard.write_bytes(b"damaged")
    rebuild(workspace)
    assert [shard.read_bytes() for shard in shards] == before


def test_a_judge_that_changed_is_refused(workspace: Workspace) -> None:
    """Other weights in one fold are other weights of the whole."""
    folder = workspace.root / "models/cross-encoder"
    weights = folder / "fold-2/model.safetensors"
    weights.write_bytes((folder / "fold-1/model.safetensors").read_bytes())
    with pytest.raises(Damaged, match="models/cross-encoder does not have the weights that its training wrote"):
        denoise(workspace, scorer="models/cross-encoder")


def test_several_judges_are_no_start_of_a_training(trained: Workspace) -> None:
    """One of them is. The message names it."""
    with pytest.raises(BadInput, match=r"holds several cross-encoders .* cross-encoder/fold-1"):
        train(trained, trained.root / "models/cross-encoder", name="next")


def test_a_damaged_file_of_folds_is_told(tmp_path: Path) -> None:
    """Nobody guesses which judge has not seen a query."""
    (tmp_path / "folds.json").write_text('{"folds": "two"}')
    with pytest.raises(BadInput, match=r"folds\.json does not say which judge has not seen which query"):
        Folds.read(tmp_path)
