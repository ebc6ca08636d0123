"""Models that were trained in a workspace: their weights must still be those that the training recorded."""

from pathlib import Path

from curate.errors import Damaged
from curate.job_record import Record
from curate.models.folder import weights_sha256
from curate.workspace import Workspace


def training_of(name: str) -> str:
    """Return the job that trained `models/<name>`; `name` may be one of several judges, such as `judge/fold-1`."""
    return f"train-{name.replace('/', '+')}"


def training_in(workspace: Workspace, folder: Path) -> Record | None:
    """Return the record of the job that trained the model in `folder`; None if it comes from elsewhere."""
    models = (workspace.root / "models").resolve()
    if not folder.is_relative_to(models):
        return None
    return workspace.record(training_of(str(folder.relative_to(models))))


def refuse_changed(workspace: Workspace, folder: Path) -> None:
    """Raise Damaged if `folder` is a model that was trained here and has other weights than its training wrote."""
    record = training_in(workspace, folder)
    if record and record.facts["sha256"] != weights_sha256(folder):
        name = folder.relative_to((workspace.root / "models").resolve()).as_posix()
        raise Damaged(
            f"models/{name} does not have the weights that its training wrote. Delete the folder and train it "
            f"again: curate train {record.settings['kind']} --name {name.partition('/')[0]}. If you put another "
            "model there, move it to another folder"
        )
