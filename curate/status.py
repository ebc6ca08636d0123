"""`curate status`: what stands, what is stale, what is unscored, and the next command."""

from dataclasses import dataclass, field
from typing import Any

from curate import judges, sql_files, standing
from curate.counted import counted
from curate.cutoffs import DECIDING, cutoffs_in_words
from curate.denoise.resolve_scorer import TRAINED_HERE
from curate.errors import Damaged
from curate.export.folder import read_manifest
from curate.staleness import runs_of, since_calibration, since_export, since_training
from curate.suggest import curate_command, option_words
from curate.workspace import Workspace

Row = dict[str, Any]
SHOWN = ("name", *DECIDING)


@dataclass(frozen=True)
class Status:
    """The state of a workspace."""

    collection: Row
    """The counts of the report `collection`."""
    splits: list[Row]
    """The rows of the report `splits`."""
    runs: list[Row]
    """One per run, oldest first, as `curate.standing.states` returns them, scored by the current cutoffs."""
    cutoffs: list[Row]
    """One per name, with `because` if they are the current ones, else None."""
    models: list[Row]
    """The models trained here: `path`, `kind`, `runs`, and `changed`: what changed since the training."""
    exports: list[Row]
    """The exported sets: `path`, `format`, `runs`, `cutoffs`, `settings`, what `changed`, and whether the runs are
    current."""
    next: str
    """The next command, or what to do if there is none."""
    damage: list[str] = field(default_factory=list)
    """What is damaged, one line a file. If anything is, the lists above are empty."""

    def text(self) -> str:
        """Return the state for a terminal. Ids are never cut."""
        if self.damage:
            return "\n".join(["Damage:", *(f"  {line}" for line in self.damage), f"Next: {self.next}"])
        parts = [
            _collection(self.collection, self.splits),
            *_section("Runs", [line for row in self.runs for line in self._run(row)]),
            *_section("Cutoffs", [_cutoffs(row) for row in self.cutoffs]),
            *_section("Models", [f"  {row['path']}{_changed(row)}" for row in self.models]),
            *_section("Exports", [f"  {row['path']} ({row['format']}){_export(row)}" for row in self.exports]),
            f"Next: {self.next}",
        ]
        return "\n".join(parts)

    def _run(self, row: Row) -> list[str]:
        current = f", {standing.why(row)}" if row["because"] else ""
        mark = "*" if row["because"] else " "
        about = f"{counted(row['queries'], 'queries')} of '{row['split']}', top {row['depth']:,}"
        head = f"{mark} {row['run_id']}: {about}{current}"
        scored = row["candidates"] - row["unscored"]
        name = next((found["name"] for found in self.cutoffs if found["because"]), None)
        lines = [head]
        if name and row["split"] in standing.SCORED:
            need = counted(row["left"], "need", "needs")
            left = f"; {need} no score (--enough {row['enough']})" if row["left"] else ""
            lines.append(
                f"    {scored:,} of {row['candidates']:,} candidates within the cutoffs' depth are scored{left}"
            )
        return lines + [f"    {text}" for text in standing.lacks(row)]


def status(workspace: Workspace) -> Status:
    """Return what stands in a workspace, what is stale or unscored, and the command to run next.

    If a file is damaged, return every damaged file and no more.
    """
    try:
        return _status(workspace)
    except Damaged as error:
        found = [f"{damage.path.relative_to(workspace.root)} {damage.what}" for damage in workspace.damage()]
        return Status({}, [], [], [], [], [], "curate rebuild", found or [str(error)])


def _status(workspace: Workspace) -> Status:
    with workspace.connect_lazily() as connection:

        def rows(path: str, **parameters: Any) -> list[Row]:
            found: list[Row] = sql_files.select(connection, path, **parameters).pl().to_dicts()
            return found

        current = next(iter(rows("workspace/current_cutoffs")), None)
        every_run = [run["run_id"] for run in rows("workspace/runs_newest_first")]
        cutoffs = [_as_shown(workspace, row, current) for row in rows("workspace/cutoffs_in_force")]
        (collection,), splits = rows("reports/collection"), rows("reports/splits")
    runs = standing.states(workspace, every_run, current["name"] if current else None)
    found = Status(
        collection=collection,
        splits=splits,
        runs=runs,
        cutoffs=cutoffs,
        models=_models(workspace),
        exports=_exports(workspace, [row["run_id"] for row in runs if row["because"]]),
        next="",
    )
    return Status(**{**vars(found), "next": _next(workspace, found)})


def _as_shown(workspace: Workspace, row: Row, current: Row | None) -> Row:
    because = current["because"] if current and current["name"] == row["name"] else None
    values = {key: round(row[key], 6) if isinstance(row[key], float) else row[key] for key in SHOWN}
    tables = (since_calibration(workspace, name) for name in judges.calibrations(row).values())
    changed = sorted({table for found in tables for table in found})
    return {**values, "because": because, "changed": changed}


def _models(workspace: Workspace) -> list[Row]:
    found = []
    for record in workspace.records("train"):
        path = f"models/{record.job.removeprefix('train-')}"
        if (workspace.root / path).is_dir():
            made = {"path": path, "kind": record.settings.get("kind"), "runs": runs_of(record.settings)}
            found.append({**made, "changed": since_training(workspace, record)})
    return found


