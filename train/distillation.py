"""A cross-encoder that starts from an encoder first learns what that encoder says.

An encoder has never read a query and a passage together, and a few hundred labels do not teach it to. But it can
score as many pairs as one likes. For spans of passages as queries, the cross-encoder learns the order in which the
encoder puts passages (KL divergence over those of a group). So it knows most of what the encoder knows before the
labels teach it more. benchmarks/README.md says how much that helps.
"""

import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.config import EMBEDDING, TrainCrossEncoder
from curate.counted import counted
from curate.errors import CurateError
from curate.models.encoder import Encoder
from curate.models.folder import is_same_model, model_folder
from curate.models.model_kind import is_cross_encoder, modules_of
from curate.progress import Progress
from curate.shards import Lineage, Manifest, digest
from curate.workspace import Workspace

from . import checkpoint
from .cross_encoder_task import CrossEncoderTask, grid
from .distilled_groups import WINDOWS, groups_in, write_distilled_groups
from .groups import Pair, read_batches
from .identity import SCRATCH, TrainingIdentity
from .lifecycle import Work, run_steps, seen
from .losses import kl
from .towers import TEMPERATURES
from .world import World

if TYPE_CHECKING:
    import torch

GROUPS = 2_400
"""By default; benchmarks/README.md compares other numbers."""
WIDTH = len(WINDOWS) + 1
TEACHER = "teacher"
"""What the identity of a training calls the digest of how its teacher embeds."""
OF_THE_LOOP = {
    "batch_groups", "warmup", "weight_decay", "clip_norm", "max_length"
}  # fmt: skip


def teacher_of(workspace: Workspace, run_id: str, name: str) -> Encoder | None:
    """Return the encoder `name` as it is used here, or None if it is none, or if no file says how it embeds.

    Its own files may say it, or the run that it mined. Raises BadInput or BadSettings if curate cannot embed so.
    """
    root = workspace.root
    start = model_folder(name, root)
    if is_cross_encoder(start):
        return None
    record = workspace.record(run_id)
    used = dict((record.facts.get("options") if record else None) or {})
    mined = "encoder" in used and is_same_model(used["encoder"], name, root)
    if not mined and not modules_of(start):
        return None
    settings = workspace.settings.mine.about(name, root)
    options: dict[str, Any] = {key: used.get(key) if mined else getattr(settings, key) for key in EMBEDDING}
    return Encoder.open(name, root, **options)


@dataclass(frozen=True)
class Distillation:
    """The first part of a cross-encoder's training: groups with scores of an encoder, and a place to work."""

    identity: TrainingIdentity
    """That of the training."""
    settings: TrainCrossEncoder
    learning_rate: float
    run_id: str
    teacher: Encoder
    most_groups: int
    """There are fewer if the run found few passages."""

    @property
    def folder(self) -> Path:
        """The folder for its files: one for all judges of a training, which share it."""
        name = self.identity.name.partition("/")[0]
        return self.identity.workspace.root / "models" / f"{name}{SCRATCH}"

    @property
    def data(self) -> Path:
        """The file with the groups."""
        return self.folder / "distilled.parquet"

    @property
    def groups(self) -> int:
        """The number of groups in the file."""
        return groups_in(self.data)

    @property
    def most_pairs(self) -> int:
        """The pairs in as many groups as there may be."""
        return self.most_groups * WIDTH

    @property
    def text(self) -> str:
        """What it does, for a terminal."""
        groups = counted(self.most_groups, "groups")
        return f"up to {groups} of spans of passages, by which it learns how {self.teacher.path} orders passages"

    def write_data(self, progress: Progress) -> None:
        """Write the groups unless they are there already."""
        workspace, inputs = self.identity.workspace, self.identity.job.inputs
        settings = {"run": self.run_id, "groups": self.most_groups, "seed": self.identity.seed}
        read = {name: inputs[name] for name in ("passages", "candidates", "init", TEACHER)}
        lineage = Lineage("train", "distilled", settings, read)
        # A copy loads its weights for itself, and takes no memory during the training.
        encoder = copy.copy(self.teacher)
        write_distilled_groups(workspace, self.data, self.run_id, encoder, self.most_groups, lineage, progress)

    def teach(self, model: Any, tokenizer: Any, world: World, progress: Progress) -> None:
        """Give `model` the weights after this part of the training; what is done already is not done again."""
        identity, work = self.identity, self._work(model, tokenizer, world)
        plan = seen(lambda: Manifest.read(self.data), self.data).sha256
        part = identity.part("distillation", self.folder / f"distilled-{self._key(plan)}")
        done = not work.steps or checkpoint.has_weights(part.checkpoints, work.steps)
        if not world.agree([int(done)]):
            raise CurateError(
                f"only some of the processes see {part.checkpoints}. All machines need the same workspace folder."
            )
        if done:
            if work.steps:
                checkpoint.restore_best(part.checkpoints, work.steps, model)
            return
        outcome, _ = run_steps(part, self.settings, work, plan, world, progress)
        progress.say(
            f"in {outcome['won']:.0%} of the last groups, {identity.name} puts the same passage first as "
            f"{self.teacher.path}"
        )
        if world.is_first:
            checkpoint.save_weights(part.checkpoints, work.steps, model)
        world.wait()

    def _work(self, model: Any, tokenizer: Any, world: World) -> Work[list[Pair]]:
        settings, groups = self.settings, self.groups
        return Work(
            task=DistillationTask(
                model, tokenizer, settings, self.identity.dtype, world, temperature=self._temperature
            ),
            read=partial(read_batches, self.data, settings.batch_groups),
            steps=-(-groups // settings.batch_groups),
            total=groups,
            a_step=settings.batch_groups,
            unit="groups",
            learning_rate=self.learning_rate,
        )

    @property
    def _temperature(self) -> float:
        return TEMPERATURES[self.teacher.spec.similarity]

    def _key(self, plan: str) -> str:
        """Return a digest of all that determines the weights, besides the settings of the training's own data."""
        settings = self.settings.model_dump(include=OF_THE_LOOP)
        identity = self.identity
        loop = {**settings, "learning_rate": self.learning_rate, "temperature": self._temperature}
        return digest(plan, identity.start, identity.dtype, identity.seed, loop, *identity.form.items())[:16]


class DistillationTask(CrossEncoderTask):
    """The same, with the divergence from the teacher's scores as the loss. A group has no positive."""

    def __init__(self, *arguments: Any, temperature: float) -> None:
        super().__init__(*arguments)
        self.temperature = temperature

    def _loss(
        self,
        pairs: list[Pair],
        logits: "torch.Tensor",
        groups: int,
        all_pairs: int,  # noqa: ARG002 - the mean is over groups
    ) -> "tuple[torch.Tensor, float]":
        """Return this process's part of the loss, and in how many of its groups both put the same one first."""
        student, present = grid(pairs, logits, WIDTH)
        teacher, _ = grid(pairs, logits.new_tensor([pair["teacher"] for pair in pairs]), WIDTH)
        first = [values.masked_fill(~present, float("-inf")).argmax(dim=1) for values in (student, teacher)]
        loss = kl(student, teacher / self.temperature, present) / groups
        return loss, float((first[0] == first[1]).sum())
