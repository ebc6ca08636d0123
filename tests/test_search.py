"""Search, which gives the same canonical list for any sharding, either exactly or with known recall."""

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from curate.errors import BadInput, BadSettings, NotAvailable
from curate.mine import exact_search, faiss_search

Array = np.ndarray


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use several tiles and groups even for small data."""
    monkeypatch.setitem(exact_search.SIZES, "cpu", exact_search.Sizes(5, 16, 2000, 7))


@pytest.mark.parametrize("depth", [1, 3, 10, 16, 40, 200])
@pytest.mark.parametrize("values", [2, 3, 100])
def test_the_order_is_score_then_key_even_where_scores_tie(depth: int, values: int) -> None:
    """Whole numbers give exact scores. With few different values most scores are equal, also at the cut."""
    queries, passages = whole_numbers(12, values, seed=1), whole_numbers(103, values, seed=2)

    found = exact_search.exact(queries, [passages], depth)

    assert rows(found) == brute_force(queries, passages, depth)


@pytest.mark.parametrize("cuts", [[], [1], [16, 32], [7, 8, 50, 99], list(range(1, 103))])
def test_any_sharding_of_the_passages_gives_the_same_bits(cuts: list[int]) -> None:
    """Tiles start at fixed passage numbers, however the passages are divided into files."""
    random = np.random.default_rng(3)
    queries = random.standard_normal((9, 24)).astype("float16")
    passages = random.standard_normal((103, 24)).astype("float16")

    whole = exact_search.exact(queries, [passages], 10)
    parts = exact_search.exact(queries, np.split(passages, cuts), 10)

    assert np.array_equal(whole.keys, parts.keys)
    assert whole.scores.tobytes() == parts.scores.tobytes()


def test_passages_that_all_score_the_same_come_in_the_order_of_their_keys() -> None:
    """This is the worst case of ties."""
    found = exact_search.exact(np.ones((2, 4), "float32"), [np.ones((90, 4), "float32")], 20)

    assert found.keys.tolist() == [list(range(20))] * 2


def test_a_score_that_is_not_finite_is_an_error() -> None:
    """Infinity would rank first and mean nothing."""
    with pytest.raises(BadInput, match="not finite"):
        exact_search.exact(np.full((1, 2), 3e38, "float32"), [np.full((4, 2), 3e38, "float32")], 2)


def test_a_flat_faiss_index_finds_what_exact_search_finds() -> None:
    """Both use the inner product and the canonical order."""
    pytest.importorskip("faiss")
    queries, passages = whole_numbers(12, 100, seed=4), whole_numbers(103, 100, seed=5)

    index = faiss_search.build("Flat", lambda: np.split(passages, [40]), 103)
    found, truth = faiss_search.approximate(index, queries, 10), exact_search.exact(queries, [passages], 10)

    assert np.array_equal(found.scores, truth.scores)
    assert faiss_search.recall(found, truth) == pytest.approx(1.0, abs=0.05)


def test_lists_that_an_index_cannot_fill_are_short() -> None:
    """A faiss index marks missing results with -1, which is not a candidate."""
    pytest.importorskip("faiss")
    passages = whole_numbers(400, 100, seed=6)
    index = faiss_search.build("IVF10,Flat", lambda: [passages], 400)

    found = faiss_search.approximate(index, whole_numbers(3, 100, seed=7), 400)

    assert ((found.keys >= 0) == np.isfinite(found.scores)).all()
    assert (found.keys < 0).any()


def test_recall_is_the_share_of_the_exact_list_that_was_found() -> None:
    """Two of four passages were found."""
    truth = exact_search.TopPassages(np.array([[1, 2], [3, 4]]), np.zeros((2, 2), "float32"))
    found = exact_search.TopPassages(np.array([[2, 9], [4, -1]]), np.zeros((2, 2), "float32"))

    assert faiss_search.recall(found, truth) == 0.5


@pytest.mark.parametrize("factory", ["Nonsense", "IVF5000,Flat"])
def test_an_index_that_cannot_be_made_is_a_bad_setting(factory: str) -> None:
    """The factory string has unknown words, or asks for more lists than there are passages."""
    pytest.importorskip("faiss")
    passages = whole_numbers(50, 10, seed=8)

    with pytest.raises(BadSettings, match=factory):
        faiss_search.build(factory, lambda: [passages], 50)


def test_without_faiss_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the extra in the form that pip takes."""
    monkeypatch.setitem(sys.modules, "faiss", None)

    with pytest.raises(NotAvailable, match=r"pip install faiss-cpu"):
        faiss_search.faiss()


def whole_numbers(count: int, values: int, seed: int) -> Array:
    """Return vectors whose inner products are exact in float32. None is zero, as that of a text without tokens."""
    drawn = np.random.default_rng(seed).integers(0, values, (count, 4)).astype("float32")
    return np.hstack([drawn, np.ones((count, 1), "float32")])


def rows(found: exact_search.TopPassages) -> list[list[tuple[float, int]]]:
    """Return the results as lists of (score, key)."""
    return [
        [(float(score), int(key)) for score, key in zip(*row, strict=True) if key >= 0]
        for row in zip(found.scores, found.keys, strict=True)
    ]


def brute_force(queries: Array, passages: Array, depth: int) -> list[list[tuple[float, int]]]:
    """Return the best passages by sorting every score."""

    def lists() -> Iterator[list[tuple[float, int]]]:
        for scores in (queries @ passages.T).tolist():
            pairs = sorted(((score, key) for key, score in enumerate(scores)), key=lambda p: (-p[0], p[1]))
            yield pairs[:depth]

    return list(lists())
