"""`curate mine`: the contents of a run, and the work that is never repeated."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from conftest import write_workspace

from curate import Workspace, mine, sql_files
from curate.augment import _mined_by
from curate.cli.main import cli
from curate.errors import BadSettings, CurateError, NotAvailable
from curate.job_record import places
from curate.jobs import Job
from curate.mine import candidates
from curate.mine.exact_search import exact
from curate.mine.stage import plan_mine
from curate.models.encoder import Encoder

Make = Callable[..., Workspace]
Write = Callable[..., Path]

PASSAGES = {
    "cat": "the cat sat on the mat",
    "dog": "the dog sat on the log",
    "pets": "cats and dogs are animals",
    "carpet": "a mat is a small carpet",
    "both": "the cat and the dog share the mat",
    "twin": "The cat sat on the mat!",
    "other": "nothing in common",
}
QUERIES = {"q1": "cat mat", "q2": "dog log", "q3": "zebra", "q4": "small carpet"}
QRELS = [("q1", "cat"), ("q2", "dog"), ("q3", "pets"), ("q4", "carpet")]


@pytest.fixture
def workspace(make_workspace: Make) -> Workspace:
    """Return a workspace with seven passages and four train queries."""
    return make_workspace(PASSAGES, QUERIES, qrels=QRELS)


@pytest.fixture
def encoder(tiny_encoder: Write, workspace: Workspace) -> str:
    """Return a tiny encoder inside the workspace."""
    folder = workspace.root / "models" / "tiny"
    folder.parent.mkdir(exist_ok=True)
    tiny_encoder("tiny").rename(folder)
    return "models/tiny"


def test_candidates_stand_in_the_order_of_their_scores(workspace: Workspace) -> None:
    """Ranks start at 1, and equal scores (cat and its twin) are in key order. The labelled positive is kept."""
    mined = mine(workspace, depth=3)

    assert found(workspace, mined.run_id, "q1") == ["cat", "twin", "both"]
    assert ranks(workspace, mined.run_id, "q1") == [1, 2, 3]


def test_positives_and_their_duplicates_are_marked_and_never_negatives(workspace: Workspace) -> None:
    """The mined run keeps them, and the view `decisions` says what they are."""
    mined = mine(workspace, depth=3)
    Job(workspace, "denoise", "d1").write_rows("cutoffs", [cutoffs()])
    Job(workspace, "denoise", "d1").finish()

    decided = workspace.sql(
        "select passage_id, decision from decisions "
        "join passages using (passage_key) join queries using (query_key) "
        "where run_id = $run and query_id = 'q1'",
        run=mined.run_id,
    )

    assert dict(decided.rows()) == {"cat": "positive", "twin": "duplicate", "both": "unscored"}


def test_a_query_without_a_known_term_has_no_candidate_and_is_counted(workspace: Workspace) -> None:
    """q3 searches for a zebra."""
    mined = mine(workspace)

    assert mined.empty == 1
    assert found(workspace, mined.run_id, "q3") == []
    assert "1 query has no candidate: no passage shares a word" in mined.text()
    nothing = replace(mined, candidates=0).text()
    assert nothing.endswith("Next: curate mine --split train --retriever dense --encoder MODEL")


def test_a_dense_run_is_the_exact_search_over_the_embeddings(workspace: Workspace, encoder: str) -> None:
    """A depth beyond the size of the collection gives the whole collection."""
    mined = mine(workspace, retriever="dense", encoder=encoder, depth=100)

    model = Encoder.open(encoder, workspace.root)
    vectors = [
        half(model, list(texts.values()), side) for texts, side in ((QUERIES, "query"), (PASSAGES, "passage"))
    ]
    truth = exact(vectors[0], [vectors[1]], 100)
    names = list(PASSAGES)
    assert mined.candidates == len(PASSAGES) * len(QUERIES)
    assert found(workspace, mined.run_id, "q2") == [names[key] for key in truth.keys[1] if key >= 0]


def test_the_encoder_is_registered_once(workspace: Workspace, encoder: str) -> None:
    """Its path is relative to the workspace, so that the two can move together."""
    mine(workspace, retriever="dense", encoder=encoder)
    mine(workspace, retriever="dense", encoder=encoder, depth=2)

    models = workspace.scan("models").collect().to_dicts()
    assert [(model["role"], model["path"]) for model in models] == [("encoder", "models/tiny")]
    assert json.loads(models[0]["settings"])["pooling"] == ["mean"]


def test_a_hybrid_run_is_the_union_and_keeps_every_source(workspace: Workspace, encoder: str) -> None:
    """The order is by the sum of 1 / (60 + rank) over the sources.

    The view `candidate_sources` has the sources' ranks.
    """
    mined = mine(workspace, retriever="hybrid", encoder=encoder, depth=2)

    sources = workspace.sql(
        "select retriever, passage_id, rank from candidate_sources join passages using (passage_key) "
        "join queries using (query_key) where run_id = $run and query_id = 'q1'",
        run=mined.run_id,
    ).rows()
    fused: dict[str, float] = {}
    for _, passage, rank in sources:
        fused[passage] = fused.get(passage, 0) + 1 / (60 + rank)
    names = list(PASSAGES)
    assert {retriever for retriever, _, _ in sources} == {"bm25", "dense"}
    assert len(sources) == 4
    assert found(workspace, mined.run_id, "q1") == sorted(fused, key=lambda p: (-fused[p], names.index(p)))
    assert [run.partition("-")[0] for run in mined.sources] == ["bm25", "dense"]
    assert mined.language == "english"


def test_a_hybrid_run_records_how_it_is_mined_again(workspace: Workspace, encoder: str) -> None:
    """Its language is not that of the collection, so that nothing can find it out later."""
    mined = mine(workspace, retriever="hybrid", encoder=encoder, depth=2, language="french")
    record = workspace.record(mined.run_id)
    assert record
    assert record.facts["options"]["language"] == "french"
    options, _run = _mined_by(workspace, None, None)
    assert options["language"] == "french"
    assert "passages_without_tokens" in record.facts
    assert "queries_without_tokens" in record.facts


@pytest.mark.parametrize("retriever", ["bm25", "dense", "hybrid"])
def test_the_same_again_is_there_already(
    workspace: Workspace,
    encoder: str,
    retriever: Literal["bm25", "dense", "hybrid"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is encoded, and no run is added."""
    first = mine(workspace, retriever=retriever, encoder=encoder)
    monkeypatch.setattr(Encoder, "encode", None)

    again = mine(workspace, retriever=retriever, encoder=encoder)

    assert again.already
    assert again.run_id == first.run_id
    assert "Already mined" in again.text()


