"""The complete RocketQA procedure (NAACL 2021, 3.4), run by `curate run` with the settings in `curate.toml`.

The steps are M_D0 -> mine -> M_C -> denoise -> M_D1 -> augment -> M_D2, then an evaluation of every dual-encoder.
Each step works like the command of its own: it is skipped if it is done and resumed if it was interrupted.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from curate.augment import augment, plan_augment
from curate.config import Recipe, Section
from curate.denoise.stage import denoise, plan_denoise
from curate.errors import BadSettings, StaleModel, StepMissing, UnknownName
from curate.evaluate import evaluate, plan_evaluate
from curate.mine.request import MineRequest
from curate.mine.stage import mine, plan_mine
from curate.models.devices import devices, using_devices
from curate.passages import passage_shards
from curate.plan import Plan
from curate.progress import SILENT, Progress, duration
from curate.suggest import curate_command
from curate.workspace import Workspace

from .cross_encoder import plan_train_cross_encoder, train_cross_encoder
from .dual_encoder import plan_train_dual_encoder, train_dual_encoder

STEPS = ("m-d0", "mine", "m-c", "denoise", "m-d1", "augment", "m-d2", "evaluate")
DUAL_ENCODERS = ("m-d0", "m-d1", "m-d2")
PLANS: dict[str, Callable[..., Plan]] = {
    "mine": plan_mine,
    "m-c": plan_train_cross_encoder,
    "denoise": plan_denoise,
    "augment": plan_augment,
    "evaluate": plan_evaluate,
    **dict.fromkeys(DUAL_ENCODERS, plan_train_dual_encoder),
}
COMMANDS: dict[str, Callable[..., Any]] = {
    "mine": mine,
    "m-c": train_cross_encoder,
    "denoise": denoise,
    "augment": augment,
    "evaluate": evaluate,
    **dict.fromkeys(DUAL_ENCODERS, train_dual_encoder),
}
# M_D0 comes before anything is mined or scored.
FIRST = {
    "hard_negatives": 0,
    "masks": "labels",
    "augmented": False,
    "promote": False,
    "uncertain": 0,
    "distill": "none",
}


@dataclass(frozen=True)
class Done:
    """One finished step and its result."""

    name: str
    seconds: float
    result: Any

    @property
    def headline(self) -> str:
        """The step's name and time, and the first line of its result."""
        return f"{self.name} ({duration(self.seconds)}): {self.result.text().partition(chr(10))[0]}"


