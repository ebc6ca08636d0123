"""The data of a cross-encoder (sql/train, train/groups.py): groups of a positive and drawn negatives."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from curate import Workspace
from curate.config import TrainCrossEncoder
from curate.errors import BadSettings
from curate.shards import Lineage
from curate.train.groups import count_queries, counts_in, read_batches, write_groups

Make = Callable[..., Workspace]
LINEAGE = Lineage("train", "test")
FORTY = {f"p{n}": f"passage number {n}" for n in range(40)}
RANKED = [f"p{n}" for n in range(40)]


def groups(workspace: Workspace, *, seed: int = 0, lineage: Lineage = LINEAGE, **settings: object) -> pl.DataFrame:
    """Return the groups as rows: group_number, slot, kind, query_id, passage_id, query, passage."""
    path = workspace.root / "models" / f"groups-{seed}.parquet"
    write_groups(workspace, path, "bm25-train", TrainCrossEncoder(**settings), seed, lineage)  # type: ignore[arg-type]
    return pl.read_parquet(path)


def kinds(rows: pl.DataFrame, group: int) -> list[str]:
    return sorted(rows.filter(pl.col("group_number") == group, pl.col("slot") > 0)["kind"])


def test_a_group_is_a_positive_and_one_negative_of_each_window(make_workspace: Make) -> None:
    """Depth 40 gives top = ranks 1-20, near = 21-28, far = 29-40.

    Half of the groups have a random negative in place of top.
    """
    found = {"q0": RANKED[:20] + RANKED[21:31], "q1": RANKED[1:], "q2": RANKED[::-1]}
    workspace = make_workspace(
        FORTY | {f"n{n}": f"never found {n}" for n in range(40)},
        {"q0": "zero", "q1": "one", "q2": "two"},
        qrels=[("q0", "p20"), ("q1", "p0"), ("q2", "p39")],
        candidates=found,
    )
    rows = groups(workspace, groups=6, easy_share=0.5)
    assert rows["group_number"].to_list() == [g for g in range(6) for _ in range(4)]
    assert rows["slot"].to_list() == [0, 1, 2, 3] * 6
    assert [kinds(rows, g) for g in range(3)] == [["far", "near", "random"]] * 3
    assert [kinds(rows, g) for g in range(3, 6)] == [["far", "near", "top"]] * 3
    for query, passage, kind in rows.select("query_id", "passage_id", "kind").iter_rows():
        rank = found[query].index(passage) + 1 if passage in found[query] else None
        expected: dict[str, range | None] = {
            "positive": None,
            "random": None,
            "top": range(1, 21),
            "near": range(21, 29),
            "far": range(29, 41),
        }
        ranks = expected[kind]
        assert (rank in ranks) if ranks else (kind == "positive" or rank is None)


def test_uniform_negatives_come_from_all_ranks_alike(make_workspace: Make) -> None:
    """Over forty epochs of one query with two negatives each, every one of its forty candidates occurs twice."""
    workspace = make_workspace(
        FORTY | {"p": "the answer"}, {"q": "x"}, qrels=[("q", "p")], candidates={"q": RANKED}
    )
    rows = groups(workspace, groups=40, negatives=2, easy_share=0, uniform=True).filter(pl.col("slot") > 0)
    assert set(rows["kind"]) == {"uniform"}
    assert rows.group_by("passage_id").len()["len"].to_list() == [2] * 40


@pytest.mark.parametrize("uniform", [False, True])
def test_an_easy_group_has_one_random_passage_however_many_negatives(make_workspace: Make, uniform: bool) -> None:
    """It is one of sixty passages that the run did not find."""
    workspace = make_workspace(
        FORTY | {f"n{n}": f"never found {n}" for n in range(60)},
        {"q": "x"},
        qrels=[("q", "n0")],
        candidates={"q": RANKED},
    )
    rows = groups(workspace, groups=10, negatives=6, easy_share=1, uniform=uniform)
    assert [kinds(rows, group).count("random") for group in range(10)] == [1] * 10
    assert [len(kinds(rows, group)) for group in range(10)] == [6] * 10


def test_what_is_or_may_be_relevant_is_never_a_negative(make_workspace: Make) -> None:
    """Left out are the positives, and passages with the text of a positive at any rank."""
    workspace = make_workspace(
        {"p0": "Rain falls.", "p1": "rain falls", "p2": "snow", "p3": "hail", "p4": "fog", "p5": "wind"},
        {"q": "what falls"},
        qrels=[("q", "p0"), ("q", "p2")],
        candidates={"q": ["p0", "p1", "p2", "p3", "p4"]},
    )
    rows = groups(workspace, groups=12, negatives=5)
    assert set(rows.filter(pl.col("slot") == 0)["passage_id"]) == {"p0", "p2"}
    assert set(rows.filter(pl.col("slot") > 0)["passage_id"]) == {"p3", "p4", "p5"}


def test_what_people_judged_not_relevant_comes_first(make_workspace: Make) -> None:
    """It fills half of the slots, also if no run found it. The windows fill the others.

    q0 has five judged negatives, three of which the run found; q1 has a single one, and nothing else.
    """
    judged = ["n0", "n1", "p1", "p2", "p30"]
    workspace = make_workspace(
        FORTY | {"n0": "never found", "n1": "nor this", "n2": "Passage NUMBER 0"},
        {"q0": "zero", "q1": "one"},
        qrels=[("q0", "p0"), ("q0", "n2", 0), ("q1", "p0"), ("q1", "p1", -1), *(("q0", p, 0) for p in judged)],
        candidates={"q0": RANKED[1:]},
    )
    rows = groups(workspace, groups=20, negatives=4, easy_share=0.5).filter(pl.col("slot") > 0)
    of_q0 = rows.filter(pl.col("query_id") == "q0")
    for group in of_q0.partition_by("group_number"):
        assert (group.sort("slot")["kind"] == "judged").to_list() == [True, True, False, False]
    assert set(of_q0.filter(pl.col("kind") == "judged")["passage_id"]) == set(
        judged
    )  # n2 has the text of a positive
    assert not set(judged) & set(of_q0.filter(pl.col("kind") != "judged")["passage_id"])
    of_q1 = rows.filter(pl.col("query_id") == "q1")
    assert set(of_q1.filter(pl.col("kind") == "judged")["passage_id"]) == {"p1"}
    assert (of_q1["kind"] == "judged").sum() == of_q1["group_number"].n_unique() == 10


def test_a_group_never_holds_a_passage_twice_and_may_be_small(make_workspace: Make) -> None:
    """With two candidates for three negatives, the group has two: no passage is repeated to fill it."""
    workspace = make_workspace(
        {"p0": "a", "p1": "b", "p2": "c"}, {"q": "x"}, qrels=[("q", "p0")], candidates={"q": ["p1", "p2"]}
    )
    rows = groups(workspace, groups=5, easy_share=0)
    assert rows.group_by("group_number").len()["len"].to_list() == [3] * 5
    assert rows.select("group_number", "passage_id").is_duplicated().sum() == 0


def test_the_next_epoch_draws_other_negatives(make_workspace: Make) -> None:
    """Two queries form groups 0 and 1, then two more in each epoch. Negatives from far and near never repeat."""
    workspace = make_workspace(
        FORTY, {"q0": "zero", "q1": "one"}, qrels=[("q0", "p0"), ("q1", "p0")],
        candidates={"q0": RANKED[1:], "q1": RANKED[1:]},
    )  # fmt: skip
    rows = groups(workspace, groups=8, easy_share=0, negatives=2)
    assert rows["query_id"].to_list()[::3] == rows["query_id"].to_list()[:6:3] * 4
    wide = rows.filter(pl.col("kind").is_in(["far", "near"]))
    assert len(wide) > 8
    assert not wide.select("query_id", "passage_id").is_duplicated().any()


def test_groups_come_from_the_seed_and_the_ids_alone(make_workspace: Make) -> None:
    """The same seed gives the same rows, and another seed gives other rows."""
    workspace = make_workspace(FORTY, {"q": "x"}, qrels=[("q", "p0")], candidates={"q": RANKED})
    other = Lineage("train", "test", {"written": "again"})
    assert groups(workspace, groups=3).equals(groups(workspace, groups=3, lineage=other))
    assert not groups(workspace, groups=3).equals(groups(workspace, groups=3, seed=1))


def test_queries_without_a_negative_are_counted(make_workspace: Make) -> None:
    """The run found only its own positive for q1, so q1 forms no group."""
    workspace = make_workspace(
        {"p0": "a", "p1": "b"}, {"q0": "x", "q1": "y"}, qrels=[("q0", "p0"), ("q1", "p1")],
        candidates={"q0": ["p0", "p1"], "q1": ["p1"]},
    )  # fmt: skip
    counts = count_queries(workspace, "bm25-train", 0)
    assert (counts.queries, counts.skipped) == (1, 1)
    assert set(groups(workspace, groups=2)["query_id"]) == {"q0"}
    assert counts_in(workspace.root / "models" / "groups-0.parquet") == counts


def test_a_run_without_labelled_train_queries_is_refused(make_workspace: Make) -> None:
    """Queries of dev and test are never used for training."""
    workspace = make_workspace(
        {"p0": "a", "p1": "b"}, {"q": "x"}, qrels=[("q", "p0")], candidates={"q": ["p1"]}, split="dev"
    )
    with pytest.raises(BadSettings, match=r"nothing to train on.*none has a labelled positive.*curate mine"):
        count_queries(workspace, "bm25-train", 0)


def test_batches_are_whole_groups_and_start_anywhere(tmp_path: Path, make_workspace: Make) -> None:
    """Reading from batch 2 gives the same batches as skipping two batches."""
    workspace = make_workspace(FORTY, {"q": "x"}, qrels=[("q", "p0")], candidates={"q": RANKED})
    groups(workspace, groups=7)
    path = workspace.root / "models" / "groups-0.parquet"
    whole = list(read_batches(path, 2))
    assert [(step, len(pairs)) for step, pairs in whole] == [(0, 8), (1, 8), (2, 8), (3, 4)]
    assert list(read_batches(path, 2, first=2)) == whole[2:]
    assert pq.read_metadata(path).num_rows == 28
