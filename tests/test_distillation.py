"""What a cross-encoder learns from the encoder that it starts from (train/{distillation,distilled_groups}.py)."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from conftest import Interrupt
from weather import PASSAGES, weather

from curate import Workspace
from curate.errors import BadInput, BadSettings
from curate.mine.stage import mine
from curate.models.encoder import Encoder
from curate.progress import SILENT
from curate.train.cross_encoder import (
    CrossEncoderTraining,
    TrainedCrossEncoder,
    plan_train_cross_encoder,
    train_cross_encoder,
)
from curate.train.distillation import DistillationTask
from curate.train.distilled_groups import SPANS_OF_ONE, groups_in, span
from curate.train.world import World

Make = Callable[..., Workspace]
Model = Callable[..., Path]
SMALL: dict[str, Any] = {
    "groups": 8, "distilled_groups": 24, "batch_groups": 4, "max_length": 48, "folds": 1, "dtype": "fp32"
}  # fmt: skip


@pytest.fixture
def workspace(make_workspace: Make) -> Workspace:
    """Return a workspace with eight train queries with one positive each. The run found all passages for each."""
    return weather(make_workspace)


@pytest.fixture
def encoder(tiny_encoder: Model) -> Path:
    """Write an encoder whose files say how it embeds."""
    folder = tiny_encoder()
    modules = [{"type": "sentence_transformers.models.Transformer", "path": ""}, {
        "type": "sentence_transformers.models.Pooling", "path": "1_Pooling"
    }]  # fmt: skip
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), "utf-8")
    return folder


def train(workspace: Workspace, encoder: Path, **options: Any) -> TrainedCrossEncoder:
    return train_cross_encoder(workspace, init=str(encoder), **{**SMALL, **options})


def groups(workspace: Workspace, encoder: Path, **options: Any) -> pl.DataFrame:
    """Return the pairs of the groups that the encoder has scored."""
    training = CrossEncoderTraining(workspace, init=str(encoder), **{**SMALL, **options})
    training.write_data(SILENT)
    assert training.distillation
    found = pl.read_parquet(training.distillation.data)
    assert groups_in(training.distillation.data) == found["group_number"].n_unique()
    return found


def test_a_group_is_a_span_with_passages_that_the_encoder_scored(workspace: Workspace, encoder: Path) -> None:
    """The words stand in its passage, which no label chose. The scores are cosines, each computed alone here."""
    found = groups(workspace, encoder)
    assert found["group_number"].n_unique() == 24
    model = Encoder.open(str(encoder), None, "fp32")

    def vector(text: str, side: Any) -> Any:
        return next(iter(model.encode([text], side))).array[0]

    for row in found.to_dicts():
        of_span = row["query_id"].removeprefix("span of ")
        assert set(row["query"].split()) <= set(PASSAGES[of_span].split())
        assert row["passage"] == PASSAGES[row["passage_id"]]
        cosine = vector(row["query"], "query") @ vector(row["passage"], "passage")
        assert row["teacher"] == pytest.approx(float(cosine), abs=2e-3)


def test_the_passages_of_a_group_come_from_the_top_from_near_and_from_far(
    workspace: Workspace, encoder: Path
) -> None:
    """By all cosines, computed here: ranks 1 to 3, 4 to 20, the rest, and one from anywhere."""
    model = Encoder.open(str(encoder), None, "fp32")
    vectors = np.concatenate([chunk.array for chunk in model.encode(PASSAGES.values(), "passage")])
    near = 0.005  # bf16 swaps neighbours
    for (_, query), group in groups(workspace, encoder).group_by("group_number", "query", maintain_order=True):
        by_rank = np.sort(vectors @ next(iter(model.encode([str(query)], "query"))).array[0])[::-1]
        top, second, third = group["teacher"].to_list()[:3]
        assert top >= by_rank[2] - near
        assert by_rank[19] - near <= second <= by_rank[3] + near
        assert third <= by_rank[20] + near
        assert group["passage_id"].n_unique() == len(group) <= 4


def test_few_passages_give_few_groups(workspace: Workspace, encoder: Path) -> None:
    """Each passage gives a few spans, and no more."""
    found = groups(workspace, encoder, distilled_groups=10_000)
    assert found["group_number"].n_unique() == SPANS_OF_ONE * 32


@pytest.mark.parametrize(
    ("text", "shortest", "longest"),
    [
        ("a b c d e f g h i j", 4, 10),
        ("雨がよく降る日に" * 5, 8, 32),
        ("雨 (Tokyo) 3 " + "雨がよく降る日に" * 20, 8, 32),
    ],
)
def test_a_span_has_words_or_characters_in_a_row(text: str, shortest: int, longest: int) -> None:
    """A text without spaces, such as a Japanese one, is cut between characters. Every other span lacks words."""
    numbers = range(0, 1_000_000, 777)
    found = {span(text, number) for number in numbers}
    assert all(one in text for one in found)
    of_words = text.startswith("a b")
    assert any(span(text, number + 1_000_000) not in text for number in numbers) == of_words
    lengths = {len(one.split()) if of_words else len(one) for one in found}
    assert (min(lengths), max(lengths)) == (shortest, longest)


def test_the_loss_is_the_divergence_from_the_order_of_the_encoder() -> None:
    """Of two groups, one with two passages. The second one puts the same passage first as the teacher does."""
    task = DistillationTask(None, None, None, "fp32", temperature=0.5)
    pairs: list[dict[str, Any]] = [
        {"group_number": 6, "slot": 0, "teacher": 0.9}, {"group_number": 6, "slot": 1, "teacher": 0.1},
        {"group_number": 6, "slot": 2, "teacher": 0.4},
        {"group_number": 7, "slot": 0, "teacher": 0.5}, {"group_number": 7, "slot": 1, "teacher": 0.6},
    ]  # fmt: skip
    logits = [0.2, 1.5, -0.3, -1.0, 2.0]

    def softmax(values: list[float]) -> list[float]:
        return [math.exp(value) / sum(map(math.exp, values)) for value in values]

    expected = 0.0
    for part in (slice(0, 3), slice(3, 5)):
        wanted = softmax([pair["teacher"] / 0.5 for pair in pairs[part]])
        expected += sum(p * math.log(p / q) for p, q in zip(wanted, softmax(logits[part]), strict=True))
    loss, first = task._loss(pairs, torch.tensor(logits), 2, 5)
    assert loss.item() == pytest.approx(expected / 2, rel=1e-5)
    assert first == 1


@pytest.mark.parametrize("steps", [2, 5, 7])
def test_an_interrupted_training_ends_with_the_bytes_of_an_uninterrupted_one(
    workspace: Workspace, encoder: Path, steps: int
) -> None:
    """The interrupts come before and after a checkpoint of the distillation, and after it."""
    whole = train(workspace, encoder, name="whole")
    assert whole.distilled_groups == 24
    with pytest.raises(KeyboardInterrupt):
        train(workspace, encoder, checkpoint_every=4, progress=AfterSteps(steps))
    resumed = train(workspace, encoder, checkpoint_every=4)
    assert resumed.sha256 == whole.sha256
    assert not (workspace.root / "models/cross-encoder.checkpoint").exists()


def test_two_processes_go_on_with_what_one_began(workspace: Workspace, encoder: Path) -> None:
    """Both see the checkpoint of the distillation, and later its weights. They end close to one process alone."""
    alone = train(workspace, encoder, name="alone")
    with pytest.raises(KeyboardInterrupt):
        train(workspace, encoder, checkpoint_every=2, progress=AfterSteps(3))
    both = train(workspace, encoder, checkpoint_every=2, devices=2)
    assert both.loss == pytest.approx(alone.loss, rel=0.2)
    with pytest.raises(KeyboardInterrupt):
        train(workspace, encoder, name="taught", progress=AfterSteps(7))
    taught = train(workspace, encoder, name="taught", devices=2)
    assert taught.loss == pytest.approx(alone.loss, rel=0.2)


class AfterSteps(Interrupt):
    """Counts only the steps of trainings."""

    def task(self, description: str, total: int, unit: str, done: int = 0) -> Any:
        if unit == "groups":
            return super().task(description, total, unit, done)
        return Interrupt(-1).task(description, total, unit, done)


def test_it_makes_other_weights(workspace: Workspace, encoder: Path) -> None:
    """Without it, training starts from the encoder with a new head. The settings say which."""
    taught, untaught = train(workspace, encoder), train(workspace, encoder, distilled_groups=0, name="untaught")
    assert taught.sha256 != untaught.sha256
    assert untaught.distilled_groups == 0
    assert "Before them, it learnt from 24 groups how encoder-" in taught.text()
    assert "Before them" not in untaught.text()


def test_all_folds_share_it(workspace: Workspace, encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads no query, so it holds nothing back from any fold. It runs once."""
    steps: list[int] = []
    before = DistillationTask.backward

    def counted(self: DistillationTask, batch: list[Any], seed: int) -> Any:
        steps.append(seed)
        return before(self, batch, seed)

    monkeypatch.setattr(DistillationTask, "backward", counted)
    found = train(workspace, encoder, folds=2)
    assert (found.folds, found.distilled_groups, len(steps)) == (2, 24, 6)
    assert not (workspace.root / "models/cross-encoder.checkpoint").exists()