@dataclass(frozen=True)
class Followed:
    """The result of running a recipe."""

    steps: list[Done]
    seconds: float
    waiting: list[str]
    """The steps of the recipe that come after the last one in `steps`."""

    def text(self) -> str:
        """Return the result for a terminal: one line for each step, then the full text of the last step."""
        said = [line for line in self.steps[-1].result.text().splitlines() if not line.startswith("Next: ")]
        following = "Next: curate run" if self.waiting else "Next: curate runs"
        lines = [
            *(step.headline for step in self.steps),
            f"Total time: {duration(self.seconds)}.",
            "",
            *said,
            following,
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class Plans:
    """The plan of a recipe: the steps that can be planned now, and the steps that have to wait for them."""

    plans: dict[str, Plan]
    refused: dict[str, str] = field(default_factory=dict)
    """The step that would be refused because its model was trained with other settings, with the reason."""
    waiting: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the plans for a terminal."""
        lines = [f"{name}: {_short(plan)}" for name, plan in self.plans.items()]
        lines += [f"{name}: refused, {why}" for name, why in self.refused.items()]
        return "\n".join([*lines, *(f"{name}: waits for the steps before it" for name in self.waiting)])


def run_recipe(
    workspace: Workspace,
    *,
    first: str = STEPS[0],
    last: str = STEPS[-1],
    progress: Progress = SILENT,
) -> Followed:
    """Run the steps from `first` to `last`, skipping steps that are already done with the same settings.

    Raises BadSettings for an unknown step, or if a step before `first` is not done.
    """
    recipe, started = Procedure(workspace, progress), time.monotonic()
    chosen = recipe.chosen(first, last)
    recipe.require_before(first)
    if recipe.dev_chooses(chosen):
        progress.say("dev both chooses the weights and measures the models, so the figures are optimistic")
    done = []
    for name in chosen:
        progress.say(f"== {name}")
        began = time.monotonic()
        result = recipe.do(name)
        done.append(Done(name, round(time.monotonic() - began, 1), result))
    waiting = recipe.steps[recipe.steps.index(chosen[-1]) + 1 :]
    return Followed(done, round(time.monotonic() - started, 1), list(waiting))


def plan_recipe(workspace: Workspace, *, first: str = STEPS[0], last: str = STEPS[-1]) -> Plans:
    """Return what `run_recipe` with the same arguments would do.

    A step can be planned only once the steps before it are done.
    """
    recipe, plans = Procedure(workspace, SILENT), {}
    chosen = recipe.chosen(first, last)
    recipe.require_before(first)
    for at, name in enumerate(chosen):
        try:
            plans[name] = recipe.plan(name)
        except StaleModel as error:
            return Plans(plans, {name: str(error)}, chosen[at + 1 :])
        if not _is_done(plans[name]):
            return Plans(plans, {}, chosen[at + 1 :])
    return Plans(plans)


class Procedure:
    """The steps of a workspace's recipe."""

    def __init__(self, workspace: Workspace, progress: Progress) -> None:
        self.workspace, self.progress = workspace, progress
        self.recipe: Recipe = workspace.settings.recipe

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """The steps for this workspace; without unlabeled queries, those for augmentation are left out."""
        left_out = {"evaluate"} if self.recipe.evaluate == "none" else set()
        if not self.workspace.select("augment/unlabeled_queries")["queries"][0]:
            self.progress.say("there are no unlabeled queries: M_D1 is the recipe's last model")
            left_out |= {"augment", "m-d2"}
        return tuple(name for name in STEPS if name not in left_out)

    def require_before(self, first: str) -> None:
        """Raise BadSettings if a step before `first` is not done."""
        for name in STEPS[: _place(first)]:
            if name in self.steps and not _is_done(self.plan(name)):
                raise StepMissing(f"the step {name} is not done. Leave out --from {first}, or use --from {name}")

    def chosen(self, first: str, last: str) -> list[str]:
        """Return the steps from `first` to `last`.

        Raises BadSettings if there are none. Also raises BadSettings if they include the evaluation and its split
        has no labels: it is better to fail now than after hours of training.
        """
        passage_shards(self.workspace)  # if nothing is loaded, this raises an error that says what to run
        if _place(first) > _place(last):
            raise BadSettings(f"--from {first} comes after --to {last}; the steps are {', '.join(STEPS)}")
        found = [name for name in STEPS[_place(first) : _place(last) + 1] if name in self.steps]
        if not found:
            raise BadSettings(
                f"nothing to do from {first} to {last}: the steps of this recipe are {', '.join(self.steps)}"
            )
        if "evaluate" in found and not self._judged_queries():
            raise BadSettings(
                f"no labels for the split '{self.recipe.evaluate}', on which the models should be evaluated. "
                'Load some, or write in curate.toml: [recipe] evaluate = "dev" or "none"'
            )
        return found

    def _judged_queries(self) -> int:
        """Return the number of queries with labels in the split for evaluation."""
        return int(self.workspace.select("evaluate/judged", split=self.recipe.evaluate)["queries"][0])

    def dev_chooses(self, steps: list[str]) -> bool:
        """Return whether one of the steps chooses weights on dev while the models are also evaluated on dev."""
        trained = self.workspace.settings.train.dual_encoder
        every = [
            trained.override(**_given(getattr(self.recipe, name.replace("-", "_")))).dev_every
            for name in steps
            if name in DUAL_ENCODERS
        ]
        return self.recipe.evaluate == "dev" and any(every)

    def plan(self, name: str) -> Plan:
        """Return what a step would do; raises BadSettings if a step before it is not done."""
        with using_devices(self.recipe.devices):
            return PLANS[name](self.workspace, **self.arguments(name))

    def do(self, name: str) -> Any:
        """Run a step unless it is done already; return the result of its command."""
        with using_devices(self.recipe.devices):
            return COMMANDS[name](self.workspace, **self.arguments(name), progress=self.progress)

    def arguments(self, name: str) -> dict[str, Any]:
        """Return the arguments of a step's function."""
        recipe = self.recipe
        if name == "m-d0":
            return {"run": self.first_runs, **FIRST, **self.training(name)}
        if name == "mine":
            return {"split": "train", "retriever": "dense", "encoder": "models/m-d0", "depth": recipe.depth}
        if name == "m-c":
            return {"run": self.mined, **self.training(name)}
        if name == "denoise":
            return {"run": self.mined, "scorer": "models/m-c"}
        if name == "m-d1":
            return {"run": [self.mined], "augmented": False, **self.training(name)}
        if name == "augment":
            depth = recipe.augment_depth or recipe.depth
            return {"scorer": "models/m-c", "encoder": "models/m-d1", "depth": depth}
        if name == "m-d2":
            runs = sorted([self.mined, self.augmented])
            return {"run": runs, "augmented": True, **self.training(name)}
        models = [f"models/{each}" for each in DUAL_ENCODERS if each in self.steps]
        return {"encoder": models, "split": recipe.evaluate, "depth": recipe.evaluate_depth}

    def training(self, step: str) -> dict[str, Any]:
        """Return the arguments of a training: name, devices, init and the settings in the step's section."""
        settings, own = self.workspace.settings, getattr(self.recipe, step.replace("-", "_"))
        of_kind = settings.train.cross_encoder if step == "m-c" else settings.train.dual_encoder
        init = own.init or of_kind.init or self.recipe.init or settings.mine.encoder
        if not init:
            raise BadSettings('no encoder to start from. Name one in curate.toml: [recipe] init = "MODEL"')
        return {"name": step, "devices": devices(), **_given(own), "init": init}

    @property
    def first_runs(self) -> list[str] | None:
        """The runs in M_D0's record, or None (the newest run) if it names none.

        Without the record, a later run that M_D0 itself mined would be taken for its input.
        """
        record = self.workspace.record("train-m-d0")
        return (record.settings.get("runs") if record else None) or None

    @cached_property
    def mined(self) -> str:
        """The run that M_D0 mined over the split train; raises BadSettings if there is none."""
        return self._run("mine")

    @cached_property
    def augmented(self) -> str:
        """The run that M_D1 mined over the unlabeled queries; raises BadSettings if there is none."""
        return self._run("augment")

    def _run(self, step: str) -> str:
        asked = self.arguments(step)
        job = MineRequest.of(
            self.workspace,
            split=asked.get("split", "unlabeled"),
            retriever="dense",
            encoder=asked["encoder"],
            depth=asked["depth"],
        ).job
        if job.record is None:
            raise StepMissing(f"the step {step} is not done", run=curate_command("run", "--to", step))
        return job.name


def _given(section: Section) -> dict[str, Any]:
    """Return the settings that a section sets explicitly, without defaults."""
    return {name: getattr(section, name) for name in section.model_fields_set}


def _place(name: str) -> int:
    if name not in STEPS:
        raise UnknownName(f"no step '{name}'; the steps are {', '.join(STEPS)}")
    return STEPS.index(name)


def _is_done(plan: Plan) -> bool:
    return plan.total == plan.cached


def _short(plan: Plan) -> str:
    if _is_done(plan):
        return "done"
    about = f", about {duration(plan.seconds)}" if plan.seconds else ""
    return f"{plan.total - plan.cached:,} of {plan.total:,} {plan.unit} to do{about}"
