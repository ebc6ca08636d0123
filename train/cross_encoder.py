"""`curate train cross-encoder`: RocketQA's step 2 (NAACL 2021, 3.2), from the tables to a model folder."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from curate.errors import CurateError
from curate.plan import Plan
from curate.progress import SILENT, Progress, duration
from curate.records import Record
from curate.shards import file_sha256
from curate.workspace import Workspace

from . import checkpoint
from .groups import count_queries, counts_in, read_batches, write_groups
from .training import Training

LAST = 0.1


@dataclass(frozen=True)
class Trained:
    """What a training made; loss and won are those of the last tenth of the steps."""

    name: str
    model: str
    """The folder, below the workspace."""
    init: str
    run_id: str
    groups: int
    pairs: int
    steps: int
    queries: int
    skipped: int
    """Train queries with a positive for which the run has nothing that can be a negative."""
    loss: float
    won: float
    """Share of the groups in which the positive stood first."""
    seconds: float
    pairs_per_second: float
    sha256: str
    """Of model.safetensors."""
    trained_now: bool

    def text(self) -> str:
        """Return the outcome for a terminal."""
        rate = f"{duration(self.seconds)} ({self.pairs_per_second:,.0f} pairs/s)"
        done = "trained" if self.trained_now else "already trained"
        lines = [
            f"{self.model}: {done} from {self.init} on run {self.run_id}.",
            f"{self.groups:,} groups, {self.pairs:,} pairs in {rate}.",
            f"Over the last tenth: loss {self.loss:.3f}, {self.won:.0%} of the groups have their positive first.",
        ]
        if self.skipped:
            lines.append(f"Left out: {self.skipped:,} train queries without a candidate that could be a negative.")
        return "\n".join([*lines, f"Next: curate denoise --scorer {self.model}"])


def train_cross_encoder(
    workspace: Workspace,
    *,
    run: str | None = None,
    name: str = "cross-encoder",
    progress: Progress = SILENT,
    **options: Any,
) -> Trained:
    """Train a cross-encoder on labelled positives against negatives of a run; write it to `models/<name>/`.

    `options` are the fields of `curate.config.TrainCrossEncoder`; the workspace's settings stand for what is not
    given. The run is the newest one over the split train unless given. After an interruption the same call goes
    on from the last checkpoint and ends with the same bytes. Raises BadSettings where there is nothing to train
    on, or where `name` was trained with other settings; CurateError at a loss that is not finite.
    """
    training = _training(workspace, run, name, options)
    training.check()
    record = training.record
    return _trained(training, record or _train(training, progress), now=record is None)


def plan_cross_encoder(
    workspace: Workspace, *, run: str | None = None, name: str = "cross-encoder", **options: Any
) -> Plan:
    """Return what `train_cross_encoder` with the same arguments would do."""
    training = _training(workspace, run, name, options)
    training.check()
    groups = training.settings.groups
    if training.record:
        return Plan("train cross-encoder", "groups", groups, groups, notes=[f"{training.model}: already trained."])
    counts = count_queries(workspace, training.run_id, training.seed)
    state = checkpoint.latest(training.checkpoints)
    done = state.step * training.settings.batch_groups if state else 0
    rate = training.rate()
    init = training.job.settings["init"]
    notes = [
        f"from {init} on run {training.run_id}, {training.steps:,} steps; the model goes to {training.model}",
        f"{counts.queries:,} train queries have a positive and negatives; {counts.skipped:,} have no negative",
    ]
    return Plan("train cross-encoder", "groups", groups, done, (groups - done) / rate if rate else None, notes)


def _training(workspace: Workspace, run: str | None, name: str, options: Mapping[str, Any]) -> Training:
    return Training(workspace, run, name, workspace.settings.train.cross_encoder.override(**options))


def _train(training: Training, progress: Progress) -> Record:
    """Train from the last checkpoint, or from the start; write the model, then the record."""
    path = training.checkpoints / "groups.parquet"
    settings, lineage = training.settings, training.job.lineage
    plan = write_groups(training.workspace, path, training.run_id, settings, training.seed, lineage)
    facts = {**asdict(counts_in(path)), "groups": settings.groups, "pairs": plan.rows, "steps": training.steps}
    facts |= _fit(training, plan.sha256, progress)
    facts["pairs_per_second"] = round(plan.rows / facts["seconds"], 1)
    facts["sha256"] = file_sha256(training.folder / "model.safetensors")
    record: Record = training.job.finish(**facts)
    shutil.rmtree(training.checkpoints)
    return record


def _fit(training: Training, plan: str, progress: Progress) -> dict[str, Any]:
    from curate.models import load_tokenizer

    from .log import Log
    from .loop import Loop
    from .optimizer import Schedule, adamw
    from .ranking import Ranking
    from .start import cross_encoder_from

    settings, folder = training.settings, training.checkpoints
    model = cross_encoder_from(training.base, training.seed)
    optimizer = adamw(model, settings.weight_decay)
    state = checkpoint.latest(folder) or checkpoint.State(settings=training.identity, plan=plan)
    if state.step:
        _check_plan(training, state, plan)
        checkpoint.restore(folder, state, model, optimizer)
        progress.say(f"goes on from step {state.step:,} of {training.steps:,}")
    loop = Loop(
        Schedule(training.steps, settings.learning_rate, settings.warmup),
        settings.clip_norm,
        training.seed,
        folder,
        settings.checkpoint_every,
    )
    log = Log(training.workspace.root / f"{training.model}.log.jsonl", training.steps, state.curve, progress)
    task = Ranking(model, load_tokenizer(training.base), settings, training.dtype)
    pairs = read_batches(folder / "groups.parquet", settings.batch_groups, state.step)
    done = state.step * settings.batch_groups
    with progress.task("training cross-encoder", settings.groups, "groups", done) as advance:
        loop.run(task, optimizer, pairs, state, log, advance)
    outcome: dict[str, Any] = log.outcome(LAST)
    _save(training, model, outcome)
    return outcome


def _check_plan(training: Training, state: checkpoint.State, plan: str) -> None:
    if state.plan != plan:
        raise CurateError(
            f"the groups in {training.model}.checkpoint are not those that the training began with (another "
            "version of duckdb or pyarrow wrote them?). Delete that folder to train anew, or give another --name."
        )


def _save(training: Training, model: Any, outcome: Mapping[str, Any]) -> None:
    from .save import model_card, save_cross_encoder

    facts = {
        "trained from": training.job.settings["init"],
        "run": training.run_id,
        "groups": f"{training.settings.groups:,}, {training.steps:,} steps of {training.settings.batch_groups}",
        "computed in": training.dtype,
        "at the end": f"loss {outcome['loss']:.3f}, positive first in {outcome['won']:.0%} of the groups",
    }
    card = model_card(training.name, facts, json.dumps(training.job.settings, indent=1, sort_keys=True))
    save_cross_encoder(training.folder, model, training.base, training.settings.max_length, card)


def _trained(training: Training, record: Record, *, now: bool) -> Trained:
    init = training.job.settings["init"]
    return Trained(training.name, training.model, init, training.run_id, trained_now=now, **record.facts)
