"""Clean training sets for dense retrievers, made by RocketQA's procedure and kept as tables.

The functions mirror the commands: `curate.mine(workspace, depth=100)` does what `curate mine --depth 100` does.
Each stage has a second function, such as `curate.plan_mine`, that returns what `--dry-run` prints. Importing this
package is cheap because every name is loaded on first use.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.annotate.estimates import estimate as estimate
    from curate.annotate.page import write_page as write_page
    from curate.annotate.sample import draw_sample as draw_sample
    from curate.augment import augment as augment
    from curate.augment import plan_augment as plan_augment
    from curate.calibrate.stage import calibrate as calibrate
    from curate.calibrate.stage import plan_calibrate as plan_calibrate
    from curate.check.stage import check as check
    from curate.config import Settings as Settings
    from curate.cutoffs import set_cutoffs as set_cutoffs
    from curate.denoise.stage import denoise as denoise
    from curate.denoise.stage import plan_denoise as plan_denoise
    from curate.doctor.stage import doctor as doctor
    from curate.errors import BadInput as BadInput
    from curate.errors import BadSettings as BadSettings
    from curate.errors import CurateError as CurateError
    from curate.errors import Damaged as Damaged
    from curate.errors import NoSpace as NoSpace
    from curate.errors import NotAvailable as NotAvailable
    from curate.errors import NotMet as NotMet
    from curate.errors import NoWorkspace as NoWorkspace
    from curate.errors import RejectedRows as RejectedRows
    from curate.errors import StaleModel as StaleModel
    from curate.errors import StepMissing as StepMissing
    from curate.errors import UnknownName as UnknownName
    from curate.errors import WorkspaceBusy as WorkspaceBusy
    from curate.evaluate import evaluate as evaluate
    from curate.evaluate import plan_evaluate as plan_evaluate
    from curate.export.run_file import export_run as export_run
    from curate.export.stage import export as export
    from curate.export.stage import plan_export as plan_export
    from curate.load.stage import load as load
    from curate.load.stage import plan_load as plan_load
    from curate.mine.stage import mine as mine
    from curate.mine.stage import plan_mine as plan_mine
    from curate.plan import Plan as Plan
    from curate.rebuild import rebuild as rebuild
    from curate.reports.report_rows import report as report
    from curate.selfcheck import selfcheck as selfcheck
    from curate.status import status as status
    from curate.train.cross_encoder import plan_train_cross_encoder as plan_train_cross_encoder
    from curate.train.cross_encoder import train_cross_encoder as train_cross_encoder
    from curate.train.dual_encoder import plan_train_dual_encoder as plan_train_dual_encoder
    from curate.train.dual_encoder import train_dual_encoder as train_dual_encoder
    from curate.train.rocketqa import plan_recipe as plan_recipe
    from curate.train.rocketqa import run_recipe as run_recipe
    from curate.use import use as use
    from curate.workspace import Workspace as Workspace

__version__ = "0.3.0"

_HOME = {
    "BadInput": "curate.errors",
    "BadSettings": "curate.errors",
    "CurateError": "curate.errors",
    "Damaged": "curate.errors",
    "NoSpace": "curate.errors",
    "NoWorkspace": "curate.errors",
    "NotAvailable": "curate.errors",
    "NotMet": "curate.errors",
    "Plan": "curate.plan",
    "RejectedRows": "curate.errors",
    "Settings": "curate.config",
    "StaleModel": "curate.errors",
    "StepMissing": "curate.errors",
    "UnknownName": "curate.errors",
    "Workspace": "curate.workspace",
    "WorkspaceBusy": "curate.errors",
    "augment": "curate.augment",
    "calibrate": "curate.calibrate.stage",
    "check": "curate.check.stage",
    "denoise": "curate.denoise.stage",
    "doctor": "curate.doctor.stage",
    "draw_sample": "curate.annotate.sample",
    "estimate": "curate.annotate.estimates",
    "evaluate": "curate.evaluate",
    "export": "curate.export.stage",
    "export_run": "curate.export.run_file",
    "load": "curate.load.stage",
    "mine": "curate.mine.stage",
    "plan_augment": "curate.augment",
    "plan_calibrate": "curate.calibrate.stage",
    "plan_denoise": "curate.denoise.stage",
    "plan_evaluate": "curate.evaluate",
    "plan_export": "curate.export.stage",
    "plan_load": "curate.load.stage",
    "plan_mine": "curate.mine.stage",
    "plan_recipe": "curate.train.rocketqa",
    "plan_train_cross_encoder": "curate.train.cross_encoder",
    "plan_train_dual_encoder": "curate.train.dual_encoder",
    "rebuild": "curate.rebuild",
    "report": "curate.reports.report_rows",
    "run_recipe": "curate.train.rocketqa",
    "selfcheck": "curate.selfcheck",
    "set_cutoffs": "curate.cutoffs",
    "status": "curate.status",
    "train_cross_encoder": "curate.train.cross_encoder",
    "train_dual_encoder": "curate.train.dual_encoder",
    "use": "curate.use",
    "write_page": "curate.annotate.page",
}
__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604


class _Package(ModuleType):
    """A module that keeps `curate.mine` the function, although the folder `curate/mine` has the same name.

    Python binds a submodule to its name in the package when the submodule is first imported. This class ignores
    that binding for public names. `from curate.mine.stage import ...` still works.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'curate' has no attribute '{name}'")
