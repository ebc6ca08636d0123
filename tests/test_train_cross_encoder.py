"""`curate train cross-encoder` end to end (train/cross_encoder.py): the model, its record, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import Interrupt
from safetensors.torch import load_file
from weather import PASSAGES, QUERIES, WORDS, weather

import curate
from curate import Workspace
from curate.cli.main import cli
from curate.cutoffs import set_cutoffs
from curate.denoise.stage import denoise
from curate.errors import BadInput, BadSettings, CurateError, StaleModel
from curate.models.cross_encoder import CrossEncoder
from curate.shard_in_work import State, stop_after_shard
from curate.shards import Lineage
from curate.train.cross_encoder import (
    CrossEncoderTraining,
    TrainedCrossEncoder,
    plan_train_cross_encoder,
    train_cross_encoder,
)
from curate.train.dual_encoder import train_dual_encoder
from curate.train.groups import read_batches

Make = Callable[..., Workspace]
Model = Callable[..., Path]


@pytest.fixture
def workspace(make_workspace: Make) -> Workspace:
    """Return a workspace with eight train queries with one positive each. The run found all passages for each."""
    return weather(make_workspace)


@pytest.fixture
def init(tiny_cross_encoder: Model, tmp_path: Path) -> Path:
    """Write an encoder without a head, which is the usual value of `--init`."""
    from transformers import AutoModel

    from curate.models.pretrained import load_tokenizer

    folder = tmp_path / "encoder"
    AutoModel.from_pretrained(tiny_cross_encoder("whole"), dtype=torch.float32).save_pretrained(folder)
    load_tokenizer(tmp_path / "whole").save_pretrained(folder)
    return folder


def train(workspace: Workspace, init: Path, **options: Any) -> TrainedCrossEncoder:
    small = {"groups": 24, "batch_groups": 4, "max_length": 48}
    return train_cross_encoder(workspace, **{"init": str(init), **small, **options})


def test_the_outcome_tells_what_was_done(workspace: Workspace, init: Path) -> None:
    """It has counts, the end of the curve, and the next command. The record keeps the same facts."""
    trained = train(workspace, init)
    assert (trained.groups, trained.steps, trained.pairs, trained.queries, trained.skipped) == (24, 6, 96, 8, 0)
    assert 0 <= trained.won <= 1
    assert trained.text().endswith("Next: curate denoise --scorer models/cross-encoder")
    [record] = workspace.records("train")
    assert record.facts["sha256"] == trained.sha256
    assert not (workspace.root / "models/cross-encoder.checkpoint").exists()


def test_it_learns(workspace: Workspace, init: Path) -> None:
    """After forty epochs of eight queries, the share of groups won is well above a quarter, which is chance."""
    learnt = train(workspace, init, groups=320, epochs=40, batch_groups=8, learning_rate=3e-3, easy_share=0.0)
    assert learnt.won > 0.5


def test_the_model_opens_in_transformers_with_our_scores(workspace: Workspace, init: Path) -> None:
    """The library and the scorer give equal scores for the saved folder."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = workspace.root / train(workspace, init).model
    model, info = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values())
    assert model.dtype == torch.float32
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.model_max_length == 48
    queries, passages = list(QUERIES.values()), [text * 3 for text in list(PASSAGES.values())[:8]]
    encoded = tokenizer(queries, passages, truncation=True, padding=True, return_tensors="pt")
    with torch.inference_mode():
        theirs = model.eval()(**encoded).logits[:, 0].numpy()
    assert np.abs(_logits(folder, queries, passages) - theirs).max() < 0.05  # ours may compute in bf16


