"""Collections that hold their own questions: a query's own copy is left out of runs, measures and training."""

from pathlib import Path

import numpy as np
import pytest

from curate import Workspace, evaluate, load, mine
from curate.cutoffs import set_cutoffs
from curate.jobs import Job
from curate.mine.exact_search import TopPassages
from curate.mine.import_run import import_run
from curate.ragged import Ragged
from curate.train.dev_eval import sample

# The queries 1 and 2 are passages. So is query 3, with a title that the query lacks. Passage 4 only shares an id.
CORPUS = """\
{"_id": "1", "text": "Vegetarian food is safer than meat."}
{"_id": "1-counter", "text": "Vegetarian food is no safer: poisoning comes from poor hygiene, not from meat."}
{"_id": "2", "text": "School uniforms make pupils equal!"}
{"_id": "2-counter", "text": "School uniforms only hide how different pupils are."}
{"_id": "3", "title": "health", "text": "Sugar should be taxed."}
{"_id": "3-counter", "title": "health", "text": "A tax on sugar hits the poor."}
{"_id": "4", "text": "Rain falls on the hills."}
{"_id": "twin", "text": "School uniforms make pupils EQUAL."}
"""
QUERIES = """\
{"_id": "1", "text": "Vegetarian food is safer than meat."}
{"_id": "2", "text": "School uniforms make pupils equal"}
{"_id": "3", "text": "Sugar should be taxed."}
{"_id": "4", "text": "Do vegetarian pupils eat sugar or meat at school?"}
"""
COUNTERS = "".join(f"{query}\t{query}-counter\t1\n" for query in "123")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return loaded(tmp_path, COUNTERS)


def loaded(folder: Path, qrels: str, name: str = "train.tsv") -> Workspace:
    workspace = Workspace.create(folder / "ws")
    for file, content in {"corpus.jsonl": CORPUS, "queries.jsonl": QUERIES, name: qrels}.items():
        (folder / file).write_text(content, "utf-8")
    load(workspace, passages=[folder / "corpus.jsonl"], queries=[folder / "queries.jsonl"], qrels=[folder / name])
    return workspace


def found(workspace: Workspace, run: str, query: str) -> list[str]:
    rows = """
        select passage_id from candidates join queries using (query_key) join passages using (passage_key)
        where run_id = $run and query_id = $query order by rank
    """
    return workspace.sql(rows, run=run, query=query)["passage_id"].to_list()


def test_a_copy_has_the_id_and_the_text_of_its_query(workspace: Workspace) -> None:
    """The text of 3 equals without its title, as in ArguAna. The ids of 4 are those of two separate spaces."""
    assert workspace.sql("select query_key from own_copies order by 1")["query_key"].to_list() == [0, 1, 2]


def test_copies_are_found_whichever_is_loaded_first_and_are_told(tmp_path: Path) -> None:
    """Passages and queries may come in separate loads."""
    workspace = Workspace.create(tmp_path / "ws")
    (tmp_path / "corpus.jsonl").write_text(CORPUS, "utf-8")
    (tmp_path / "queries.jsonl").write_text(QUERIES, "utf-8")
    assert load(workspace, queries=[tmp_path / "queries.jsonl"]).own_copies == 0
    after = load(workspace, passages=[tmp_path / "corpus.jsonl"])
    assert after.own_copies == 3
    assert "3 queries are passages too, with the same id and text" in after.text()


def test_a_run_leaves_copies_out_and_still_has_its_depth(workspace: Workspace) -> None:
    """At depth 1 each query has one candidate, which would be its copy, and ranks start at 1."""
    mined = mine(workspace, depth=1)
    assert [found(workspace, mined.run_id, query) for query in "123"] == [["1-counter"], ["twin"], ["3-counter"]]
    assert set(workspace.sql("select rank from candidates")["rank"]) == {1}
    assert found(workspace, mine(workspace, depth=2).run_id, "2") == ["twin", "2-counter"]
    assert mined.copies_left_out == 3
    assert "3 queries are passages too; a query's own copy is left out" in mined.text()


