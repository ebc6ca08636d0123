"""Scorers of every kind (curate/models/scorer.py): each gives the numbers of the library that it comes from."""

import json
import shutil
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_causal import CHAT, RERANK, write_causal

import curate
from curate.errors import BadInput, BadSettings, NotAvailable, StepMissing
from curate.models import adapters, causal_scorer, cross_encoder, sentence_transformers_scorer
from curate.models.causal_scorer import CausalScorer
from curate.models.folder import fingerprint
from curate.models.scorer import PairScorer, find_source
from curate.models.scorer_options import ScorerOptions
from curate.models.sentence_transformers_scorer import SentenceTransformersScorer
from curate.workspace import Workspace

Write = Callable[..., Path]
Make = Callable[..., Workspace]

QUERIES = ["what is a run?", "rain", "does the snow fall?\n in winter!", "a query as long as its passage is " * 12]
PASSAGES = [
    "a run is a ranked list",
    "  rain and snow.\n",
    "no",
    "the passage is longer than all queries are " * 12,
]
PAIRS = np.array([(q, p) for q in range(len(QUERIES)) for p in range(len(PASSAGES))])
TEXTS = [(QUERIES[q], PASSAGES[p]) for q, p in PAIRS.tolist()]
INSTRUCTION = "Find passages that answer the query"


@pytest.fixture(autouse=True)
def _exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute in fp32, as the oracles do."""
    for module in (cross_encoder, causal_scorer, sentence_transformers_scorer):
        monkeypatch.setattr(module, "number_format", lambda: "fp32")


def open_scorer(folder: Path, **options: Any) -> PairScorer:
    return find_source(str(folder), folder.parent, ScorerOptions(**options)).open()


def logits(folder: Path, **options: Any) -> np.ndarray:
    scorer = open_scorer(folder, **options)
    return scorer.score(scorer.prepare(QUERIES, PASSAGES, PAIRS))


def theirs(folder: Path, texts: list[tuple[str, str]] = TEXTS, **options: Any) -> np.ndarray:
    """Return the logits of sentence-transformers, one pair a batch."""
    import torch
    from sentence_transformers import CrossEncoder as Theirs

    model = Theirs(str(folder), device="cpu", **options)
    found: np.ndarray = model.predict(texts, activation_fn=torch.nn.Identity(), batch_size=1)
    return found


def edit(path: Path, change: dict[str, Any]) -> None:
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    path.write_text(json.dumps({**found, **change}), "utf-8")


# Modular cross-encoders of sentence-transformers.


def write_modular(
    folder: Path,
    encoder: Path,
    *,
    pooling: str = "cls",
    outputs: int = 1,
    residual: bool = False,
    prompt: str = "",
) -> Path:
    """Save a Transformer, Pooling, Dense, LayerNorm and Dense, as the Ettin rerankers have them."""
    import torch
    from sentence_transformers import CrossEncoder as Theirs
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import LayerNorm, Pooling

    torch.manual_seed(0)
    transformer = Transformer(str(encoder), transformer_task="feature-extraction")
    width = transformer.get_embedding_dimension()
    last = Dense(width, outputs, activation_function=torch.nn.Identity(), module_output_name="scores")
    last.linear.weight.data *= 20
    first = Dense(width, width, activation_function=torch.nn.GELU(), use_residual=residual)
    modules = [transformer, Pooling(width, pooling), first, LayerNorm(width), last]
    prompts = {"prompts": {"ask": prompt}, "default_prompt_name": "ask"} if prompt else {}
    Theirs(modules=modules, activation_fn=torch.nn.Identity(), **prompts).save_pretrained(str(folder))
    return folder


@pytest.mark.parametrize("pooling", ["cls", "mean", "lasttoken"])
def test_a_modular_cross_encoder_scores_as_in_sentence_transformers(
    tmp_path: Path, tiny_encoder: Write, pooling: str
) -> None:
    """The head is pooling and layers. Pairs that are cut, and prompts, are the same too."""
    folder = write_modular(tmp_path / "modular", tiny_encoder(), pooling=pooling, prompt="ask: ")
    assert logits(folder) == pytest.approx(theirs(folder), abs=2e-4)
    assert np.ptp(logits(folder)) > 1


def test_classes_of_a_modular_head_are_named_by_number(tmp_path: Path, tiny_encoder: Write) -> None:
    """Its files give them no names."""
    folder = write_modular(tmp_path / "modular", tiny_encoder(), outputs=3)
    with pytest.raises(BadInput, match=r"has 3 classes .* Say it: --relevant-class"):
        open_scorer(folder)
    raw = theirs(folder)
    expected = raw[:, 2] - np.logaddexp(raw[:, 0], raw[:, 1])
    assert logits(folder, relevant_class="2") == pytest.approx(expected, abs=2e-4)


def test_a_layer_of_the_head_belongs_to_the_fingerprint(tmp_path: Path, tiny_encoder: Write) -> None:
    """Another head is another scorer, even on the same transformer."""
    from safetensors.numpy import load_file, save_file

    folder = write_modular(tmp_path / "modular", tiny_encoder())
    before = open_scorer(folder).fingerprint
    weights = folder / "4_Dense" / "model.safetensors"
    save_file({name: values * 2 for name, values in load_file(weights).items()}, weights)
    assert open_scorer(folder).fingerprint != before
    save_file({"linear.weight": load_file(weights)["linear.weight"]}, weights)
    with pytest.raises(BadInput, match=r"4_Dense lacks weights of its Dense layer"):
        open_scorer(folder)


# Causal rerankers.


def model_card(folder: Path, texts: list[tuple[str, str]] = TEXTS, max_length: int = 512) -> np.ndarray:
    """Return what the code of the card of Qwen3-Reranker does: left padding, all logits of the last position."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    yes, no = tokenizer.convert_tokens_to_ids("yes"), tokenizer.convert_tokens_to_ids("no")
    prefix = tokenizer.encode(
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the "
        'Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n',
        add_special_tokens=False,
    )
    suffix = tokenizer.encode(
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n", add_special_tokens=False
    )
    pairs = [f"<Instruct>: {INSTRUCTION}\n<Query>: {query}\n<Document>: {passage}" for query, passage in texts]
    room = max_length - len(prefix) - len(suffix)
    inputs = tokenizer(pairs, truncation="longest_first", return_attention_mask=False, max_length=room)
    rows = [prefix + ids + suffix for ids in inputs["input_ids"]]
    batch = tokenizer.pad({"input_ids": rows}, padding=True, return_tensors="pt")
    with torch.inference_mode():
        last = model(**batch).logits[:, -1, :]
    found: np.ndarray = (last[:, yes] - last[:, no]).numpy()
    return found


