"""The training of a cross-encoder: `curate train cross-encoder`, RocketQA's step 2 (NAACL 2021, 3.2)."""

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from curate import standing
from curate.choose_run import chosen_run
from curate.counted import counted
from curate.jobs import table_digest
from curate.models.folder import model_folder
from curate.models.pretrained import load_tokenizer
from curate.models.scorer_spec import token_limit
from curate.options import given_options
from curate.plan import Plan
from curate.progress import SILENT, Progress
from curate.shards import Lineage, Manifest
from curate.suggest import curate_command
from curate.workspace import Workspace

from . import checkpoint
from .groups import Pair, count_queries, counts_in, read_batches, write_groups
from .identity import TrainingIdentity
from .initial_model import choose_initial_model, cross_encoder_from, cross_encoder_start
from .lifecycle import Trained, Work, run_training
from .options import CrossEncoderOptions
from .world import World

# These settings either do not change the weights, or appear in the job's settings under another key.
NOT_IN_THE_WEIGHTS = {"init", "dtype", "checkpoint_every"}


@dataclass(frozen=True, kw_only=True)
class TrainedCrossEncoder(Trained):
    """A trained cross-encoder."""

    run_id: str
    groups: int
    queries: int
    skipped: int
    """Train queries with a positive for which the run has no candidate that could be a negative."""

    def text(self) -> str:
        """Return the outcome for a terminal."""
        lines = self.lines(f"run {self.run_id}", counted(self.groups, "groups"), "groups")
        if self.skipped:
            queries = counted(self.skipped, "train queries")
            lines.append(f"Left out: {queries} without a candidate that could be a negative.")
        return "\n".join([*lines, f"Next: {curate_command('denoise', '--scorer', self.model)}"])


