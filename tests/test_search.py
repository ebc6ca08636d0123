"""Search, which gives the same canonical list for any sharding, either exactly or with known recall."""

import math
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from curate.errors import BadInput, BadSettings, NotAvailable
from curate.mine import exact_search, faiss_search, two_passes
from curate.models import pretrained

Array = np.ndarray


SMALL = two_passes.Sizes(queries=5, passages=16, bytes=1 << 20, rows=7)
WIDE = two_passes.Sizes(queries=64, passages=1024, bytes=1 << 20, rows=64)


@pytest.fixture(autouse=True, params=[True, False], ids=["bf16", "fp32"])
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use several blocks even for small data; round to either format in the first pass."""
    monkeypatch.setitem(two_passes.SIZES, "cpu", SMALL)
    monkeypatch.setattr(pretrained, "multiplies_bf16", lambda _where: request.param)


@pytest.mark.parametrize("depth", [1, 3, 10, 16, 40, 200])
@pytest.mark.parametrize("values", [2, 3, 100])
def test_the_order_is_score_then_key_even_where_scores_tie(depth: int, values: int) -> None:
    """Whole numbers give exact scores. With few different values most scores are equal, also at the cut."""
    queries, passages = whole_numbers(12, values, seed=1), whole_numbers(103, values, seed=2)

    found = exact_search.exact(queries, [passages], depth)

    assert rows(found) == brute_force(queries, passages, depth)


@pytest.mark.parametrize("cuts", [[], [1], [16, 32], [7, 8, 50, 99], list(range(1, 103))])
def test_any_sharding_of_the_passages_gives_the_same_bits(cuts: list[int]) -> None:
    """The division of the passages into files decides nothing."""
    random = np.random.default_rng(3)
    queries = random.standard_normal((9, 24)).astype("float16")
    passages = random.standard_normal((103, 24)).astype("float16")

    whole = exact_search.exact(queries, [passages], 10)
    parts = exact_search.exact(queries, np.split(passages, cuts), 10)

    assert np.array_equal(whole.keys, parts.keys)
    assert whole.scores.tobytes() == parts.scores.tobytes()


@pytest.mark.parametrize(
    "sizes",
    [
        two_passes.Sizes(1024, 8192, 1 << 20, 256),
        two_passes.Sizes(1, 16, 1, 1),
        two_passes.Sizes(3, 48, 1 << 20, 64),
    ],
)
def test_blocks_of_any_size_and_any_number_of_threads_give_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, sizes: two_passes.Sizes
) -> None:
    """Neither does the format of the first pass: the scores are those of `exact_scores`."""
    random = np.random.default_rng(3)
    queries = random.standard_normal((9, 24)).astype("float16")
    passages = random.standard_normal((103, 24)).astype("float16")
    before = torch.get_num_threads()

    monkeypatch.setitem(two_passes.SIZES, "cpu", sizes)
    torch.set_num_threads(2)
    found = exact_search.exact(queries, [passages], 10)
    torch.set_num_threads(before)

    assert rows(found) == in_order(exact_scores(queries, passages), 10)


@pytest.mark.parametrize("depth", [1, 3, 10])
def test_what_the_rounding_of_the_first_pass_cannot_tell_apart_is_in_order(depth: int) -> None:
    """All vectors are nearly the same, and differ by less than bfloat16 has digits."""
    random = np.random.default_rng(4)
    shared = 1 + random.random(32)
    queries = (shared + random.standard_normal((7, 32)) / 500).astype("float32")
    passages = (shared + random.standard_normal((300, 32)) / 5000).astype("float32")
    passages[random.permutation(300)[:60]] = passages[7]

    found = exact_search.exact(queries, [passages], depth)

    assert rows(found) == in_order(exact_scores(queries, passages), depth)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e4, 1e15])
def test_vectors_of_any_length_are_found(scale: float) -> None:
    """Also where most of a collection is negative, and lengths differ by the factor of a thousand."""
    random = np.random.default_rng(5)
    queries = (random.standard_normal((6, 16)) * scale).astype("float32")
    passages = (random.standard_normal((200, 16)) * 10 ** random.uniform(-1, 2, (200, 1)) * scale).astype(
        "float32"
    )
    passages[:, 0] = -abs(passages[:, 0])
    queries[:, 0] = abs(queries[:, 0]) * 3

    found = exact_search.exact(queries, [passages], 12)

    assert rows(found) == in_order(exact_scores(queries, passages), 12)


def test_passages_that_are_much_shorter_than_the_first_ones_are_in_order() -> None:
    """The centre of the first ones, which is subtracted, is much longer than they are."""
    random = np.random.default_rng(8)
    queries = random.standard_normal((6, 16)).astype("float32")
    passages = (1 + random.random((300, 16)) * np.geomspace(1e-3, 1, 300)[:, None]).astype("float32")
    passages[:100] *= -1e5

    found = exact_search.exact(queries, [passages], 120)

    assert rows(found) == in_order(exact_scores(queries, passages), 120)


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the numbers of pairs that were scored together, in blocks of 1,024 passages."""
    pairs = []
    scores = two_passes.Group.scores

    def counted(group: two_passes.Group, block: Any, row: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        pairs.append(len(row))
        return scores(group, block, row, place)

    monkeypatch.setattr(two_passes.Group, "scores", counted)
    monkeypatch.setitem(two_passes.SIZES, "cpu", WIDE)
    return pairs


def test_few_pairs_reach_the_second_pass(scored: list[int]) -> None:
    """The first pass, which is fast, drops most of them."""
    random = np.random.default_rng(6)

    exact_search.exact(random.standard_normal((10, 64)), [random.standard_normal((4000, 64))], 10)

    assert 100 <= sum(scored) < 500


@pytest.mark.parametrize("times", [50, 1e4, 1e25])
def test_a_passage_of_unusual_length_takes_nothing_from_the_first_pass(times: float, scored: list[int]) -> None:
    """What is known of the others does not depend on it."""
    random = np.random.default_rng(6)
    queries = random.standard_normal((10, 64)).astype("float32")
    passages = random.standard_normal((2000, 64)).astype("float32")
    passages[[700, 1500]] *= np.float32(times)

    found = exact_search.exact(queries, [passages], 10)

    assert rows(found) == in_order(exact_scores(queries, passages), 10)
    assert sum(scored) < 500


@pytest.mark.parametrize("kind", ["tiny", "close", "equal"])
def test_where_the_first_pass_tells_little_apart_memory_stays_bounded(kind: str, scored: list[int]) -> None:
    """Not all pairs are scored, and those of one step are at most the queries times the passages of a step."""
    random = np.random.default_rng(9)
    queries = random.standard_normal((64, 32)).astype("float32")
    passages = random.standard_normal((2000, 32)).astype("float32")
    if kind == "tiny":
        queries, passages = queries * np.float32(1e-18), passages * np.float32(1e-18)
    else:
        passages = np.float32(1) + passages * np.float32(1e-6 if kind == "close" else 0)

    found = exact_search.exact(queries, [passages], 10)

    assert rows(found)[:3] == in_order(exact_scores(queries[:3], passages), 10)
    assert max(scored) <= WIDE.queries * WIDE.rows
    assert sum(scored) < 64 * 2000 / 8


@pytest.mark.parametrize("noise", [1, 0.01, 1e-5])
def test_no_product_of_the_first_pass_is_farther_from_the_score_than_its_bound(noise: float) -> None:
    """Of vectors that share much or nothing, less what the centre scores."""
    random = np.random.default_rng(10)
    shared = random.standard_normal(48)
    queries, passages = (shared * (noise < 1) + random.standard_normal((60, 48)) * noise for _ in range(2))
    asked, kept = (torch.from_numpy(each.astype("float32")) for each in (queries, passages))
    dtype = torch.bfloat16 if pretrained.multiplies_bf16("cpu") else torch.float32

    block = two_passes.Block(0, kept, WIDE, dtype)
    group = two_passes.Group(asked, 5, WIDE, torch.empty(60 * 64, dtype=dtype))

    scale = (group.scale[:, None] * block.scale).double()
    truth = torch.from_numpy(exact_scores(asked.numpy(), kept.numpy())).double() * scale
    truth -= (group.scaled.double() @ block.centre.double())[:, None]
    products = group.rounded.float() @ block.rounded[:60].float().T
    apart, bound = (products - truth).abs()[:, block.near].amax(1), group._error(block)
    assert (apart < bound).all()
    assert (bound < 1000 * apart).all()


def test_a_group_of_queries_without_tokens_finds_nothing() -> None:
    """The other groups find what they did."""
    queries, passages = whole_numbers(7, 100, seed=1), whole_numbers(40, 100, seed=2)
    queries[5:] = 0

    found = exact_search.exact(queries, [passages], 3)

    assert rows(found) == [*brute_force(queries[:5], passages, 3), [], []]


def test_arrays_of_several_formats_keep_their_digits() -> None:
    """Numbers that float16 cannot hold come after some that it can."""
    first, second = np.ones((1, 2), "float16"), np.array([[1.0001, 1], [70_000, 0]], "float32")

    found = exact_search.exact(np.ones((1, 2), "float32"), [first, second], 3)

    assert found.keys.tolist() == [[2, 1, 0]]
    assert found.scores[0, 0] == 70_000


@pytest.mark.filterwarnings("error")
def test_queries_may_be_read_only_or_backwards() -> None:
    """The search takes a copy."""
    queries, passages = whole_numbers(7, 100, seed=1), whole_numbers(40, 100, seed=2)
    expected = brute_force(queries, passages, 3)
    queries.flags.writeable = False

    assert rows(exact_search.exact(queries, [passages], 3)) == expected
    assert rows(exact_search.exact(queries[::-1], [passages], 3)) == expected[::-1]


@pytest.mark.skipif(not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="since torch 2.9")
def test_the_precision_of_products_is_that_of_the_caller_again() -> None:
    """Also if the caller set it by the names of torch 2.9, after which the older functions raise."""
    backends: Any = torch.backends
    matmul = backends.cuda.matmul
    before, matmul.fp32_precision = matmul.fp32_precision, "tf32"

    try:
        with two_passes.summed_in_float32():
            within = matmul.fp32_precision, backends.mkldnn.matmul.fp32_precision
        after = matmul.fp32_precision
    finally:
        matmul.fp32_precision = before

    assert (within, after) == (("ieee", "ieee"), "tf32")


def test_one_pair_has_the_score_that_the_search_finds() -> None:
    """It is rounded once."""
    random = np.random.default_rng(11)
    query, passages = (
        random.standard_normal(24).astype("float32"),
        random.standard_normal((9, 24)).astype("float32"),
    )

    found = exact_search.exact(query[None], [passages], 9)

    assert found.scores[0].tolist() == [exact_search.pair_score(query, passages[key]) for key in found.keys[0]]


def test_a_text_without_tokens_finds_nothing_and_is_not_found() -> None:
    """Its vector is zero. The others score less than zero."""
    queries = np.array([[1, 1], [0, 0]], "float16")
    passages = np.array([[-1, -2], [0, 0], [-1, -1], [0, 0], [0, -1]], "float16")

    found = exact_search.exact(queries, [passages], 5)

    assert rows(found) == [[(-1.0, 4), (-2.0, 2), (-3.0, 0)], []]


def test_nothing_is_found_for_no_query_or_in_no_passage() -> None:
    """Neither is an error."""
    vectors = np.ones((3, 4), "float32")

    assert exact_search.exact(vectors[:0], [vectors], 5).keys.shape == (0, 5)
    assert rows(exact_search.exact(vectors, [], 5)) == [[], [], []]
    assert rows(exact_search.exact(vectors, [vectors[:0], vectors * 0], 5)) == [[], [], []]


def test_passages_that_all_score_the_same_come_in_the_order_of_their_keys() -> None:
    """This is the worst case of ties."""
    found = exact_search.exact(np.ones((2, 4), "float32"), [np.ones((90, 4), "float32")], 20)

    assert found.keys.tolist() == [list(range(20))] * 2


@pytest.mark.parametrize(("query", "passage"), [(3e38, 3e38), (1, np.nan), (np.nan, 1), (1, np.inf), (1e20, 1e20)])
def test_a_score_that_is_not_finite_is_an_error(query: float, passage: float) -> None:
    """Infinity would rank first and mean nothing."""
    with pytest.raises(BadInput, match="not finite"):
        exact_search.exact(np.full((1, 2), query, "float32"), [np.full((4, 2), passage, "float32")], 2)


def test_a_flat_faiss_index_finds_what_exact_search_finds() -> None:
    """Both use the inner product and the canonical order."""
    pytest.importorskip("faiss")
    queries, passages = whole_numbers(12, 100, seed=4), whole_numbers(103, 100, seed=5)

    index = faiss_search.build("Flat", lambda: np.split(passages, [40]), 103)
    found = faiss_search.approximate(faiss_search.Index(index), queries, 10)
    truth = exact_search.exact(queries, [passages], 10)

    assert np.array_equal(found.scores, truth.scores)
    assert faiss_search.recall(found, truth) == pytest.approx(1.0, abs=0.05)


def test_lists_that_an_index_cannot_fill_are_short() -> None:
    """A faiss index marks missing results with -1, which is not a candidate."""
    pytest.importorskip("faiss")
    passages = whole_numbers(400, 100, seed=6)
    index = faiss_search.build("IVF10,Flat", lambda: [passages], 400)

    found = faiss_search.approximate(faiss_search.Index(index), whole_numbers(3, 100, seed=7), 400)

    assert ((found.keys >= 0) == np.isfinite(found.scores)).all()
    assert (found.keys < 0).any()


def test_recall_is_the_share_of_the_exact_list_that_was_found() -> None:
    """Two of four passages were found."""
    truth = exact_search.TopPassages(np.array([[1, 2], [3, 4]]), np.zeros((2, 2), "float32"))
    found = exact_search.TopPassages(np.array([[2, 9], [4, -1]]), np.zeros((2, 2), "float32"))

    assert faiss_search.recall(found, truth) == 0.5


@pytest.mark.parametrize(
    ("device", "gpus", "depth", "expected"),
    [("cuda", 2, 100, "GPUs"), ("cuda", 0, 100, "CPU"), ("cpu", 2, 100, "CPU"), ("cuda", 2, 5000, "CPU")],
)
def test_an_index_is_searched_on_all_gpus_if_models_run_there(
    monkeypatch: pytest.MonkeyPatch, device: str, gpus: int, depth: int, expected: str
) -> None:
    """Faiss finds at most 2,048 passages on a GPU. The copy has the nprobe that was set before."""
    faiss = pytest.importorskip("faiss")
    index = faiss_search.build("IVF200,Flat", lambda: [whole_numbers(400, 100, seed=6)], 400)
    monkeypatch.setattr(faiss_search, "device", lambda: device)
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: gpus)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", lambda index: SimpleNamespace(nprobe=index.nprobe))

    ready = faiss_search.Index.ready(index, depth)

    assert (ready.on_gpus is None) == (expected == "CPU")
    assert (ready.on_gpus or ready.here).nprobe == 200 // faiss_search.LISTS_PROBED


