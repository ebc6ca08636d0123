"""`curate train dual-encoder` end to end (train/dual_encoder.py): the model, kills, and what it refuses."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Interrupt, add_run
from safetensors.torch import load_file
from transformers import T5Config, T5Model
from weather import PASSAGES, QUERIES, weather

from curate import Workspace
from curate.cutoffs import set_cutoffs
from curate.errors import BadInput, BadSettings, CurateError, NoSpace, NotAvailable, StaleModel
from curate.jobs import Job
from curate.mine.request import MineRequest
from curate.models.encoder import Encoder
from curate.progress import Lines
from curate.train import dev_eval, dual_encoder, identity
from curate.train.cross_encoder import train_cross_encoder
from curate.train.dev_eval import reciprocal_ranks
from curate.train.dual_encoder import (
    DualEncoderTraining,
    TrainedDualEncoder,
    plan_train_dual_encoder,
    train_dual_encoder,
)
from curate.train.dual_encoder_task import DualEncoderTask

Make = Callable[..., Workspace]
Model = Callable[..., Path]


@pytest.fixture
def workspace(make_workspace: Make) -> Workspace:
    """Return a workspace with eight train queries.

    The run found all passages for each, and half are safe negatives.
    """
    workspace = weather(make_workspace)
    job = Job(workspace, "denoise", "score-1")
    pairs = workspace.scan("candidates").collect().select("query_key", "passage_key").to_dicts()
    job.write_rows(
        "scores",
        [{"scorer_id": "judge", "logit": 4.0 if pair["passage_key"] % 2 else -4.0, **pair} for pair in pairs],
    )
    job.finish()
    set_cutoffs(workspace, "default", scorer_id="judge", depth=50, negative_below=0.1, positive_above=0.9)
    return workspace


@pytest.fixture
def init(tiny_encoder: Model) -> Path:
    """Write a tiny encoder with random weights."""
    return tiny_encoder()


def train(workspace: Workspace, init: Path, **options: Any) -> TrainedDualEncoder:
    return train_dual_encoder(workspace, **arguments(init, **options))


def arguments(init: Path, **options: Any) -> dict[str, Any]:
    small = {"epochs": 3, "batch_rows": 4, "hard_negatives": 2, "passage_max_length": 48, "query_max_length": 24}
    return {"init": str(init), **small, **options}


def test_the_outcome_tells_what_was_done(workspace: Workspace, init: Path) -> None:
    """It has counts, the end of the curve, and the next command. The record keeps the same facts."""
    trained = train(workspace, init)
    assert (trained.rows, trained.steps, trained.queries, trained.pairs) == (24, 6, 8, 72)
    assert (trained.short, trained.without, trained.pseudo_labelled, trained.best) == (0, 0, 0, None)
    assert trained.text().endswith("Next: curate mine --retriever dense --encoder models/dual-encoder")
    [record] = workspace.records("train")
    assert record.facts["sha256"] == trained.sha256
    assert not (workspace.root / "models/dual-encoder.checkpoint").exists()
    again = train(workspace, init, checkpoint_every=7, gradient_cache=True)
    assert (again.trained_now, again.sha256) == (False, trained.sha256)


def test_a_dry_run_measures_the_time_if_none_is_known(workspace: Workspace, init: Path) -> None:
    """It makes two steps on the first rows. Then the training's own rate is known. Nothing is written."""
    before = sorted(workspace.root.rglob("*"))
    plan = plan_train_dual_encoder(workspace, **arguments(init))
    assert sorted(workspace.root.rglob("*")) == before
    assert plan.seconds is not None
    assert plan.seconds > 0
    assert plan.tokens is not None
    trained = train(workspace, init)
    following = plan_train_dual_encoder(workspace, **arguments(init, epochs=6, name="next"))
    assert following.seconds == pytest.approx(2 * trained.pairs / trained.pairs_per_second, rel=0.01)
    assert following.tokens == pytest.approx(2 * trained.tokens, rel=0.001)


def test_it_learns(workspace: Workspace, init: Path) -> None:
    """After forty epochs of eight queries, a positive ranks first far more often than by chance (1 in 20)."""
    assert train(workspace, init, epochs=40, batch_rows=8, learning_rate=3e-3).won > 0.5