def test_a_causal_reranker_scores_as_the_code_of_its_card(tmp_path: Path) -> None:
    """Left padding and the whole vocabulary there, right padding and two logits here."""
    folder = write_causal(tmp_path / "qwen")
    found = logits(folder, instruction=INSTRUCTION, max_length=900)
    assert found == pytest.approx(model_card(folder, max_length=900), abs=1e-3)
    assert np.ptp(found) > 1
    scorer = open_scorer(folder, instruction=INSTRUCTION, max_length=300)
    cut = scorer.prepare(QUERIES, PASSAGES, np.array([(0, 3), (1, 3)]))
    assert [row.cut for row in cut] == [True, True]
    short = [(QUERIES[0], PASSAGES[3]), (QUERIES[1], PASSAGES[3])]
    assert scorer.score(cut) == pytest.approx(model_card(folder, short, max_length=300), abs=1e-3)


def test_a_causal_reranker_of_sentence_transformers_scores_as_there(tmp_path: Path) -> None:
    """Its template has roles for query and document, its module LogitScore the two tokens."""
    from sentence_transformers import CrossEncoder as Theirs

    folder = write_causal(tmp_path / "plain", template=RERANK)
    assert logits(folder, max_length=900) == pytest.approx(theirs(folder, max_length=900), abs=1e-3)
    prompts = {"prompts": {"web": "Judge the document"}, "default_prompt_name": "web"}
    Theirs(str(folder), device="cpu", **prompts).save_pretrained(str(tmp_path / "saved"))
    own = logits(tmp_path / "saved", max_length=900)
    assert own == pytest.approx(theirs(tmp_path / "saved", max_length=900), abs=1e-3)
    assert not np.allclose(own, logits(folder, max_length=900))
    assert open_scorer(tmp_path / "saved").settings["instruction"] == "Judge the document"
    other = open_scorer(tmp_path / "saved", instruction="Find a contradiction")
    assert other.fingerprint != open_scorer(tmp_path / "saved").fingerprint