def test_embeddings_are_reused_and_a_later_load_embeds_its_own(workspace: Workspace, encoder: str) -> None:
    """Another depth embeds nothing, and one more passage embeds one."""
    assert mine(workspace, retriever="dense", encoder=encoder).passages_encoded == 7
    assert mine(workspace, retriever="dense", encoder=encoder, depth=2).passages_encoded == 0
    add_passage(workspace, 7, "late", "a zebra is an animal")

    mined = mine(workspace, retriever="dense", encoder=encoder)

    assert mined.passages_encoded == 1
    assert "late" in found(workspace, mined.run_id, "q3")


def test_more_passages_make_another_bm25_run(workspace: Workspace) -> None:
    """The old index is deleted."""
    before = mine(workspace)
    add_passage(workspace, 7, "late", "a zebra is an animal")

    after = mine(workspace)

    assert after.run_id != before.run_id
    assert found(workspace, after.run_id, "q3") == ["late"]
    assert len(list(workspace.root.glob("indexes/bm25-*"))) == 1


def test_a_damaged_index_is_made_anew(workspace: Workspace) -> None:
    """The files in `indexes/` can always be rebuilt."""
    mine(workspace)
    for path in workspace.root.glob("indexes/bm25-*/meta.json"):
        path.write_text("{", "utf-8")

    assert mine(workspace, depth=3).candidates > 0


