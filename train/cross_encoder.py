"""`curate train cross-encoder`: RocketQA's step 2 (NAACL 2021, 3.2), from the tables to a model folder."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from curate.choose_run import chosen_run
from curate.jobs import table_digest
from curate.models.embedding_spec import passage_transformer
from curate.models.folder import model_folder
from curate.plan import Plan
from curate.progress import SILENT, Progress
from curate.shards import Manifest
from curate.workspace import Workspace

from . import checkpoint, lifecycle
from .groups import count_queries, counts_in, read_batches, write_groups
from .identity import Training, start_of
from .lifecycle import Trained
from .world import World

# Either they change no weight, or their effect stands beside them under another key.
NOT_IN_THE_WEIGHTS = {"init", "dtype", "checkpoint_every"}


@dataclass(frozen=True, kw_only=True)
class TrainedCrossEncoder(Trained):
    """A cross-encoder that was trained."""

    run_id: str
    groups: int
    queries: int
    skipped: int
    """Train queries with a positive for which the run has nothing that can be a negative."""

    def text(self) -> str:
        """Return the outcome for a terminal."""
        lines = self.lines(f"run {self.run_id}", f"{self.groups:,} groups", "groups")
        if self.skipped:
            lines.append(f"Left out: {self.skipped:,} train queries without a candidate that could be a negative.")
        return "\n".join([*lines, f"Next: curate denoise --scorer {self.model}"])


class CrossEncoder:
    """One training of a cross-encoder, as its settings and the workspace make it."""

    def __init__(self, workspace: Workspace, *, run: str | None, name: str, options: Mapping[str, Any]) -> None:
        self.settings = workspace.settings.train.cross_encoder.override(**options)
        self.run_id = chosen_run(workspace, run)
        self.steps = -(-self.settings.groups // self.settings.batch_groups)
        base = model_folder(start_of(workspace, self.settings.init, [self.run_id]), workspace.root)
        self.start = passage_transformer(base)
        told = {
            **self.settings.model_dump(exclude=NOT_IN_THE_WEIGHTS),
            "kind": "cross-encoder",
            "run": self.run_id,
        }
        self.training = Training(
            workspace,
            name,
            base,
            self.settings.dtype,
            told,
            lambda: {"candidates": table_digest(workspace, "candidates", of_jobs=[self.run_id])},
        )

    @property
    def data(self) -> Path:
        """The file with the groups."""
        return self.training.checkpoints / "groups.parquet"

    def write_data(self) -> None:
        """Write the groups, unless they stand."""
        training = self.training
        write_groups(
            training.workspace, self.data, self.run_id, self.settings, training.seed, training.job.lineage
        )

    def fit(self, data: Manifest, world: World, progress: Progress) -> dict[str, Any]:
        """Train, and write the model; return the record's facts."""
        outcome = _fit(self, data.sha256, world, progress)
        done = {"groups": self.settings.groups, "pairs": data.rows, "steps": self.steps}
        return {**asdict(counts_in(self.data)), **done, **outcome}


def train_cross_encoder(
    workspace: Workspace,
    *,
    run: str | None = None,
    name: str = "cross-encoder",
    devices: int = 1,
    world: World | None = None,
    progress: Progress = SILENT,
    **options: Any,
) -> TrainedCrossEncoder:
    """Train a cross-encoder on labelled positives against negatives of a run; write it to `models/<name>/`.

    `options` are the fields of `curate.config.TrainCrossEncoder`; the workspace's settings stand for what is not
    given. The run is the newest one over the split train unless given. `devices`: processes that are started
    here; `world`: this process among those that something else started. After an interruption the same call goes
    on from the last checkpoint and, with as many processes and threads on the same CPU, ends with the same bytes.
    Raises BadSettings where there is nothing to train on, or where `name` was trained with other settings;
    CurateError at a loss that is not finite.
    """
    arguments = {"run": run, "name": name, "options": options}
    work, outcome = lifecycle.run(CrossEncoder, workspace, arguments, devices, world or World(), progress)
    return TrainedCrossEncoder(run_id=work.run_id, **outcome)


def plan_train_cross_encoder(
    workspace: Workspace, *, run: str | None = None, name: str = "cross-encoder", devices: int = 1, **options: Any
) -> Plan:
    """Return what `train_cross_encoder` with the same arguments would do."""
    del devices  # the twin of `train_cross_encoder`
    work = CrossEncoder(workspace, run=run, name=name, options=options)
    training, settings = work.training, work.settings
    training.check()
    if training.record:
        notes = [f"{training.model}: already trained."]
        return Plan("train cross-encoder", "groups", settings.groups, settings.groups, notes=notes)
    counts = count_queries(workspace, work.run_id, training.seed)
    state = checkpoint.latest(training.checkpoints)
    done = state.step * settings.batch_groups if state else 0
    rate = training.rate()
    notes = [
        f"from {training.job.settings['init']} on run {work.run_id}, {work.steps:,} steps; "
        f"the model goes to {training.model}",
        f"{counts.queries:,} train queries have a positive and negatives; {counts.skipped:,} have no negative",
    ]
    pairs = (settings.groups - done) * (1 + settings.negatives)
    return Plan("train cross-encoder", "groups", settings.groups, done, pairs / rate if rate else None, notes)


def _fit(work: CrossEncoder, plan: str, world: World, progress: Progress) -> dict[str, Any]:
    from curate.models.pretrained import load_tokenizer

    from .cross_encoder_task import Ranking
    from .fit import Work, fit
    from .initial_model import cross_encoder_from

    settings, training = work.settings, work.training
    model = cross_encoder_from(work.start, training.seed)
    outcome = fit(
        training,
        Work(
            task=Ranking(model, load_tokenizer(work.start), settings, training.dtype, world),
            read=partial(read_batches, work.data, settings.batch_groups),
            plan=plan,
            steps=work.steps,
            total=settings.groups,
            a_step=settings.batch_groups,
            unit="groups",
        ),
        settings,
        world,
        progress,
    )
    del outcome["best"]  # no dev: the cutoffs' audit is what judges a cross-encoder
    if world.is_first:
        _save(work, model, outcome)
    return outcome


def _save(work: CrossEncoder, model: Any, outcome: Mapping[str, Any]) -> None:
    from .save_model import cross_encoder_card, save_cross_encoder

    training, settings = work.training, work.settings
    facts = {
        "trained from": training.job.settings["init"],
        "run": work.run_id,
        "groups": f"{settings.groups:,}, {work.steps:,} steps of {settings.batch_groups}",
        "computed in": training.dtype,
        "at the end": f"loss {outcome['loss']:.3f}, positive first in {outcome['won']:.0%} of the groups",
    }
    training.mark_saving()
    card = cross_encoder_card(training.name, facts, json.dumps(training.job.settings, indent=1, sort_keys=True))
    save_cross_encoder(training.folder, model, work.start, settings.max_length, card)