@pytest.mark.parametrize(
    "options",
    [
        {"similarity": "dot"},
        {"similarity": "cosine", "pooling": "cls"},
        {"towers": "separate"},
        {"towers": "separate", "similarity": "dot", "pooling": "cls"},
    ],
)
def test_the_model_opens_in_sentence_transformers_with_equal_embeddings(
    workspace: Workspace, init: Path, options: dict[str, Any]
) -> None:
    """The saved folder works for long texts too, with one tower or two, either pooling and either similarity."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    folder = workspace.root / train(workspace, init, learning_rate=1e-2, **options).model
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    ours = Encoder.open(str(folder), dtype="fp32")
    texts = [*QUERIES.values(), *PASSAGES.values(), "rain and snow and wind " * 20]
    found = {side: next(iter(ours.encode(texts, side))).array for side in ("query", "passage")}
    assert np.allclose(found["query"], theirs.encode_query(texts), atol=1e-5)
    assert np.allclose(found["passage"], theirs.encode_document(texts), atol=1e-5)
    assert theirs.similarity_fn_name == options.get("similarity", "cosine")
    assert all(path.stat().st_mode & 0o111 for path in folder.rglob("*") if path.is_dir())  # all users
    same = np.allclose(found["query"], found["passage"], atol=1e-5)
    assert same == (options.get("towers") != "separate")


def test_the_model_of_another_library_is_trained_further(workspace: Workspace, init: Path, tmp_path: Path) -> None:
    """The initial folder was saved by sentence-transformers with prompts, and the trained model keeps them."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    model = sentence_transformers.SentenceTransformer(str(init), device="cpu")
    model.prompts = {"query": "query: ", "document": "passage: "}
    model.save(str(tmp_path / "theirs"))
    folder = workspace.root / train(workspace, tmp_path / "theirs", learning_rate=1e-2).model
    spec = Encoder.open(str(folder)).spec
    assert (spec.query_prompt, spec.passage_prompt) == ("query: ", "passage: ")
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    ours = next(iter(Encoder.open(str(folder), dtype="fp32").encode(list(QUERIES.values()), "query"))).array
    assert np.allclose(ours, theirs.encode_query(list(QUERIES.values())), atol=1e-5)


@pytest.mark.parametrize("steps", [1, 4, 5])
@pytest.mark.parametrize("cached", [False, True])
def test_an_interrupted_training_ends_with_the_bytes_of_an_uninterrupted_one(
    workspace: Workspace, init: Path, steps: int, cached: bool
) -> None:
    """The interrupts come before and after the checkpoint at step 3, with dropout."""
    whole = train(workspace, init, name="whole", gradient_cache=cached)
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, checkpoint_every=3, gradient_cache=cached, progress=Interrupt(steps))
    plan = plan_train_dual_encoder(workspace, **arguments(init))
    assert (plan.total, plan.cached) == (24, 12 if steps > 3 else 0)
    assert train(workspace, init, checkpoint_every=3, gradient_cache=cached).sha256 == whole.sha256


UNSURE = {"positives": 2, "uncertain": 2, "hard_negatives": 0, "positives_loss": "lse-pair"}


def test_a_training_with_soft_labels_that_is_interrupted_ends_with_the_same_bytes(
    workspace: Workspace, init: Path
) -> None:
    """Cutoffs at 0.01 and 0.99 leave every unlabelled candidate uncertain: the eight queries have no negative."""
    set_cutoffs(workspace, "default", negative_below=0.01, positive_above=0.99)
    whole = train(workspace, init, name="whole", **UNSURE)
    assert whole.soft == 8
    assert "Soft labels: 8 queries with uncertain candidates." in whole.text()
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, checkpoint_every=2, progress=Interrupt(4), **UNSURE)
    assert train(workspace, init, checkpoint_every=2, **UNSURE).sha256 == whole.sha256