def test_blocks_of_queries_do_not_change_a_bm25_run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even with one query per shard, the candidates are the same."""
    first = mine(workspace).run_id
    whole = workspace.scan("candidates").collect()
    Job(workspace, "mine", first).discard()
    for path in places(workspace.stages, first):
        path.unlink()
    monkeypatch.setattr(candidates, "BLOCK", 1)

    mine(workspace)

    assert len(list(workspace.root.glob(f"tables/candidates/{first}/*.parquet"))) == 4
    assert workspace.scan("candidates").collect().equals(whole)


def test_a_faiss_index_is_kept_and_its_recall_recorded(workspace: Workspace, encoder: str) -> None:
    """The recall is against exact search, on a sample of the queries."""
    pytest.importorskip("faiss")

    mined = mine(workspace, retriever="dense", encoder=encoder, index="Flat", depth=3)

    assert mined.recall == 1.0
    assert workspace.scan("runs").collect().to_dicts()[0]["recall"] == 1.0
    assert len(list(workspace.root.glob("indexes/faiss-*.index"))) == 1
    assert "recall@3 1.000" in mined.text()


def test_passages_without_tokens_take_no_places_in_a_faiss_index(tmp_path: Path, tiny_encoder: Write) -> None:
    """Their vectors are zero, and the inner products of others can be negative."""
    pytest.importorskip("faiss")
    passages = {f"p{n}": "\u200b" if n % 2 else f"passage {'abcdefgh'[n]}" for n in range(8)}
    workspace = write_workspace(tmp_path / "few", passages, {"q1": "what is a"}, qrels=[("q1", "p0")])
    mined = mine(workspace, retriever="dense", encoder=str(tiny_encoder()), index="Flat", depth=4)
    assert mined.passages_without_tokens == 4
    assert sorted(workspace.scan("candidates").collect()["passage_key"]) == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"split": "dev"}, BadSettings, r"no queries in the split 'dev'; the splits are train \(4\)"),
        ({"retriever": "dense"}, BadSettings, "needs a model: --encoder"),
        ({"retriever": "dense", "encoder": "./none"}, NotAvailable, "no model folder"),
        ({"retriever": "bm52"}, BadSettings, "bm25"),
        ({"depth": 0}, BadSettings, "depth"),
    ],
)
def test_what_cannot_be_mined_is_said(
    workspace: Workspace, options: dict[str, Any], error: type[CurateError], text: str
) -> None:
    """The error comes before anything is written."""
    with pytest.raises(error, match=text):
        mine(workspace, **options)


def test_without_passages_the_error_names_the_command(tmp_path: Path) -> None:
    """The workspace is empty."""
    with pytest.raises(BadSettings, match="curate load"):
        mine(Workspace.create(tmp_path / "empty"))


def test_vectors_beyond_float16_are_refused(
    workspace: Workspace, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Embeddings are stored with two bytes per number."""
    forward = Encoder._forward
    monkeypatch.setattr(Encoder, "_forward", lambda self, *batch: forward(self, *batch) * 1e6)

    with pytest.raises(CurateError, match="too large for float16"):
        mine(workspace, retriever="dense", encoder=encoder)


def test_the_plan_counts_what_is_embedded_and_changes_nothing(workspace: Workspace, encoder: str) -> None:
    """The rate is that of earlier runs, or of a short probe."""
    options: dict[str, Any] = {"retriever": "dense", "encoder": encoder}
    fresh = plan_mine(workspace, **options)
    mine(workspace, **options)
    deeper, same = plan_mine(workspace, **options, depth=3), plan_mine(workspace, **options)

    assert (fresh.total, fresh.cached) == (7, 0)
    assert fresh.seconds is not None
    tokens, _, _ = Encoder.open(encoder, workspace.root).tokenize(list(PASSAGES.values()), "passage")
    assert fresh.tokens == int(tokens["input_ids"].lengths.sum())
    assert f"tokens: about {fresh.tokens:,}" in fresh.text()
    assert deeper.seconds is not None
    assert (deeper.unit, deeper.total, deeper.cached) == ("queries", 4, 0)  # embedded, but not searched yet
    assert (same.unit, same.total, same.cached) == ("queries", 4, 4)
    assert len(workspace.records("mine")) == 1


