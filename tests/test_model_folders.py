"""What a model folder holds: it is read from the files, and what curate does not understand is refused by name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import write_workspace
from safetensors.torch import load_file, save_file

from curate import Workspace
from curate.errors import BadInput, BadSettings
from curate.models import cross_encoder
from curate.models.cross_encoder import CrossEncoder
from curate.models.embedding_spec import passage_transformer
from curate.models.encoder import Encoder
from curate.models.folder import fingerprint
from curate.models.model_kind import adds_code
from curate.models.positions import positions
from curate.models.pretrained import load_tokenizer
from curate.models.scorer_spec import read_scorer_spec
from curate.train.cross_encoder import train_cross_encoder
from curate.train.dual_encoder import train_dual_encoder

Make = Callable[..., Workspace]
Write = Callable[..., Path]
Use = Callable[[Workspace, Path], Any]
PASSAGES = {"p1": "rain falls", "p2": "snow is cold and white and deep", "p3": "the sun shines on the hail"}
QUERIES = {"q1": "what is rain", "q2": "is snow cold"}
PAIRS = np.array([[q, p] for q in range(2) for p in range(3)])


def as_encoder(_workspace: Workspace, model: Path) -> Any:
    """Embed a text, as `curate mine` does."""
    return embed(model, "rain")


def as_scorer(_workspace: Workspace, model: Path) -> Any:
    """Load the scorer, as `curate denoise` does."""
    return CrossEncoder(model)


def as_start_of_a_cross_encoder(workspace: Workspace, model: Path) -> Any:
    """Train one step from the model. The name is that of the test."""
    return train_cross_encoder(workspace, init=str(model), name=model.parent.name, groups=1, max_length=32)


def as_start_of_a_dual_encoder(workspace: Workspace, model: Path) -> Any:
    """Train one epoch from the model. The name is that of the test."""
    options: dict[str, Any] = {"epochs": 1, "hard_negatives": 0, "masks": "labels"}
    return train_dual_encoder(workspace, init=str(model), name=model.parent.name, **options)


LOADS: list[Use] = [as_encoder, as_scorer]
"""A training loads its start like one of these."""
USES: list[Use] = [*LOADS, as_start_of_a_cross_encoder, as_start_of_a_dual_encoder]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with a run that found every passage for both queries."""
    found = {query: list(PASSAGES) for query in QUERIES}
    qrels = [("q1", "p1"), ("q2", "p2")]
    return write_workspace(
        tmp_path_factory.mktemp("starts") / "set", PASSAGES, QUERIES, qrels=qrels, candidates=found
    )


@pytest.fixture
def tiny(tiny_encoder: Write, tiny_cross_encoder: Write) -> Callable[[Use], Path]:
    """Return a function that writes the model that a use needs."""
    return lambda use: tiny_cross_encoder("model") if use is as_scorer else tiny_encoder("model")