def test_losses_and_soft_labels_are_settings_of_the_training(workspace: Workspace, init: Path) -> None:
    """Other ones are another training. As long as they are switched off, the record does not name them."""
    plain = train(workspace, init)
    [record] = workspace.records("train")
    assert not {"positives_loss", "uncertain"} & set(record.settings)
    assert train(workspace, init, positives_loss="mean", uncertain=0).sha256 == plain.sha256
    with pytest.raises(StaleModel, match='positives_loss was null, is "marginal"'):
        train(workspace, init, positives_loss="marginal")
    with pytest.raises(StaleModel, match="uncertain was null, is 2"):
        train(workspace, init, uncertain=2)


def test_a_negative_without_denoising_cannot_be_a_soft_label(workspace: Workspace, init: Path) -> None:
    """The two options contradict each other."""
    with pytest.raises(BadSettings, match="cannot be a soft label, too: use --uncertain 0 or --denoised"):
        train(workspace, init, denoised=False, uncertain=1)


def test_gradient_caching_changes_no_bit_of_what_dropout_draws(workspace: Workspace, init: Path) -> None:
    """The second pass draws the same numbers as the first, so the weights differ only by rounding."""
    from safetensors.torch import load_file

    folders = [
        workspace.root / train(workspace, init, name=name, gradient_cache=cached, dtype="fp32").model
        for name, cached in (("kept", False), ("cached", True))
    ]
    kept, cached = (load_file(folder / "model.safetensors") for folder in folders)
    assert all(torch.allclose(kept[name], cached[name], atol=1e-6) for name in kept)


def command(workspace: Workspace, init: Path, *options: str) -> list[str]:
    return [
        sys.executable, "-m", "curate", "-q", "-C", str(workspace.root), "train", "dual-encoder",
        "--init", str(init), "--batch-rows", "4", "--hard-negatives", "2", *options,
    ]  # fmt: skip


def is_alive(group: int) -> bool:
    """Return whether a process of the group is still running."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_two_processes_that_are_killed_end_with_the_bytes_of_two_that_are_not(
    workspace: Workspace, init: Path
) -> None:
    """The starter gets kill -9, the other processes end with it, and the same command resumes.

    It is started like a background process of a script, which ignores SIGINT.
    """
    call = command(workspace, init, "--devices", "2", "--epochs", "60", "--checkpoint-every", "10")
    subprocess.run([*call, "--name", "whole"], check=True)
    killed = [*call, "--name", "killed"]
    in_background = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *killed]
    process = subprocess.Popen(in_background, start_new_session=True)
    folder = workspace.root / "models" / "killed.checkpoint"
    while not list(folder.glob("step-*")) and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.wait()
    while is_alive(process.pid):
        time.sleep(0.01)
    assert folder.exists()
    assert not (workspace.root / "models" / "killed").exists()  # no other process trained to the end
    subprocess.run(killed, check=True)
    whole, resumed = (
        (workspace.root / "models" / name / "model.safetensors").read_bytes() for name in ("whole", "killed")
    )
    assert whole == resumed


@pytest.mark.slow
def test_torchrun_trains_what_devices_trains(workspace: Workspace, init: Path) -> None:
    """Two processes give the same weights, however they are started."""
    subprocess.run(command(workspace, init, "--devices", "2", "--name", "ours"), check=True)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    threads = str(max(1, torch.get_num_threads() // 2))
    call = command(workspace, init, "--name", "theirs")[1:]
    subprocess.run([*torchrun, *call], check=True, env={**os.environ, "OMP_NUM_THREADS": threads})
    ours, theirs = (
        (workspace.root / "models" / name / "model.safetensors").read_bytes() for name in ("ours", "theirs")
    )
    assert ours == theirs


def test_the_first_of_several_processes_shows_the_progress(
    workspace: Workspace, init: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It uses the caller's own object, with that object's settings."""
    rows = train(workspace, init, devices=2, progress=Lines(every=0)).rows
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("training dual-encoder: ")]
    assert lines[0] == f"training dual-encoder: {rows} rows"
    assert len(lines) == 1 + 6 + 1  # at the start, at each step, and at the end