@pytest.mark.slow
def test_the_model_opens_in_sentence_transformers_with_our_probabilities(workspace: Workspace, init: Path) -> None:
    """`CrossEncoder.predict` gives sigmoid(logit), also for long pairs."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    folder = workspace.root / train(workspace, init).model
    theirs = sentence_transformers.CrossEncoder(str(folder), device="cpu")
    queries = [*QUERIES.values(), "a query so long that it takes half of the room by itself, and then some"]
    passages = [text * 3 for text in list(PASSAGES.values())[:8]] + ["rain " * 40]
    ours = 1 / (1 + np.exp(-_logits(folder, queries, passages)))
    assert np.abs(ours - theirs.predict(list(zip(queries, passages, strict=True)))).max() < 0.01
    assert isinstance(theirs.activation_fn, torch.nn.Sigmoid)


def _logits(folder: Path, queries: list[str], passages: list[str]) -> np.ndarray:
    scorer = CrossEncoder(folder)
    return scorer.score(scorer.prepare(queries, passages, np.stack([np.arange(len(queries))] * 2, axis=1)))


def test_an_existing_cross_encoder_is_trained_further(workspace: Workspace, tiny_cross_encoder: Model) -> None:
    """A head with one logit is kept. A classifier with two classes is refused."""
    assert train(workspace, tiny_cross_encoder("one")).steps == 6
    with pytest.raises(BadInput, match="has 2 classes"):
        train(workspace, tiny_cross_encoder("two", labels=2), name="other")


def test_an_encoder_with_a_tower_a_side_is_a_start(workspace: Workspace, init: Path) -> None:
    """The passage tower gets the head: the word embeddings of the trained model are those of that tower."""
    labels: dict[str, Any] = {"hard_negatives": 0, "masks": "labels", "epochs": 1, "passage_max_length": 48}
    towers = train_dual_encoder(workspace, init=str(init), towers="separate", learning_rate=1e-2, **labels)
    trained = train_cross_encoder(workspace, init=towers.model, groups=1, learning_rate=1e-30, max_length=48)
    passages = load_file(workspace.root / towers.model / "document_0_Transformer" / "model.safetensors")
    judge = load_file(workspace.root / trained.model / "model.safetensors")
    word = "embeddings.word_embeddings.weight"
    assert torch.equal(judge[f"bert.{word}"], passages[word])


def test_a_finished_training_is_not_done_twice(workspace: Workspace, init: Path) -> None:
    """The same command answers from the record, even with another distance between checkpoints."""
    first = train(workspace, init)
    again = train(workspace, init, checkpoint_every=7)
    assert again.trained_now is False
    assert (again.sha256, again.seconds) == (first.sha256, first.seconds)
    assert "already trained" in again.text()


def test_other_settings_need_another_name(workspace: Workspace, init: Path) -> None:
    """The message names each difference with the old and the new value."""
    train(workspace, init)
    with pytest.raises(
        BadSettings, match=r"models/cross-encoder has other settings: groups was 24, is 25\..*another --name"
    ):
        train(workspace, init, groups=25)
    with pytest.raises(BadSettings, match=r"negatives was 3, is 2"):
        plan_train_cross_encoder(workspace, init=str(init), groups=24, batch_groups=4, max_length=48, negatives=2)
    assert train(workspace, init, groups=25, name="second").model == "models/second"


def test_a_model_that_was_changed_or_is_foreign_is_left_alone(workspace: Workspace, init: Path) -> None:
    """Files that curate did not write are never overwritten. A deleted model is trained again."""
    foreign = workspace.root / "models/mine"
    foreign.mkdir(parents=True)
    with pytest.raises(BadSettings, match="models/mine exists already and was not trained here"):
        train(workspace, init, name="mine")
    kept = workspace.root / "models/other.checkpoint/notes.txt"
    kept.parent.mkdir()
    kept.write_text("mine", "utf-8")
    with pytest.raises(BadSettings, match=r"models/other\.checkpoint holds notes\.txt, which no training wrote"):
        train(workspace, init, name="other")
    assert kept.read_text("utf-8") == "mine"
    weights = workspace.root / train(workspace, init).model / "model.safetensors"
    weights.write_bytes(b"changed")
    with pytest.raises(BadSettings, match=r"the weights in models/.* changed after the training"):
        train(workspace, init)
    for name in ("../mine", "cross-encoder.checkpoint"):
        with pytest.raises(BadSettings, match="cannot be the name of a model"):
            train(workspace, init, name=name)


def test_a_dry_run_measures_the_time_if_none_is_known(workspace: Workspace, init: Path) -> None:
    """It makes two steps on the first groups. Then the training's own rate is known. Nothing is written."""
    options: dict[str, Any] = {"init": str(init), "batch_groups": 4, "max_length": 48}
    plan = plan_train_cross_encoder(workspace, groups=24, **options)
    assert plan.seconds is not None
    assert plan.seconds > 0
    assert not (workspace.root / "models").exists()
    assert plan.tokens is not None
    trained = train(workspace, init)
    following = plan_train_cross_encoder(workspace, groups=50, name="next", **options)
    assert following.seconds == pytest.approx(200 / trained.pairs_per_second)
    assert following.tokens == pytest.approx(200 * trained.tokens / trained.pairs, rel=0.001)


