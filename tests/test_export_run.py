"""`curate runs export` (curate/export/run_file.py): a run as a TREC file, read back by tools for such files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import add_run

import curate
from curate import Workspace
from curate.cli.main import cli
from curate.errors import BadInput, BadSettings
from curate.export.run_file import falling

Make = Callable[..., Workspace]
PASSAGES = {f"p{n}": f"passage {n}" for n in range(9)}
QUERIES = {"q1": "one", "q2": "two", "q3": "three"}
QRELS = [("q1", "p2", 1), ("q1", "p5", 2), ("q2", "p0", 1), ("q3", "p3", 1)]
# A scorer of whole numbers ties. trec_eval puts the larger id first, the run puts the smaller one first.
SCORES = {"q1": [3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 1.0], "q2": [0.0, 0.0, 0.0, -1.0]}


@pytest.fixture
def workspace(make_workspace: Make) -> Workspace:
    """Return a workspace with a run over test that has ties and lacks q3."""
    made = make_workspace(PASSAGES, QUERIES, qrels=QRELS, split="test")
    rows = [
        {"run_id": "run-test", "query_key": key, "passage_key": place, "rank": place + 1, "score": score}
        for key, scores in enumerate(SCORES.values())
        for place, score in enumerate(scores)
    ]
    add_run(made, "run-test", "test", rows)
    return made


def test_a_line_has_the_six_columns(workspace: Workspace, tmp_path: Path) -> None:
    """They are in the order of the run, and scores that are not tied stay as they are."""
    written = curate.export_run(workspace, "run-test", tmp_path / "run.trec")
    lines = (tmp_path / "run.trec").read_text("utf-8").splitlines()
    assert (written.queries, written.candidates, len(lines)) == (2, 11, 11)
    assert lines[:2] == ["q1 Q0 p0 1 3.0 run-test", "q1 Q0 p1 2 2.9999998 run-test"]
    assert lines[3] == "q1 Q0 p3 4 2.0 run-test"
    assert [line.split()[3] for line in lines] == [*"1234567", *"1234"]


def test_trec_eval_and_ir_measures_find_what_curate_finds(workspace: Workspace, tmp_path: Path) -> None:
    """Their measures of the file are those of `curate evaluate`, although they break ties the other way round."""
    pytrec_eval, ir_measures = pytest.importorskip("pytrec_eval"), pytest.importorskip("ir_measures")
    curate.export_run(workspace, "run-test", tmp_path / "run.trec")
    ours = {each.metric: each.value.mean for each in curate.evaluate(workspace).metrics}
    qrels: dict[str, dict[str, int]] = {}
    for query, passage, grade in QRELS:
        qrels.setdefault(query, {})[passage] = grade
    with (tmp_path / "run.trec").open() as stream:
        run = pytrec_eval.parse_run(stream)
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank", "ndcg_cut_10", "map"}).evaluate(run)
    for metric, name in (("MRR@10", "recip_rank"), ("nDCG@10", "ndcg_cut_10"), ("MAP", "map")):
        assert sum(values[name] for values in theirs.values()) / len(qrels) == pytest.approx(ours[metric])
    measures = {"MRR@10": ir_measures.parse_measure("RR@10"), "nDCG@10": ir_measures.parse_measure("nDCG@10")}
    found = ir_measures.calc_aggregate(
        [*measures.values()], qrels, ir_measures.read_trec_run(str(tmp_path / "run.trec"))
    )
    assert {metric: found[measure] for metric, measure in measures.items()} == pytest.approx(
        {metric: ours[metric] for metric in measures}
    )


def test_curate_reads_its_own_file(workspace: Workspace, tmp_path: Path) -> None:
    """The imported run has the same passages at the same ranks."""
    curate.export_run(workspace, "run-test", tmp_path / "run.trec")
    imported = CliRunner().invoke(
        cli, ["-C", str(workspace.root), "mine", "--run", str(tmp_path / "run.trec"), "--split", "test"]
    )
    assert imported.exit_code == 0, imported.output
    ranked = workspace.sql("select run_id, query_key, rank, passage_key from candidates order by all")
    runs = [frame.drop("run_id") for frame in ranked.partition_by("run_id")]
    assert len(runs) == 2
    assert runs[0].equals(runs[1])


@pytest.mark.parametrize("what", ["query", "passage"])
def test_an_id_with_white_space_is_refused_by_its_name(make_workspace: Make, tmp_path: Path, what: str) -> None:
    """It would be read as two columns. No file is written, not even a part of one."""
    ids = {"query": "q1", "passage": "p1"} | {what: "two\u00a0words"}
    passages, found = {"p0": "zero", ids["passage"]: "one"}, {ids["query"]: ["p0", ids["passage"]]}
    workspace = make_workspace(passages, {ids["query"]: "what"}, candidates=found)
    with pytest.raises(BadInput, match=rf"the {what} id 'two\\xa0words' has white space"):
        curate.export_run(workspace, "bm25-train", tmp_path / "run.trec")
    assert not (tmp_path / "run.trec").exists()


def test_a_file_that_exists_is_replaced_only_by_force(workspace: Workspace, tmp_path: Path) -> None:
    """The file may hold anything."""
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    with pytest.raises(BadSettings, match="exists already"):
        curate.export_run(workspace, "run-test", tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text("utf-8") == "mine"
    assert curate.export_run(workspace, "run-test", tmp_path / "notes.txt", force=True).candidates == 11


def test_a_dash_is_stdout_and_a_run_must_be_known(workspace: Workspace) -> None:
    """Nothing but the lines is printed."""
    call = ["-C", str(workspace.root), "runs", "export"]
    printed = CliRunner().invoke(cli, [*call, "run-test", "-"])
    assert printed.exit_code == 0
    assert len(printed.stdout.splitlines()) == 11
    with pytest.raises(BadSettings, match="no run 'run-tset': did you mean 'run-test'"):
        curate.export_run(workspace, "run-tset", "-")


def test_scores_fall_by_as_little_as_possible() -> None:
    """The order stays, no score rises, and scores that fall already stay exactly as they are."""
    draw = np.random.default_rng(0)
    for scores in (draw.integers(-3, 3, 50), np.zeros(9), draw.normal(size=50), np.array([1, np.nextafter(1, 0)])):
        ordered = np.sort(scores.astype(np.float32))[::-1]
        lowered = falling(ordered.tolist())
        assert (np.diff(lowered) < 0).all()
        assert (lowered <= ordered).all()
        assert np.abs(lowered - ordered).max() < 1e-4
    distinct = np.sort(draw.normal(size=50).astype(np.float32))[::-1]
    assert falling(distinct.tolist()).tolist() == distinct.tolist()