def test_another_number_of_processes_goes_on_with_the_same_batches(workspace: Workspace, init: Path) -> None:
    """The batches are global. Without cross-batch negatives their negatives would change, so that is refused."""
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, checkpoint_every=2, progress=Interrupt(3))
    assert train(workspace, init, checkpoint_every=2, devices=2).steps == 6
    alone = {"name": "alone", "cross_batch": False, "checkpoint_every": 2}
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, progress=Interrupt(3), **alone)
    with pytest.raises(
        BadSettings,
        match=r"the unfinished training .* has other settings: processes was 1, is 2 \(without cross-batch",
    ):
        train(workspace, init, devices=2, **alone)


def test_dev_chooses_the_weights(make_workspace: Make, init: Path) -> None:
    """The best weights on dev are kept, and the log has every evaluation.

    A resumed training makes the same choice.
    """
    workspace = make_workspace(PASSAGES, QUERIES, qrels=[(f"q{n}", f"p{n}") for n in range(6)])
    job = Job(workspace, "load", "load-00002")
    rows = [
        {"query_key": n, "passage_key": n, "relevance": 1, "split": "dev", "source": "dev.tsv"} for n in (6, 7)
    ]
    job.write_rows("qrels", rows)
    job.finish()
    options = {"hard_negatives": 0, "masks": "labels", "dev_every": 2, "learning_rate": 3e-3}  # 5 steps
    whole = train(workspace, init, name="whole", **options)
    lines = [json.loads(line) for line in (workspace.root / "models/whole.log.jsonl").read_text().splitlines()]
    asked = {line["step"]: line["dev_mrr@10"] for line in lines if "dev_mrr@10" in line}
    assert list(asked) == [0, 1, 2, 3, 4, 5]
    assert whole.best is not None
    assert asked[whole.best["step"]] == max(asked.values()) == pytest.approx(whole.best["measure"], abs=1e-5)
    assert (whole.best["start"], whole.best["end"]) == pytest.approx((asked[0], asked[5]), abs=1e-5)
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, name="again", checkpoint_every=3, progress=Interrupt(5), **options)
    again = train(workspace, init, name="again", checkpoint_every=3, **options)
    assert (again.sha256, again.best) == (whole.sha256, whole.best)
    both = train(workspace, init, name="both", devices=2, **options)
    assert both.best is not None
    assert both.best["start"] == pytest.approx(whole.best["start"])


