"""`curate export`: a training set for other trainers, with the evidence for every row."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from curate.counted import counted
from curate.errors import BadSettings
from curate.export.blocks import ExportBlock, blocks, is_done, write_blocks
from curate.export.folder import finish, foreign_files, is_intact, read_manifest
from curate.export.request import ExportOptions, ExportRequest
from curate.plan import Plan
from curate.progress import SILENT, Progress
from curate.shards import canonical
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb


MANY, OUTWEIGHS = 16, 10
"""A query is mentioned if it has this many positives, and this many times those of the average other query."""


@dataclass(frozen=True)
class Exported:
    """The result of `export`: a finished training set."""

    path: str
    format: str
    rows: int
    negatives: int
    """The number of negatives requested per query."""
    already: bool
    """Whether the same set, with the same settings and tables, existed already, so that nothing was written."""
    figures: Mapping[str, int]
    """The audit, as in `manifest.json`."""
    enough: int | None = None
    """The hard negatives at which scoring of a train query stopped; None: all candidates were to be scored."""

    def text(self) -> str:
        """Return the result for a terminal."""
        count, pseudo = self.figures, self.figures.get("queries_pseudo_labelled", 0)
        there = " already exists" if self.already else ""
        left, none = count["queries_left_out"], count["queries_without_negatives"]
        rows = f"{counted(self.rows, 'rows')} ({self.format}) from {counted(count['queries'] - left, 'queries')}"
        why = f" and {'is' if left == 1 else 'are'} left out: {self.format} needs negatives" if left else ""
        leaked = f"\nleft out: {counted(count['queries_leaked'], 'queries')} also in dev or test"
        return (
            f"{self.path}{there}: {rows}; "
            f"{counted(pseudo, 'pseudo-labelled queries have', 'pseudo-labelled query has')} a positive\n"
            f"negatives: {count['negatives']:,} drawn; of {counted(count['candidates'], 'candidates')}, "
            f"{_share(count['candidates_denoised'], count['candidates_unjudged'], not self.enough)}, "
            f"{count['candidates_judged_irrelevant']:,} were judged not relevant by people, and "
            f"{count.get('candidates_unscored', 0):,} are unscored{self._why_unscored}\n"
            f"{self._positives()}"
            f"short: {counted(count['queries_short'], 'queries have', 'query has')} fewer than {self.negatives} "
            f"negatives, {counted(none, 'have', 'has')} none{why}"
            f"{leaked if count['queries_leaked'] else ''}\n"
            f"How to load it: {self.path}/README.md"
        )

    @property
    def _why_unscored(self) -> str:
        if not (self.enough and self.figures.get("candidates_unscored")):
            return ""
        return f", because scoring of a query stopped at {counted(self.enough, 'hard negatives')}"

    def _positives(self) -> str:
        """Return a line on a query that outweighs the others, or on positives that the cap left out."""
        count = self.figures
        largest, queries = count.get("positives_of_one_query", 0), count["queries"]
        if left_out := count.get("positives_left_out", 0):
            return f"positives: {left_out:,} are left out, because their queries have more than {largest:,}\n"
        others = (count["positives"] - largest) / max(1, queries - 1)
        if queries > 1 and largest >= MANY and largest > OUTWEIGHS * others:
            return (
                f"positives: one query has {largest:,} of the {count['positives']:,} positives, and as large a "
                "share of the rows. To keep at most N of each query: --positives N\n"
            )
        return ""


def export(
    workspace: Workspace, *, force: bool = False, progress: Progress = SILENT, **options: Unpack[ExportOptions]
) -> Exported:
    """Write `exports/<name>`: the labelled train queries and the pseudo-labelled queries, with hard negatives.

    Options that are not given come from the workspace's settings. If the same set exists already, nothing is
    written. Raises BadSettings if a different set has that name, unless `force` replaces it, and CurateError if
    the set would be empty. Source: RocketQA (NAACL 2021) 3.2 and 3.3, except that an unscored passage never
    becomes a negative.
    """
    asked = ExportRequest.of(workspace, **options)
    for note in asked.notes:
        progress.say(note)
    manifest = _standing(asked, force)
    already = manifest is not None
    if manifest is None:
        with workspace.connect_lazily() as connection:
            every, todo = _blocks(asked, connection)
            total, rest = _items(every), _items(todo)
            with progress.task(f"export {asked.name}", total, asked.format.unit, total - rest) as advance:
                write_blocks(asked, connection, todo, advance)
            manifest = finish(asked, connection, every)
    path, rows, figures = f"exports/{asked.name}", manifest["rows"], manifest["figures"]
    if asked.job.record is None:
        asked.job.finish(path=path, rows=rows, items=manifest["items"], **figures)
    over_train = "train" in {run["split"] for run in manifest["runs"]}
    enough = asked.settings["cutoffs"].get("enough") if over_train else None
    return Exported(path, asked.format.name, rows, asked.settings["negatives"], already, figures, enough)


def plan_export(workspace: Workspace, *, force: bool = False, **options: Unpack[ExportOptions]) -> Plan:
    """Return what `export` would write with the same arguments. Raises the same BadSettings."""
    asked = ExportRequest.of(workspace, **options)
    standing = _standing(asked, force) is not None
    with workspace.connect_lazily() as connection:
        every, todo = _blocks(asked, connection)
    total, rest = _items(every), 0 if standing else _items(todo)
    runs = ", ".join(asked.settings["runs"])
    return Plan(
        f"export to exports/{asked.name}",
        asked.format.unit,
        total,
        total - rest,
        _seconds(asked, total, rest),
        [
            f"format {asked.format.name}; runs {runs}; up to {asked.settings['negatives']} negatives per query",
            *asked.notes,
        ],
    )


def _seconds(asked: ExportRequest, total: int, rest: int) -> float | None:
    """Return how long `rest` items take at the rate of the last export in this format; None without one."""
    past = [r for r in asked.workspace.records("export") if r.settings.get("format") == asked.format.name]
    return past[-1].seconds / past[-1].facts["items"] * rest if past and total else None


def _blocks(
    asked: ExportRequest, connection: "duckdb.DuckDBPyConnection"
) -> tuple[list[ExportBlock], list[ExportBlock]]:
    """Return all blocks, and the blocks that are not done yet."""
    every = blocks(asked, connection)
    return every, [block for block in every if not is_done(asked, block)]


def _share(denoised: int, unjudged: int, scored_all: bool) -> str:
    # Where scoring stopped early, the share would be that of queries with few negatives.
    share = f" ({denoised / unjudged:.0%})" if unjudged and scored_all else ""
    return f"{denoised:,}{share} of the {unjudged:,} unjudged ones were denoised"


def _items(some: list[ExportBlock]) -> int:
    return sum(block.items for block in some)


def _standing(asked: ExportRequest, force: bool) -> dict[str, Any] | None:
    """Return the manifest of this export if it exists, intact. Raises BadSettings if another set has its name."""
    folder, shown = asked.target, f"exports/{asked.name}"
    if not (folder.exists() or folder.is_symlink()):
        return None
    manifest = read_manifest(folder)
    if manifest is None:
        raise BadSettings(
            f"{shown} is no export of curate: it has no manifest.json of one. It is never replaced, not even with "
            "--force. Move it away, or give the set another --name."
        )
    other = _differences(asked, manifest)
    if not other and is_intact(folder, manifest):
        return manifest
    if other and not force:
        raise BadSettings(
            f"{shown} is a different set (it differs in: {', '.join(other)}). "
            "Give the new set another --name, or replace the old one with --force."
        )
    _check_replaceable(folder, manifest, shown)
    return None


def _check_replaceable(folder: Path, manifest: dict[str, Any], shown: str) -> None:
    """Raise BadSettings if replacing an export would take away what curate did not write."""
    if folder.is_symlink():
        raise BadSettings(f"{shown} is a symbolic link, which is not replaced. Remove it, or give another --name.")
    if foreign := foreign_files(folder, manifest):
        more = f" and {len(foreign) - 3:,} more" if len(foreign) > 3 else ""
        raise BadSettings(
            f"{shown} also holds files that curate did not write: {', '.join(foreign[:3])}{more}. They would be "
            "lost. Move them away, or give the set another --name."
        )


def _differences(asked: ExportRequest, manifest: Mapping[str, Any]) -> list[str]:
    """Return the settings and inputs in which an existing export differs from the requested one."""
    wanted = {**asked.settings, **asked.inputs}
    found = {**manifest["settings"], **manifest["inputs"]}
    return [key for key in wanted if canonical(wanted[key]) != canonical(found.get(key))]
