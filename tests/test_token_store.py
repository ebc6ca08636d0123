"""Tokens of passages, made once and kept (curate/token_store.py): with and without them, all is the same."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import curate
from curate import Workspace
from curate.errors import BadSettings
from curate.models import cross_encoder, special_tokens
from curate.models.cross_encoder import CrossEncoder
from curate.models.encoder import Encoder
from curate.models.encoder_tokens import EncoderTokens
from curate.models.pretrained import load_tokenizer
from curate.models.text_tokens import TextTokens
from curate.progress import SILENT
from curate.ragged import Ragged
from curate.shards import file_sha256
from curate.token_store import TokenStore
from curate.train.tokens import tokenize_by

Make = Callable[..., Workspace]
Model = Callable[..., Path]
PASSAGES = {f"p{number}": f"passage {number} of rain" for number in range(5)} | {
    "long": "snow " * 60,
    "none": " \t ",
}
QUERIES = {"q1": "when does rain fall", "q2": "where is snow"}
FIRST, SECOND = ["rain", "snow and ice", ("fogs " * 60).strip()], ["hail and fog", "storm"]
FOUND = {"q1": ["p0", "p1", "long", "none", "p3"], "q2": ["long", "p4", "p2", "p0"]}
TEXTS = ["", " ", "rain", " rain and  snow ", "zürich 東京", "a [SEP] b </s> c", "tab\tline\n", "snow " * 1000]


@pytest.fixture
def workspace(make_workspace: Make) -> Workspace:
    return make_workspace(PASSAGES, QUERIES, qrels=[("q1", "p0"), ("q2", "p2")], candidates=FOUND)


def loaded(workspace: Workspace, texts: Sequence[str]) -> Workspace:
    """Load passages, which are a shard of their own."""
    path = workspace.root.with_name(f"{texts[0]}.tsv")
    path.write_text("".join(f"{text[:4]}\t{text}\n" for text in texts), "utf-8")
    curate.load(workspace, passages=[path])
    return Workspace(workspace.root)


@pytest.fixture
def tokenized(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets every text of which the tokens are made from now on."""
    texts: list[str] = []
    of = TextTokens.of

    def noting(self: TextTokens, some: Sequence[str], most: int | None = None) -> Ragged:
        texts.extend(some)
        return of(self, some, most)

    monkeypatch.setattr(TextTokens, "of", noting)
    return texts


def texts_of(workspace: Workspace) -> list[str]:
    return [row[0] for row in workspace.sql("select text from passages order by passage_key").rows()]


def store_of(workspace: Workspace, model: Path) -> TokenStore:
    own = Encoder.open(str(model)).tokens("passage").own
    assert own is not None
    return TokenStore(workspace, own)


def files(workspace: Workspace) -> dict[str, str]:
    return {path.name: file_sha256(path) for path in sorted(workspace.root.glob("indexes/tokens/*/*.arrow"))}


def word_pieces(folder: Path, tiny_encoder: Model) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_encoder(folder.name))


def byte_level(_folder: Path, _tiny_encoder: Model) -> Any:
    """Return a tokenizer for which a space belongs to the word behind it, with the frame of RoBERTa."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>", "<pad>"]
    trainer = trainers.BpeTrainer(special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    core.train_from_iterator(["rain and snow, passage: rain"] * 9, trainer)
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


@pytest.mark.parametrize("prompt", ["", "passage: ", "passage:"])
@pytest.mark.parametrize("most", [16, 64])
@pytest.mark.parametrize("kind", [word_pieces, byte_level])
def test_texts_have_the_ids_that_the_tokenizer_itself_gives(
    kind: Callable[[Path, Model], Any], most: int, prompt: str, tmp_path: Path, tiny_encoder: Model
) -> None:
    """The special tokens are put around the tokens of a text, which are made together with the prompt."""
    tokenizer = kind(tmp_path / "model", tiny_encoder)
    tokens = EncoderTokens(tokenizer, prompt, most, "passage")
    assert tokens.own is not None
    found = tokens.fitted(tokens.own.of(TEXTS))
    own = tokenizer(
        [prompt + text for text in TEXTS], truncation=True, max_length=most, return_attention_mask=False
    )
    assert {name: [row.tolist() for row in rows] for name, rows in found.columns.items()} == dict(own)
    assert found.truncated == sum(bool(encoding.overflowing) for encoding in own.encodings)
    assert found.tokenless.tolist() == [ids == tokenizer(prompt)["input_ids"] for ids in own["input_ids"]]


def test_a_tokenizer_that_cuts_the_beginning_makes_its_texts_itself(tmp_path: Path, tiny_encoder: Model) -> None:
    """A trial shows that what would be put together here is not what it gives."""
    tokenizer = word_pieces(tmp_path / "model", tiny_encoder)
    tokenizer.truncation_side = "left"
    tokens = EncoderTokens(tokenizer, "", 16, "passage")
    assert tokens.own is None
    (ids,) = tokens.of(["a b c " * 9]).columns["input_ids"]
    assert ids.tolist() == tokenizer("a b c " * 9, truncation=True, max_length=16)["input_ids"]


def test_a_cross_encoder_that_cuts_the_beginning_makes_its_pairs_itself(
    tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if its pairs may be longer than any text by which the cut is tried elsewhere."""

    def from_the_left(*arguments: Any, **options: Any) -> Any:
        tokenizer = load_tokenizer(*arguments, **options)
        tokenizer.truncation_side = "left"
        return tokenizer

    monkeypatch.setattr(cross_encoder, "load_tokenizer", from_the_left)
    monkeypatch.setattr(special_tokens, "LONGEST", 5)
    scorer = CrossEncoder(tiny_cross_encoder())
    assert scorer.passage_tokens is None
    (pair,) = scorer.prepare(["rain"], ["a b c " * 99], np.array([[0, 0]]))
    assert (
        pair.ids.tolist() == scorer.tokenizer("rain", "a b c " * 99, truncation=True, max_length=64)["input_ids"]
    )


