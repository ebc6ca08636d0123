"""The training of a cross-encoder: `curate train cross-encoder`, RocketQA's step 2 (NAACL 2021, 3.2)."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Unpack

from curate import judges, standing
from curate.choose_run import chosen_run
from curate.config import TrainCrossEncoder
from curate.counted import counted
from curate.cutoffs import cutoffs_in_force
from curate.denoise.judge_quality import JudgeQuality, measure_judge
from curate.errors import BadInput, BadSettings
from curate.jobs import table_digest
from curate.judge_split import JudgeSplit, split_queries, write_judge_queries
from curate.mine.exact_search import SCORE
from curate.models.encoder import Encoder
from curate.models.fold_scorer import write_folds
from curate.models.folder import fingerprint, model_folder, weights_sha256
from curate.models.pretrained import load_tokenizer
from curate.models.scorer import find_source
from curate.models.scorer_spec import token_limit
from curate.models.trained_here import training_in
from curate.options import given_options
from curate.plan import Pace, Plan, tokens_of
from curate.progress import SILENT, Progress
from curate.shards import Lineage, Manifest, digest
from curate.suggest import curate_command
from curate.workspace import Workspace

from . import checkpoint
from .choosing import MEASURE, choosing_pairs
from .distillation import GROUPS, TEACHER, Distillation, teacher_of
from .groups import Counts, Pair, capped, count_queries, counts_in, read_batches, write_groups
from .identity import TrainingIdentity
from .initial_model import (
    choose_initial_model,
    cross_encoder_form,
    cross_encoder_from,
    cross_encoder_start,
    usual_learning_rate,
)
from .lifecycle import Trained, Work, outcome_fields, run_training, seen
from .loop import Dev, pace_of_steps
from .options import CrossEncoderOptions
from .world import World

# These settings either do not change the weights, or appear in the job's settings under another key.
NOT_IN_THE_WEIGHTS = {"init", "dtype", "folds", "leave_out", "checkpoint_every"}
IN_FORCE = ("name", "scorer_id", "positive_above", "depth", "calibration_id")
"""What a training reads of the cutoffs of an earlier judge."""
IF_JOINED = ("negative_below", "joined", "judges")
"""What it reads besides, if several judges are joined."""
EVALUATIONS = 5
"""The measurements on held-back queries during a training, besides the one of its start."""


@dataclass(frozen=True, kw_only=True)
class TrainedCrossEncoder(Trained):
    """A trained cross-encoder, or several that score as one (folds)."""

    run_id: str
    groups: int
    """Groups in the whole training, that of all folds together."""
    most_groups: int
    """The groups that `groups` in the settings allows; `epochs` allows no more than `groups`."""
    distilled_groups: int
    """The groups before these, scored by the encoder from which it starts."""
    queries: int
    """The queries that were trained on."""
    skipped: int
    """Train queries with a positive for which the run has no candidate that could be a negative."""
    folds: int
    """The number of cross-encoders. Each but a single one was trained without its part of the queries."""
    choosing: int
    """The queries that were not trained on, and chose the weights."""
    measuring: int
    """The queries that were not trained on, and measured the cross-encoder."""
    best: dict[str, Any] | None
    """What the queries that choose said; None if there are none.

    step: the step of the weights that were kept, 0 for the start. measure: their AUC. start, end: the AUC before
    the first step and after the last one.
    """
    judge: JudgeQuality
    """How good it is on queries that it has not seen."""

    def text(self) -> str:
        """Return the outcome for a terminal."""
        lines = self.lines(f"run {self.run_id}", counted(self.groups, "groups"), "groups")
        if self.folds > 1:
            lines.append(_in_folds(self.folds, self.queries))
        if self.distilled_groups:
            first = counted(self.distilled_groups, "groups")
            lines.append(
                f"Before them, it learnt from {first} how {self.init} orders passages, for spans of passages."
            )
        if self.groups < self.most_groups:
            lines.append(_epochs_cap(self.groups, self.queries, self.folds))
        if self.skipped:
            queries = counted(self.skipped, "train queries")
            lines.append(f"Left out: {queries} without a candidate that could be a negative.")
        if self.measuring and self.folds == 1:
            lines.append(f"Held back: {_held_back(self.choosing, self.measuring)}.")
        lines += [*_kept(self.best), *self.judge.lines()]
        if self.judge.verdict != "worse":
            lines.append(f"Next: {curate_command('denoise', '--scorer', self.model)}")
        return "\n".join(lines)


class CrossEncoderTraining:
    """One training of a cross-encoder, determined by its settings and the workspace."""

    def __init__(
        self, workspace: Workspace, *, fold: int | None = None, **options: Unpack[CrossEncoderOptions]
    ) -> None:
        """Take the options, and the number of one of several judges; None: all together, or a single one."""
        given = given_options(CrossEncoderOptions, options)
        run, name = given.pop("run", None), given.pop("name", "cross-encoder")
        settings = workspace.settings.train.cross_encoder.override(**given)
        self.run_id, self.fold = chosen_run(workspace, run), fold
        self.progress: Progress = SILENT
        self.notes = standing.notes(workspace, [self.run_id], None, named_run=bool(run), named_cutoffs=True)
        self.earlier = _earlier(workspace, settings)
        init = choose_initial_model(workspace, settings.init, [self.run_id])
        base = model_folder(init, workspace.root)
        self.start = cross_encoder_start(base)
        self.teacher = self._teacher(workspace, init, settings.distilled_groups)
        groups = settings.distilled_groups if settings.distilled_groups is not None else GROUPS
        self.settings = settings.model_copy(update={"distilled_groups": groups if self.teacher else 0})
        self.learning_rate = self.settings.learning_rate or usual_learning_rate(self.start)
        token_limit(self.start, self.settings.max_length)  # refuses more tokens than the model has positions
        before = training_in(workspace, base)
        trained_by = before.job if before else None
        self.split: JudgeSplit = split_queries(
            workspace, self.run_id, workspace.settings.seed, self.settings.folds, trained_by
        )
        if self.split.by_start:
            self.notes.append(
                f"it starts from {base.name}, which was trained here on "
                f"{counted(len(self.split.by_start), 'queries')}: these do not measure the judge. A model from "
                "elsewhere: --init"
            )
        identity_settings = {
            **self.settings.model_dump(exclude=NOT_IN_THE_WEIGHTS),
            "learning_rate": self.learning_rate,
            "kind": "cross-encoder",
            "run": self.run_id,
            "folds": self.split.folds,
            **({"fold": fold} if fold else {}),
            **({"cutoffs": self.earlier} if self.earlier else {}),
            **({"start_trained_by": trained_by} if trained_by else {}),
        }
        self.identity = TrainingIdentity(
            workspace,
            name,
            base,
            self.settings.dtype,
            identity_settings,
            self._digests,
            form=partial(cross_encoder_form, self.start),
            fold=fold,
        )
        self.distillation: Distillation | None = None
        if self.teacher:
            self.distillation = Distillation(
                self.identity, self.settings, self.learning_rate, self.run_id, self.teacher, groups
            )

    def _teacher(self, workspace: Workspace, init: str, groups: int | None) -> Encoder | None:
        """Return the encoder from which it learns before it sees a label; None without such groups.

        Raises BadSettings if groups are asked for and the start can teach nothing.
        """
        if groups == 0:
            return None
        try:
            teacher = teacher_of(workspace, self.run_id, init)
        except (BadInput, BadSettings) as error:
            if groups:
                raise
            self.notes.append(f"it does not learn how {init} orders passages before it sees labels: {error}")
            return None
        if groups and not teacher:
            raise BadSettings(
                f"--distilled-groups {groups}: nothing says how {init} embeds (modules.json), so it cannot teach. "
                "Start from a sentence-transformers encoder, --init MODEL, or use --distilled-groups 0"
            )
        return teacher

    def _digests(self) -> dict[str, str]:
        """Return the digests of what it reads besides what every training reads, by table."""
        workspace = self.identity.workspace
        found = {"candidates": table_digest(workspace, "candidates", of_jobs=[self.run_id])}
        if self.teacher:
            found[TEACHER] = digest(self.teacher.spec.settings(), SCORE)
        if self.earlier:
            scorers = judges.scorers(self.earlier)
            read = {"runs": [self.run_id], "cutoffs": self.earlier["name"], "scorers": scorers}
            scores = workspace.select("train/scores_digest", denoised=True, depth=0, **read)
            found["scores"] = str(scores["digest"][0])
        return found

    @property
    def data(self) -> Path:
        """The file with the training groups."""
        return self.identity.checkpoints / "groups.parquet"

    @cached_property
    def counts(self) -> Counts:
        """The counts of the queries that it is trained on."""
        identity = self.identity
        left_out, earlier = self.split.left_out(self.fold), self.settings.leave_out
        return count_queries(identity.workspace, self.run_id, identity.seed, left_out, earlier)

    @cached_property
    def groups(self) -> int:
        """The groups of the whole training, as many as the epochs allow."""
        return capped(self.settings, self.counts.queries).groups

    @property
    def steps(self) -> int:
        """The steps of the whole training."""
        return -(-self.groups // self.settings.batch_groups)

    @property
    def done(self) -> int:
        """The groups of this training that are done."""
        state = None if self.identity.record else checkpoint.latest(self.identity.checkpoints)
        steps = state.step if state else self.steps if self.identity.record else 0
        return min(steps * self.settings.batch_groups, self.groups)

    def write_data(self, progress: Progress) -> None:
        """Write the groups unless they are there already."""
        if self.distillation:
            self.distillation.write_data(progress)
        self.write_groups(self.data, self.groups, self.identity.job.lineage)

    def write_groups(self, path: Path, groups: int, lineage: Lineage) -> None:
        """Write the first groups of the training to a file."""
        identity, settings = self.identity, self.settings.model_copy(update={"groups": groups})
        left_out = self.split.left_out(self.fold)
        write_groups(identity.workspace, path, self.run_id, settings, identity.seed, lineage, left_out)

    def work(self, world: World, progress: Progress) -> Work[list[Pair]]:
        """Load the initial model and open the groups, and those of the queries that choose the weights."""
        from .cross_encoder_task import CrossEncoderTask

        settings, identity = self.settings, self.identity
        self.progress = progress
        model = cross_encoder_from(self.start, identity.seed, identity.dtype)
        tokenizer = load_tokenizer(self.start)
        taught = self.distillation.groups if self.distillation else 0
        if self.distillation:
            self.distillation.teach(model, tokenizer, world, progress)
        task = CrossEncoderTask(model, tokenizer, settings, identity.dtype, world)
        asked = choosing_pairs(identity.workspace, self.run_id, self.split.choosing, identity.seed)
        every = -(-self.steps // EVALUATIONS)
        return Work(
            task=task,
            read=partial(read_batches, self.data, settings.batch_groups),
            steps=self.steps,
            total=self.groups,
            a_step=settings.batch_groups,
            unit="groups",
            learning_rate=self.learning_rate,
            # What the encoder taught has an order, but not yet the scale that the cutoffs need.
            dev=Dev(every, lambda: asked.auc(task), MEASURE, keeps_start=not taught) if asked else None,
        )

    def facts(self, data: Manifest, best: dict[str, Any] | None) -> dict[str, Any]:
        """Return the facts about the groups, and how good the judge is, for the record."""
        done = {"groups": self.groups, "pairs": data.rows, "steps": self.steps, "best": best}
        return {**asdict(counts_in(self.data)), **done, **self.measured()}

    def measured(self) -> dict[str, Any]:
        """Return how many queries do what, and how good the judge in the model's folder is.

        Of one of several judges only the counts: all are measured together.
        """
        split, settings = self.split, self.identity.workspace.settings.denoise
        taught = self.distillation.groups if self.distillation else 0
        counts = {
            "distilled_groups": taught,
            "folds": split.folds,
            "choosing": len(split.choosing),
            "measuring": len(split.unseen()),
        }
        if self.fold:
            return counts
        low, high = settings.negative_below, settings.positive_above
        quality = JudgeQuality.of([], settings.depth, low, high)
        if split.unseen():
            self.progress.say(f"measuring {self.identity.model} on queries that it has not seen")
            scorer = find_source(str(self.identity.folder), self.identity.workspace.root).open()
            quality = measure_judge(self.identity.workspace, self.run_id, scorer, split.unseen(), settings)
        return {**counts, "judge": asdict(quality)}

    def save(self, model: Any, outcome: Mapping[str, Any], best: dict[str, Any] | None) -> None:
        """Write the trained cross-encoder to its folder, and which queries it has seen to the tables."""
        from .save_model import cross_encoder_card, save_cross_encoder

        identity, settings = self.identity, self.settings
        facts = {
            "trained from": identity.init,
            "run": self.run_id,
            "groups": f"{self.groups:,}, {self.steps:,} steps of {settings.batch_groups}",
            "computed in": identity.dtype,
            "at the end": f"loss {outcome['loss']:.3f}, positive first in {outcome['won']:.0%} of the groups",
        }
        if best:
            facts["kept"] = f"step {best['step']:,}, AUC on held-back queries {best['measure']:.4f}"
        identity.mark_saving()
        card = cross_encoder_card(
            identity.name, facts, json.dumps(identity.job.settings, indent=1, sort_keys=True)
        )
        save_cross_encoder(identity.folder, model, self.start, settings.max_length, card)
        write_judge_queries(identity.job, self.split, self.fold)

    def unite(self, judges: list["CrossEncoderTraining"], progress: Progress) -> None:
        """Make all judges, each of which is trained, one scorer, and write its record."""
        identity = self.identity
        write_folds(identity.folder, self.split.folds, self.split.fold_of_text)
        write_judge_queries(identity.job, self.split, None)
        self.progress = progress
        records = [judge.identity.record for judge in judges]
        each = [record.facts for record in records if record]
        total = {key: sum(facts[key] for facts in each) for key in ("groups", "pairs", "steps", "seconds")}
        mean = {key: round(sum(facts[key] for facts in each) / len(each), 4) for key in ("loss", "won")}
        identity.job.finish(
            **{**total, **mean, "seconds": round(total["seconds"], 3)},
            queries=self.counts.queries,
            skipped=self.counts.skipped,
            tokens=sum(facts.get("tokens", 0) for facts in each),
            threads=each[0]["threads"],
            pairs_per_second=round(total["pairs"] / total["seconds"], 1),
            best=None,
            judges=[fingerprint(judge.identity.folder, {}) for judge in judges],
            sha256=weights_sha256(identity.folder),
            **self.measured(),
        )
        shutil.rmtree(identity.checkpoints, ignore_errors=True)


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
    world = world or World()
    training = CrossEncoderTraining(workspace, **options)
    if training.split.folds == 1:
        training, outcome = run_training(CrossEncoderTraining, workspace, dict(options), devices, world, progress)
    else:
        outcome = _train_folds(training, workspace, options, devices, world, progress)
    outcome["judge"] = JudgeQuality.read(outcome["judge"])
    outcome.pop("judges", None)
    most = training.settings.groups * training.split.folds
    return TrainedCrossEncoder(run_id=training.run_id, most_groups=most, **outcome)


def _train_folds(
    training: CrossEncoderTraining,
    workspace: Workspace,
    options: CrossEncoderOptions,
    devices: int,
    world: World,
    progress: Progress,
) -> dict[str, Any]:
    """Train the judges one after the other, unless they are; return the fields of the outcome of all together."""
    identity = training.identity
    identity.check()
    identity.job  # noqa: B018 - its time begins
    before = identity.record
    if before:
        shutil.rmtree(identity.checkpoints, ignore_errors=True)  # left over if a kill came right after the record
    else:
        if world.is_first:
            identity.mark_saving()  # the folder is there once the first judge is
        world.wait()
        judges = []
        for fold in range(1, training.split.folds + 1):
            arguments = {**options, "fold": fold}
            judge, _ = run_training(CrossEncoderTraining, workspace, arguments, devices, world, progress)
            judges.append(judge)
        if world.is_first:
            training.unite(judges, progress)
    record = before or seen(lambda: identity.record, identity.folder)
    return outcome_fields(identity, record, now=before is None)


def plan_train_cross_encoder(
    workspace: Workspace,
    *,
    devices: int = 1,  # noqa: ARG001 - the twin of `train_cross_encoder`
    **options: Unpack[CrossEncoderOptions],
) -> Plan:
    """Return what `train_cross_encoder` with the same arguments would do; makes two steps if no rate is known."""
    work = CrossEncoderTraining(workspace, **options)
    identity, settings, split = work.identity, work.settings, work.split
    identity.check()
    if identity.record:
        total = int(identity.record.facts["groups"])
        notes = [*work.notes, f"{identity.model}: already trained."]
        return Plan("train cross-encoder", "groups", total, total, notes=notes)
    judges = [work]
    if split.folds > 1:
        judges = [CrossEncoderTraining(workspace, fold=fold + 1, **options) for fold in range(split.folds)]
    total, done = sum(judge.groups for judge in judges), sum(judge.done for judge in judges)
    pairs = (total - done) * (1 + settings.negatives)
    distillation = None if done else work.distillation
    if distillation:
        pairs += distillation.most_pairs
    pace = identity.pace() or (_probe(judges[0]) if pairs else None)
    seconds = pairs / pace.per_second if pace else 0.0
    queries, skipped, most = work.counts.queries, work.counts.skipped, settings.groups * split.folds
    notes = [
        *work.notes,
        f"from {identity.init} on run {work.run_id}, {sum(judge.steps for judge in judges):,} "
        f"steps; the model goes to {identity.model}",
        f"{queries:,} train queries have a positive and negatives; {skipped:,} have no negative",
        *([f"first, {distillation.text}"] if distillation else []),
        *([_in_folds(split.folds, queries)] if split.folds > 1 else []),
        *([_epochs_cap(total, queries, split.folds)] if total < most else []),
        *([f"held back: {_held_back(len(split.choosing), len(split.measuring))}"] if split.measuring else []),
        *([] if split.unseen() else ["no query is held back, so nothing will be known of the judge"]),
    ]
    tokens = tokens_of([(pairs, pace)]) if pace else None
    return Plan("train cross-encoder", "groups", total, done, seconds, notes, tokens)


def _earlier(workspace: Workspace, settings: TrainCrossEncoder) -> dict[str, Any] | None:
    """Return the cutoffs of the earlier judge, or None; raises BadSettings if there are no such cutoffs."""
    if settings.leave_out is None:
        if settings.soft_labels:
            raise BadSettings("--soft-labels needs the cutoffs of an earlier judge: --leave-out CUTOFFS")
        return None
    row = cutoffs_in_force(workspace, settings.leave_out)
    read = (*IN_FORCE, *IF_JOINED) if judges.are_several(row) else IN_FORCE
    return {key: value for key, value in row.items() if key in read}


def _in_folds(folds: int, queries: int) -> str:
    return (
        f"{folds} judges, each trained without its part of the {queries:,} queries, which it scores; other "
        "queries get the mean of all."
    )


def _epochs_cap(groups: int, queries: int, folds: int) -> str:
    """Return that `epochs` allows no more groups. Of several judges each sees all queries but its part."""
    seen_by_each = queries * (folds - 1) / folds if folds > 1 else queries
    epochs = groups / folds / seen_by_each
    return (
        f"{groups:,} groups, because each query is seen {epochs:.3g} times at most; --epochs sets another number."
    )


def _held_back(choosing: int, measuring: int) -> str:
    return (
        f"{choosing + measuring:,} queries are not trained on; {choosing:,} choose the weights, "
        f"and {measuring:,} measure the judge"
    )


def _kept(best: Mapping[str, Any] | None) -> list[str]:
    """Return which weights were kept, and why."""
    if best is None:
        return []
    figures = (
        f"AUC {best['measure']:.4f} on the queries that choose (start {best['start']:.4f}, end {best['end']:.4f})"
    )
    if not best["step"]:
        return [f"Warning: training made it worse, so it has the weights of its start: {figures}."]
    if best["measure"] < best["start"]:
        return [f"Warning: the labels made it worse. Kept the weights after step {best['step']:,}: {figures}."]
    return [f"Kept the weights after step {best['step']:,}: {figures}."]


def _probe(work: CrossEncoderTraining) -> Pace:
    """Return the pace of the second of two steps, computed here on the first groups."""
    from .cross_encoder_task import CrossEncoderTask

    identity, settings = work.identity, work.settings
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "groups.parquet"
        work.write_groups(path, 2 * settings.batch_groups, Lineage("train", "probe"))
        model = cross_encoder_from(work.start, identity.seed, identity.dtype).train()
        task = CrossEncoderTask(model, load_tokenizer(work.start), settings, identity.dtype)
        (_, first), (_, second) = read_batches(path, settings.batch_groups)
        return pace_of_steps(task, first, second)
