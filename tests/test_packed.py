"""Batches without padding (curate/models/packed.py): the same numbers as with padding, for every type of model.

The tests compute on a CPU, with an attention of the same contract as the one on a GPU: it takes the tokens of all
texts and the offsets of each, and computes one text after the other.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tiny_causal import RERANK, write_causal
from torch.nn.functional import scaled_dot_product_attention

from curate.models import batching, cross_encoder, encoder, packed, packed_trial, pretrained, transfer
from curate.models.batching import model_inputs
from curate.models.encoder import Encoder
from curate.models.fold_scorer import FoldScorer, write_folds
from curate.models.packed_trial import pack_if_right
from curate.models.pretrained import accepted, quiet, token_vectors
from curate.models.scorer import find_source
from curate.train import initial_model

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
    packed_trial.attention_is_right.cache_clear()


@pytest.fixture
def like_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every model that is loaded here be tried."""
    monkeypatch.setattr(packed_trial, "can_pack", lambda *_: True)


def model(kind: str, head: str, *, is_packed: bool = False, **settings: Any) -> Any:
    """Return a small random model; the same weights each time."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **{**OWN.get(kind, SMALL), "num_labels": 3, **settings})
    made = getattr(transformers, head).from_config(config, dtype=torch.float32).eval()
    if is_packed:
        packed.pack(made)
    return made


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


@pytest.mark.parametrize("kind", packed.TYPES)
def test_a_packed_model_computes_in_bf16_under_autocast(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a training, whose weights are in fp32. torch's attention takes nothing but bf16."""
    seen: set[torch.dtype] = set()

    def noting(*given: Any) -> torch.Tensor:
        seen.update(part.dtype for part in given[:3])
        return one_text_after_the_other(*given)

    monkeypatch.setattr(packed, "varlen", noting)
    with torch.autocast("cpu", torch.bfloat16):
        ours, expected = (outputs(model(kind, "AutoModel", is_packed=one), texts()) for one in (True, False))
    assert seen == {torch.bfloat16}
    assert float((ours - expected).norm()) < 0.03 * float(expected.norm())


@pytest.mark.parametrize(
    ("kind", "dtype", "on", "expected"),
    [
        ("bert", "bf16", "cuda", True),
        ("bert", "fp32", "cuda", False),  # torch's attention knows no fp32
        ("bert", "bf16", "cpu", False),  # nor a CPU
        ("mpnet", "bf16", "cuda", False),  # a bias for each pair of positions
        ("gemma2", "bf16", "cuda", False),  # attention that is capped
    ],
)
def test_what_is_tried(kind: str, dtype: str, on: str, expected: bool) -> None:
    """A GPU with bf16, and a type of model for which it is proven."""
    assert packed.can_pack(transformers.AutoConfig.for_model(kind), dtype, on) is expected


def test_a_decoder_that_sees_both_sides_is_packed_without_a_window() -> None:
    """With one, transformers' padded form sees one token more on each side than it tells the attention."""
    both_sides, window = {"is_causal": False}, {"sliding_window": 5, "layer_types": WINDOW}
    bare, windowed = (
        transformers.AutoConfig.for_model("mistral", **{**DECODER, **both_sides, "sliding_window": most})
        for most in (None, 5)
    )
    assert packed.can_pack(bare, "bf16", "cuda")
    assert not packed.can_pack(windowed, "bf16", "cuda")
    assert packed.can_pack(transformers.AutoConfig.for_model("qwen2", **DECODER | window), "bf16", "cuda")
    ours, expected = (
        outputs(model("llama", "AutoModel", is_packed=is_packed, **both_sides), texts())
        for is_packed in (True, False)
    )
    same(ours, expected)
    assert not torch.allclose(expected, outputs(model("llama", "AutoModel"), texts()), atol=1e-3)


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


def without_gradient(query: torch.Tensor, *given: Any) -> torch.Tensor:
    """Return an attention through which no gradient goes."""
    key, value, *others = given
    return one_text_after_the_other(query.detach(), key.detach(), value.detach(), *others)


def out_of_memory(*_given: Any) -> torch.Tensor:
    """Fail as a full GPU does."""
    raise torch.OutOfMemoryError("no memory left")