def test_the_plan_of_a_run_leaves_out_what_exists_and_guesses_nothing(
    workspace: Workspace, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the rate is known from an earlier run, the encoder is not loaded. A faiss index tells no rate."""
    options: dict[str, Any] = {"encoder": encoder, "depth": 3}
    assert plan_mine(workspace, retriever="dense", **options, index="Flat").seconds is None
    mine(workspace, retriever="dense", **options)
    monkeypatch.setattr(Encoder, "encode", lambda *_: pytest.fail("it embeds"))
    assert plan_mine(workspace, retriever="dense", encoder=encoder, depth=2).seconds is not None
    hybrid = plan_mine(workspace, retriever="hybrid", **options)
    assert "Its dense source exists." in hybrid.notes
    assert hybrid.seconds is not None


def test_the_plan_of_a_first_bm25_run_measures_a_small_index(workspace: Workspace) -> None:
    """Nothing like it was done here before. The index is built elsewhere, so nothing changes."""
    before = sorted(workspace.root.rglob("*"))
    plan = plan_mine(workspace, retriever="bm25")
    assert (plan.unit, plan.total, plan.tokens) == ("queries", 4, None)
    assert plan.seconds is not None
    assert plan.seconds > 0
    assert sorted(workspace.root.rglob("*")) == before


def test_the_command_prints_the_run_and_the_next_command(workspace: Workspace) -> None:
    """It prints them as text and as JSON."""
    result = CliRunner().invoke(cli, ["-C", str(workspace.root), "-q", "mine", "--depth", "3"])
    again = CliRunner().invoke(cli, ["-C", str(workspace.root), "-q", "mine", "--depth", "3", "--json"])

    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == "Next: curate train cross-encoder, or curate denoise --scorer MODEL"
    assert json.loads(again.output)["already"] is True


def found(workspace: Workspace, run: str, query: str) -> list[str]:
    """Return the passages of a query, by rank."""
    return [row[1] for row in rows(workspace, run, query)]


def ranks(workspace: Workspace, run: str, query: str) -> list[int]:
    """Return the ranks of a query's passages."""
    return [row[0] for row in rows(workspace, run, query)]


def rows(workspace: Workspace, run: str, query: str) -> list[tuple[Any, ...]]:
    """Return (rank, passage_id) of a query."""
    return workspace.sql(
        "select rank, passage_id from candidates join passages using (passage_key) join queries using (query_key) "
        "where run_id = $run and query_id = $query order by rank",
        run=run,
        query=query,
    ).rows()


def half(model: Encoder, texts: list[str], side: Any) -> np.ndarray:
    """Return vectors in the format in which they are stored."""
    (vectors,) = model.encode(texts, side)
    return vectors.array.astype("float16")


def add_passage(workspace: Workspace, key: int, name: str, text: str) -> None:
    """Load one more passage."""
    row = {"passage_key": key, "passage_id": name, "title": "", "text": text, "text_hash": key}
    job = Job(workspace, "load", f"load-{name}")
    job.write("passages", 0, lambda: [pa.Table.from_pylist([row], sql_files.schema("passages"))])
    job.finish()


def cutoffs() -> dict[str, Any]:
    """Return RocketQA's cutoffs for a scorer that has scored nothing."""
    row = dict.fromkeys(sql_files.schema("cutoffs").names)
    return row | {
        "name": "default",
        "revision": 1,
        "scorer_id": "nobody",
        "depth": 50,
        "negative_below": 0.1,
        "positive_above": 0.9,
        "pseudo_positives": "best",
        "duplicate_above": 1.0,
    }


def test_the_same_model_under_another_path_is_the_same_run(
    workspace: Workspace, tiny_encoder: Write, tmp_path: Path
) -> None:
    """The fingerprint identifies a run. A renamed or copied folder neither mines again nor gets a new id."""
    model = tiny_encoder("model")
    copy = Path(shutil.copytree(model, tmp_path / "elsewhere" / "copy"))
    options: dict[str, Any] = {"split": "train", "depth": 2, "retriever": "dense"}
    first = mine(workspace, encoder=str(model), **options)
    second = mine(workspace, encoder=str(copy), **options)
    given = mine(workspace, encoder=str(copy), pooling="mean", **options)
    assert (second.run_id, second.already, given.run_id) == (first.run_id, True, first.run_id)
    hybrid = {
        mine(workspace, encoder=str(path), **{**options, "retriever": "hybrid"}).run_id for path in (model, copy)
    }
    assert len(hybrid) == 1
    deeper = mine(workspace, encoder=str(copy), **{**options, "depth": 1})
    assert deeper.run_id != first.run_id
    ids = workspace.sql("select distinct model_id from runs where retriever = 'dense'")["model_id"].to_list()
    assert len(ids) == 1
    assert ids[0].startswith("model-")
