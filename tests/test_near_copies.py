"""Near copies of positives: measured when a run is denoised, and duplicates from where the cutoffs say."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_workspace

import curate
from curate import Workspace, named_queries
from curate.check.resemblance import resemblances
from curate.cutoffs import cutoffs_in_force, set_cutoffs
from curate.denoise import compare_texts
from curate.denoise.compare_texts import compare_with_positives
from curate.errors import BadSettings
from curate.export.request import ExportRequest
from curate.jobs import Job
from curate.shards import file_sha256

RUN = "bm25-train"
PASSAGES = {
    "answer": "The lighthouse of Alexandria was built on the island of Pharos in the third century before Christ.",
    "exact": "The lighthouse of Alexandria was built on the island of Pharos, in the third century before Christ!",
    "near": "The lighthouse of Alexandria was built on the island of Pharos in the 3rd century before Christ.",
    "half": "The lighthouse of Alexandria was built on the island of Pharos. It fell in an earthquake.",
    "other": "Rome has seven hills, and a river runs between them.",
    "chinese": "亚历山大灯塔建于公元前三世纪的法罗斯岛上",
    "nearly": "亚历山大灯塔建于公元前三世纪的法罗斯岛",
}
QUERIES = {"where": "where did the lighthouse stand", "where too": "on which island", "灯塔": "灯塔在哪里"}
QRELS = [("where", "answer"), ("where too", "answer"), ("灯塔", "chinese")]
FOUND = {
    "where": ["near", "answer", "half", "other", "exact"],
    "where too": ["near", "other"],
    "灯塔": ["nearly", "chinese", "other"],
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace with a run, all of whose candidates are far below the cutoffs by the scorer."""
    made = write_workspace(tmp_path / "set", PASSAGES, QUERIES, qrels=QRELS, candidates=FOUND)
    job = Job(made, "denoise", "score-1")
    pairs = made.sql("select query_key, passage_key from candidates").to_dicts()
    job.write_rows("scores", [{**pair, "scorer_id": "judge", "logit": -9.0} for pair in pairs])
    job.finish()
    set_cutoffs(made, "default", scorer_id="judge", depth=50)
    return made


def shingles(text: str) -> set[str]:
    """Return the shingles of a text without capitals and punctuation: three characters, or two of Chinese."""
    size = 2 if "\u4e00" <= text[0] <= "\u9fff" else 3
    text = f" {text.lower().replace('.', '').replace(',', '').replace('!', '')} "
    return {text[at : at + size] for at in range(len(text) - size + 1)}


def jaccard(first: str, second: str) -> float:
    one, two = shingles(first), shingles(second)
    return len(one & two) / len(one | two)


def near_copies(workspace: Workspace) -> dict[tuple[str, str], float]:
    """Return (query, passage) -> its resemblance to a positive of the query."""
    rows = workspace.sql(
        "select query_id, passage_id, resemblance from near_copies join queries using (query_key) "
        "join passages using (passage_key)"
    )
    return {(query, passage): resemblance for query, passage, resemblance in rows.iter_rows()}


def decided(workspace: Workspace, cutoffs: str = "default") -> dict[tuple[str, str], tuple[str, str]]:
    """Return (query, passage) -> the decision, and what it rests on."""
    rows = workspace.sql(
        "select query_id, passage_id, decision, decided_by from decisions join queries using (query_key) "
        "join passages using (passage_key) where cutoffs = $cutoffs",
        cutoffs=cutoffs,
    )
    return {(query, passage): (decision, by) for query, passage, decision, by in rows.iter_rows()}


def written(workspace: Workspace) -> dict[str, str]:
    """Return the shards of comparisons -> sha256."""
    paths = workspace.root.glob(f"tables/*/{compare_texts.COMPARE}-*/*.parquet")
    return {str(path.relative_to(workspace.root)): file_sha256(path) for path in paths}