class CrossEncoderTraining:
    """One training of a cross-encoder, determined by its settings and the workspace."""

    def __init__(self, workspace: Workspace, **options: Unpack[CrossEncoderOptions]) -> None:
        given = given_options(CrossEncoderOptions, options)
        run, name = given.pop("run", None), given.pop("name", "cross-encoder")
        self.settings = workspace.settings.train.cross_encoder.override(**given)
        self.run_id = chosen_run(workspace, run)
        self.notes = standing.notes(workspace, [self.run_id], None, named_run=bool(run), named_cutoffs=True)
        self.steps = -(-self.settings.groups // self.settings.batch_groups)
        base = model_folder(choose_initial_model(workspace, self.settings.init, [self.run_id]), workspace.root)
        self.start = cross_encoder_start(base)
        token_limit(self.start, self.settings.max_length)  # refuses more tokens than the model has positions
        identity_settings = {
            **self.settings.model_dump(exclude=NOT_IN_THE_WEIGHTS),
            "kind": "cross-encoder",
            "run": self.run_id,
        }
        self.identity = TrainingIdentity(
            workspace,
            name,
            base,
            self.settings.dtype,
            identity_settings,
            lambda: {"candidates": table_digest(workspace, "candidates", of_jobs=[self.run_id])},
        )

    @property
    def data(self) -> Path:
        """The file with the training groups."""
        return self.identity.checkpoints / "groups.parquet"

    def write_data(self) -> None:
        """Write the groups unless they are there already."""
        identity = self.identity
        write_groups(
            identity.workspace, self.data, self.run_id, self.settings, identity.seed, identity.job.lineage
        )

    def work(self, world: World, progress: Progress) -> Work[list[Pair]]:  # noqa: ARG002
        """Load the initial model and open the groups."""
        from .cross_encoder_task import CrossEncoderTask

        settings, identity = self.settings, self.identity
        model = cross_encoder_from(self.start, identity.seed)
        return Work(
            task=CrossEncoderTask(model, load_tokenizer(self.start), settings, identity.dtype, world),
            read=partial(read_batches, self.data, settings.batch_groups),
            steps=self.steps,
            total=settings.groups,
            a_step=settings.batch_groups,
            unit="groups",
        )

    def facts(self, data: Manifest, best: dict[str, Any] | None) -> dict[str, Any]:  # noqa: ARG002
        """Return the facts about the groups for the record."""
        done = {"groups": self.settings.groups, "pairs": data.rows, "steps": self.steps}
        return {**asdict(counts_in(self.data)), **done}

    def save(self, model: Any, outcome: Mapping[str, Any], best: dict[str, Any] | None) -> None:  # noqa: ARG002
        """Write the trained cross-encoder to its folder."""
        from .save_model import cross_encoder_card, save_cross_encoder

        identity, settings = self.identity, self.settings
        facts = {
            "trained from": identity.job.settings["init"],
            "run": self.run_id,
            "groups": f"{settings.groups:,}, {self.steps:,} steps of {settings.batch_groups}",
            "computed in": identity.dtype,
            "at the end": f"loss {outcome['loss']:.3f}, positive first in {outcome['won']:.0%} of the groups",
        }
        identity.mark_saving()
        card = cross_encoder_card(
            identity.name, facts, json.dumps(identity.job.settings, indent=1, sort_keys=True)
        )
        save_cross_encoder(identity.folder, model, self.start, settings.max_length, card)


def train_cross_encoder(
    workspace: Workspace,
    *,
    devices: int = 1,
    world: World | None = None,
    progress: Progress = SILENT,
    **options: Unpack[CrossEncoderOptions],
) -> TrainedCrossEncoder:
    """Train a cross-encoder on labelled positives against negatives of a run; write it to `models/<name>/`.

    `devices` is the number of processes to start here. `world` describes this process among those that something
    else, such as torchrun, has started. After an interruption the same call continues from the last checkpoint.
    With as many processes on the same CPU it ends with the same bytes.

    Raises BadSettings if there is nothing to train on, or if `name` was trained with other settings, and
    CurateError if the loss is not finite.
    """
    training, outcome = run_training(
        CrossEncoderTraining, workspace, dict(options), devices, world or World(), progress
    )
    return TrainedCrossEncoder(run_id=training.run_id, **outcome)


def plan_train_cross_encoder(
    workspace: Workspace,
    *,
    devices: int = 1,  # noqa: ARG001 - the twin of `train_cross_encoder`
    **options: Unpack[CrossEncoderOptions],
) -> Plan:
    """Return what `train_cross_encoder` with the same arguments would do; makes two steps if no rate is known."""
    work = CrossEncoderTraining(workspace, **options)
    identity, settings = work.identity, work.settings
    identity.check()
    if identity.record:
        notes = [*work.notes, f"{identity.model}: already trained."]
        return Plan("train cross-encoder", "groups", settings.groups, settings.groups, notes=notes)
    counts = count_queries(workspace, work.run_id, identity.seed)
    state = checkpoint.latest(identity.checkpoints)
    done = state.step * settings.batch_groups if state else 0
    pairs = (settings.groups - done) * (1 + settings.negatives)
    seconds = pairs / (identity.rate() or _probe(work)) if pairs else 0.0
    notes = [
        *work.notes,
        f"from {identity.job.settings['init']} on run {work.run_id}, {work.steps:,} steps; "
        f"the model goes to {identity.model}",
        f"{counts.queries:,} train queries have a positive and negatives; {counts.skipped:,} have no negative",
    ]
    return Plan("train cross-encoder", "groups", settings.groups, done, seconds, notes)


def _probe(work: CrossEncoderTraining) -> float:
    """Return the pairs per second of the second of two steps, computed here on the first groups."""
    from .cross_encoder_task import CrossEncoderTask

    identity, settings = work.identity, work.settings
    few = settings.model_copy(update={"groups": 2 * settings.batch_groups})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "groups.parquet"
        write_groups(identity.workspace, path, work.run_id, few, identity.seed, Lineage("train", "probe"))
        model = cross_encoder_from(work.start, identity.seed).train()
        task = CrossEncoderTask(model, load_tokenizer(work.start), settings, identity.dtype)
        (_, first), (_, second) = read_batches(path, settings.batch_groups)
        task.backward(first, 0)
        started = time.monotonic()
        return task.backward(second, 1).pairs / (time.monotonic() - started)