def _exports(workspace: Workspace, current_runs: list[str]) -> list[Row]:
    found = []
    for folder in sorted((workspace.root / "exports").glob("[!.]*")):
        manifest = read_manifest(folder)
        if manifest:
            settings = manifest["settings"]
            about = {
                "path": f"exports/{folder.name}",
                "format": settings.get("format"),
                "runs": settings["runs"],
                "cutoffs": settings["cutoffs"]["name"],
                "settings": settings,
                "current": set(settings["runs"]) <= set(current_runs),
            }
            found.append({**about, "changed": since_export(workspace, manifest)})
    return found


def _next(workspace: Workspace, found: Status) -> str:
    """Return the first step of the work that is not done, or what is stale."""
    settings, queries = workspace.settings, {row["split"]: row["queries"] for row in found.splits}
    current = {row["split"]: row for row in found.runs if row["because"]}
    train, unlabeled = current.get("train"), current.get("unlabeled")
    if not found.collection["passages"]:
        return "curate load COLLECTION"
    if not queries:
        return "curate load --queries FILE"
    if not queries.get("train"):
        return "curate load --qrels train=FILE"
    if not train:
        return "curate run" if "recipe" in settings.model_fields_set else "curate mine"
    if standing.lacks(train):
        again = _denoise(workspace, *option_words({"enough": train["enough"]}))
        return _renewed(workspace, train, found) or f"{train['mined_by']}, then {again}"
    if not found.cutoffs:
        command = _denoise(workspace)
        return command if _has_scorer(workspace) else f"curate train cross-encoder, or {command}"
    name = next(row["name"] for row in found.cutoffs if row["because"])
    for run in filter(None, (train, unlabeled)):
        if standing.to_score(run) and not run["all_read"]:
            return standing.command_to_score(run, name)
    if queries.get("unlabeled") and (not unlabeled or standing.lacks(unlabeled)):
        return (unlabeled and _renewed(workspace, unlabeled, found)) or "curate augment"
    for row in found.exports:
        if row["changed"]:
            used = ("train", "unlabeled") if row["settings"]["augmented"] else ("train",)
            runs = [current[split]["run_id"] for split in used if split in current]
            return _export_again(workspace, row, runs, name)
    others = [row["path"] for row in found.exports if not row["current"]]
    if others:
        return f"nothing is stale, but {' and '.join(others)} is not of the current runs: curate export"
    return "nothing is stale" if found.exports else "curate report, then curate export"


def _has_scorer(workspace: Workspace) -> bool:
    return bool(workspace.settings.denoise.scorer) or (workspace.root / TRAINED_HERE).is_dir()


def _denoise(workspace: Workspace, *options: str) -> str:
    """Return the command that scores; it names a place for the model if none is known."""
    return curate_command("denoise", *options, *([] if _has_scorer(workspace) else ["--scorer", "MODEL"]))


def _renewed(workspace: Workspace, stale: Row, found: Status) -> str | None:
    """Return how to go on to the newest run of the split of a stale one, or None if that lacks something, too."""
    newest = next(row for row in found.runs if row["run_id"] == stale["newest"])
    if newest is stale or standing.lacks(newest):
        return None
    steps = []
    if stale["because"] != "chosen" or standing.to_score(newest) or not found.cutoffs:
        steps.append(_denoise(workspace, "--run", newest["run_id"], *option_words({"enough": newest["enough"]})))
    if stale["because"] == "chosen":
        steps.append(curate_command("use", newest["run_id"]))
    return ", then ".join(steps)


def _export_again(workspace: Workspace, row: Row, current_runs: list[str], cutoffs: str) -> str:
    """Return the command that makes an export anew, with every setting that is not the default."""
    made, usual = row["settings"], {**workspace.settings.export.model_dump(), "seed": workspace.settings.seed}
    limits = ("positives", "negatives", "promote", "augmented", "seed")
    options = {
        "name": row["path"].partition("/")[2],
        "format": made["format"],
        "run": made["runs"] if set(made["runs"]) != set(current_runs) else None,
        "cutoffs": row["cutoffs"] if row["cutoffs"] != cutoffs else None,
        **{key: made[key] for key in limits if made[key] != usual[key]},
    }
    return curate_command("export", *option_words(options), "--force")


def _collection(loaded: Row, splits: list[Row]) -> str:
    queries = ", ".join(f"{row['queries']:,} {row['split']}" for row in splits)
    positives = counted(loaded["positives"], "labelled positives")
    labels = f"{positives}, {counted(loaded['annotations'], 'annotations')}"
    rejects = f", {counted(loaded['rejects'], 'rejected input rows')}" if loaded["rejects"] else ""
    passages = counted(loaded["passages"], "passages")
    return f"Collection: {passages}\n  queries: {queries or 'none'}\n  {labels}{rejects}"


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"{title}:", *lines] if lines else []


def _cutoffs(row: Row) -> str:
    mark = "*" if row["because"] else " "
    chosen = ", chosen by curate use" if row["because"] == "chosen" else ""
    scale = judges.scale_in_words(row)
    many, one = "hard negatives are enough", "hard negative is enough"
    enough = f", {counted(row['enough'], many, one)}" if row["enough"] else ""
    told = f"the top {row['depth']:,}{enough}, by {judges.in_words(row)}"
    calibrated = f"\n    {scale}{_changed(row)}" if scale else ""
    return f"{mark} {row['name']}: {cutoffs_in_words(row)}{chosen}\n    {told}{calibrated}"


def _changed(row: Row) -> str:
    return f": stale, changed since: {', '.join(row['changed'])}" if row["changed"] else ": up to date"


def _export(row: Row) -> str:
    others = "" if row["current"] else f"; not of the current runs, but of {' and '.join(row['runs'])}"
    return f" by cutoffs '{row['cutoffs']}'{_changed(row)}{others}"