def test_the_end_of_the_template_is_never_cut(tmp_path: Path) -> None:
    """The answer begins behind it. The passage is cut first, and a query only beyond half of the room."""
    folder = write_causal(tmp_path / "qwen", template=RERANK)
    scorer = open_scorer(folder, max_length=230)
    assert isinstance(scorer, CausalScorer)
    closing = scorer.closing.tolist()
    rows = scorer.prepare(QUERIES, PASSAGES, PAIRS)
    for row in rows:
        assert row.ids.tolist()[-len(closing) :] == closing
        assert len(row.ids) <= 230
    assert {len(row.ids) for row in rows if row.cut} <= {229, 230}  # a new line can belong to the last word
    # With a short query only the passage loses tokens, as in sentence-transformers, which writes the end anew.
    short = [(QUERIES[0], PASSAGES[3]), (QUERIES[1], PASSAGES[3])]
    ours = scorer.score(scorer.prepare(QUERIES, PASSAGES, np.array([(0, 3), (1, 3)])))
    assert ours == pytest.approx(theirs(folder, short, max_length=230), abs=1e-3)
    with pytest.raises(BadSettings, match=r"max_length = 100 leaves too little room .* --max-length"):
        open_scorer(folder, max_length=100)


def test_texts_tokenized_apart_have_the_tokens_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`?` and a new line behind it are one token. A tokenizer that needs the whole gets it."""
    folder = write_causal(tmp_path / "qwen", template=RERANK)
    scorer = open_scorer(folder, max_length=230)
    assert isinstance(scorer, CausalScorer)
    assert scorer.tokenizes_apart
    apart = scorer.prepare(QUERIES, PASSAGES, PAIRS)
    monkeypatch.setattr(scorer, "tokenizes_apart", False)
    for ours, whole in zip(apart, scorer.prepare(QUERIES, PASSAGES, PAIRS), strict=True):
        assert ours.ids.tolist() == whole.ids.tolist()
        assert ours.cut == whole.cut


def test_a_model_that_bounds_its_logits_is_asked_whole(tmp_path: Path, tiny_cross_encoder: Write) -> None:
    """Gemma's logits pass through a tanh. Only two of them are computed, and they pass through it too."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma2Config, Gemma2ForCausalLM

    folder = write_causal(tmp_path / "gemma", template=RERANK)
    size = len(AutoTokenizer.from_pretrained(folder))
    config = Gemma2Config(
        vocab_size=size, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=1024, final_logit_softcapping=2.0,
        initializer_range=0.5, sliding_window=64, pad_token_id=0,
    )  # fmt: skip
    Gemma2ForCausalLM(config).save_pretrained(folder)
    scorer = open_scorer(folder, max_length=900)
    rows = scorer.prepare(QUERIES, PASSAGES, PAIRS)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    yes, no = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(["yes", "no"])
    with torch.inference_mode():
        last = [model(input_ids=torch.from_numpy(row.ids[None]).long()).logits[0, -1] for row in rows]
    assert scorer.score(rows) == pytest.approx([float(logit[yes] - logit[no]) for logit in last], abs=1e-3)


def test_a_causal_language_model_needs_an_instruction(tmp_path: Path) -> None:
    """Any chat model gives numbers for yes and no. Only the user can say that they judge."""
    with pytest.raises(BadInput, match=r"a causal language model, .* say what it judges: --instruction"):
        open_scorer(write_causal(tmp_path / "chat"))
    with pytest.raises(BadInput, match="has no chat template"):
        open_scorer(write_causal(tmp_path / "bare", template=None), instruction=INSTRUCTION)