def test_the_weights_that_did_best_on_dev_are_the_model(
    make_workspace: Make, init: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dev prefers step 2, then step 5. The same training gives two models, the second with the last weights.

    Dev is asked before the first step and after each of the five.
    """
    workspace = make_workspace(PASSAGES, QUERIES, qrels=[(f"q{n}", f"p{n}") for n in range(6)])
    label = {"query_key": 6, "passage_key": 6, "relevance": 1, "split": "dev", "source": "dev.tsv"}
    load(workspace, "load-2", "qrels", label)
    options = {"hard_negatives": 0, "masks": "labels", "learning_rate": 3e-3}
    found: dict[str, TrainedDualEncoder] = {}
    for name, measures in (("early", [0.1, 0.2, 0.9, 0.3, 0.3, 0.3]), ("late", [0.1, 0.2, 0.2, 0.2, 0.2, 0.3])):
        said = iter(measures)
        monkeypatch.setattr(dev_eval, "mrr", lambda *_, said=said: next(said))
        found[name] = train(workspace, init, name=name, dev_every=2, **options)
    assert [best["step"] for best in (found["early"].best, found["late"].best) if best] == [2, 5]
    assert found["early"].sha256 != found["late"].sha256
    last = train(workspace, init, name="last", dev_every=0, **options)
    assert found["late"].sha256 == last.sha256
    assert "Nothing on dev says whether it is better than its start" in last.text()


def test_a_training_that_only_made_the_model_worse_says_so_and_keeps_the_start(
    make_workspace: Make, init: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start counts as step 0. A model as good as its start keeps what it learnt."""
    workspace = make_workspace(PASSAGES, QUERIES, qrels=[(f"q{n}", f"p{n}") for n in range(6)])
    label = {"query_key": 6, "passage_key": 6, "relevance": 1, "split": "dev", "source": "dev.tsv"}
    load(workspace, "load-2", "qrels", label)
    found: dict[str, TrainedDualEncoder] = {}
    for name, measures in (("worse", [0.9, 0.2, 0.2, 0.2, 0.2, 0.3]), ("equal", [0.9, 0.2, 0.2, 0.2, 0.2, 0.9])):
        said = iter(measures)
        monkeypatch.setattr(dev_eval, "mrr", lambda *_, said=said: next(said))
        found[name] = train(workspace, init, name=name, hard_negatives=0, masks="labels")
    told = found["worse"].text()
    assert "Warning: training made it worse" in told
    assert "dev MRR@10 0.9000 (start 0.9000, end 0.3000)" in told
    card = (workspace.root / "models/worse/README.md").read_text("utf-8")
    assert "| kept | step 0, MRR@10 on a sample of dev 0.9000 (start 0.9000, end 0.3000) |" in card
    folders = (workspace.root / "models/worse", init)
    trained, start = (load_file(folder / "model.safetensors") for folder in folders)
    assert all(torch.equal(weight.float(), trained[name]) for name, weight in start.items())
    assert found["equal"].best == {"step": 5, "measure": 0.9, "start": 0.9, "end": 0.9}


def test_mrr_on_dev_puts_ties_behind() -> None:
    """A model that gives all passages the same score must not look good."""
    relevant = np.array([[True, False, False], [False, False, True]])
    assert reciprocal_ranks(np.zeros((2, 3)), relevant) == pytest.approx(1 / 3)
    assert reciprocal_ranks(np.array([[0.3, 0.2, 0.1], [0.3, 0.2, 0.1]]), relevant) == pytest.approx(
        (1 + 1 / 3) / 2
    )
    assert reciprocal_ranks(np.full((2, 20), np.nan), np.eye(2, 20, dtype=bool)) == 0.0


def load(workspace: Workspace, job: str, table: str, row: dict[str, Any]) -> None:
    more = Job(workspace, "load", job)
    more.write_rows(table, [row])
    more.finish()


def test_queries_that_it_does_not_read_leave_a_trained_model_as_it_is(workspace: Workspace, init: Path) -> None:
    """More unlabeled queries do not make M_D0 look outdated, but another label of a train query does."""
    first = {"hard_negatives": 0, "masks": "labels", "augmented": False, "dev_every": 0}
    train(workspace, init, **first)
    query = {"query_key": 8, "query_id": "u0", "text": "what else falls", "text_hash": 0}
    load(workspace, "load-2", "queries", {**query, "split": "unlabeled"})
    assert train(workspace, init, **first).trained_now is False
    label = {"query_key": 0, "passage_key": 9, "relevance": 1, "split": "train", "source": "more.tsv"}
    load(workspace, "load-3", "qrels", label)
    with pytest.raises(StaleModel, match=r"the contents of queries changed.* delete models/dual-encoder"):
        train(workspace, init, **first)


@pytest.mark.parametrize(
    "change",
    [{"depth": 7}, {"distill_weight": 0.5}, {"dev_passages": 9}, {"denoised": False}],
)
def test_a_setting_that_counts_for_nothing_leaves_a_trained_model_as_it_is(
    workspace: Workspace, init: Path, change: dict[str, Any]
) -> None:
    """Without hard negatives, distillation and dev, the settings for them have no effect."""
    first = {"hard_negatives": 0, "masks": "labels", "augmented": False, "dev_every": 0}
    train(workspace, init, **first)
    assert train(workspace, init, **first, **change).trained_now is False


def test_a_start_is_known_by_its_files_and_not_by_its_name(workspace: Workspace, init: Path) -> None:
    """The initial model is a copy of the same model in another place."""
    train(workspace, init)
    shutil.copytree(init, init.parent / "copy")
    assert train(workspace, init.parent / "copy").trained_now is False


def test_a_setting_that_an_older_version_did_not_have_is_as_if_nobody_gave_it(
    workspace: Workspace, init: Path
) -> None:
    """A training that took hours is not repeated because its record lacks a key."""
    first = {"hard_negatives": 0, "masks": "labels", "augmented": False}
    train(workspace, init, **first)
    record = workspace.record("train-dual-encoder")
    assert record is not None
    older = {key: value for key, value in record.settings.items() if key != "cutoffs"}
    assert record.settings["cutoffs"] is None
    replace(record, settings=older).write(workspace.stages)
    assert train(Workspace(workspace.root), init, **first).trained_now is False


def test_a_model_would_not_start_from_itself(workspace: Workspace, init: Path) -> None:
    """The model has mined a run since. Training it again would overwrite the model that it starts from."""
    train(workspace, init)
    for plan_or_train in (plan_train_dual_encoder, train_dual_encoder):
        with pytest.raises(BadSettings, match=r"models/dual-encoder would start from itself .* another --name"):
            plan_or_train(workspace, **arguments(workspace.root / "models/dual-encoder"))
    shutil.rmtree(workspace.root / "models/dual-encoder")
    with pytest.raises(NotAvailable, match="no model folder 'models/dual-encoder'"):
        train_dual_encoder(workspace, init="models/dual-encoder")


def test_a_folder_that_appeared_since_a_training_was_interrupted_is_not_written_over(
    workspace: Workspace, init: Path
) -> None:
    """The folder is somebody else's model. The training reports it and leaves it alone."""
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, checkpoint_every=2, progress=Interrupt(3))
    folder = workspace.root / "models/dual-encoder"
    shutil.copytree(init, folder)
    with pytest.raises(BadSettings, match="models/dual-encoder exists already and was not trained here"):
        train(workspace, init, checkpoint_every=2)
    assert (folder / "model.safetensors").read_bytes() == (init / "model.safetensors").read_bytes()