def test_an_option_keeps_copies(workspace: Workspace) -> None:
    """The two runs stand beside each other. Even a kept copy becomes neither a negative nor a positive."""
    mined = mine(workspace, depth=3, own_copies=True)
    assert mined.run_id != mine(workspace, depth=3).run_id
    assert mined.copies_left_out == 0
    assert found(workspace, mined.run_id, "1")[0] == "1"
    set_cutoffs(workspace, "default", scorer_id="judge", depth=9, negative_below=0.1, positive_above=0.9)
    Job(workspace, "denoise", "score-1").write_rows(
        "scores",
        [
            {"scorer_id": "judge", "query_key": query, "passage_key": passage, "logit": 9.0}
            for query in range(3) for passage in range(8)
        ],
    )  # fmt: skip
    decided = """
        select distinct passage_id, decision from decisions
        join queries using (query_key) join passages using (passage_key)
        where passage_id = query_id or passage_id = 'twin' and query_id = '2'
        order by passage_id
    """
    assert workspace.sql(decided).rows() == [(name, "duplicate") for name in ("1", "2", "3", "twin")]


def test_an_imported_run_leaves_copies_out_too(workspace: Workspace, tmp_path: Path) -> None:
    """Retrievers elsewhere find them as well."""
    (tmp_path / "run.trec").write_text("1 Q0 1 1 9 x\n1 Q0 4 2 8 x\n1 Q0 1-counter 3 7 x\n", "utf-8")
    mined = import_run(workspace, tmp_path / "run.trec")
    assert found(workspace, mined.run_id, "1") == ["4", "1-counter"]
    kept = import_run(workspace, tmp_path / "run.trec", own_copies=True)
    assert found(workspace, kept.run_id, "1") == ["1", "4", "1-counter"]


def test_measures_are_those_of_beir(tmp_path: Path) -> None:
    """BEIR drops results whose passage has the query's id (`ignore_identical_ids`), then asks pytrec_eval."""
    pytrec_eval = pytest.importorskip("pytrec_eval")
    workspace = loaded(tmp_path, COUNTERS, "test.tsv")
    run = mine(workspace, split="test", depth=8, own_copies=True).run_id
    rows = """
        select query_id, passage_id, score from candidates
        join queries using (query_key) join passages using (passage_key) where run_id = $run
    """
    results: dict[str, dict[str, float]] = {query: {} for query in "123"}
    for query, passage, score in workspace.sql(rows, run=run).rows():
        if query != passage:
            results[query][passage] = score
    qrels = {query: {f"{query}-counter": 1} for query in "123"}
    expected = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10"}).evaluate(results)
    measured = evaluate(workspace, run=[mine(workspace, split="test", depth=8).run_id])
    (ndcg,) = [metric.value.mean for metric in measured.metrics if metric.metric == "nDCG@10"]
    assert ndcg == pytest.approx(np.mean([values["ndcg_cut_10"] for values in expected.values()]))


def test_a_label_on_a_copy_trains_nothing(tmp_path: Path) -> None:
    """A query is no answer to itself."""
    workspace = loaded(tmp_path, COUNTERS + "1\t1\t1\n")
    assert workspace.sql("select count(*) as n from qrels")["n"][0] == 4
    assert workspace.sql("select count(*) as n from positives")["n"][0] == 3


def test_the_measure_on_dev_during_training_leaves_copies_out(tmp_path: Path) -> None:
    """Each of the three queries has one positive and one copy among the passages, and they are not the same."""
    workspace = loaded(tmp_path, COUNTERS, "dev.tsv")
    dev = sample(
        workspace,
        {"seed": 0, "dev_queries": 9, "passages": 99},
        lambda _keys, texts, _side: Ragged.repeated([1], len(texts)),
    )
    assert dev is not None
    assert dev.relevant.sum(axis=1).tolist() == dev.copies.sum(axis=1).tolist() == [1, 1, 1]
    assert not (dev.relevant & dev.copies).any()


def test_without_leaves_one_passage_out_of_each_query() -> None:
    """-1 means that the query has no copy. A copy that was not found leaves the last passage out."""
    found = TopPassages(
        np.array([[5, 3, 4], [3, 5, -1], [1, 2, 3]]), np.array([[9, 8, 7], [9, 8, -np.inf], [3, 2, 1]])
    )
    copies = np.array([3, 3, -1])
    left = found.without(found.keys == copies[:, None]).top(2)
    assert left.keys.tolist() == [[5, 4], [5, -1], [1, 2]]
    assert left.scores.tolist() == [[9, 7], [8, -np.inf], [3, 2]]
