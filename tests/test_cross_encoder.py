"""The scorer (curate/models/cross_encoder.py), which gives the same numbers as the reference libraries."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.errors import BadInput, CurateError
from curate.models import cross_encoder
from curate.models.batching import token_batches
from curate.models.cross_encoder import CrossEncoder
from curate.models.special_tokens import longest_first

Model = Callable[..., Path]
QUERIES = ["capital of france", "a query that is so long that it fills half of the room on its own account", "x"]
PASSAGES = ["paris.", "the passage is longer than sixty four letters so that something has to be cut from it", "y"]
EVERY_PAIR = np.array([[q, p] for q in range(3) for p in range(3)])


def test_pairs_have_the_ids_that_the_tokenizer_itself_gives(tiny_cross_encoder: Model) -> None:
    """Each text is tokenized once, and the pairs are assembled by hand with truncation and segments."""
    scorer = CrossEncoder(tiny_cross_encoder())
    assert scorer.tokenizes_apart
    for (q, p), (ids, segments, *_) in zip(EVERY_PAIR, scorer.prepare(QUERIES, PASSAGES, EVERY_PAIR), strict=True):
        own = scorer.tokenizer(QUERIES[q], PASSAGES[p], truncation=True, max_length=64)
        assert (ids.tolist(), segments.tolist()) == (own["input_ids"], own["token_type_ids"])


def test_a_tokenizer_whose_pairs_cannot_be_put_together_does_it_itself(
    tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some tokenizers treat the second text differently from the first.

    Their own pairs are right by definition.
    """
    scorer = CrossEncoder(tiny_cross_encoder())
    apart = scorer.prepare(QUERIES, PASSAGES, EVERY_PAIR)
    monkeypatch.setattr(scorer, "frame", None)
    for ours, own in zip(apart, scorer.prepare(QUERIES, PASSAGES, EVERY_PAIR), strict=True):
        assert np.array_equal(ours[0], own[0])
        assert np.array_equal(ours[1], own[1])


@pytest.mark.parametrize(
    ("first", "second", "room"), [(a, b, c) for a in (0, 1, 5, 9) for b in (0, 2, 5, 30) for c in (4, 9)]
)
def test_the_longer_text_is_cut_first(first: int, second: int, room: int) -> None:
    """By definition, one token after the other is removed from the longer text until both texts fit."""
    (one,), (other,) = longest_first(np.array([first]), np.array([second]), room)
    kept = int(one), int(other)
    assert sum(kept) == min(first + second, room)
    assert kept[0] <= first
    assert kept[1] <= second
    if first + second > room:
        assert abs(kept[0] - kept[1]) <= 1 or min(kept) == min(first, second)


def test_logits_are_those_of_transformers_in_fp32(
    tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference scores one pair at a time, without padding."""
    monkeypatch.setattr(cross_encoder, "number_format", lambda: "fp32")
    scorer = CrossEncoder(tiny_cross_encoder())
    expected = []
    for q, p in EVERY_PAIR:
        inputs = scorer.tokenizer(QUERIES[q], PASSAGES[p], truncation=True, max_length=64, return_tensors="pt")
        with torch.inference_mode():
            expected.append(float(scorer.model(**inputs).logits[0, 0]))
    assert scorer.score(scorer.prepare(QUERIES, PASSAGES, EVERY_PAIR)) == pytest.approx(expected, abs=1e-4)


def test_two_classes_give_the_difference_of_their_logits(tiny_cross_encoder: Model) -> None:
    """sigmoid(l1 - l0) is the softmax to which RocketQA applies the cutoffs 0.1 and 0.9."""
    scorer = CrossEncoder(tiny_cross_encoder(labels=2))
    rows = scorer.prepare(QUERIES[:1], PASSAGES[:1], EVERY_PAIR[:1])
    with torch.inference_mode():
        logits = scorer.model(input_ids=torch.from_numpy(rows[0][0][None])).logits.float()[0]
    probability = 1 / (1 + np.exp(-scorer.score(rows)[0]))
    assert probability == pytest.approx(float(logits.softmax(0)[1]), abs=0.01)


@pytest.mark.slow
def test_probabilities_are_those_of_sentence_transformers(
    tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CrossEncoder of sentence-transformers returns sigmoid(logit) for a single label."""
    from sentence_transformers import CrossEncoder as Theirs

    monkeypatch.setattr(cross_encoder, "number_format", lambda: "fp32")
    folder = tiny_cross_encoder()
    scorer = CrossEncoder(folder)
    ours = 1 / (1 + np.exp(-scorer.score(scorer.prepare(QUERIES, PASSAGES, EVERY_PAIR))))
    pairs = [(QUERIES[q], PASSAGES[p]) for q, p in EVERY_PAIR]
    theirs = Theirs(str(folder), device="cpu", max_length=64).predict(pairs, show_progress_bar=False)
    assert ours == pytest.approx(theirs, abs=1e-4)


def test_a_checkpoint_without_its_head_is_refused(tiny_cross_encoder: Model) -> None:
    """A randomly initialised head gives scores that look plausible."""
    from safetensors.torch import load_file, save_file

    folder = tiny_cross_encoder()
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match="classifier"):
        CrossEncoder(folder)


def test_three_classes_are_no_relevance(tiny_cross_encoder: Model) -> None:
    """An NLI model, for example, is not a cross-encoder for retrieval."""
    with pytest.raises(BadInput, match="3 classes"):
        CrossEncoder(tiny_cross_encoder(labels=3))


def test_weights_that_are_not_finite_are_refused(tiny_cross_encoder: Model) -> None:
    """NaN > 0.9 is true in DuckDB, so a broken model would find positives everywhere."""
    from safetensors.torch import load_file, save_file

    folder = tiny_cross_encoder()
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match="not finite"):
        CrossEncoder(folder)


def test_a_folder_with_pickled_weights_only_is_refused(tiny_cross_encoder: Model) -> None:
    """Unpickling can run arbitrary code."""
    folder = tiny_cross_encoder()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BadInput, match="safetensors"):
        CrossEncoder(folder)


def test_logits_that_are_not_finite_are_refused(
    tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the shard is kept."""
    scorer = CrossEncoder(tiny_cross_encoder())
    monkeypatch.setattr(scorer, "_forward", lambda rows: torch.full((len(rows),), torch.nan))
    with pytest.raises(CurateError, match="not finite"):
        scorer.score(scorer.prepare(QUERIES, PASSAGES, EVERY_PAIR))


def test_the_fingerprint_covers_weights_and_settings(tiny_cross_encoder: Model) -> None:
    """Scores with different fingerprints never mix."""
    first, second = tiny_cross_encoder("a"), tiny_cross_encoder("b", seed=1)
    prints = {
        CrossEncoder(first).fingerprint,
        CrossEncoder(second).fingerprint,
        CrossEncoder(first, max_length=32).fingerprint,
    }
    assert len(prints) == 3
    assert CrossEncoder(first).fingerprint in prints


def test_batches_hold_like_lengths_within_the_budget() -> None:
    """The longest rows come first, and every row occurs once. A row longer than the budget is alone."""
    plan = [batch.tolist() for batch in token_batches([3, 9, 3, 5, 20], budget=10)]
    assert plan == [[4], [1], [3, 0], [2]]