def test_a_finished_model_stands_on_a_machine_that_would_compute_in_another_format(
    workspace: Workspace, init: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auto` chose its dtype on another machine. An unfinished training does not continue with another dtype."""
    monkeypatch.setattr(identity, "number_format", lambda _: "bf16")
    train(workspace, init)
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, name="half", checkpoint_every=2, progress=Interrupt(3))
    monkeypatch.setattr(identity, "number_format", lambda wanted: "fp32" if wanted == "auto" else wanted)
    assert train(workspace, init).trained_now is False
    with pytest.raises(StaleModel, match='dtype was "bf16", is "fp32"'):
        train(workspace, init, dtype="fp32")
    with pytest.raises(StaleModel, match='dtype was "bf16", is "fp32"'):
        train(workspace, init, name="half", checkpoint_every=2)


def test_a_gpu_goes_on_in_the_form_in_which_it_began(
    workspace: Workspace, init: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its attention rounds otherwise packed than padded. A finished model stands. A CPU's record says nothing."""
    train(workspace, init)
    form = {"attention": "packed"}
    monkeypatch.setattr(dual_encoder, "towers_form", lambda _folders, _dtype: dict(form))
    assert train(workspace, init).trained_now is False
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, name="half", checkpoint_every=2, progress=Interrupt(3))
    form["attention"] = "padded"
    with pytest.raises(StaleModel, match='attention was "packed", is "padded"'):
        train(workspace, init, name="half", checkpoint_every=2)
    form["attention"] = "packed"
    assert train(workspace, init, name="half", checkpoint_every=2).trained_now
    before, after = workspace.records("train")
    assert after.settings == {**before.settings, "attention": "packed"}


@pytest.mark.parametrize("every", [2, 100])
def test_a_kill_between_model_and_record_goes_on_though_an_older_record_stands(
    workspace: Workspace, init: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """The older model was deleted for other settings, as the message says. The newer one is not taken for it."""
    shutil.rmtree(workspace.root / train(workspace, init, epochs=2).model)
    options = {"checkpoint_every": every}

    def interrupt(*_arguments: Any, **_facts: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Job, "finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(workspace, init, **options)
    assert train(workspace, init, **options).rows == 24


def test_more_unlabeled_queries_leave_a_model_as_it_is_where_none_were_mined(
    workspace: Workspace, init: Path
) -> None:
    """With the default settings, `augmented` has no effect yet."""
    train(workspace, init)
    query = {"query_key": 8, "query_id": "u0", "text": "what else falls", "text_hash": 0}
    load(workspace, "load-2", "queries", {**query, "split": "unlabeled"})
    assert train(workspace, init).trained_now is False


def test_a_model_of_the_other_kind_is_told_as_such(workspace: Workspace, init: Path) -> None:
    """The message does not list its settings."""
    train_cross_encoder(workspace, init=str(init), groups=8, max_length=48, name="judge")
    with pytest.raises(BadSettings, match=r"^models/judge is a cross-encoder\. Use another --name\.$"):
        train(workspace, init, name="judge")


def test_what_mine_says_of_an_encoder_holds_for_its_training_and_for_no_other_model(
    workspace: Workspace, init: Path
) -> None:
    """[mine] pooling belongs to [mine] encoder. A model that was trained here has its own pooling."""
    toml = f'[mine]\nretriever = "dense"\nencoder = "{init}"\npooling = "cls"\nquery_prompt = "query: "\n'
    (workspace.root / "curate.toml").write_text(toml)
    here = Workspace(workspace.root)
    spec = Encoder.open(str(here.root / train(here, init).model)).spec
    assert (spec.pooling, spec.query_prompt) == (("cls",), "query: ")
    assert MineRequest.of(here).settings.pooling == "cls"
    assert MineRequest.of(here, encoder=f"{init.parent}/./{init.name}/").settings.pooling == "cls"
    assert MineRequest.of(here, encoder="models/dual-encoder").settings.pooling is None


def test_pseudo_labels_train_where_there_are_some_even_if_nothing_else_is_judged(
    workspace: Workspace, init: Path
) -> None:
    """A query without labels is used with its confident passage. --no-augmented leaves it out."""
    query = {"query_key": 8, "query_id": "u0", "text": "what else falls", "text_hash": 0}
    load(workspace, "load-2", "queries", {**query, "split": "unlabeled"})
    found = {"run_id": "bm25-unlabeled", "query_key": 8, "passage_key": 1, "rank": 1, "score": 1.0}
    add_run(workspace, "bm25-unlabeled", "unlabeled", [found])
    score = {"scorer_id": "judge", "query_key": 8, "passage_key": 1, "logit": 4.0}
    load(workspace, "score-2", "scores", score)
    labels = {"hard_negatives": 0, "masks": "labels"}
    assert train(workspace, init, name="with", **labels).pseudo_labelled == 1
    assert train(workspace, init, name="without", augmented=False, **labels).pseudo_labelled == 0


def test_the_encoder_of_an_encoder_decoder_is_trained(workspace: Workspace, init: Path, tmp_path: Path) -> None:
    """The trained T5 of two layers opens in sentence-transformers with equal embeddings."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    start = tmp_path / "t5"
    shutil.copytree(init, start)
    torch.manual_seed(0)
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}
    T5Model(T5Config(vocab_size=128, **sizes)).save_pretrained(start)
    folder = workspace.root / train(workspace, start, learning_rate=1e-2).model
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    ours = next(iter(Encoder.open(str(folder), dtype="fp32").encode(list(QUERIES.values()), "query"))).array
    assert np.allclose(ours, theirs.encode_query(list(QUERIES.values())), atol=1e-5)


def test_scores_that_it_does_not_read_leave_a_trained_model_as_it_is(workspace: Workspace, init: Path) -> None:
    """Neither augmentation, which comes after M_D1, nor deeper candidates must make it look outdated."""
    set_cutoffs(workspace, "default", depth=8)
    trained = train(workspace, init)

    def score(job: str, query: int, passage: int) -> None:
        more = Job(workspace, "denoise", job)
        more.write_rows(
            "scores", [{"scorer_id": "judge", "query_key": query, "passage_key": passage, "logit": 1.0}]
        )
        more.finish()

    score("score-2", 99, 31)  # a pair of another query
    score("score-3", 0, 8 + 1)  # rank 10 for q0
    assert train(workspace, init).trained_now is False
    assert train(workspace, init).sha256 == trained.sha256
    score("score-4", 0, 3)  # rank 4: the training used it
    with pytest.raises(
        BadSettings, match="models/dual-encoder has other settings: the contents of scores changed"
    ):
        train(workspace, init)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cutoffs": "strict"}, "no cutoffs 'strict'; the cutoffs are: default"),
        ({"run": ["bm25"]}, "no run 'bm25': did you mean 'bm25-train'"),
        ({"init": None}, "bm25-train was mined without an encoder; name a model to start from: --init MODEL"),
        ({"name": "../x"}, "cannot be the name of a model"),
        ({"passage_max_length": 65}, "more than the 64 tokens"),
    ],
)
def test_what_cannot_be_trained_is_said(
    workspace: Workspace, init: Path, options: dict[str, Any], message: str
) -> None:
    """The error comes before anything is loaded or written."""
    with pytest.raises(BadSettings, match=message):
        train_dual_encoder(workspace, **{**arguments(init), **options})


def test_without_scores_it_says_what_to_run(make_workspace: Make, init: Path) -> None:
    """Unscored is not negative, and the first dual-encoder needs no scores."""
    workspace = make_workspace(PASSAGES, QUERIES, qrels=[("q0", "p0"), ("q1", "p1")], candidates={"q0": ["p3"]})
    with pytest.raises(BadSettings, match=r"no cutoffs yet: .* Run: curate denoise"):
        train(workspace, init)
    assert train(workspace, init, hard_negatives=0, masks="labels").steps == 2
    mined = {"denoised": False, "masks": "labels", "hard_negatives": 1, "run": ["bm25-train"]}
    undenoised = train(workspace, init, name="mined", **mined)
    assert (undenoised.short, undenoised.without) == (1, 1)


@pytest.mark.parametrize("devices", [1, 2])
def test_a_loss_that_is_not_finite_stops_and_names_step_and_ids(
    workspace: Workspace, init: Path, devices: int
) -> None:
    """The learning rate is absurdly high. There is one message, even with several processes."""
    with pytest.raises(CurateError, match=r"step \d+: the loss is .*Query and passage ids: q\d .* and p\d+ "):
        train(workspace, init, learning_rate=1e38, clip_norm=1e30, dtype="fp32", devices=devices)


def test_a_full_gpu_is_told_with_what_takes_less_memory(
    workspace: Workspace, init: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the step, torch's first sentence and the options.

    The exit code is that of a full machine.
    """

    def full(*_arguments: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity")

    monkeypatch.setattr(DualEncoderTask, "backward", full)
    told = r"^step 1: CUDA out of memory\. Try --gradient-cache, then a smaller --part-tokens, or more --devices$"
    with pytest.raises(NoSpace, match=told):
        train(workspace, init)


def test_a_training_that_has_begun_goes_on_with_less_memory(workspace: Workspace, init: Path) -> None:
    """The options that the message about a full GPU suggests do not make another training."""
    with pytest.raises(KeyboardInterrupt):
        train(workspace, init, checkpoint_every=2, progress=Interrupt(3))
    plan = plan_train_dual_encoder(workspace, **arguments(init, gradient_cache=True, part_tokens=64))
    assert plan.cached == 8
    assert train(workspace, init, gradient_cache=True, part_tokens=64).steps == 6


def test_a_cross_encoder_is_no_start(workspace: Workspace, tiny_cross_encoder: Model) -> None:
    """It scores pairs, and its token vectors are not embeddings."""
    with pytest.raises(BadInput, match="is a cross-encoder"):
        train(workspace, tiny_cross_encoder("judge"))


def test_the_default_length_has_room_for_the_prompt(workspace: Workspace, init: Path) -> None:
    """32 tokens are of the query. A length that is given counts the prompt, and must leave room for a query."""
    curate_toml = workspace.root / "curate.toml"
    curate_toml.write_text('[mine]\nquery_prompt = "a b c d "\n', "utf-8")
    reopened = Workspace(workspace.root)
    training = DualEncoderTraining(reopened, processes=1, init=str(init))
    assert (training.spec.query_max_length, training.spec.passage_max_length) == (36, 64)
    with pytest.raises(BadSettings, match="query_max_length = 6 leaves no room for a query"):
        train(reopened, init, query_max_length=6)