def broken(*_given: Any) -> torch.Tensor:
    """Fail as a driver does."""
    raise AssertionError("no kernel")


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("attention", "trained", "right"),
    [
        (one_text_after_the_other, True, True),
        (one_text_after_the_other, False, True),
        (wrong_window, False, False),
        (wider_window, False, False),
        (wrong_texts, False, False),
        (wrong_gradient, True, False),
        (wrong_gradient, False, True),  # it is right where no gradient is asked for
    ],
)
def test_the_attention_is_tried_before_it_is_used(
    attention: Callable[..., torch.Tensor],
    trained: bool,
    right: bool,
    groups: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In bf16, with every kind of window that a model may ask for, and with heads that share their keys."""
    monkeypatch.setattr(packed, "varlen", attention)
    tried = packed_trial.attention_is_right.__wrapped__
    found = [tried(16, groups, *window, "cpu", trained) for window in packed_trial.WINDOWS]
    assert all(found) is right


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("kind", packed.TYPES)
def test_a_model_that_succeeds_in_its_trial_is_packed(
    kind: str, trained: bool, like_a_gpu: None, caplog: pytest.LogCaptureFixture
) -> None:
    """The trial leaves nothing behind: no gradient, no hook but its own two, and the same random numbers."""
    for head in ("AutoModel", "AutoModelForSequenceClassification"):
        made = model(kind, head)
        before = torch.get_rng_state()
        assert packed.is_packed(pack_if_right(made, "bf16", trained=trained)), caplog.text
        assert torch.equal(torch.get_rng_state(), before)
        assert all(weight.grad is None for weight in made.parameters())
        assert len(made.base_model._forward_hooks) == 1
        same(outputs(made, texts()), outputs(model(kind, head), texts()))


def later_positions(transformer: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return positions that begin at one."""
    return PROVEN_POSITIONS(transformer, ids) + 1


def other_order(mask: Any) -> Any:
    """Return a layout in which the first tokens of two texts are exchanged."""
    places, offsets, longest = PROVEN_LAYOUT(mask)
    places[[0, 1]] = places[[1, 0]]
    return places, offsets, longest


PROVEN_POSITIONS, PROVEN_LAYOUT = packed._positions, packed.layout


@pytest.mark.parametrize(
    ("module", "name", "fault", "trained", "told"),
    [
        (packed, "varlen", wider_window, False, "other numbers than in fp32"),
        (packed, "varlen", without_window, False, "window_size"),
        (packed, "varlen", broken, False, "no kernel"),
        (packed, "varlen", wrong_gradient, True, "other numbers than in fp32"),
        (packed, "varlen", without_gradient, True, "does not require grad"),
        (packed, "_positions", later_positions, False, "vectors that differ"),
        (packed_trial, "layout", other_order, False, "vectors that differ"),
    ],
)
def test_a_model_that_fails_in_its_trial_stays_padded(
    module: Any,
    name: str,
    fault: Any,
    trained: bool,
    told: str,
    like_a_gpu: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever fails. It computes as if it had never been tried, and the log says why."""
    monkeypatch.setattr(module, name, fault)
    expected = outputs(model("bert", "AutoModelForSequenceClassification"), texts())
    with caplog.at_level(logging.WARNING, "curate"):
        made = pack_if_right(model("bert", "AutoModelForSequenceClassification"), "bf16", trained=trained)
    assert not packed.is_packed(made)
    assert told in caplog.text
    assert torch.equal(outputs(made, texts()), expected)
    assert not {**made.bert._forward_hooks, **made.bert._forward_pre_hooks}


def test_a_gradient_that_is_lost_between_the_layers_is_found(
    like_a_gpu: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The gradient of the whole model is compared too, under autocast."""
    monkeypatch.setattr(packed_trial, "attention_is_right", lambda *_: True)
    monkeypatch.setattr(packed, "varlen", wrong_gradient)
    assert packed.is_packed(pack_if_right(model("bert", "AutoModel"), "bf16"))
    assert not packed.is_packed(pack_if_right(model("bert", "AutoModel"), "bf16", trained=True))
    assert "gradients that differ" in caplog.text


@pytest.mark.parametrize("whole", [False, True])
def test_a_full_gpu_says_nothing_about_the_numbers(
    whole: bool, like_a_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error reaches the caller, since a padded model would be another one. The model itself is as before."""
    monkeypatch.setattr(packed, "varlen", out_of_memory)
    if whole:
        monkeypatch.setattr(packed_trial, "attention_is_right", lambda *_: True)
    made = model("bert", "AutoModel")
    with pytest.raises(torch.OutOfMemoryError, match="no memory left"):
        pack_if_right(made, "bf16")
    assert not packed.is_packed(made)
    assert not made._forward_hooks


def test_a_model_whose_files_ask_for_tuples_is_packed_too(
    tmp_path: Path, tiny_model: Callable[..., Path], like_a_gpu: None
) -> None:
    """`return_dict` is a matter of the interface."""
    folder = tiny_model(tmp_path / "m")
    rows = np.array([[0, 0], [1, 2], [2, 1]])
    scores = []
    for _ in range(2):
        scorer: Any = find_source(str(folder), tmp_path).open()
        assert packed.is_packed(scorer.model)
        scores.append(scorer.score(scorer.prepare(QUERIES, PASSAGES, rows)))
        config = json.loads((folder / "config.json").read_text("utf-8"))
        (folder / "config.json").write_text(json.dumps({**config, "return_dict": False}), "utf-8")
    assert (scores[0] == scores[1]).all()


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
        monkeypatch.setattr(packed_trial, "can_pack", lambda *_, is_packed=is_packed: is_packed)
        if kind == "encoder":
            opened = Encoder.open(str(folder))
            found.extend(vectors.array for vectors in opened.encode([*QUERIES, *PASSAGES], "passage"))
            assert packed.is_packed(opened.model) is is_packed
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


def test_only_the_thread_that_prepares_texts_calls_the_tokenizer(
    tmp_path: Path, tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fast tokenizer keeps its truncation as a state, so a call on another thread could leave a text uncut."""
    monkeypatch.setattr(encoder, "CHUNK", 2)
    opened = Encoder.open(str(tiny_model(tmp_path / "m", head=False)), query_prompt="ask", query_max_length=12)
    opened.spec = replace(opened.spec, include_prompt=False)
    given = ["a" * 40, "b", "", "", "c d", "e " * 30]  # texts to cut, and a chunk without a token
    expected = list(opened.encode(given, "query"))
    tokenizer, threads = opened.tokenizer, []

    class Noting:
        def __call__(self, *args: Any, **options: Any) -> Any:
            threads.append(threading.current_thread())
            return tokenizer(*args, **options)

        def __len__(self) -> int:
            return len(tokenizer)

        def __getattr__(self, name: str) -> Any:
            if name == "backend_tokenizer":
                threads.append(threading.current_thread())
            return getattr(tokenizer, name)

    again = Encoder(opened.path, opened.folder, opened.spec, opened.dtype)
    again.__dict__["tokenizer"] = Noting()
    monkeypatch.setattr(transfer, "device", lambda: "cuda")
    monkeypatch.setattr(batching, "sent", torch.from_numpy)
    chunks = again.encode(given, "query")
    found = [next(chunks)]
    before = len([thread for thread in threads if thread is threading.main_thread()])
    found += chunks
    assert len([thread for thread in threads if thread is threading.main_thread()]) == before
    assert {thread is threading.main_thread() for thread in threads} == {True, False}
    assert [vectors.truncated for vectors in found] == [1, 0, 1]
    for ours, right in zip(found, expected, strict=True):
        assert ours.array.tobytes() == right.array.tobytes()


def towers(*implementations: str) -> list[Any]:
    """Return models with these kinds of attention."""
    return [SimpleNamespace(config=SimpleNamespace(_attn_implementation=one)) for one in implementations]


def test_the_fingerprint_of_a_gpu_has_the_form_of_each_tower(
    tmp_path: Path, tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is that of the loaded model. None is loaded if none may be packed, nor on a CPU."""
    folder = tiny_model(tmp_path / "m", head=False)

    def opened(**towers: Any) -> Encoder:
        found = Encoder.open(str(folder), dtype="bf16")
        found.__dict__.update(towers)
        return found

    on_a_cpu = opened()
    assert not {"attention", "model", "tokenizer"} & {*on_a_cpu.settings, *on_a_cpu.__dict__}
    for module in (encoder, pretrained):
        monkeypatch.setattr(module, "device", lambda: "cuda")
    one, other = towers(packed.ATTENTION, "sdpa")
    assert opened(model=one).settings["attention"] == "packed"
    assert opened(model=other).settings["attention"] == "padded"
    both = opened(model=one, query_model=other)
    both.spec = replace(both.spec, query_transformer="")
    both.spec = replace(both.spec, transformer=".")
    assert (both.settings["attention"], both.settings["query_attention"]) == ("packed", "padded")
    assert len({opened(model=model).fingerprint for model in (one, other)} | {both.fingerprint}) == 3
    monkeypatch.setattr(encoder, "can_pack", lambda *_: False)
    padded = opened()
    assert padded.settings["attention"] == "padded"
    assert not {"model", "tokenizer"} & {*padded.__dict__}


def test_judges_of_different_forms_are_another_scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several judges that score as one, a single one may have failed in its trial."""
    write_folds(tmp_path, 2, {})

    def opened(*forms: str) -> FoldScorer:
        settings = iter([{"dtype": "bf16", "attention": form} for form in forms])
        made = lambda _folder, spec, **_how: SimpleNamespace(spec=spec, settings=next(settings))  # noqa: E731
        monkeypatch.setattr(cross_encoder, "CrossEncoder", made)
        return FoldScorer(tmp_path)

    alike, unlike = opened("packed", "packed"), opened("packed", "padded")
    assert alike.settings["attention"] == "packed"
    assert unlike.settings["attention"] == ["packed", "padded"]
    assert alike.fingerprint != unlike.fingerprint


def test_a_training_on_a_gpu_has_one_form(
    tmp_path: Path, tiny_model: Callable[..., Path], like_a_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its identity has it, and all its models. A CPU has none. Dropout in the attention is never packed."""
    bert = tiny_model(tmp_path / "bert", head=False)
    plain = tiny_model(tmp_path / "plain", head=False)
    config = json.loads((plain / "config.json").read_text("utf-8"))
    (plain / "config.json").write_text(json.dumps({**config, "attention_probs_dropout_prob": 0.0}), "utf-8")
    assert initial_model.cross_encoder_form(plain, "bf16") == {}
    initial_model._packs.cache_clear()
    monkeypatch.setattr(initial_model, "device", lambda: "cuda")
    monkeypatch.setattr(packed_trial, "can_pack", lambda _config, dtype, _on: dtype == "bf16")
    assert initial_model.towers_form([plain, bert], "bf16") == {"attention": "packed, padded"}
    assert initial_model.towers_form([plain], "fp32") == {"attention": "padded"}
    assert initial_model.cross_encoder_form(plain, "bf16") == {"attention": "packed"}
    monkeypatch.setattr(packed, "varlen", broken)  # the verdict stands
    assert packed.is_packed(initial_model.cross_encoder_from(plain, 0, "bf16"))
    assert packed.is_packed(initial_model.tower_from(plain, "bf16"))
    assert not packed.is_packed(initial_model.tower_from(bert, "bf16"))
    initial_model._packs.cache_clear()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dimension", [32, 64, 128])
@pytest.mark.parametrize("head", ["AutoModel", "AutoModelForSequenceClassification"])
@pytest.mark.parametrize("kind", packed.TYPES)
def test_a_gpu_gives_packed_what_it_gives_padded(
    kind: str, head: str, dimension: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the attention of torch itself, in bf16: vectors, logits, and gradients in the trial of a training."""
    monkeypatch.setattr(packed, "varlen", ON_A_GPU)
    size: dict[str, Any] = {"dim" if kind == "distilbert" else "hidden_size": 4 * dimension}
    size |= {"head_dim": dimension} if kind in DECODERS else {}
    padded, ours = (model(kind, head, **size).to("cuda", torch.bfloat16) for _ in range(2))
    assert packed.is_packed(pack_if_right(ours, "bf16")), caplog.text
    trained = model(kind, head, **size).to("cuda")
    assert packed.is_packed(pack_if_right(trained, "bf16", trained=True)), caplog.text
    found, expected = (outputs(one, texts()).float().flatten(0, -2) for one in (ours, padded))
    there = expected.abs().sum(1) > 0
    apart = (found - expected)[there].norm(dim=1).max()
    assert float(apart) < 0.1 * float((expected[there] - expected[there].mean(0)).norm(dim=1).mean()) + 0.02