def test_only_an_encoder_teaches(workspace: Workspace, encoder: Path, tiny_cross_encoder: Model) -> None:
    """A cross-encoder knows pairs already, and the files of a bare transformer do not say how it embeds."""
    assert train(workspace, tiny_cross_encoder(), distilled_groups=None, name="from-scorer").distilled_groups == 0
    (encoder / "modules.json").unlink()
    with pytest.raises(BadSettings, match=r"nothing says how .* embeds \(modules.json\), so it cannot teach"):
        train(workspace, encoder)
    assert train(workspace, encoder, distilled_groups=None).distilled_groups == 0


def test_the_plan_tells_of_it(workspace: Workspace, encoder: Path) -> None:
    """By default there are 2,400 groups."""
    plan = plan_train_cross_encoder(workspace, init=str(encoder), **{**SMALL, "distilled_groups": None})
    assert any(note.startswith("first, up to 2,400 groups of spans of passages") for note in plan.notes)


def test_what_the_encoder_taught_is_never_handed_over_untrained(workspace: Workspace, encoder: Path) -> None:
    """Its logits have an order, but no scale. So the start is measured, but not kept."""
    training = CrossEncoderTraining(workspace, init=str(encoder), **SMALL)
    training.split = type(training.split)(1, 8, trained=[0, 1, 2, 3, 4, 5], choosing=[6, 7])
    training.write_data(SILENT)
    dev = training.work(World(), SILENT).dev
    assert dev
    assert not dev.keeps_start


