"""Batches without padding (curate/models/packed.py): the same numbers as with padding, for every type of model.

The tests compute on a CPU, with an attention of the same contract as the one on a GPU: it takes the tokens of all
texts and the offsets of each, and computes one text after the other.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tiny_causal import RERANK, write_causal
from torch.nn.functional import scaled_dot_product_attention

from curate.models import batching, packed, pretrained, transfer
from curate.models.batching import model_inputs
from curate.models.encoder import Encoder
from curate.models.pretrained import accepted, quiet, token_vectors
from curate.models.scorer import find_source

SMALL = {
    "vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 96, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
    "initializer_range": 0.2,
}  # fmt: skip
DECODER = {**SMALL, "num_key_value_heads": 2, "head_dim": 8, "use_cache": False}
# One layer sees everything, the others only a few tokens on each side.
WINDOW = ["full_attention", "sliding_attention", "sliding_attention"]
OWN: dict[str, dict[str, Any]] = {
    "distilbert": {**SMALL, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48},
    "modernbert": {**SMALL, "local_attention": 8, "layer_types": WINDOW, "classifier_pooling": "mean"},
    "llama": DECODER,
    "mistral": {**DECODER, "sliding_window": 5},
    "qwen2": {**DECODER, "use_sliding_window": True, "sliding_window": 5, "layer_types": WINDOW},
    "qwen3": DECODER,
}  # fmt: skip
DECODERS = ("llama", "mistral", "qwen2", "qwen3")
HEADS = [
    *[(kind, head) for kind in packed.TYPES for head in ("AutoModel", "AutoModelForSequenceClassification")],
    *[(kind, "AutoModelForCausalLM") for kind in DECODERS],
]
QUERIES = ["what is rain", "x", "a query of many more words than the others have"]
PASSAGES = ["rain falls from the clouds and runs into the sea", "y", "snow."]
ON_A_GPU = packed.varlen
LENGTHS = (1, 60, 2, 17, 90, 5, 33)


def one_text_after_the_other(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    offsets: torch.Tensor,
    longest: int,
    scale: float | None,
    window: tuple[int, int],
) -> torch.Tensor:
    """Return the attention within each text; a stand-in for the attention on a GPU."""
    assert longest == int(offsets.diff().max())
    assert offsets.dtype == torch.int32
    before, behind = (len(query) if side < 0 else side for side in window)
    found = []
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        asking, asked, read = (part[start:end].transpose(0, 1) for part in (query, key, value))
        at = torch.arange(end - start)
        apart = at[None, :] - at[:, None]
        seen = (apart >= -before) & (apart <= behind)
        found.append(
            scaled_dot_product_attention(asking, asked, read, attn_mask=seen, scale=scale).transpose(0, 1)
        )
    return torch.cat(found)


@pytest.fixture(autouse=True)
def on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let packed models compute here."""
    quiet()
    monkeypatch.setattr(packed, "varlen", one_text_after_the_other)