# What the files in a folder say, the name that the refusal gives it, and a use that is refused.
KINDS: dict[str, tuple[dict[str, Any], Use]] = {
    "is a cross-encoder": ({"config.json": {"architectures": ["BertForSequenceClassification"]}}, as_encoder),
    "is an encoder": ({"config.json": {"architectures": ["BertModel"]}}, as_scorer),
    "is an encoder-decoder language model": (
        {"config.json": {"architectures": ["T5ForConditionalGeneration"]}},
        as_scorer,
    ),
    "a head for another task": ({"config.json": {"architectures": ["BertForTokenClassification"]}}, as_scorer),
    "is a sparse encoder": ({"config_sentence_transformers.json": {"model_type": "SparseEncoder"}}, as_encoder),
    "is a multi-vector encoder": (
        {"config_sentence_transformers.json": {"model_type": "MultiVectorEncoder"}},
        as_encoder,
    ),
    "is a modular cross-encoder": (
        {
            "config_sentence_transformers.json": {"model_type": "CrossEncoder"},
            "modules.json": [
                {"path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
                {
                    "path": "1_Pooling",
                    "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
                },
            ],
        },
        as_scorer,
    ),
    "is a model of static embeddings": (
        {"modules.json": [{"path": "", "type": "sentence_transformers.models.StaticEmbedding"}]},
        as_encoder,
    ),
    "holds an adapter": ({"adapter_config.json": {"peft_type": "LORA"}}, as_encoder),
    "quantized weights": ({"config.json": {"quantization_config": {"load_in_4bit": True}}}, as_scorer),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_the_wrong_kind_is_refused_by_the_name_of_what_it_is(
    workspace: Workspace, tiny_encoder: Write, kind: str
) -> None:
    """Its weights would load, and its vectors or scores look plausible."""
    files, use = KINDS[kind]
    folder = tiny_encoder()
    for name, content in files.items():
        edit(folder / name, content)
    with pytest.raises(BadInput, match=kind):
        use(workspace, folder)


@pytest.mark.parametrize("use", USES)
def test_every_use_of_a_model_looks_at_its_kind(workspace: Workspace, tiny_encoder: Write, use: Use) -> None:
    """A language model is neither an encoder nor a scorer nor a start."""
    folder = tiny_encoder()
    edit(folder / "config.json", {"architectures": ["BertForCausalLM"]})
    with pytest.raises(BadInput, match="is a causal language model"):
        use(workspace, folder)


@pytest.mark.parametrize("use", LOADS)
def test_a_model_with_code_of_its_own_is_refused_by_a_true_message(
    workspace: Workspace, tiny: Callable[[Use], Path], use: Use
) -> None:
    """There is no option to run it. The stock class of the same type loads its weights and gives other vectors."""
    folder = tiny(use)
    edit(folder / "config.json", {"auto_map": {"AutoModel": "modeling.BertModel"}})
    with pytest.raises(BadInput, match=r"code of its own \(modeling\.BertModel\), which curate never runs"):
        use(workspace, folder)


def test_a_type_that_only_comes_with_its_code_is_refused(tiny_encoder: Write) -> None:
    """The library does not know it."""
    folder = tiny_encoder()
    edit(folder / "config.json", {"model_type": "new", "auto_map": {"AutoModel": "modeling.New"}})
    with pytest.raises(BadInput, match=r"no model of the type 'new'; it comes with code of its own"):
        embed(folder, "rain")


def test_a_tokenizer_with_code_of_its_own_is_refused(tiny_encoder: Write) -> None:
    """The stock tokenizer may leave out a token that the model needs."""
    folder = tiny_encoder()
    edit(folder / "tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["tokenization.Own", None]}})
    with pytest.raises(BadInput, match="the tokenizer comes with code of its own"):
        embed(folder, "rain")


def test_code_that_replaces_nothing_does_not_count() -> None:
    """Code for another task is not loaded. That of nomic_bert is in transformers, for its usual settings."""
    own = {"AutoModel": "modeling.Own"}
    assert adds_code({"model_type": "bert", "auto_map": own}) == "modeling.Own"
    assert adds_code({"model_type": "bert", "auto_map": {"AutoModelForMaskedLM": "modeling.Own"}}) is None
    assert adds_code({"model_type": "nomic_bert", "auto_map": own, "rotary_emb_base": 1000}) is None
    assert adds_code({"model_type": "nomic_bert", "auto_map": own, "rotary_emb_base": 10000}) == "modeling.Own"


@pytest.mark.parametrize("use", USES)
def test_a_folder_without_its_tokenizer_is_refused(
    workspace: Workspace, tiny: Callable[[Use], Path], use: Use
) -> None:
    """The library would make a tokenizer of five tokens, for which every word is unknown."""
    folder = tiny(use)
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(BadInput, match=r"has no tokenizer|knows no word"):
        use(workspace, folder)


@pytest.mark.parametrize("use", USES)
def test_a_tokenizer_with_a_token_more_than_the_model_is_refused(
    workspace: Workspace, tiny: Callable[[Use], Path], use: Use
) -> None:
    """That token would be an index error."""
    folder = tiny(use)
    add_token(folder, "[query]")
    with pytest.raises(BadInput, match="belongs to another model"):
        use(workspace, folder)


def test_a_tokenizer_with_far_fewer_tokens_is_refused(tiny_encoder: Write) -> None:
    """It is another model's, and the vectors look plausible."""
    folder = tiny_encoder()
    widen(folder, 100)
    with pytest.raises(BadInput, match="belongs to another model"):
        embed(folder, "rain")


def test_a_special_token_beyond_the_model_is_read_as_plain_text(tiny_encoder: Write) -> None:
    """A text model made from a model of images keeps such a token. A text that has it is no index error."""
    folder = tiny_encoder()
    before = embed(folder, "rain")
    add_token(folder, "<image>", special=True)
    tokenizer = load_tokenizer(folder)
    assert max(tokenizer("rain <image> snow")["input_ids"]) < 78
    assert np.array_equal(embed(folder, "rain"), before)
    assert np.isfinite(embed(folder, "<image>")).all()


def test_a_special_token_beyond_the_model_that_every_text_gets_is_refused(tiny_encoder: Write) -> None:
    """Here it is the end of every text."""
    folder = tiny_encoder()
    add_token(folder, "[end]", special=True)
    change = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    change["post_processor"] = {"type": "BertProcessing", "sep": ["[end]", 78], "cls": ["[CLS]", 2]}
    edit(folder / "tokenizer.json", change)
    edit(folder / "tokenizer_config.json", {"sep_token": "[end]"})
    with pytest.raises(BadInput, match="belongs to another model"):
        embed(folder, "rain")


@pytest.mark.parametrize("use", LOADS)
def test_weights_that_are_cut_short_are_named(workspace: Workspace, tiny: Callable[[Use], Path], use: Use) -> None:
    """A download that broke off leaves such a file."""
    weights = tiny(use) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(BadInput, match=r"model\.safetensors is damaged or cut short"):
        use(workspace, weights.parent)


@pytest.mark.parametrize("use", LOADS)
def test_layers_that_the_configuration_leaves_out_are_refused(
    workspace: Workspace, tiny: Callable[[Use], Path], use: Use
) -> None:
    """The model of another config.json would be computed without its upper layers."""
    folder = tiny(use)
    edit(folder / "config.json", {"num_hidden_layers": 1})
    with pytest.raises(BadInput, match=r"weights that its config\.json leaves out: .*layer\.1\."):
        use(workspace, folder)


@pytest.mark.parametrize("name", ["embeddingHead.weight", "norm.weight", "bert.proj.weight", "linear.weight"])
def test_a_part_of_the_embedding_that_the_model_does_not_have_is_refused(tiny_encoder: Write, name: str) -> None:
    """Such a layer comes after the transformer, by the code of another library."""
    folder = tiny_encoder()
    add_weights(folder, name)
    with pytest.raises(BadInput, match=rf"weights that BertModel does not have: {name}"):
        embed(folder, "rain")


def test_heads_of_other_tasks_are_ignored(tiny_encoder: Write) -> None:
    """Most encoders are saved with what they were pretrained with. The names are those of released models."""
    folder = tiny_encoder()
    before = embed(folder, "rain")
    add_weights(
        folder,
        "cls.predictions.bias", "cls.seq_relationship.weight", "lm_head.dense.weight", "qa_outputs.weight",
        "classifier.out_proj.weight", "pre_classifier.weight", "discriminator_predictions.dense.weight",
        "generator_lm_head.weight", "generator_predictions.LayerNorm.bias", "vocab_projector.bias",
        "vocab_transform.weight", "vocab_layer_norm.weight", "decoder.bias", "head.dense.weight",
        "lm_predictions.lm_head.bias", "mask_predictions.dense.weight", "sop_classifier.classifier.weight",
        "predictions.decoder.bias", "score.weight", "embeddings.position_ids",
    )  # fmt: skip
    assert np.array_equal(embed(folder, "rain"), before)


def test_an_encoder_without_vectors_of_tokens_is_refused(tmp_path: Path, tiny_encoder: Write) -> None:
    """DPR pools by itself. A model of texts and images has no table of tokens at its top."""
    from transformers import CLIPConfig, CLIPModel, DPRConfig, DPRQuestionEncoder

    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    text = {**small, "vocab_size": 78, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    image = {**small, "image_size": 32, "patch_size": 16}
    models = {
        "gives no vectors of tokens": DPRQuestionEncoder(DPRConfig(vocab_size=78, **small)),
        "no vectors for tokens of text": CLIPModel(CLIPConfig(text_config=text, vision_config=image)),
    }
    tokenizer = load_tokenizer(tiny_encoder())
    for number, (message, model) in enumerate(models.items()):
        model.save_pretrained(tmp_path / str(number))
        tokenizer.save_pretrained(tmp_path / str(number))
        with pytest.raises(BadInput, match=f"{tmp_path / str(number)} is a .* {message}"):
            embed(tmp_path / str(number), "rain")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("config.json", {"hidden_size": "32"}),
        ("config.json", {"pad_token_id": "zero"}),
        ("config.json", {"rope_scaling": 3}),
        ("tokenizer_config.json", {"model_max_length": "512"}),
        ("sentence_bert_config.json", {"max_seq_length": "512"}),
        ("sentence_bert_config.json", {"query_length": True}),
        ("config_sentence_transformers.json", {"truncate_dim": True}),
        ("router_config.json", {"structure": {"query": ["a"], "document": ["a"]}}),
        ("router_config.json", {"structure": {"query": ["a"], "document": ["a"]}, "types": {}}),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_refused_with_the_name_of_its_file(
    tiny_encoder: Write, name: str, change: dict[str, Any]
) -> None:
    """A traceback would not say which file to look at."""
    folder = tiny_encoder()
    edit(folder / name, change)
    with pytest.raises(BadInput, match=str(folder / name)):
        embed(folder, "rain")


def test_the_lengths_of_a_scorer_are_numbers(tiny_cross_encoder: Write) -> None:
    """The default would be another length than that of the model."""
    folder = tiny_cross_encoder()
    edit(folder / "tokenizer_config.json", {"model_max_length": "32"})
    with pytest.raises(BadInput, match=r"tokenizer_config\.json: model_max_length is '32'"):
        CrossEncoder(folder)


def test_two_classes_of_one_name_are_refused(tiny_cross_encoder: Write) -> None:
    """The ledger knows a class by its name."""
    folder = tiny_cross_encoder(labels=2)
    edit(folder / "config.json", {"id2label": {"0": "no", "1": "no"}})
    with pytest.raises(BadInput, match="gives two classes one name"):
        CrossEncoder(folder)


def test_the_class_in_the_ledger_gives_the_same_class_again(tiny_cross_encoder: Write) -> None:
    """Names are looked up before numbers, and the names can be numbers."""
    folder = tiny_cross_encoder(labels=2)
    name_classes(folder, ["1", "0"])
    spec = read_scorer_spec(folder)
    assert spec.relevant_class == 0
    assert read_scorer_spec(folder, relevant=spec.settings()["relevant_class"]) == spec


def test_a_start_that_lower_cases_is_no_start_of_a_cross_encoder(
    workspace: Workspace, tiny: Callable[[Use], Path]
) -> None:
    """The training would read other tokens, and the saved model too."""
    folder = tiny(as_encoder)
    edit(folder / "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": True})
    with pytest.raises(BadInput, match="lower-cases its texts"):
        as_start_of_a_cross_encoder(workspace, folder)


def test_the_transformer_of_an_old_folder_lies_in_a_folder_of_its_own(tiny_encoder: Write) -> None:
    """Such a folder may have a config.json at its top too."""
    folder = tiny_encoder()
    shutil.copytree(folder, folder / "0_Transformer")
    (folder / "model.safetensors").unlink()
    (folder / "1_Pooling").mkdir()
    edit(folder / "1_Pooling" / "config.json", {"pooling_mode_cls_token": True})
    names = {"Transformer": "0_Transformer", "Pooling": "1_Pooling"}
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for kind, path in names.items()]
    edit(folder / "modules.json", modules)
    assert passage_transformer(folder) == folder / "0_Transformer"
    (folder / "0_Transformer" / "vocab.txt").write_text("another", "utf-8")
    before = fingerprint(folder, {})
    (folder / "0_Transformer" / "vocab.txt").write_text("one", "utf-8")
    assert fingerprint(folder, {}) != before


def test_a_prompt_that_fills_the_pair_is_refused(tiny_cross_encoder: Write) -> None:
    """A long passage would leave nothing of any query, and all would have the same score."""
    folder = tiny_cross_encoder()
    prompts = {"prompts": {"judge": "a b c d e f g h i j k l"}, "default_prompt_name": "judge"}
    edit(folder / "config_sentence_transformers.json", {**prompts, "model_type": "CrossEncoder"})
    CrossEncoder(folder, max_length=30)
    with pytest.raises(BadSettings, match="leaves no room for a query beside the prompt of 12 tokens"):
        CrossEncoder(folder, max_length=27)


@pytest.mark.parametrize(
    "name",
    ["Bert", "Roberta", "XLMRoberta", "Camembert", "MPNet", "Data2VecText", "IBert", "Xmod", "Luke", "MarkupLM",
     "RobertaPreLayerNorm", "Esm", "Mra", "BigBird", "DistilBert", "Electra"],
)  # fmt: skip
def test_the_limit_is_the_longest_text_that_the_model_takes(tmp_path: Path, name: str) -> None:
    """Often the first position lies behind the padding index. The model itself is the reference."""
    import transformers

    kind: dict[str, Any] = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
    }
    if name == "DistilBert":
        kind = {"dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 8}
    special: dict[str, dict[str, Any]] = {"Xmod": {"languages": ["en"], "default_language": "en"}}
    config = getattr(transformers, f"{name}Config")(
        vocab_size=30, max_position_embeddings=20, pad_token_id=1, **kind, **special.get(name, {})
    )
    config.save_pretrained(tmp_path)
    model = transformers.AutoModel.from_config(config).eval()
    limit = positions(tmp_path)
    assert limit is not None
    assert limit <= 20
    if name in ("Mra", "BigBird"):  # their attention asks for lengths that are multiples of a block
        return
    model(input_ids=torch.full((1, limit), 5))
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, limit + 1), 5))