@pytest.mark.parametrize("role", ["message.role", "message.role | capitalize"])
def test_a_template_that_prints_any_role_has_none_for_query_and_document(tmp_path: Path, role: str) -> None:
    """Many chat models take `documents`. A conversation between a query and a document is no question to them."""
    template = "{% if documents %}Use the documents.{% endif %}" + CHAT.replace("message.role", role)
    folder = write_causal(tmp_path / "chat", template=template)
    with pytest.raises(BadInput, match=r"a causal language model, .* say what it judges: --instruction"):
        open_scorer(folder)
    scorer = open_scorer(folder, instruction=INSTRUCTION)
    assert scorer.settings["pair"][1] == "\n<Document>: "  # asked as its card says


def test_an_instruction_is_for_causal_models(tmp_path: Path, tiny_cross_encoder: Write) -> None:
    """What would not be read is refused."""
    with pytest.raises(BadSettings, match="nobody to instruct"):
        open_scorer(tiny_cross_encoder(), instruction=INSTRUCTION)
    fixed = RERANK.replace(
        '{{ messages | selectattr("role", "eq", "system") | map(attribute="content") | first ', "{{ "
    )
    folder = write_causal(
        tmp_path / "fixed", template=fixed.replace('| default("', '"').replace('query") }}', 'query" }}')
    )
    with pytest.raises(BadSettings, match="has no place for an instruction"):
        open_scorer(folder, instruction="Find a contradiction")
    with pytest.raises(BadSettings, match="--relevant-class has nothing to choose from"):
        open_scorer(folder, relevant_class="yes")


def test_a_pair_with_an_empty_text_has_no_score(tmp_path: Path) -> None:
    """A model would judge the template alone."""
    scorer = open_scorer(write_causal(tmp_path / "qwen", template=RERANK))
    found = scorer.score(scorer.prepare(["rain", " "], ["snow", "\n"], np.array([[0, 0], [0, 1], [1, 0]])))
    assert np.isnan(found).tolist() == [False, True, True]


# What sentence-transformers computes, because curate does not.


def test_a_module_behind_the_answers_is_not_left_out(tmp_path: Path) -> None:
    """It turns the logit of yes less that of no into another score, here into one that falls."""
    import torch
    from sentence_transformers import CrossEncoder as Theirs
    from sentence_transformers.base.modules import Dense

    names = {"module_input_name": "scores", "module_output_name": "scores"}
    last = Dense(1, 1, activation_function=torch.nn.Identity(), init_weight=torch.tensor([[-3.0]]), **names)
    answers = Theirs(str(write_causal(tmp_path / "plain", template=RERANK)), device="cpu")
    Theirs(modules=[*answers, last], device="cpu").save_pretrained(str(tmp_path / "more"))
    scorer = open_scorer(tmp_path / "more", max_length=900)
    assert isinstance(scorer, SentenceTransformersScorer)
    found = scorer.score(scorer.prepare(QUERIES, PASSAGES, PAIRS))
    assert found == pytest.approx(theirs(tmp_path / "more", max_length=900), abs=1e-3)
    other = RERANK.replace("meets the requirements", "is of any use")
    (tmp_path / "more" / "chat_template.jinja").write_text(other, "utf-8")
    assert open_scorer(tmp_path / "more", max_length=900).fingerprint != scorer.fingerprint


def test_other_modules_are_computed_by_sentence_transformers(tmp_path: Path, tiny_encoder: Write) -> None:
    """A residual layer is none that curate computes. The numbers are the library's own."""
    folder = write_modular(tmp_path / "modular", tiny_encoder(), residual=True)
    scorer = open_scorer(folder)
    assert isinstance(scorer, SentenceTransformersScorer)
    assert scorer.score(scorer.prepare(QUERIES, PASSAGES, PAIRS)) == pytest.approx(theirs(folder), abs=2e-4)
    empty = scorer.score([("rain", ""), ("rain", "snow")])
    assert np.isnan(empty).tolist() == [True, False]
    assert open_scorer(folder, max_length=20).fingerprint != scorer.fingerprint


def test_the_library_draws_no_weight_at_random(tmp_path: Path, tiny_encoder: Write) -> None:
    """It loads a transformer that lacks weights, and says nothing but a line in a log."""
    from safetensors.numpy import load_file, save_file

    folder = write_modular(tmp_path / "modular", tiny_encoder(), residual=True)
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.0.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadInput, match=r"lacks weights that the model needs: .*layer\.0\.output\.dense\.weight"):
        open_scorer(folder)