@pytest.mark.parametrize("least", [0.5, 0.7, 1.0])
def test_the_resemblances_are_those_of_a_comparison_of_all_pairs(least: float) -> None:
    """Long texts too, whose outlines say little. No pair is overlooked."""
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefghij", k=chance.randint(2, 8))) for _ in range(400)]
    texts = [" ".join(chance.choices(words, k=chance.choice((5, 60, 900)))) for _ in range(12)]
    for text in list(texts):
        kept = text.split()
        for _ in range(chance.randint(1, len(kept) // 3)):
            kept[chance.randrange(len(kept))] = chance.choice(words)
        texts += [" ".join(kept), text.upper()]
    first, second = np.triu_indices(len(texts), 1)
    expected = {
        (one, two): share
        for one, two in zip(first.tolist(), second.tolist(), strict=True)
        if (share := jaccard(texts[one], texts[two])) >= least
    }

    def texts_of(keys: Any) -> Iterator[list[str]]:
        yield [texts[key] for key in keys[:5]]
        yield [texts[key] for key in keys[5:]]

    found = {(one, two): share for one, two, share in resemblances(first, second, texts_of, least)}
    assert found == pytest.approx(expected)
    assert list(found) == sorted(found)
    assert len(found) >= 12


def test_no_pairs_and_no_shingles_resemble_nothing() -> None:
    none = np.zeros(0, np.int32)
    assert list(resemblances(none, none, lambda _keys: [], 0.5)) == []
    assert list(resemblances(np.array([0]), np.array([1]), lambda _keys: [["", "?"]], 0.5)) == []


def test_candidates_are_compared_with_the_positives_of_their_query(workspace: Workspace) -> None:
    """Exact copies and positives are not near copies. A pair that two queries have is compared once."""
    pairs = {(positive, found) for query, positive in QRELS for found in FOUND[query] if found != positive}
    assert compare_with_positives(workspace, RUN, 50) == len(pairs - {("answer", "exact")})
    answer = PASSAGES["answer"]
    expected = {
        ("where", "near"): jaccard(PASSAGES["near"], answer),
        ("where", "half"): jaccard(PASSAGES["half"], answer),
        ("灯塔", "nearly"): jaccard(PASSAGES["nearly"], PASSAGES["chinese"]),
    }
    # What resembles the positive of a query does so whoever found it.
    expected |= {("where too", passage): expected["where", passage] for passage in ("near", "half")}
    assert near_copies(workspace) == pytest.approx(expected)


def test_the_cutoffs_say_from_where_on_a_near_copy_is_a_duplicate(workspace: Workspace) -> None:
    """Other cutoffs are a query. By default only exact copies are duplicates."""
    compare_with_positives(workspace, RUN, 50)
    set_cutoffs(workspace, "copies", duplicate_above=0.7)
    assert compare_with_positives(workspace, RUN, 50) == 0
    assert {pair for pair, (what, _) in decided(workspace).items() if what == "duplicate"} == {("where", "exact")}
    copies = {("where", "exact"), ("where", "near"), ("where too", "near"), ("灯塔", "nearly")}
    found = decided(workspace, "copies")
    assert {pair for pair, decision in found.items() if decision == ("duplicate", "text")} == copies
    assert found["where", "half"] == ("hard_negative", "scorer")
    assert found["where", "answer"] == ("positive", "people")


def test_the_cutoff_is_strict(workspace: Workspace) -> None:
    """As the other two are: a candidate that resembles a positive by exactly this is no duplicate."""
    compare_with_positives(workspace, RUN, 50)
    resemblance = near_copies(workspace)["where", "near"]
    set_cutoffs(workspace, "default", duplicate_above=resemblance)
    assert decided(workspace)["where", "near"] == ("hard_negative", "scorer")
    set_cutoffs(workspace, "default", duplicate_above=float(np.nextafter(np.float32(resemblance), np.float32(0))))
    assert decided(workspace)["where", "near"] == ("duplicate", "text")


@pytest.mark.parametrize("value", [0.4, 1.1])
def test_a_cutoff_below_all_that_is_kept_is_refused(workspace: Workspace, value: float) -> None:
    with pytest.raises(BadSettings, match="duplicate_above"):
        set_cutoffs(workspace, "default", duplicate_above=value)


def test_only_what_is_new_is_compared(workspace: Workspace) -> None:
    """More ranks, another run and a new label each bring pairs. Those that are known stay as they are."""
    assert compare_with_positives(workspace, RUN, 1) == 2  # near and nearly
    assert compare_with_positives(workspace, RUN, 2) == 1  # the second passage of `where too` is other
    assert compare_with_positives(workspace, RUN, 50) == 2  # half, and other of the Chinese query
    before = near_copies(workspace)
    again = Job(workspace, "mine", "second")
    keys = {"query_key": 0, "passage_key": 2}
    again.write_rows("candidates", [{**keys, "run_id": "second", "rank": 1, "score": 1.0}])
    again.finish()
    assert compare_with_positives(workspace, "second", 50) == 0
    assert near_copies(workspace) == before
    label = Job(workspace, "load", "load-00002")
    label.write_rows(
        "qrels",
        [{"query_key": 0, "passage_key": 3, "relevance": 1, "split": "train", "source": "", "revision": 2,
          "corrects": False}],
    )  # fmt: skip
    label.finish()
    # `half` is a positive now: it is compared with near, answer, other and exact.
    assert compare_with_positives(workspace, RUN, 50) == 4
    assert ("where", "half") not in near_copies(workspace)


def test_after_a_kill_the_same_bytes_are_written(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No shard is written twice, and none is lost. Half a comparison does not count."""
    monkeypatch.setattr(compare_texts, "BLOCK", 2)
    whole = Workspace(shutil.copytree(workspace.root, tmp_path / "whole"))
    compare_with_positives(whole, RUN, 50)
    assert len(written(whole)) == 4  # five pairs in three shards, and what was compared
    compare, asked = compare_texts._resembling, []

    def dies(connection: Any, block: int) -> Iterator[Any]:
        asked.append(block)
        if asked == [0, 1]:
            raise KeyboardInterrupt
        yield from compare(connection, block)

    monkeypatch.setattr(compare_texts, "_resembling", dies)
    with pytest.raises(KeyboardInterrupt):
        compare_with_positives(workspace, RUN, 50)
    assert near_copies(workspace) == {}
    compare_with_positives(workspace, RUN, 50)
    assert asked == [0, 1, 1, 2]
    assert written(workspace) == written(whole)


def test_a_damaged_comparison_is_made_again(workspace: Workspace) -> None:
    """Also if more was compared since."""
    compare_with_positives(workspace, RUN, 1)
    compare_with_positives(workspace, RUN, 50)
    expected, before = near_copies(workspace), written(workspace)
    for path in workspace.root.glob(f"tables/resemblances/{compare_texts.COMPARE}-*/00000.parquet"):
        path.unlink()
    curate.rebuild(workspace)
    assert (near_copies(workspace), written(workspace)) == (expected, before)


def test_a_comparison_can_be_forgotten_and_made_anew(workspace: Workspace) -> None:
    compare_with_positives(workspace, RUN, 50)
    expected = near_copies(workspace)
    (job,) = [record.job for record in workspace.records(compare_texts.COMPARE)]
    curate.rebuild(workspace, forget=job)
    assert near_copies(workspace) == {}
    assert compare_with_positives(workspace, RUN, 50) == 5
    assert near_copies(workspace) == expected


def test_an_export_depends_on_the_comparison_only_if_near_copies_are_duplicates(workspace: Workspace) -> None:
    compare_with_positives(workspace, RUN, 50)
    assert "resemblances" not in ExportRequest.of(workspace).inputs
    set_cutoffs(workspace, "default", duplicate_above=0.7)
    assert cutoffs_in_force(workspace, None)["duplicate_above"] == pytest.approx(0.7)
    assert "resemblances" in ExportRequest.of(workspace).inputs


def test_the_named_query_shows_the_candidates_that_resemble_a_positive(workspace: Workspace) -> None:
    """The most alike come first, each beside the positive."""
    compare_with_positives(workspace, RUN, 50)
    with workspace.connect() as connection:
        values = {"run": RUN, "cutoffs": "default", "limit": 10}
        rows = named_queries.rows(connection, "near_copies", values)
    found = [(row["query_id"], row["passage_id"], row["positive_id"]) for row in rows]
    both = [(query, "near", "answer") for query in ("where", "where too")]
    assert found == [*both, ("灯塔", "nearly", "chinese"), ("where", "half", "answer")]
    assert (rows[0]["passage"], rows[0]["positive"]) == (PASSAGES["near"], PASSAGES["answer"])


def test_a_hidden_positive_that_is_a_near_copy_of_another_needs_no_score(tmp_path: Path) -> None:
    """The self-check hides one of two labels. The text alone would find it, if the cutoffs say so."""
    made = write_workspace(
        tmp_path / "set",
        PASSAGES,
        {"where": QUERIES["where"]},
        qrels=[("where", "answer"), ("where", "near")],
        candidates={"where": ["near", "answer", "other"]},
    )
    set_cutoffs(made, "default", scorer_id="judge", depth=50)
    compare_with_positives(made, RUN, 50)
    query = "select decision from hidden_positives($run, 'default', 1, 0)"
    assert made.sql(query, run=RUN)["decision"].to_list() == ["unscored"]
    set_cutoffs(made, "default", duplicate_above=0.7)
    assert made.sql(query, run=RUN)["decision"].to_list() == ["duplicate"]
