"""`curate check`: training texts in dev, test or a benchmark. The oracles are sets of characters and all pairs."""

import json
from pathlib import Path

import numpy as np
import pytest

import curate
from curate import Workspace
from curate.check.near import Near, Texts
from curate.check.shingles import shingles
from curate.cli.main import run
from curate.errors import BadSettings, NotMet, StepMissing
from curate.mine.tokens import UNSPACED
from curate.text_hash import plain, text_hashes

WORDS = ["river", "tower", "city", "bridge", "king", "old", "stone", "who", "built", "the", "of", "what", "near"]
TEXTS = [
    "Who built the tower of London?",
    "who   built the tower of london",
    "谁建造了伦敦塔？",
    "谁建造了伦敦桥？",
    "ใครสร้างหอคอยแห่งลอนดอน",
    "Кто построил Лондонский Тауэр",
    "런던 탑은 누가 지었나요",
    "C++ 11 中的 auto 关键字",
    "👑 = 🏰",
    "a",
    "",
]


def shingles_of(text: str) -> set[str]:
    """Return runs of three characters, and of two where one of them is of a script without spaces."""
    padded = f" {plain([text])[0]} "
    pairs = {pair for i in range(len(padded) - 1) if UNSPACED.search(pair := padded[i : i + 2])}
    threes = {three for i in range(len(padded) - 2) if not UNSPACED.search(three := padded[i : i + 3])}
    return pairs | threes


def jaccard(first: str, second: str) -> float:
    """Return the share of common shingles."""
    one, other = shingles_of(first), shingles_of(second)
    return len(one & other) / len(one | other)


def edited(random: np.random.Generator, text: str) -> str:
    """Return a text in which some words are others."""
    words = text.split()
    for _ in range(random.integers(0, 4)):
        words[random.integers(len(words))] = str(random.choice(WORDS))
    return " ".join(words)


def test_shingles_are_pairs_of_characters_where_there_are_no_spaces_and_else_three() -> None:
    """Each is a number of its own: as many numbers as runs, and the same number for the same run."""
    found = shingles(TEXTS)
    assert [len(row) for row in found] == [len(shingles_of(text)) for text in TEXTS]
    for first in range(len(TEXTS)):
        for second in range(len(TEXTS)):
            common = len(set(found[first].tolist()) & set(found[second].tolist()))
            assert common == len(shingles_of(TEXTS[first]) & shingles_of(TEXTS[second]))


def test_texts_with_one_hash_have_the_same_shingles() -> None:
    """Case, punctuation and white space count in neither."""
    assert len(set(text_hashes(TEXTS[:2]).tolist())) == 1
    first, second = shingles(TEXTS[:2])
    assert np.array_equal(first, second)


@pytest.mark.parametrize("least", [0.7, 0.8, 0.95])
def test_near_texts_are_those_that_a_comparison_of_all_pairs_finds(least: float) -> None:
    """Each similarity is the exact one. MinHash alone would find others, and give estimates."""
    random = np.random.default_rng(3)
    theirs = [" ".join(random.choice(WORDS, 12)) for _ in range(60)]
    ours = [edited(random, theirs[random.integers(60)]) for _ in range(120)]
    expected = [
        Near(i, j, similarity)
        for i, first in enumerate(ours)
        for j, second in enumerate(theirs)
        if (similarity := jaccard(first, second)) >= least
    ]
    assert 10 < len(expected) < 120
    assert list(Texts(theirs).near(ours, least)) == expected


def test_one_character_of_chinese_makes_a_near_text() -> None:
    """With words between spaces, the whole question would be one other word."""
    first, second = "北京故宫博物院的开放时间和门票价格是多少", "北京故宫博物馆的开放时间和门票价格是多少"
    assert list(Texts([second]).near([first], 0.7)) == [Near(0, 0, jaccard(first, second))]


def test_nothing_is_near_nothing() -> None:
    """No texts, on either side."""
    assert list(Texts([]).near(["a text"], 0.8)) == []
    assert list(Texts(["a text"]).near([], 0.8)) == []


PASSAGES = {
    "p1": "The Tower of London was built by William the Conqueror after the year 1066.",
    "p2": "The Tower of London was built by William the Conqueror after the year 1067.",
    "p3": "Rome was founded on seven hills beside the river Tiber.",
    "p4": "Photosynthesis turns light into chemical energy.",
}
QUERIES = {
    "train-exact": "Who built the Tower of London?",
    "train-near": "who built the old tower of london in the year 1066, and why",
    "train-far": "on which hills does rome stand",
    "test-exact": "who built the tower of london",
    "test-near": "who built the old tower of london in the year 1067, and why",
    "dev-other": "how do plants turn light into energy",
}
QRELS = {
    "train": [("train-exact", "p1"), ("train-near", "p1"), ("train-far", "p3")],
    "test": [("test-exact", "p1"), ("test-near", "p2")],
    "dev": [("dev-other", "p4")],
}