def test_without_the_library_the_extra_is_named(
    tmp_path: Path, tiny_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra, because few models need it."""

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    folder = write_modular(tmp_path / "modular", tiny_encoder(), residual=True)
    monkeypatch.setattr(sentence_transformers_scorer, "version", missing)
    with pytest.raises(NotAvailable, match=r"extra \[sentence-transformers\].* Run: pip install"):
        open_scorer(folder)


# What all kinds have in common.


@pytest.mark.parametrize("kind", ["cross-encoder", "modular", "causal", "library"])
def test_no_logit_is_rounded_to_bf16(
    tmp_path: Path, tiny_cross_encoder: Write, tiny_encoder: Write, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It has 8 binary digits: between 8 and 16, logits would be multiples of 1/16, and the best pairs equal."""
    write: dict[str, Callable[[], Path]] = {
        "cross-encoder": tiny_cross_encoder,
        "modular": lambda: write_modular(tmp_path / "modular", tiny_encoder()),
        "causal": lambda: write_causal(tmp_path / "causal", template=RERANK),
        "library": lambda: write_modular(tmp_path / "library", tiny_encoder(), residual=True),
    }
    for module in (cross_encoder, causal_scorer, sentence_transformers_scorer):
        monkeypatch.setattr(module, "number_format", lambda: "bf16")
    scorer = open_scorer(write[kind]())
    assert scorer.settings["last_layer"] == "fp32"
    found = scorer.score(scorer.prepare(QUERIES, PASSAGES, PAIRS))
    rounded = found.view(np.uint32) % 2**16 == 0  # as a number of bf16 is, seen as one of float32
    assert not rounded.all()


SIGMOID, IDENTITY = "torch.nn.modules.activation.Sigmoid", "torch.nn.modules.linear.Identity"
MODULAR_JSON = "config_sentence_transformers.json"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"config.json": {"sentence_transformers": {"activation_fn": SIGMOID}}}, "probability"),
        ({"config.json": {"sentence_transformers": {"activation_fn": IDENTITY}}}, "raw"),
        ({"config.json": {"sbert_ce_default_activation_function": IDENTITY}}, "raw"),
        ({MODULAR_JSON: {"model_type": "CrossEncoder", "activation_fn": IDENTITY}}, "raw"),
        ({}, "unknown"),
    ],
    ids=str,
)
def test_the_files_say_what_the_scale_is(
    tiny_cross_encoder: Write, files: dict[str, dict[str, Any]], expected: str
) -> None:
    """Where the sigmoid is no probability, 0.1 and 0.9 mean nothing. The fingerprint does not depend on it."""
    folder = tiny_cross_encoder()
    for name, change in files.items():
        edit(folder / name, change)
    scorer = open_scorer(folder)
    assert scorer.settings["scale"] == expected
    hidden = {name: value for name, value in scorer.settings.items() if name != "scale"}
    assert fingerprint(folder, hidden) == scorer.fingerprint


def test_classes_are_a_scale_of_probabilities(tiny_cross_encoder: Write) -> None:
    """The softmax of a class is one, whatever the files say of a single logit."""
    assert open_scorer(tiny_cross_encoder(labels=2)).settings["scale"] == "probability"


def test_the_fast_path_has_the_fingerprints_that_it_had(tiny_cross_encoder: Write) -> None:
    """Scores that are in a ledger stay in use."""
    scorer = open_scorer(tiny_cross_encoder())
    before = {
        "template": "query, title + text", "truncation": "longest_first", "max_length": 64,
        "dtype": "fp32", "device": "cpu", "token_budget": 4096,
    }  # fmt: skip
    assert {**scorer.settings, "device": "cpu", "token_budget": 4096} == {**before, "scale": "unknown"}


