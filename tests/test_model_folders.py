"""What a model folder holds: it is read from the files, and what curate does not understand is refused by name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from curate import Workspace
from curate.errors import BadInput, BadSettings
from curate.models import cross_encoder
from curate.models.cross_encoder import CrossEncoder
from curate.models.encoder import Encoder
from curate.models.positions import positions
from curate.models.pretrained import load_tokenizer
from curate.train.cross_encoder import train_cross_encoder
from curate.train.dual_encoder import train_dual_encoder

Make = Callable[..., Workspace]
Write = Callable[..., Path]
Use = Callable[[Workspace, Path], Any]
PASSAGES = {"p1": "rain falls", "p2": "snow is cold and white and deep", "p3": "the sun shines on the hail"}
QUERIES = {"q1": "what is rain", "q2": "is snow cold"}
PAIRS = np.array([[q, p] for q in range(2) for p in range(3)])


def as_encoder(workspace: Workspace, model: Path) -> Any:
    """Embed a text, as `curate mine` does."""
    return list(Encoder.open(str(model), workspace.root).encode(["rain"], "query"))


def as_scorer(_workspace: Workspace, model: Path) -> Any:
    """Load the scorer, as `curate denoise` does."""
    return CrossEncoder(model)


def as_start_of_a_cross_encoder(workspace: Workspace, model: Path) -> Any:
    """Train one step from the model."""
    return train_cross_encoder(workspace, init=str(model), groups=1, max_length=32)


def as_start_of_a_dual_encoder(workspace: Workspace, model: Path) -> Any:
    """Train one epoch from the model."""
    return train_dual_encoder(workspace, init=str(model), epochs=1, hard_negatives=0, masks="labels")


USES: list[Use] = [as_encoder, as_scorer, as_start_of_a_cross_encoder, as_start_of_a_dual_encoder]
OF_AN_ENCODER: list[Use] = [as_encoder, as_start_of_a_cross_encoder, as_start_of_a_dual_encoder]


@pytest.fixture
def workspace(make_workspace: Make) -> Workspace:
    """Return a workspace with a run that found every passage for both queries."""
    found = {query: list(PASSAGES) for query in QUERIES}
    return make_workspace(PASSAGES, QUERIES, qrels=[("q1", "p1"), ("q2", "p2")], candidates=found)


# What the files in a folder say, and the name that the refusal gives it.
KINDS: dict[str, tuple[dict[str, Any], list[Use]]] = {
    "is a cross-encoder": (
        {"config.json": {"architectures": ["BertForSequenceClassification"]}},
        [as_encoder, as_start_of_a_dual_encoder],
    ),
    "is an encoder": ({"config.json": {"architectures": ["BertModel"]}}, [as_scorer]),
    "is a causal language model": ({"config.json": {"architectures": ["BertForCausalLM"]}}, USES),
    "a head for another task": ({"config.json": {"architectures": ["BertForTokenClassification"]}}, USES),
    "is a sparse encoder": ({"config_sentence_transformers.json": {"model_type": "SparseEncoder"}}, USES),
    "is a multi-vector encoder": (
        {"config_sentence_transformers.json": {"model_type": "MultiVectorEncoder"}},
        USES,
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
        USES,
    ),
    "is a model of static embeddings": (
        {"modules.json": [{"path": "", "type": "sentence_transformers.models.StaticEmbedding"}]},
        USES,
    ),
    "holds an adapter": ({"adapter_config.json": {"peft_type": "LORA"}}, USES),
    "quantized weights": ({"config.json": {"quantization_config": {"load_in_4bit": True}}}, USES),
}


@pytest.mark.parametrize(
    ("kind", "use"), [(kind, use) for kind, (_, uses) in KINDS.items() for use in uses], ids=str
)
def test_a_folder_of_the_wrong_kind_is_refused_by_the_name_of_what_it_is(
    workspace: Workspace, tiny_encoder: Write, kind: str, use: Use
) -> None:
    """Its weights would load, and its vectors or scores look plausible."""
    folder = tiny_encoder()
    for name, content in KINDS[kind][0].items():
        edit(folder / name, content)
    with pytest.raises(BadInput, match=kind):
        use(workspace, folder)


@pytest.mark.parametrize("use", OF_AN_ENCODER)
def test_a_model_with_code_of_its_own_is_refused_by_a_true_message(
    workspace: Workspace, tiny_encoder: Write, use: Use
) -> None:
    """There is no option to run it."""
    folder = tiny_encoder()
    edit(folder / "config.json", {"model_type": "new", "auto_map": {"AutoModel": "modeling.New"}})
    with pytest.raises(BadInput, match=r"no model of the type 'new'; it comes with code of its own"):
        use(workspace, folder)


@pytest.mark.parametrize("use", USES)
def test_a_folder_without_its_tokenizer_is_refused(
    workspace: Workspace, tiny_encoder: Write, tiny_cross_encoder: Write, use: Use
) -> None:
    """The library would make a tokenizer of five tokens, for which every word is unknown."""
    folder = tiny_cross_encoder() if use is as_scorer else tiny_encoder()
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(BadInput, match=r"has no tokenizer|knows no word"):
        use(workspace, folder)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("tokens", [1, 100])
def test_a_tokenizer_of_another_size_is_refused(
    workspace: Workspace, tiny_encoder: Write, tiny_cross_encoder: Write, use: Use, tokens: int
) -> None:
    """One token more than the model has vectors is an index error. Far fewer tokens are another model's."""
    folder = tiny_cross_encoder() if use is as_scorer else tiny_encoder()
    if tokens == 1:
        tokenizer = load_tokenizer(folder)
        tokenizer.add_tokens(["[query]"])
        tokenizer.save_pretrained(folder)
    else:
        widen(folder, tokens)
    with pytest.raises(BadInput, match="belongs to another model"):
        use(workspace, folder)