def write_collection(folder: Path, queries: dict[str, str], qrels: dict[str, list[tuple[str, str]]]) -> Path:
    """Write a BEIR folder with the passages above."""
    (folder / "qrels").mkdir(parents=True)
    for name, texts in (("corpus", PASSAGES), ("queries", queries)):
        lines = [json.dumps({"_id": key, "title": "", "text": text}) for key, text in texts.items()]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    for split, pairs in qrels.items():
        rows = [f"{query}\t{passage}\t1\n" for query, passage in pairs]
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with three training queries, two of which leak."""
    folder = tmp_path_factory.mktemp("check")
    workspace = Workspace.create(folder / "set")
    curate.load(workspace, write_collection(folder / "collection", QUERIES, QRELS))
    return workspace


def test_a_near_query_of_test_leaks_and_an_exact_one_never_trains(workspace: Workspace) -> None:
    """`train-exact` has the text of a test query: it is no training query, and is counted apart."""
    found = curate.check(workspace)
    assert [(leak.id, leak.where, leak.other_id) for leak in found.leaks if leak.kind == "query"] == [
        ("train-near", "test", "test-near")
    ]
    near = found.leaks[0]
    assert near.similarity == round(jaccard(QUERIES["train-near"], QUERIES["test-near"]), 6) > 0.89
    assert not near.is_exact
    assert (found.left_out, found.compared["query"], found.is_clean) == (1, 2, False)


def test_positives_of_training_queries_that_are_positives_of_test_are_told(workspace: Workspace) -> None:
    """A collection has its passages in common, so that they fail only if somebody says how many may."""
    found = curate.check(workspace, max_queries=1)
    passages = [leak for leak in found.leaks if leak.kind == "passage"]
    assert [(leak.id, leak.other_id, leak.is_exact, leak.similarity) for leak in passages] == [
        ("p1", "p1", True, 1.0)
    ]
    assert found.is_clean
    assert not curate.check(workspace, max_queries=1, max_passages=0).is_clean
    assert curate.check(workspace, max_queries=1, max_passages=1).is_clean


def test_texts_that_are_less_similar_than_asked_do_not_leak(workspace: Workspace) -> None:
    """The threshold is that of the exact similarity."""
    similarity = jaccard(QUERIES["train-near"], QUERIES["test-near"])
    assert curate.check(workspace, near=similarity).leaking("query") == 1
    assert curate.check(workspace, near=similarity + 0.001).leaking("query") == 0


def test_a_benchmark_is_a_collection_whose_dev_and_test_are_compared(workspace: Workspace, tmp_path: Path) -> None:
    """Its train queries may be trained on. The place has its name; nothing of it is left."""
    queries = {"b1": "On which hills does Rome stand?!", "b2": QUERIES["train-near"]}
    folder = write_collection(tmp_path / "bench", queries, {"test": [("b1", "p3")], "train": [("b2", "p1")]})
    before = sorted(path for path in workspace.root.rglob("*") if path.is_file())
    found = curate.check(workspace, against=[folder])
    leaks = [(leak.kind, leak.id, leak.other_id, leak.is_exact) for leak in found.leaks if "bench" in leak.where]
    assert leaks == [("query", "train-far", "b1", True), ("passage", "p3", "p3", True)]
    assert sorted(path for path in workspace.root.rglob("*") if path.is_file()) == before


def test_all_queries_of_a_benchmark_without_dev_and_test_count(workspace: Workspace, tmp_path: Path) -> None:
    """As in a file of questions alone."""
    folder = write_collection(
        tmp_path / "bench", {"b1": "on which hills does Rome stand"}, {"train": [("b1", "p3")]}
    )
    found = curate.check(workspace, against=[folder], max_queries=9)
    assert ("train-far", "b1") in {(leak.id, leak.other_id) for leak in found.leaks}


def test_the_exit_code_is_a_gate(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """7: what was asked of the data does not hold."""
    check = ["-q", "-C", str(workspace.root), "check"]
    assert run(check) == NotMet.exit_code == 7
    told = capsys.readouterr().out
    assert "test: 1 of 2 training queries stand among 2 (0 exactly, 1 nearly)" in told
    assert "FAILED: 1 training queries leak, and 0 may" in told
    assert "query train-near = test test-near: 0.895" in told
    assert run([*check, "--max-queries", "1", "--limit", "0"]) == 0
    assert "FAILED" not in capsys.readouterr().out


def test_json_has_every_leak_and_equal_data_gives_equal_bytes(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """The order is that of kind, similarity and id."""
    told = []
    for _ in range(2):
        assert run(["-q", "-C", str(workspace.root), "check", "--json"]) == 7
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    found = json.loads(told[0])
    assert found["schema"].startswith("curate.checked/")
    assert [leak["id"] for leak in found["leaks"]] == ["train-near", "p1"]


@pytest.mark.parametrize("similarity", [0.5, 1.1])
def test_a_similarity_that_the_search_would_overlook_is_refused(workspace: Workspace, similarity: float) -> None:
    """Below 0.7 MinHash would miss too many pairs."""
    with pytest.raises(BadSettings, match=r"expected a number from 0\.7 to 1"):
        curate.check(workspace, near=similarity)


def test_without_dev_test_and_benchmark_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    """A gate that compares nothing must not pass."""
    workspace = Workspace.create(tmp_path / "set")
    with pytest.raises(StepMissing, match="no query of train"):
        curate.check(workspace)
    queries = {"train-far": QUERIES["train-far"]}
    curate.load(workspace, write_collection(tmp_path / "one", queries, {"train": [("train-far", "p3")]}))
    with pytest.raises(StepMissing, match="--against COLLECTION"):
        curate.check(workspace)