@pytest.mark.parametrize("kind", ["modular", "causal", "library"])
def test_denoising_works_with_every_kind(
    make_workspace: Make, tmp_path: Path, tiny_encoder: Write, kind: str
) -> None:
    """They fill the same shards. A scorer is recognised by its files, and nothing is scored twice."""
    write: dict[str, Callable[[], Path]] = {
        "modular": lambda: write_modular(tmp_path / "modular", tiny_encoder()),
        "causal": lambda: write_causal(tmp_path / "causal"),
        "library": lambda: write_modular(tmp_path / "library", tiny_encoder(), residual=True),
    }
    scorer = str(write[kind]())
    options: dict[str, Any] = {"instruction": INSTRUCTION} if kind == "causal" else {}
    passages = {f"p{number}": text[:100] for number, text in enumerate(PASSAGES)}
    queries = {f"q{number}": text[:100] for number, text in enumerate(QUERIES)}
    workspace = make_workspace(passages, queries, candidates={query: list(passages) for query in queries})
    plan = curate.plan_denoise(workspace, scorer=scorer, **options)
    assert any(f"scorer: {Path(scorer).name}-" in note for note in plan.notes)
    if kind != "causal":  # its files say that its logits are raw, and nobody has said what they mean
        with pytest.raises(StepMissing, match=r"raw.*curate calibrate"):
            curate.denoise(workspace, scorer=scorer, **options)
        curate.calibrate(workspace, scale="log-odds")
    first = curate.denoise(workspace, scorer=scorer, **options)
    assert (first.pairs, first.scored_now) == (16, 16 if kind == "causal" else 0)
    again = curate.denoise(workspace, scorer=scorer, **options)
    assert (again.scorer_id, again.scored_now) == (first.scorer_id, 0)
    assert curate.denoise(workspace, cutoffs="default", depth=2).scored_now == 0  # the scorer of the cutoffs
    model = workspace.select("score/known_scorers").to_dicts()[0]
    assert json.loads(model["settings"])["scale"] in ("probability", "raw", "unknown")


def test_texts_that_are_cut_are_told(make_workspace: Make, tiny_cross_encoder: Write) -> None:
    """The end of a passage may be what answers the query."""
    passages = {"p1": "a b c", "p2": "a b c " * 40, "p3": "d"}
    workspace = make_workspace(passages, {"q1": "a b"}, candidates={"q1": list(passages)})
    told = "1 of 3 pairs (33.3%) were scored without the end of a text: they have more than 64 tokens"
    scorer = str(tiny_cross_encoder())
    for _ in range(2):  # also if everything is scored already
        found = curate.denoise(workspace, scorer=scorer)
        assert any(told in warning for warning in found.warnings)
    assert workspace.records("denoise")[0].facts["cut"] == 1


# Adapters.