def test_another_way_to_embed_is_another_training(workspace: Workspace, encoder: Path) -> None:
    """The prompts of [mine] are those of the teacher. What was learnt from another one is not gone on with."""
    (workspace.root / "curate.toml").write_text(f'[mine]\nencoder = "{encoder}"\n', "utf-8")
    before = train(Workspace(workspace.root), encoder, name="before")
    with pytest.raises(KeyboardInterrupt):
        train(Workspace(workspace.root), encoder, checkpoint_every=1, progress=AfterSteps(8))
    toml = f'[mine]\nencoder = "{encoder}"\nquery_prompt = "snow storm hail "\n'
    (workspace.root / "curate.toml").write_text(toml, "utf-8")
    for name in ("before", "cross-encoder"):
        with pytest.raises(BadSettings, match="the contents of teacher changed"):
            train(Workspace(workspace.root), encoder, name=name)
    assert train(Workspace(workspace.root), encoder, name="after").sha256 != before.sha256


def test_a_start_that_cannot_embed_is_trained_from_all_the_same(workspace: Workspace, encoder: Path) -> None:
    """It says so, and does not learn from it. Whoever asks for it gets the reason as an error."""
    declared = {"similarity_fn_name": "euclidean"}
    (encoder / "config_sentence_transformers.json").write_text(json.dumps(declared), "utf-8")
    plan = plan_train_cross_encoder(workspace, init=str(encoder), **{**SMALL, "distilled_groups": None})
    assert any("it does not learn how" in note and "euclidean" in note for note in plan.notes)
    assert train(workspace, encoder, distilled_groups=None).distilled_groups == 0
    with pytest.raises(BadInput, match="euclidean"):
        train(workspace, encoder, name="asked")


def test_a_run_whose_encoder_is_gone_is_trained_on_from_another_start(
    workspace: Workspace, encoder: Path, tmp_path: Path
) -> None:
    """Only the start has to be there."""
    copied = Path(shutil.copytree(encoder, tmp_path / "copied"))
    mine(workspace, split="train", retriever="dense", encoder=str(encoder), depth=20)
    shutil.rmtree(encoder)
    assert train(workspace, copied).distilled_groups == 24