def model(kind: str, head: str, *, is_packed: bool = False) -> Any:
    """Return a small random model; the same weights each time."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **OWN.get(kind, SMALL), num_labels=3)
    made = getattr(transformers, head).from_config(config, dtype=torch.float32).eval()
    return packed.pack(made) if is_packed else made


def texts(lengths: tuple[int, ...] = LENGTHS) -> list[np.ndarray]:
    """Return the tokens of texts of these lengths; 3 to 59, which are no special ones."""
    rng = np.random.default_rng(0)
    return [rng.integers(3, 60, length) for length in lengths]


def outputs(of: Any, batch: list[np.ndarray], **more: list[np.ndarray]) -> torch.Tensor:
    """Return what a model gives for a batch: logits, or the vectors of the tokens and zeros for the padding."""
    inputs = model_inputs(of, {"input_ids": batch, **more}, padding=1)
    with torch.inference_mode():
        has_head = not type(of).__name__.endswith("Model")
        found: torch.Tensor = of(**accepted(of, inputs)).logits if has_head else token_vectors(of, inputs)
        there: torch.Tensor = inputs["attention_mask"]
        return found if found.ndim == 2 else found * there[..., None]


def same(ours: torch.Tensor, expected: torch.Tensor) -> None:
    """Compare with 1e-5 of numbers around 1."""
    assert float(expected.abs().max()) > 0.1
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "head"), HEADS)
def test_a_packed_model_gives_what_the_padded_one_gives(kind: str, head: str) -> None:
    """Vectors, pooled logits and the logits of a language model, for texts of 1 to 90 tokens."""
    same(outputs(model(kind, head, is_packed=True), texts()), outputs(model(kind, head), texts()))


@pytest.mark.parametrize("kind", packed.TYPES)
def test_a_text_has_its_vectors_whatever_stands_beside_it(kind: str) -> None:
    """Alone, and in another order beside others: no text sees another."""
    made, batch = model(kind, "AutoModel", is_packed=True), texts()
    together = outputs(made, batch)
    turned = outputs(made, batch[::-1]).flip(0)
    for at, text in enumerate(batch):
        same(together[at : at + 1, : len(text)], outputs(made, [text]))
    same(turned, together)


@pytest.mark.parametrize("kind", packed.TYPES)
def test_gradients_of_a_packed_model_are_those_of_the_padded_one(kind: str) -> None:
    """A training sums them over the texts of a batch."""
    gradients = []
    for is_packed in (True, False):
        made = model(kind, "AutoModelForSequenceClassification", is_packed=is_packed)
        inputs = model_inputs(made, {"input_ids": texts()}, padding=1)
        made(**accepted(made, inputs)).logits.square().mean().backward()
        gradients.append([value.grad for value in made.parameters() if value.grad is not None])
    ours, expected = gradients
    assert len(ours) == len(expected) > 10
    largest = max(float(gradient.abs().max()) for gradient in expected)
    for mine, own in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine / largest, own / largest, rtol=0, atol=1e-5)


def test_query_and_passage_keep_their_segments() -> None:
    """BERT tells them apart by the segment of each token."""
    batch = texts()
    segments = [np.arange(len(text)) // max(1, len(text) // 2) % 2 for text in batch]
    head = "AutoModelForSequenceClassification"
    ours, expected = (
        outputs(model("bert", head, is_packed=is_packed), batch, token_type_ids=segments)
        for is_packed in (True, False)
    )
    same(ours, expected)
    assert not torch.allclose(expected, outputs(model("bert", head), batch), atol=1e-3)


@pytest.mark.parametrize("kind", ["roberta", "bert"])
def test_a_padding_token_inside_a_text_keeps_its_position(kind: str) -> None:
    """A text may contain the letters <pad>. RoBERTa gives such a token no position of its own."""
    batch = [np.array([5, 1, 7, 8, 9]), np.array([1, 1, 20]), np.array([4] * 12)]
    same(outputs(model(kind, "AutoModel", is_packed=True), batch), outputs(model(kind, "AutoModel"), batch))


def test_a_packed_model_refuses_a_batch_without_its_layout() -> None:
    """Its attention would see all texts as one."""
    with pytest.raises(KeyError, match=packed.LAYOUT):
        model("bert", "AutoModel", is_packed=True)(input_ids=torch.ones(2, 3, dtype=torch.int64))


def test_a_packed_model_refuses_dropout_in_its_attention() -> None:
    """The attention of torch has none, so a training that needs it stays padded."""
    made = model("bert", "AutoModel", is_packed=True).train()
    assert packed.drops_attention(made.config)
    assert not packed.drops_attention(model("modernbert", "AutoModel").config)
    with pytest.raises(RuntimeError, match="dropout"):
        made(**model_inputs(made, {"input_ids": texts()}, padding=1))


def test_a_packed_model_is_saved_like_any_other(tmp_path: Path) -> None:
    """The attention is that of this process, and no part of the model."""
    made = model("qwen3", "AutoModel", is_packed=True)
    made.save_pretrained(tmp_path)
    assert packed.ATTENTION not in (tmp_path / "config.json").read_text("utf-8")
    again = transformers.AutoModel.from_pretrained(tmp_path, dtype=torch.float32).eval()
    same(outputs(again, texts()), outputs(made, texts()))


@pytest.mark.parametrize(
    ("kind", "dtype", "on", "right", "expected"),
    [
        ("bert", "bf16", "cuda", True, True),
        ("bert", "fp32", "cuda", True, False),  # torch's attention knows no fp32
        ("bert", "bf16", "cpu", True, False),  # nor a CPU
        ("bert", "bf16", "cuda", False, False),  # the GPU or torch is too old
        ("mpnet", "bf16", "cuda", True, False),  # a bias for each pair of positions
        ("gemma2", "bf16", "cuda", True, False),  # attention that is capped
    ],
)
def test_what_is_packed(
    kind: str, dtype: str, on: str, right: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU with bf16, a type of model for which it is proven, and an attention that works here."""
    monkeypatch.setattr(packed, "is_right", lambda dimension, _on: right and dimension == 8)
    monkeypatch.setattr(pretrained, "device", lambda: on)
    config = transformers.AutoConfig.for_model(kind, hidden_size=32, num_attention_heads=4, head_dim=8)
    assert packed.can_pack(config, dtype, on) is expected
    form = {"attention": "packed" if expected else "padded"}
    assert pretrained.attention_form(config, dtype) == (form if on == "cuda" else {})


def wrong_window(*given: Any) -> torch.Tensor:
    """Return an attention that sees all tokens of a text."""
    *others, _window = given
    return one_text_after_the_other(*[*others, (-1, -1)])


def wider_window(*given: Any) -> torch.Tensor:
    """Return an attention that sees one token more before each."""
    *others, (before, behind) = given
    return one_text_after_the_other(*[*others, (before + (before >= 0), behind)])