@pytest.mark.parametrize("padding", ["in the configuration", "in the tokenizer", "another one in the tokenizer"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_decoder_scores_a_pair_alone_as_beside_a_longer_one(
    tmp_path: Path, tiny_cross_encoder: Write, monkeypatch: pytest.MonkeyPatch, padding: str, side: str
) -> None:
    """Its head finds the last token by the configured padding id. Pair by pair, transformers is right."""
    monkeypatch.setattr(cross_encoder, "number_format", lambda: "fp32")
    folder = write_decoder(tmp_path, tiny_cross_encoder())
    configured = {"in the configuration": 0, "in the tokenizer": None, "another one in the tokenizer": 77}
    edit(folder / "config.json", {"pad_token_id": configured[padding]})
    edit(folder / "tokenizer_config.json", {"padding_side": side})
    scorer = CrossEncoder(folder)
    expected = []
    for q, p in PAIRS:
        inputs = scorer.tokenizer(list(QUERIES.values())[q], list(PASSAGES.values())[p], return_tensors="pt")
        with torch.inference_mode():
            expected.append(float(scorer.model(input_ids=inputs["input_ids"]).logits[0, 0]))
    assert logits(scorer) == pytest.approx(expected, abs=1e-4)


def test_a_decoder_without_any_padding_id_is_refused(tmp_path: Path, tiny_cross_encoder: Write) -> None:
    """Its head cannot tell where a short pair ends."""
    folder = write_decoder(tmp_path, tiny_cross_encoder())
    edit(folder / "config.json", {"pad_token_id": None})
    edit(folder / "tokenizer_config.json", {"pad_token": None})
    with pytest.raises(BadInput, match="cannot score a batch"):
        CrossEncoder(folder)


def test_a_score_that_depends_on_the_batch_is_refused(
    tiny_cross_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A probe at loading compares pairs alone with the same pairs side by side."""
    forward = CrossEncoder._forward
    monkeypatch.setattr(CrossEncoder, "_forward", lambda self, rows: forward(self, rows) * len(rows))
    with pytest.raises(BadInput, match="another score beside longer pairs"):
        CrossEncoder(tiny_cross_encoder())


def test_a_vector_that_depends_on_the_batch_is_refused(
    tiny_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe of encoders."""
    encoder = Encoder.open(str(tiny_encoder()), dtype="fp32", normalize=False)
    vectors = encoder._vectors
    monkeypatch.setattr(encoder, "_vectors", lambda *given: vectors(*given) + 9 * (len(given[1]) - 1))
    with pytest.raises(BadInput, match="another vector beside a longer text"):
        list(encoder.encode(["rain"], "passage"))


def test_classes_whose_names_say_it_decide_the_sign(tiny_cross_encoder: Write) -> None:
    """The same model with its classes named the other way round gives the opposite logits."""
    folder = tiny_cross_encoder(labels=2)
    second = logits(CrossEncoder(folder))  # LABEL_0 and LABEL_1
    name_classes(folder, ["not_relevant", "relevant"])
    named = CrossEncoder(folder)
    assert np.array_equal(logits(named), second)
    name_classes(folder, ["relevant", "not relevant"])
    reversed_ = CrossEncoder(folder)
    assert np.array_equal(logits(reversed_), -second)
    assert named.scorer_id != reversed_.scorer_id


def test_classes_whose_names_do_not_say_it_need_the_option(
    tiny_cross_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probability is the softmax of the class that means relevant. The class is part of the scorer's id."""
    monkeypatch.setattr(cross_encoder, "number_format", lambda: "fp32")
    folder = tiny_cross_encoder(labels=3, spread=1.0)
    name_classes(folder, ["contradiction", "entailment", "neutral"])
    with pytest.raises(BadInput, match=r"3 classes .*--relevant-class NAME"):
        CrossEncoder(folder)
    with pytest.raises(BadSettings, match="no class 'relevant'; its classes are contradiction"):
        CrossEncoder(folder, relevant_class="relevant")
    scorer = CrossEncoder(folder, relevant_class="entailment")
    rows = scorer.prepare(list(QUERIES.values()), list(PASSAGES.values()), PAIRS)
    with torch.inference_mode():
        ids, segments = (torch.from_numpy(part[None].astype(np.int64)) for part in rows[0][:2])
        classes = scorer.model(input_ids=ids, token_type_ids=segments).logits[0]
    assert 1 / (1 + np.exp(-logits(scorer)[0])) == pytest.approx(float(classes.softmax(0)[1]), abs=1e-4)
    assert CrossEncoder(folder, relevant_class="1").scorer_id == scorer.scorer_id
    assert CrossEncoder(folder, relevant_class="2").scorer_id != scorer.scorer_id


def test_the_default_prompt_of_a_cross_encoder_stands_before_the_query(
    tmp_path: Path, tiny_cross_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sentence-transformers saves it with the model and is the reference."""
    from sentence_transformers import CrossEncoder as Theirs

    monkeypatch.setattr(cross_encoder, "number_format", lambda: "fp32")
    options: dict[str, Any] = {"prompts": {"judge": "judge this: "}, "default_prompt_name": "judge"}
    plain = tiny_cross_encoder()
    Theirs(str(plain), device="cpu", **options).save_pretrained(str(tmp_path / "prompted"))
    scorer = CrossEncoder(tmp_path / "prompted")
    theirs = Theirs(str(tmp_path / "prompted"), device="cpu")
    pairs = [(list(QUERIES.values())[q], list(PASSAGES.values())[p]) for q, p in PAIRS]
    expected = theirs.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    assert logits(scorer) == pytest.approx(expected, abs=1e-4)
    assert np.abs(logits(scorer) - logits(CrossEncoder(plain))).max() > 0.1
    assert "query prompt 'judge this: '" in scorer.spec.text
    edit(tmp_path / "prompted" / "config_sentence_transformers.json", {"default_prompt_name": "other"})
    with pytest.raises(BadInput, match="default prompt 'other' is not among the prompts"):
        CrossEncoder(tmp_path / "prompted")


def test_a_text_without_tokens_has_no_vector_no_score_and_finds_nothing(
    make_workspace: Make, tiny_encoder: Write, tiny_cross_encoder: Write
) -> None:
    """The tokenizer drops control characters, so nothing is left of `p2` and `q2`. Both are counted and told."""
    import curate

    passages, queries = {"p1": "rain", "p2": "\u200b\u200d", "p3": "snow"}, {"q1": "what is rain", "q2": "\u200b"}
    workspace = make_workspace(passages, queries, qrels=[("q1", "p1"), ("q2", "p3")])
    mined = curate.mine(workspace, retriever="dense", encoder=str(tiny_encoder()), depth=3)
    assert (mined.passages_without_tokens, mined.queries_without_tokens, mined.empty) == (1, 1, 1)
    assert "1 passage has no token for the encoder: no query finds them" in mined.text()
    with workspace.connect() as connection:
        found = connection.sql("select query_id, passage_id from candidates join queries using (query_key) "
                               "join passages using (passage_key) order by all").fetchall()  # fmt: skip
    assert found == [("q1", "p1"), ("q1", "p3")]
    scorer = CrossEncoder(tiny_cross_encoder())
    rows = scorer.prepare(list(queries.values()), list(passages.values()), np.array([[0, 0], [0, 1], [1, 0]]))
    assert np.isnan(scorer.score(rows)).tolist() == [False, True, True]


def test_a_pair_without_tokens_stays_unscored(make_workspace: Make, tiny_cross_encoder: Write) -> None:
    """Unknown is never negative. The result says how many pairs that are, also when it is asked again."""
    import curate

    passages = {"p1": "rain", "p2": "\u200b\u200d", "p3": "snow"}
    workspace = make_workspace(passages, QUERIES, qrels=[("q1", "p1")], candidates={"q1": list(passages)})
    scorer = str(tiny_cross_encoder())
    for _ in range(2):
        outcome = curate.denoise(workspace, scorer=scorer)
        assert "1 pair has no score" in outcome.warnings[0]
    with workspace.connect() as connection:
        states = connection.sql(
            "select passage_id, decision from decisions join passages using (passage_key)"
        ).fetchall()
    assert ("p2", "unscored") in states


def embed(model: Path, text: str) -> np.ndarray:
    """Return the vector of a text as a query."""
    (vectors,) = Encoder.open(str(model), dtype="fp32").encode([text], "query")
    return vectors.array


def add_token(folder: Path, token: str, *, special: bool = False) -> None:
    """Give the tokenizer of a folder a token for which the model has no vector."""
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens([token], special_tokens=special)
    tokenizer.save_pretrained(folder)


def add_weights(folder: Path, *names: str) -> None:
    """Add weights to the file of a folder."""
    path = folder / "model.safetensors"
    save_file({**load_file(path), **{name: torch.ones(4) for name in names}}, path, metadata={"format": "pt"})


def edit(path: Path, change: Any) -> None:
    """Change keys of a JSON file, or write it."""
    before = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    path.write_text(json.dumps({**before, **change} if isinstance(change, dict) else change), "utf-8")


def widen(folder: Path, tokens: int) -> None:
    """Give the model of a folder vectors for `tokens` more tokens than its tokenizer has."""
    import transformers

    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    model = getattr(transformers, name).from_pretrained(folder)
    model.resize_token_embeddings(model.config.vocab_size + tokens)
    model.save_pretrained(folder)


def name_classes(folder: Path, names: list[str]) -> None:
    """Write the names of a model's classes to its config.json."""
    edit(
        folder / "config.json",
        {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}},
    )


def write_decoder(folder: Path, tokenizer: Path) -> Path:
    """Write a tiny decoder with a head, and the tokenizer of another folder."""
    from transformers import Qwen3Config, Qwen3ForSequenceClassification

    shutil.copytree(tokenizer, folder / "decoder")
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=78, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        head_dim=8, intermediate_size=16, max_position_embeddings=64, num_labels=1, pad_token_id=0,
        initializer_range=0.5,
    )  # fmt: skip
    Qwen3ForSequenceClassification(config).save_pretrained(folder / "decoder")
    return folder / "decoder"


def logits(scorer: CrossEncoder) -> np.ndarray:
    """Return the logits of every pair of QUERIES and PASSAGES."""
    return scorer.score(scorer.prepare(list(QUERIES.values()), list(PASSAGES.values()), PAIRS))