def test_an_index_that_has_no_form_for_a_gpu_stays_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faiss says so with a RuntimeError, for HNSW and for lack of memory alike."""
    faiss = pytest.importorskip("faiss")
    index = faiss_search.build("HNSW8", lambda: [whole_numbers(50, 100, seed=6)], 50)

    def refuse(_index: Any) -> None:
        raise RuntimeError("This index type is not implemented on GPU.")

    monkeypatch.setattr(faiss_search, "device", lambda: "cuda")
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", refuse)

    assert faiss_search.Index.ready(index, 5).on_gpus is None


def test_the_cpu_searches_if_the_gpus_run_out_of_memory() -> None:
    """Faiss says so with a RuntimeError when it searches, and is not asked again."""
    pytest.importorskip("faiss")
    passages = whole_numbers(50, 100, seed=6)
    asked = []

    def search(_queries: Array, depth: int) -> None:
        asked.append(depth)
        raise RuntimeError("Error: out of memory")

    here = faiss_search.build("Flat", lambda: [passages], 50)
    index = faiss_search.Index(here, SimpleNamespace(search=search))

    found = [faiss_search.approximate(index, passages[:4], 5) for _ in range(2)]

    assert (
        rows(found[0])
        == rows(found[1])
        == rows(faiss_search.approximate(faiss_search.Index(here), passages[:4], 5))
    )
    assert asked == [5]


def test_a_graph_is_searched_as_widely_as_the_depth_that_is_asked_for() -> None:
    """Whatever greatest depth the index was made ready for."""
    pytest.importorskip("faiss")
    index = faiss_search.build("HNSW8", lambda: [whole_numbers(400, 100, seed=6)], 400)

    faiss_search.approximate(faiss_search.Index.ready(index, 300), whole_numbers(3, 100, seed=7), 100)

    assert index.hnsw.efSearch == 200


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
    return in_order(queries @ passages.T, depth)


def exact_scores(queries: Array, passages: Array) -> Array:
    """Return the exact sums of products, rounded to float32."""
    products = queries[:, None].astype("float64") * passages[None].astype("float64")
    return np.array([[math.fsum(pair) for pair in row] for row in products.tolist()]).astype("float32")


def in_order(scores: Array, depth: int) -> list[list[tuple[float, int]]]:
    """Return the largest scores of each row with their places."""

    def lists() -> Iterator[list[tuple[float, int]]]:
        for row in scores.tolist():
            pairs = sorted(((score, key) for key, score in enumerate(row)), key=lambda p: (-p[0], p[1]))
            yield pairs[:depth]

    return list(lists())