def wrong_texts(*given: Any) -> torch.Tensor:
    """Return an attention that sees all texts as one."""
    query, key, value, _offsets, _longest, *others = given
    offsets = torch.tensor([0, len(query)], dtype=torch.int32)
    return one_text_after_the_other(query, key, value, offsets, len(query), *others)


def wrong_gradient(query: torch.Tensor, *given: Any) -> torch.Tensor:
    """Return an attention whose gradient forgets the queries."""
    return one_text_after_the_other(query.detach(), *given) + 0 * query


def without_window(*_given: Any) -> torch.Tensor:
    """Fail as torch 2.10 does, whose attention has no windows."""
    raise TypeError("unexpected keyword argument 'window_size'")


@pytest.mark.parametrize(
    ("attention", "right"),
    [
        (one_text_after_the_other, True),
        (wrong_window, False),
        (wrong_texts, False),
        (wrong_gradient, False),
        (without_window, False),
    ],
)
def test_the_attention_is_tried_before_it_is_used(
    attention: Callable[..., torch.Tensor], right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bf16, with every kind of window that a model may ask for."""
    monkeypatch.setattr(packed, "varlen", attention)
    assert packed.is_right.__wrapped__(16, "cpu") is right


@pytest.mark.parametrize("kind", ["cross-encoder", "encoder", "causal"])
def test_scores_and_vectors_are_the_same_packed(
    kind: str, tmp_path: Path, tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From texts to logits and vectors, as the commands compute them."""
    monkeypatch.setenv("CURATE_DTYPE", "fp32")
    folder = (
        write_causal(tmp_path / "m", template=RERANK)
        if kind == "causal"
        else tiny_model(tmp_path / "m", head=kind == "cross-encoder")
    )
    ours: list[np.ndarray] = []
    expected: list[np.ndarray] = []
    for found, is_packed in ((ours, True), (expected, False)):
        monkeypatch.setattr(pretrained, "can_pack", lambda *_, is_packed=is_packed: is_packed)
        if kind == "encoder":
            encoder = Encoder.open(str(folder))
            found.extend(vectors.array for vectors in encoder.encode([*QUERIES, *PASSAGES], "passage"))
            assert packed.is_packed(encoder.model) is is_packed
        else:
            scorer: Any = find_source(str(folder), tmp_path).open()
            assert packed.is_packed(scorer.model) is is_packed
            rows = scorer.prepare(QUERIES, PASSAGES, np.array([[q, p] for q in range(3) for p in range(3)]))
            found.append(scorer.score(rows))
    assert float(np.ptp(expected[0])) > 0.1
    np.testing.assert_allclose(ours[0], expected[0], rtol=1e-5, atol=1e-5)


def test_a_gpu_has_its_next_batch_before_the_results_of_the_last_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is reordered or lost, and no more than one batch is begun ahead. A CPU begins none."""
    events: list[str] = []

    def begun(count: int) -> Iterator[int]:
        for number in range(count):
            events.append(f"begin {number}")
            yield number

    def used(count: int) -> str:
        events.clear()
        events.extend(f"use {number}" for number in transfer.one_ahead(begun(count)))
        return ", ".join(events)

    assert used(2) == "begin 0, use 0, begin 1, use 1"
    monkeypatch.setattr(transfer, "device", lambda: "cuda")
    assert used(3) == "begin 0, begin 1, use 0, begin 2, use 1, use 2"
    assert used(1) == "begin 0, use 0"
    assert used(0) == ""
    assert list(transfer.prepared(range(5), str)) == ["0", "1", "2", "3", "4"]
    assert transfer.at_once(begun(2)) == [0, 1]


@pytest.mark.parametrize(
    ("width", "rounded"),
    [(1, 8), (8, 8), (13, 16), (65, 72), (129, 144), (250, 256), (255, 256), (258, 288), (500, 500)],
)
def test_widths_of_a_gpu_are_few(width: int, rounded: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight between a power of two and the next; never more than the model has positions."""
    monkeypatch.setattr(batching, "device", lambda: "cuda")
    made = SimpleNamespace(config=transformers.BertConfig(max_position_embeddings=512))
    inputs = model_inputs(made, {"input_ids": [np.full(width, 7), np.full(1, 7)]}, padding=3)
    assert inputs["input_ids"].shape == inputs["attention_mask"].shape == (2, rounded)
    assert inputs["attention_mask"].sum(1).tolist() == [width, 1]
    assert (inputs["input_ids"] == torch.where(inputs["attention_mask"] == 1, 7, 3)).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", packed.TYPES)
def test_a_gpu_gives_packed_what_it_gives_padded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the attention of torch itself, in bf16."""
    monkeypatch.setattr(packed, "varlen", ON_A_GPU)
    assert packed.is_right.__wrapped__(8, "cuda")
    ours, expected = (
        outputs(model(kind, "AutoModel", is_packed=is_packed).to("cuda", torch.bfloat16), texts()).flatten(0, 1)
        for is_packed in (True, False)
    )
    there = expected.abs().sum(1) > 0
    assert bool((torch.cosine_similarity(ours[there], expected[there]) > 0.99).all())
