"""curate: clean training sets for dense retrievers, by RocketQA's procedure, as tables.

The functions mirror the commands: `curate.mine(workspace, depth=100)` is `curate mine --depth 100`.
Importing this package is cheap; each name is loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.config import Settings as Settings
    from curate.errors import BadInput as BadInput
    from curate.errors import BadSettings as BadSettings
    from curate.errors import CurateError as CurateError
    from curate.stages.augment import augment as augment
    from curate.stages.denoise import denoise as denoise
    from curate.stages.evaluate import evaluate as evaluate
    from curate.stages.export import export as export
    from curate.stages.load import load as load
    from curate.stages.mine import mine as mine
    from curate.workspace import Workspace as Workspace

__version__ = "0.1.0"

_HOME = {
    "BadInput": "curate.errors",
    "BadSettings": "curate.errors",
    "CurateError": "curate.errors",
    "Settings": "curate.config",
    "Workspace": "curate.workspace",
    "augment": "curate.stages.augment",
    "denoise": "curate.stages.denoise",
    "evaluate": "curate.stages.evaluate",
    "export": "curate.stages.export",
    "load": "curate.stages.load",
    "mine": "curate.stages.mine",
}
__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'curate' has no attribute '{name}'")