@pytest.mark.parametrize("use", USES)
def test_weights_that_are_cut_short_are_named(
    workspace: Workspace, tiny_encoder: Write, tiny_cross_encoder: Write, use: Use
) -> None:
    """A download that broke off leaves such a file."""
    folder = tiny_cross_encoder() if use is as_scorer else tiny_encoder()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(BadInput, match=r"model\.safetensors is damaged or cut short"):
        use(workspace, folder)


@pytest.mark.parametrize("use", USES)
def test_layers_that_the_configuration_leaves_out_are_refused(
    workspace: Workspace, tiny_encoder: Write, tiny_cross_encoder: Write, use: Use
) -> None:
    """The model of another config.json would be computed without its upper layers."""
    folder = tiny_cross_encoder() if use is as_scorer else tiny_encoder()
    edit(folder / "config.json", {"num_hidden_layers": 1})
    with pytest.raises(BadInput, match=r"weights that its config\.json leaves out: .*layer\.1\."):
        use(workspace, folder)


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
    rows = scorer.tokenize(list(QUERIES.values()), list(PASSAGES.values()), PAIRS)
    with torch.inference_mode():
        ids, segments = (torch.from_numpy(part[None].astype(np.int64)) for part in rows[0])
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
    assert "1 passages have no token for the encoder, so no query finds them" in mined.text()
    with workspace.connect() as connection:
        found = connection.sql("select query_id, passage_id from candidates join queries using (query_key) "
                               "join passages using (passage_key) order by all").fetchall()  # fmt: skip
    assert found == [("q1", "p1"), ("q1", "p3")]
    scorer = CrossEncoder(tiny_cross_encoder())
    rows = scorer.tokenize(list(queries.values()), list(passages.values()), np.array([[0, 0], [0, 1], [1, 0]]))
    assert np.isnan(scorer.score(rows)).tolist() == [False, True, True]


def test_a_pair_without_tokens_stays_unscored(make_workspace: Make, tiny_cross_encoder: Write) -> None:
    """Unknown is never negative. The result says how many pairs that are, also when it is asked again."""
    import curate

    passages = {"p1": "rain", "p2": "\u200b\u200d", "p3": "snow"}
    workspace = make_workspace(passages, QUERIES, qrels=[("q1", "p1")], candidates={"q1": list(passages)})
    scorer = str(tiny_cross_encoder())
    for _ in range(2):
        outcome = curate.denoise(workspace, scorer=scorer)
        assert "1 pairs have no score" in outcome.warnings[0]
    with workspace.connect() as connection:
        states = connection.sql(
            "select passage_id, decision from decisions join passages using (passage_key)"
        ).fetchall()
    assert ("p2", "unscored") in states


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
    return scorer.score(scorer.tokenize(list(QUERIES.values()), list(PASSAGES.values()), PAIRS))