def write_adapter(folder: Path, base: Path, task: str) -> Path:
    """Save a LoRA of random weights for the base model."""
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    auto = {
        "CAUSAL_LM": "AutoModelForCausalLM",
        "SEQ_CLS": "AutoModelForSequenceClassification",
        "FEATURE_EXTRACTION": "AutoModel",
    }[task]
    model = getattr(transformers, auto).from_pretrained(base, dtype=torch.float32)
    targets = ["q_proj", "v_proj"] if task == "CAUSAL_LM" else ["query", "value"]
    torch.manual_seed(1)
    config = LoraConfig(task_type=task, r=4, target_modules=targets, init_lora_weights=False)
    get_peft_model(model, config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("task", ["SEQ_CLS", "CAUSAL_LM"])
def test_an_adapter_is_merged_into_its_base_model(
    tmp_path: Path, tiny_cross_encoder: Write, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    """The scores are those of peft, which adds the adapter to every layer. Both decide the fingerprint."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    causal = task == "CAUSAL_LM"
    base = write_causal(tmp_path / "base", template=RERANK) if causal else tiny_cross_encoder("base")
    folder = write_adapter(tmp_path / "lora", base, task)
    scorer = open_scorer(folder)
    rows = scorer.prepare(QUERIES[:2], PASSAGES[:2], PAIRS[:2])
    found = scorer.score(rows)
    assert not np.allclose(found, logits(base)[:2], atol=1e-2)
    kind: Any = AutoModelForCausalLM if causal else AutoModelForSequenceClassification
    model = peft.PeftModel.from_pretrained(kind.from_pretrained(base), folder).eval()
    expected = [direct(model, row, scorer.settings.get("answers")) for row in rows]
    assert found == pytest.approx(expected, abs=1e-3)
    assert scorer.scorer_id.startswith("lora-")
    snapshot = tmp_path / "models--org--judge" / "snapshots" / "0a1b2c"  # the hub's cache
    shutil.copytree(folder, snapshot)
    assert open_scorer(snapshot).scorer_id.startswith("judge-")
    assert open_scorer(folder).fingerprint == scorer.fingerprint
    other = write_adapter(tmp_path / "other", write_causal(tmp_path / "b", template=RERANK, seed=2) if causal
                          else tiny_cross_encoder("b", seed=2), task)  # fmt: skip
    assert open_scorer(other).fingerprint != scorer.fingerprint


def direct(model: Any, row: Any, answers: list[int] | None) -> float:
    """Return the logit of one pair by a forward pass of the library."""
    import torch

    inputs = {"input_ids": torch.from_numpy(row.ids[None].astype(np.int64))}
    if answers is None:
        inputs["token_type_ids"] = torch.from_numpy(row.segments[None].astype(np.int64))
    with torch.inference_mode():
        found = model(**inputs).logits
    return float(found[0, 0]) if answers is None else float(found[0, -1, answers[0]] - found[0, -1, answers[1]])


@pytest.mark.parametrize("residual", [False, True], ids=["modular", "library"])
def test_an_adapter_is_merged_below_a_head_of_modules(tmp_path: Path, tiny_encoder: Write, residual: bool) -> None:
    """Whoever computes the head. The scores are those of the transformer that peft merges and saves."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModel

    base = write_modular(tmp_path / "base", tiny_encoder(), residual=residual)
    folder = write_adapter(tmp_path / "lora", base, "FEATURE_EXTRACTION")
    found = logits(folder)
    assert not np.allclose(found, logits(base), atol=0.1)
    assert open_scorer(folder).fingerprint != open_scorer(base).fingerprint
    whole = tmp_path / "whole"
    shutil.copytree(base, whole)
    peft.PeftModel.from_pretrained(AutoModel.from_pretrained(base), folder).merge_and_unload().save_pretrained(
        whole
    )
    assert found == pytest.approx(theirs(whole), abs=1e-3)


def test_an_adapter_whose_transformer_lies_deeper_is_refused(tmp_path: Path, tiny_encoder: Write) -> None:
    """It would not be found there, and the base model would score alone."""
    pytest.importorskip("peft")
    base = write_modular(tmp_path / "base", tiny_encoder())
    folder = write_adapter(tmp_path / "lora", base, "FEATURE_EXTRACTION")
    modules = json.loads((base / "modules.json").read_text("utf-8"))
    (base / "modules.json").write_text(
        json.dumps([{**modules[0], "path": "0_Transformer"}, *modules[1:]]), "utf-8"
    )
    with pytest.raises(BadInput, match=r"Merge it into its base model .* in a folder below: 0_Transformer"):
        open_scorer(folder)


def test_an_adapter_that_does_not_fit_is_refused(tmp_path: Path, tiny_cross_encoder: Write) -> None:
    """What it lacks would be drawn at random, and another task is another head."""
    pytest.importorskip("peft")
    from safetensors.numpy import load_file, save_file

    folder = write_adapter(tmp_path / "lora", tiny_cross_encoder("base"), "SEQ_CLS")
    weights = folder / "adapter_model.safetensors"
    found = load_file(weights)
    save_file({name: values for name, values in found.items() if "layer.0" not in name}, weights)
    with pytest.raises(BadInput, match="its adapter does not fit the base model"):
        open_scorer(folder)
    edit(folder / "adapter_config.json", {"task_type": "CAUSAL_LM"})
    with pytest.raises(BadInput, match=r"Its task is CAUSAL_LM, and its base model base is a cross-encoder"):
        open_scorer(folder)


def test_an_adapter_needs_peft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra. Without it, the base model alone would score."""

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    folder = tmp_path / "lora"
    folder.mkdir()
    edit(folder / "adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": "base"})
    (folder / "adapter_model.safetensors").write_bytes(b"")
    monkeypatch.setattr(adapters, "version", missing)
    with pytest.raises(NotAvailable, match=r"needs peft \(extra \[peft\]\).* Run: pip install peft"):
        open_scorer(folder)