@pytest.mark.parametrize(("stored", "without"), [("none", [0, 2, 3, 4]), ("the first shard", [3, 4]), ("all", [])])
def test_any_passages_have_the_same_tokens_whether_stored_or_not(
    stored: str, without: list[int], tmp_path: Path, tiny_encoder: Model
) -> None:
    """A later load adds a shard, whose tokens are made of the texts until they are stored, too."""
    workspace, model = loaded(Workspace.create(tmp_path / "set"), FIRST), tiny_encoder()
    if stored == "the first shard":
        store_of(workspace, model).write(SILENT)
    store, texts = store_of(loaded(workspace, SECOND), model), [*FIRST, *SECOND]
    if stored == "all":
        store.write(SILENT)
    keys = np.array([0, 2, 3, 4])
    asked: list[int] = []

    def fetch(lacking: np.ndarray) -> list[str]:
        asked.extend(lacking.tolist())
        return [texts[key] for key in lacking]

    found = store.of(keys, fetch)
    assert asked == without
    assert [row.tolist() for row in found] == [store.tokens.of([texts[key]])[0].tolist() for key in keys]
    assert len(found[1]) == 240, "a text is stored without a cut"


def test_scores_have_the_same_bytes_with_and_without_stored_tokens(
    workspace: Workspace, tiny_cross_encoder: Model, tokenized: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are more pairs than passages, so their tokens are stored before the first shard of scores."""
    scorer, other = str(tiny_cross_encoder()), workspace.root.with_name("other")
    shutil.copytree(workspace.root, other)
    curate.denoise(workspace, scorer=scorer)
    assert len(files(workspace)) == 1
    assert tokenized.count(PASSAGES["p0"]) == 1

    monkeypatch.setattr(CrossEncoder, "passage_tokens", None)
    monkeypatch.setattr(CrossEncoder, "_agrees_with_tokenizer", lambda *_arguments: False)
    by_texts = Workspace(other)
    curate.denoise(by_texts, scorer=scorer)
    assert not files(by_texts)
    shards = [{path.name: file_sha256(path) for path in each.root.glob("tables/scores/score-*/*.parquet")}
              for each in (workspace, by_texts)]  # fmt: skip
    assert shards[0] == shards[1] != {}


def test_a_few_pairs_store_nothing(workspace: Workspace, tiny_cross_encoder: Model, tokenized: list[str]) -> None:
    """To make the tokens of all passages would take longer than the scores."""
    curate.denoise(workspace, scorer=str(tiny_cross_encoder()), depth=1)
    assert not files(workspace)
    assert PASSAGES["p4"] not in tokenized


def test_an_encoder_and_a_cross_encoder_with_one_vocabulary_share_the_tokens(
    workspace: Workspace, tiny_encoder: Model, tiny_cross_encoder: Model, tokenized: list[str]
) -> None:
    """Mining stores them as it embeds. Then scoring and training make none. A prompt makes other tokens."""
    encoder = tiny_encoder()
    curate.mine(workspace, retriever="dense", encoder=str(encoder))
    before = files(workspace)
    tokenized.clear()
    curate.denoise(workspace, scorer=str(tiny_cross_encoder()), run=workspace.records("mine")[0].job)
    tokenize = tokenize_by(Encoder.open(str(encoder)), workspace)
    keys, texts = np.arange(7), texts_of(workspace)
    trained = tokenize(keys, texts, "passage")
    assert not set(tokenized) & {*PASSAGES.values()}
    assert files(workspace) == before
    assert [row.tolist() for row in trained] == [
        Encoder.open(str(encoder)).tokenize([text], "passage").columns["input_ids"][0].tolist() for text in texts
    ]
    curate.mine(workspace, retriever="dense", encoder=str(encoder), passage_prompt="read: ")
    assert len(list(workspace.root.glob("indexes/tokens/*"))) == 2


def test_embeddings_have_the_same_bytes_with_and_without_stored_tokens(
    workspace: Workspace, tiny_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once from the texts while their tokens are stored, once from stored tokens, once by the tokenizer itself."""
    model, found = tiny_encoder(), []
    for before in ("nothing", "stored", "by the tokenizer"):
        here = Workspace(shutil.copytree(workspace.root, workspace.root.with_name(before)))
        if before == "stored":
            store_of(here, model).write(SILENT)
        if before == "by the tokenizer":
            monkeypatch.setattr(EncoderTokens, "own", None)
        curate.mine(here, retriever="dense", encoder=str(model))
        found.append([file_sha256(path) for path in sorted(here.root.glob("embeddings/*/passages/*.npy"))])
        assert bool(files(here)) == (before != "by the tokenizer")
    assert found[0] == found[1] == found[2] != []


def test_a_kill_between_shards_loses_one_shard(
    tmp_path: Path, tiny_encoder: Model, tokenized: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was begun leaves nothing behind. The next call makes only what is missing, with the same bytes."""
    workspace, model = loaded(loaded(Workspace.create(tmp_path / "set"), FIRST), SECOND), tiny_encoder()
    of, store = TextTokens.of, store_of(workspace, model)

    def killed(self: TextTokens, texts: Sequence[str], most: int | None = None) -> Ragged:
        if "storm" in texts:
            raise KeyboardInterrupt
        return of(self, texts, most)

    with monkeypatch.context() as patched:
        patched.setattr(TextTokens, "of", killed)
        with pytest.raises(KeyboardInterrupt):
            store.write(SILENT)
    assert len(files(workspace)) == 1
    assert not list(workspace.root.glob("indexes/tokens/*/.*"))

    tokenized.clear()
    store.write(SILENT)
    assert tokenized == SECOND
    whole = files(workspace)
    shutil.rmtree(workspace.root / "indexes")
    store_of(workspace, model).write(SILENT)
    assert files(workspace) == whole


@pytest.mark.parametrize("what", ["cut short", "changed", "without its manifest", "deleted"])
def test_a_damaged_file_is_made_again(what: str, workspace: Workspace, tiny_encoder: Model) -> None:
    """It is derived, so that nothing but time is lost. No message is needed."""
    store = store_of(workspace, tiny_encoder())
    store.write(SILENT)
    before = files(workspace)
    (path,) = workspace.root.glob("indexes/tokens/*/*.arrow")
    content = path.read_bytes()
    if what == "without its manifest":
        path.with_name(path.name + ".json").unlink()
    elif what == "deleted":
        path.unlink()
    else:
        flipped = content[:200] + bytes([content[200] ^ 1]) + content[201:]
        path.write_bytes(content[:-9] if what == "cut short" else flipped)

    texts = texts_of(workspace)
    again = TokenStore(workspace, store.tokens)
    found = again.of(np.arange(7), lambda keys: [texts[key] for key in keys])
    assert [row.tolist() for row in found] == [row.tolist() for row in store.tokens.of(texts)]
    again.write(SILENT)
    assert files(workspace) == before


def test_a_file_that_goes_while_it_is_used_is_done_without(workspace: Workspace, tiny_encoder: Model) -> None:
    """Whoever deletes `indexes/` beside a running command loses nothing."""
    store, texts = store_of(workspace, tiny_encoder()), texts_of(workspace)
    store.write(SILENT)
    first = store.of(np.arange(7), lambda _keys: pytest.fail("the tokens are there"))
    shutil.rmtree(workspace.root / "indexes")
    found = store.of(np.arange(7), lambda keys: [texts[key] for key in keys])
    assert [row.tolist() for row in found] == [row.tolist() for row in first]


def test_a_tokenizer_with_a_part_in_python_makes_its_texts_itself(tmp_path: Path, tiny_encoder: Model) -> None:
    """Such a part has no description by which stored tokens could be recognised later."""
    from tokenizers.pre_tokenizers import PreTokenizer

    class Whole:
        """Leaves a text in one piece."""

        def pre_tokenize(self, _text: Any) -> None:
            """Do nothing."""

    tokenizer = word_pieces(tmp_path / "model", tiny_encoder)
    tokenizer.backend_tokenizer.pre_tokenizer = PreTokenizer.custom(Whole())
    assert EncoderTokens(tokenizer, "", 16, "passage").own is None


def test_only_the_tokens_that_a_model_reads_are_taken_from_a_long_passage(
    workspace: Workspace, tiny_encoder: Model
) -> None:
    """They are stored whole, for models that read more of them."""
    store, texts = store_of(workspace, tiny_encoder()), texts_of(workspace)
    store.write(SILENT)
    longest = texts.index(PASSAGES["long"].strip()) if PASSAGES["long"].strip() in texts else 5
    (whole,) = store.of(np.array([longest]), lambda _keys: pytest.fail("the tokens are there"))
    (cut,) = store.of(np.array([longest]), lambda _keys: pytest.fail("the tokens are there"), 16)
    assert len(whole) > 16
    assert cut.tolist() == whole[:16].tolist()
    assert store.tokens.of([texts[longest]], 16)[0].tolist() == cut.tolist()


def test_no_length_leaves_room_for_a_pair_between_special_tokens_alone(tiny_cross_encoder: Model) -> None:
    with pytest.raises(BadSettings, match="leaves no room for a query and a passage"):
        CrossEncoder(tiny_cross_encoder(), max_length=4)