@pytest.mark.parametrize("steps", [1, 4, 5])
def test_an_interrupted_training_ends_with_the_bytes_of_an_uninterrupted_one(
    workspace: Workspace, init: Path, steps: int
) -> None:
    """The interrupts come before and after the checkpoint at step 3, with dropout. The log has no gap."""
    whole = train(workspace, init, name="whole")
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, checkpoint_every=3, progress=Interrupt(steps))
    assert not (workspace.root / "models/cross-encoder").exists()
    plan = plan_train_cross_encoder(workspace, init=str(init), groups=24, batch_groups=4, max_length=48)
    assert (plan.total, plan.cached) == (24, 12 if steps > 3 else 0)
    resumed = train(workspace, init, checkpoint_every=3)
    assert resumed.sha256 == whole.sha256
    lines = [
        json.loads(line) for line in (workspace.root / "models/cross-encoder.log.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in lines] == [6]
    assert (resumed.loss, resumed.won) == (whole.loss, whole.won)


class CtrlC(Interrupt):
    """A progress object that does after a number of steps what the first Ctrl-C does."""

    def stop(self) -> None:
        assert stop_after_shard() == "step"


@pytest.mark.parametrize("steps", [2, 6])
def test_the_first_ctrl_c_finishes_the_step_and_keeps_it(
    workspace: Workspace, init: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """No step is lost, not even the last, although no checkpoint was due."""
    whole = train(workspace, init, name="whole")
    with monkeypatch.context() as patch:
        patch.setattr(State, "asked", False)
        with pytest.raises(KeyboardInterrupt):
            train(workspace, init, progress=CtrlC(steps))
    plan = plan_train_cross_encoder(workspace, init=str(init), groups=24, batch_groups=4, max_length=48)
    assert (plan.total, plan.cached) == (24, 4 * steps)
    assert train(workspace, init).sha256 == whole.sha256


def test_an_unfinished_training_refuses_other_settings(workspace: Workspace, init: Path) -> None:
    """A training that began with one learning rate cannot continue with another."""
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, checkpoint_every=2, progress=Interrupt(3))
    with pytest.raises(BadSettings, match=r"the unfinished training .* learning_rate was 0.0002, is 0.5"):
        train(workspace, init, learning_rate=0.5)


def test_a_loss_that_is_not_finite_stops_and_names_step_and_pairs(workspace: Workspace, init: Path) -> None:
    """The learning rate is absurdly high. The last good checkpoint is kept."""
    with pytest.raises(CurateError, match=r"step \d+: the loss is .*Query and passage ids: q\d p\d+, ") as raised:
        train(workspace, init, learning_rate=1e38, clip_norm=1e30, checkpoint_every=1, dtype="fp32")
    step = int(str(raised.value).removeprefix("step ").partition(":")[0])
    assert [path.name for path in (workspace.root / "models/cross-encoder.checkpoint").glob("step-*")] == [
        f"step-{step - 1:09d}"
    ]
    assert not (workspace.root / "models/cross-encoder").exists()


def test_the_encoder_of_the_run_is_where_to_start_from(workspace: Workspace) -> None:
    """A lexical run has no encoder, so the initial model must be named."""
    with pytest.raises(
        BadSettings, match="bm25-train was mined without an encoder; name a model to start from: --init MODEL"
    ):
        train_cross_encoder(workspace)


def test_the_card_names_no_path_of_this_machine(workspace: Workspace, init: Path) -> None:
    """The card gives the initial model, the run, the settings and the code to open the model."""
    train(workspace, init)
    for file in ("README.md", "config.json", "tokenizer_config.json"):
        assert str(workspace.root.parent) not in (workspace.root / "models/cross-encoder" / file).read_text()
    card = (workspace.root / "models/cross-encoder/README.md").read_text()
    assert all(part in card for part in ("bm25-train", "CrossEncoder(", '"learning_rate": 0.0002', "24, 6 steps"))


def test_the_command_trains_and_plans(workspace: Workspace, init: Path) -> None:
    """`--dry-run` changes nothing; `--json` gives the fields."""
    command = ["-q", "-C", str(workspace.root), "train", "cross-encoder", "--init", str(init), "--groups", "8"]
    command += ["--max-length", "48"]
    planned = CliRunner().invoke(cli, [*command, "--dry-run"])
    assert "8 groups, 0 of them already done" in planned.output
    assert not (workspace.root / "models").exists() or not any((workspace.root / "models").iterdir())
    done = CliRunner().invoke(cli, [*command, "--json"])
    assert json.loads(done.output)["steps"] == 1
    assert workspace.sql("select count(*) from stages where stage = 'train'").item() == 1


def test_more_tokens_than_the_model_has_positions_are_refused(workspace: Workspace, init: Path) -> None:
    """The tiny encoder numbers 64 tokens: better said before the first step than by torch in it."""
    with pytest.raises(BadSettings, match=r"max_length = 65 is more than the 64 tokens"):
        train(workspace, init, max_length=65)


def test_few_queries_do_not_become_many_epochs(workspace: Workspace, init: Path) -> None:
    """Eight queries make 160 groups, twenty epochs, whatever `groups` allows. The plan says so."""
    plan = plan_train_cross_encoder(workspace, init=str(init), max_length=48)
    assert plan.total == 160
    assert any("160 groups, because each query is seen 20 times at most; --epochs" in note for note in plan.notes)
    assert plan_train_cross_encoder(workspace, init=str(init), max_length=48, epochs=50).total == 400
    assert plan_train_cross_encoder(workspace, init=str(init), max_length=48, epochs=1).total == 8
    assert plan_train_cross_encoder(workspace, init=str(init), max_length=48, groups=24).total == 24


def test_the_best_weights_on_held_back_queries_are_kept(make_workspace: Make, init: Path) -> None:
    """Of 100 queries 20 are held back: 6 choose and 14 measure. An interruption changes no byte."""
    passages = {f"p{n}": f"{WORDS[n % 8]} number {n}" for n in range(104)}
    queries = {f"q{n}": f"when does {WORDS[n % 8]} {n} fall" for n in range(100)}
    ranked = {f"q{n}": [f"p{n + shift}" for shift in range(5)] for n in range(100)}
    workspace = make_workspace(
        passages, queries, qrels=[(f"q{n}", f"p{n}") for n in range(100)], candidates=ranked
    )
    whole = train(workspace, init, folds=1, name="whole")
    assert whole.best
    assert (whole.queries, whole.choosing, whole.measuring, whole.judge.queries) == (80, 6, 14, 14)
    log = [json.loads(line) for line in (workspace.root / "models/whole.log.jsonl").read_text().splitlines()]
    asked = {line["step"]: line["held_back_auc"] for line in log if "held_back_auc" in line}
    assert list(asked) == [0, 2, 4, 6]
    assert max(asked.values()) == pytest.approx(whole.best["measure"], abs=1e-5)
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, folds=1, checkpoint_every=3, progress=Interrupt(5))
    assert train(workspace, init, folds=1, checkpoint_every=3).sha256 == whole.sha256


def test_an_earlier_judge_leaves_negatives_out(workspace: Workspace, init: Path) -> None:
    """What it calls relevant is no negative, and its probabilities can be targets."""
    train(workspace, init, name="first")
    denoise(workspace, scorer="models/first", depth=20, negative_below=0.3, positive_above=0.5, accept_judge=True)
    relevant = set(
        workspace.sql("select query_id, passage_id from decisions join queries using (query_key) join passages "
                      "using (passage_key) where decision = 'false_negative' and within_depth").rows()
    )  # fmt: skip
    second = CrossEncoderTraining(workspace, init=str(init), max_length=48, leave_out="default", name="second")
    path = workspace.root / "groups.parquet"
    second.write_groups(path, 48, Lineage("train", "test"))
    pairs = [pair for _, batch in read_batches(path, 8) for pair in batch]
    assert relevant.isdisjoint({(pair["query_id"], pair["passage_id"]) for pair in pairs if pair["slot"]})
    assert any(pair["earlier"] is not None for pair in pairs)
    assert (
        train(workspace, init, name="third", leave_out="default", soft_labels=0.5, label_smoothing=0.1).steps == 6
    )
    curate.calibrate(workspace, scale="log-odds")
    set_cutoffs(workspace, "default")
    with pytest.raises(StaleModel, match="cutoffs"):  # they may call others relevant now
        train(workspace, init, name="third", leave_out="default", soft_labels=0.5, label_smoothing=0.1)
    with pytest.raises(BadSettings, match="--soft-labels needs the cutoffs of an earlier judge: --leave-out"):
        train(workspace, init, name="fourth", soft_labels=0.5)
