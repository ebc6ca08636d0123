"""The training of a dual-encoder: `curate train dual-encoder`, RocketQA's steps 1, 3, 4 (NAACL 2021, 3.1-3.3)."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Unpack

from curate.config import Mine, TrainDualEncoder
from curate.counted import counted
from curate.models.embedding_spec import EmbeddingSpec, read_embedding_spec
from curate.models.folder import model_folder
from curate.models.positions import positions
from curate.models.pretrained import load_tokenizer
from curate.options import given_options
from curate.plan import Pace, Plan, tokens_of
from curate.progress import SILENT, Progress
from curate.shards import Lineage, Manifest
from curate.suggest import curate_command
from curate.workspace import Workspace

from . import checkpoint, training_rows
from .batch import Batch, Batches
from .identity import TrainingIdentity
from .initial_model import choose_initial_model, towers_form
from .lifecycle import Trained, Work, run_training
from .loop import Dev, pace_of_steps
from .options import DualEncoderOptions
from .tokens import Tokenize, tokenize_by
from .towers import TEMPERATURES, check_start
from .training_source import TrainingSource
from .world import World

# These settings either appear in the job's settings under another key, or govern only checkpoints and memory. The
# latter change rounding and the elements that dropout draws, but nothing else.
NOT_IN_THE_WEIGHTS = {
    "init", "dtype", "temperature", "similarity",
    "checkpoint_every", "gradient_cache", "part_tokens",
}  # fmt: skip
QUERY_LENGTH, PASSAGE_LENGTH = 32, 128
EVALUATIONS = 5
"""The evaluations on dev during a short training, besides the one of its start."""


@dataclass(frozen=True, kw_only=True)
class TrainedDualEncoder(Trained):
    """A trained dual-encoder."""

    runs: list[str]
    rows: int
    queries: int
    pseudo_labelled: int
    """Queries whose positive is a pseudo-label."""
    short: int
    """Queries with fewer hard negatives than requested; nothing fills the gap."""
    without: int
    """Queries without any hard negative."""
    soft: int = 0
    """Queries with uncertain candidates as soft labels."""
    best: dict[str, Any] | None
    """What dev said; None without evaluation on dev.

    step: the step of the weights that were kept, 0 for the start. measure: their MRR@10 on the dev sample.
    start, end: the MRR@10 before the first step and after the last one.
    """

    def text(self) -> str:
        """Return the outcome for a terminal."""
        queries = f"{counted(self.queries, 'queries')} ({self.pseudo_labelled:,} pseudo-labelled)"
        read = f"{queries}, {counted(self.rows, 'rows')}"
        lines = self.lines(" and ".join(self.runs), read, "rows")
        if self.short:
            lines.append(
                f"Too few hard negatives: {counted(self.short, 'queries')}, {self.without:,} without any."
            )
        if self.soft:
            lines.append(f"Soft labels: {counted(self.soft, 'queries')} with uncertain candidates.")
        lines.append(_dev_said(self.best, self.model))
        return "\n".join(
            [*lines, f"Next: {curate_command('mine', '--retriever', 'dense', '--encoder', self.model)}"]
        )


class DualEncoderTraining:
    """One training of a dual-encoder, determined by its settings and the workspace."""

    def __init__(self, workspace: Workspace, *, processes: int, **options: Unpack[DualEncoderOptions]) -> None:
        given = given_options(DualEncoderOptions, options)
        run, cutoffs = given.pop("run", None), given.pop("cutoffs", None)
        name = given.pop("name", "dual-encoder")
        self.settings = workspace.settings.train.dual_encoder.override(**given)
        self.source = TrainingSource(workspace, self.settings, run, cutoffs)
        self.notes = self.source.notes(named_run=bool(run), named_cutoffs=cutoffs is not None)
        start = choose_initial_model(workspace, self.settings.init, self.source.runs)
        base = model_folder(start, workspace.root)
        mine = workspace.settings.mine.about(start, workspace.root)
        self.spec = _spec(base, mine, self.settings)
        check_start(base, self.spec, separate=self.settings.towers == "separate")
        self.similarity = self.spec.similarity
        self.temperature = self.settings.temperature or TEMPERATURES[self.similarity]
        identity_settings = {
            **self.settings.model_dump(exclude=NOT_IN_THE_WEIGHTS | _switched_off(self.settings)),
            "kind": "dual-encoder",
            **self.source.identity_settings,
            "pooling": list(self.spec.pooling),
            "query_prompt": self.spec.query_prompt,
            "passage_prompt": self.spec.passage_prompt,
            "similarity": self.similarity,
            "temperature": self.temperature,
            "query_max_length": self.spec.query_max_length,
            "passage_max_length": self.spec.passage_max_length,
        }
        if self.spec.truncate_dim:
            identity_settings["truncate_dim"] = self.spec.truncate_dim
        if not self.settings.cross_batch:
            identity_settings["processes"] = processes  # a query's negatives then come from its own process
        separate = self.settings.towers == "separate"
        towers = [base / self.spec.query_folder, *([base / self.spec.transformer] if separate else [])]
        self.identity = TrainingIdentity(
            workspace,
            name,
            base,
            self.settings.dtype,
            identity_settings,
            lambda: self.source.digests,
            form=partial(towers_form, towers),
        )

    @cached_property
    def tokenize(self) -> Tokenize:
        """A function that prepends a side's prompt to texts and tokenizes them, truncated to the side's length."""
        from curate.models.encoder import Encoder

        return tokenize_by(Encoder("", self.identity.base, self.spec, "fp32"), self.identity.workspace)

    @property
    def data(self) -> Path:
        """The file with the training rows."""
        return self.identity.checkpoints / training_rows.ROWS

    @cached_property
    def drawn(self) -> tuple[training_rows.Counts, int]:
        """The counts of the training data and the number of its pairs, once it is written."""
        return training_rows.counts_in(self.data)

    def write_data(self, progress: Progress) -> None:  # noqa: ARG002
        """Write the training data unless it is there already."""
        identity = self.identity
        training_rows.write(
            identity.workspace,
            identity.checkpoints,
            self.source.training_set,
            self.source.parameters,
            self.tokenize,
            identity.job.lineage,
        )

    def work(self, world: World, progress: Progress) -> Work[Batch]:
        """Load the initial model and open the training rows, and draw the dev sample if there is one."""
        from .dev_eval import mrr, sample
        from .dual_encoder_task import DualEncoderTask
        from .towers import towers_from

        settings, identity = self.settings, self.identity
        separate = settings.towers == "separate"
        towers = towers_from(identity.base, self.spec, separate=separate, dtype=identity.dtype)
        batches = Batches(identity.checkpoints, world, cross_batch=settings.cross_batch)
        for note in self.spec.notes:
            progress.say(note)
        asked = sample(identity.workspace, self.source.parameters, self.tokenize) if settings.dev_every else None
        total, steps = self.total_and_steps(self.drawn[0].queries)
        return Work(
            task=DualEncoderTask(towers, settings, self.temperature, identity.dtype, world, batches),
            read=partial(batches.read, settings.batch_rows),
            steps=steps,
            total=total,
            a_step=settings.batch_rows,
            unit="rows",
            learning_rate=settings.learning_rate,
            dev=Dev(self.dev_every(steps), lambda: mrr(towers, asked, identity.dtype, world)) if asked else None,
        )

    def facts(self, data: Manifest, best: dict[str, Any] | None) -> dict[str, Any]:  # noqa: ARG002
        """Return the facts about the training rows for the record."""
        counts, pairs = self.drawn
        total, steps = self.total_and_steps(counts.queries)
        return {**asdict(counts), "rows": total, "pairs": pairs, "steps": steps, "best": best}

    def save(self, model: Any, outcome: Mapping[str, Any], best: dict[str, Any] | None) -> None:
        """Write the trained dual-encoder to its folder."""
        from .save_model import dual_encoder_card, save_dual_encoder

        identity = self.identity
        total, steps = self.total_and_steps(self.drawn[0].queries)
        facts = {
            "trained from": identity.init,
            "runs": ", ".join(self.source.runs) or "none",
            "rows": f"{total:,}, {steps:,} steps of {self.settings.batch_rows:,}",
            "similarity": self.similarity,
            "computed in": identity.dtype,
            "at the end": f"loss {outcome['loss']:.3f}, a positive first in {outcome['won']:.0%} of the rows",
        }
        if best:
            facts["kept"] = f"step {best['step']:,}, MRR@10 on a sample of dev {best['measure']:.4f}{_ends(best)}"
        identity.mark_saving()
        card = dual_encoder_card(identity.name, facts, json.dumps(identity.job.settings, indent=1, sort_keys=True))
        save_dual_encoder(identity.folder, model, identity.base, self.spec, card)

    def dev_every(self, steps: int) -> int:
        """Return the steps between two evaluations on dev: a short training has `EVALUATIONS` of them too."""
        return min(self.settings.dev_every, -(-steps // EVALUATIONS))

    def total_and_steps(self, queries: int) -> tuple[int, int]:
        """Return the number of rows of all epochs over `queries`, and the number of steps."""
        count = queries * self.settings.epochs
        return count, -(-count // self.settings.batch_rows)


def train_dual_encoder(
    workspace: Workspace,
    *,
    devices: int = 1,
    world: World | None = None,
    progress: Progress = SILENT,
    **options: Unpack[DualEncoderOptions],
) -> TrainedDualEncoder:
    """Train a dual-encoder on the labelled queries and on pseudo-labelled ones; write it to `models/<name>/`.

    `devices` is the number of processes to start here. `world` describes this process among those that something
    else, such as torchrun, has started. After an interruption the same call continues from the last checkpoint.
    With as many processes on the same CPU it ends with the same bytes. The model opens in
    sentence-transformers.

    Raises BadSettings if there is nothing to train on, or if `name` was trained with other settings, and
    CurateError if the loss is not finite.
    """
    world = world or World()
    arguments = {**options, "processes": world.size if world.size > 1 else devices}
    training, outcome = run_training(DualEncoderTraining, workspace, arguments, devices, world, progress)
    return TrainedDualEncoder(runs=training.source.runs, **outcome)


def plan_train_dual_encoder(
    workspace: Workspace, *, devices: int = 1, **options: Unpack[DualEncoderOptions]
) -> Plan:
    """Return what `train_dual_encoder` with the same arguments would do; makes two steps if no rate is known."""
    work = DualEncoderTraining(workspace, processes=devices, **options)
    identity = work.identity
    identity.check()
    if identity.record:
        done = int(identity.record.facts["rows"])
        return Plan(
            "train dual-encoder", "rows", done, done, notes=[*work.notes, f"{identity.model}: already trained."]
        )
    counts = training_rows.count(workspace, work.source.training_set, work.source.parameters)
    total, steps = work.total_and_steps(counts.queries)
    state = checkpoint.latest(identity.checkpoints)
    done = min(total, state.step * work.settings.batch_rows) if state else 0
    pace = identity.pace() or (_probe(work) if done < total else None)
    settings = work.settings
    pairs = (total - done) * (
        settings.positives + settings.uncertain + settings.hard_negatives + settings.random_negatives
    )
    notes = [
        *work.notes,
        f"from {identity.init}, {steps:,} steps of {work.settings.batch_rows:,} rows; "
        f"the model goes to {identity.model}",
        f"{counts.queries:,} queries ({counts.pseudo_labelled:,} pseudo-labelled); {counts.short:,} are short "
        f"of {work.settings.hard_negatives} hard negatives, {counts.without:,} have none",
        *([f"soft labels: {counts.soft:,} queries have uncertain candidates"] if settings.uncertain else []),
        f"the model: {work.spec.text}",
        *work.spec.notes,
    ]
    seconds = pairs / pace.per_second if pace else 0.0
    tokens = tokens_of([(pairs, pace)]) if pace else None
    return Plan("train dual-encoder", "rows", total, done, seconds, notes, tokens)


def _probe(work: DualEncoderTraining) -> Pace:
    """Return the pace of the second of two steps, computed here on the first rows."""
    from .dual_encoder_task import DualEncoderTask
    from .towers import towers_from

    identity, settings, size = work.identity, work.settings, work.settings.batch_rows
    source, world = work.source, World()
    with tempfile.TemporaryDirectory() as name:
        folder, lineage = Path(name), Lineage("train", "probe")
        asked = source.training_set, {**source.parameters, "epochs": 1}, work.tokenize
        training_rows.write(identity.workspace, folder, *asked, lineage, first=2 * size)
        batches = Batches(folder, world, cross_batch=settings.cross_batch)
        towers = towers_from(identity.base, work.spec, separate=settings.towers == "separate").train()
        task = DualEncoderTask(towers, settings, work.temperature, identity.dtype, world, batches)
        read = [batch for _, batch in batches.read(size)]
        return pace_of_steps(task, read[0], read[-1])


def _dev_said(best: Mapping[str, Any] | None, model: str) -> str:
    """Return in words whether the model became better than its start."""
    if best is None:
        return (
            "Nothing on dev says whether it is better than its start. To measure both on test: "
            f"curate evaluate --encoder {model}"
        )
    figures = f"dev MRR@10 {best['measure']:.4f}{_ends(best)}"
    if best["step"]:
        return f"Kept the weights after step {best['step']:,}: {figures}."
    return (
        f"Warning: training made it worse, so {model} has the weights of its start: {figures}. Train on more "
        "queries (curate augment), or with a smaller --learning-rate, under another --name."
    )


def _ends(best: Mapping[str, Any]) -> str:
    return f" (start {best['start']:.4f}, end {best['end']:.4f})" if "start" in best else ""


def _switched_off(settings: TrainDualEncoder) -> set[str]:
    """Return the settings that have no effect because of other settings."""
    off = set() if settings.hard_negatives else {"depth", "denoised"}
    off |= set() if settings.distill != "none" else {"distill_weight"}
    # Models of earlier versions do not have these settings.
    off |= {name for name in ("promote", "uncertain") if not getattr(settings, name)}
    off |= {"positives_loss"} if settings.positives_loss == "mean" else set()
    return off | (set() if settings.dev_every else {"dev_queries", "dev_passages"})


def _spec(base: Path, mine: Mine, settings: TrainDualEncoder) -> EmbeddingSpec:
    """Return how the model embeds: `settings` override [mine], which overrides the model's files."""
    normalize = mine.normalize if settings.similarity is None else settings.similarity == "cosine"
    given = {
        "pooling": settings.pooling or mine.pooling,
        "normalize": normalize,
        "truncate_dim": mine.truncate_dim,
        "query_prompt": mine.query_prompt,
        "passage_prompt": mine.passage_prompt,
    }
    spec = read_embedding_spec(base, given)
    limit = positions(base / spec.transformer)

    def default(length: int, prompt: str) -> int:
        length += (
            len(load_tokenizer(base / spec.transformer)(prompt, add_special_tokens=False)["input_ids"])
            if prompt
            else 0
        )
        return min(length, limit or length)

    lengths = {
        "query_max_length": settings.query_max_length or default(QUERY_LENGTH, spec.query_prompt),
        "passage_max_length": settings.passage_max_length or default(PASSAGE_LENGTH, spec.passage_prompt),
    }
    return read_embedding_spec(base, {**given, **lengths})
