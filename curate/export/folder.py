"""The finished folder of an export, made from its blocks: either complete, with a manifest, or not there."""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate import __version__, sql_files
from curate.counted import counted
from curate.errors import CurateError
from curate.export.blocks import AUDIT, ExportBlock
from curate.export.card import card
from curate.export.formats import Config, Part
from curate.export.request import ExportRequest
from curate.shards import Manifest, digest, file_sha256, publish, write_text

if TYPE_CHECKING:
    import duckdb

MANIFEST, CARD = "manifest.json", "README.md"
OURS = ("settings", "inputs", "figures", "files")
CHUNK = 1 << 20


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of an export, or None if `folder` has no manifest that `curate export` wrote."""
    try:
        facts = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(facts, dict) and all(isinstance(facts.get(key), dict) for key in OURS)
    return facts if ours else None


def is_intact(folder: Path, manifest: dict[str, Any]) -> bool:
    """Return whether every data file still has the bytes that were written. This reads all files."""
    return all(
        (folder / name).is_file() and file_sha256(folder / name) == facts["sha256"]
        for name, facts in manifest["files"].items()
    )


def foreign_files(folder: Path, manifest: dict[str, Any]) -> list[str]:
    """Return the files in `folder` that the export with this manifest did not write, by their paths below it."""
    ours = {MANIFEST, CARD, *manifest["files"]}
    found = [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]
    return sorted({str(path.relative_to(folder)) for path in found} - ours)


def finish(
    request: ExportRequest, connection: "duckdb.DuckDBPyConnection", blocks: list[ExportBlock]
) -> dict[str, Any]:
    """Make the folder from the blocks in staging, move it to its place and return its manifest.

    Raises CurateError if the export has no rows.
    """
    _join_lines(request, blocks)
    figures = _figures(request, connection, blocks)
    files, configs = _named(request, blocks)
    manifest = _manifest(request, connection, blocks, figures, files)
    write_text(request.staging / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    write_text(request.staging / CARD, card(request, manifest, configs))
    _clear(request.staging, {MANIFEST, CARD, *manifest["files"]})
    _put_in_place(request)
    return manifest


def _join_lines(request: ExportRequest, blocks: list[ExportBlock]) -> None:
    """Join the pieces that the blocks wrote for each part of lines."""
    for part in request.format.parts(request.settings["negatives"]):
        if part.is_parquet:
            continue
        pieces = [request.staging / part.file(b.number, b.of) for b in blocks if part in b.parts]
        rows = sum(_rows(piece) for piece in pieces)

        def join(path: Path, part: Part = part, pieces: list[Path] = pieces, rows: int = rows) -> int:
            with path.open("wb") as whole:
                whole.write(part.header.encode())
                for piece in pieces:
                    with piece.open("rb") as stream:
                        shutil.copyfileobj(stream, whole, CHUNK)
                if part.separator and rows:
                    whole.seek(-len(f"{part.separator}\n".encode()), os.SEEK_END)
                    whole.write(b"\n")
                whole.write(part.footer.encode())
                whole.truncate()
            return rows

        publish(request.staging / part.path, join, request.job.lineage)


def _rows(path: Path) -> int:
    made = Manifest.read(path)
    return made.rows if made else 0


def _figures(
    request: ExportRequest, connection: "duckdb.DuckDBPyConnection", blocks: list[ExportBlock]
) -> dict[str, int]:
    """Return the audit of the whole export: figure -> count."""
    audits = [str(request.staging / AUDIT.file(b.number, b.of)) for b in blocks if AUDIT in b.parts]
    connection.read_parquet(audits).create_view("export_audits", replace=True)
    rows = sql_files.select(
        connection,
        "export/figures",
        needed=request.format.needs_negatives,
        augmented=request.settings["augmented"],
    ).fetchall()
    return dict(sorted(rows))


def _manifest(
    request: ExportRequest,
    connection: "duckdb.DuckDBPyConnection",
    blocks: list[ExportBlock],
    figures: dict[str, int],
    files: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    rows = sum(facts["rows"] for facts in files.values() if facts["training"])
    if not rows:
        shutil.rmtree(request.workshop)
        raise CurateError(_nothing(request, figures))
    runs = sql_files.select(connection, "export/runs", runs=request.settings["runs"]).pl()
    return {
        "name": request.name,
        "settings": request.settings,
        "runs": runs.to_dicts(),
        "inputs": request.inputs,
        "version": __version__,
        "rows": rows,
        "items": sum(block.items for block in blocks),
        "figures": figures,
        "files": files,
    }


def _nothing(request: ExportRequest, figures: dict[str, int]) -> str:
    queries, without = figures.get("queries", 0), figures.get("queries_without_negatives", 0)
    return (
        f"exports/{request.name} would be empty and was not written: "
        f"of {counted(queries, 'queries')} with a positive, {counted(without, 'have', 'has')} no safe negative. "
        "Run: curate report. Then mine deeper or use another scorer"
    )


def _named(
    request: ExportRequest, blocks: list[ExportBlock]
) -> tuple[dict[str, dict[str, Any]], dict[str, Config]]:
    """Give every file its final name. Return the files with their facts, and the configurations for `datasets`.

    A configuration without rows is left out, because no loader reads it. If no row has the full width, the widest
    existing rows are also the default, with their provenance.
    """
    files: dict[str, dict[str, Any]] = {}
    configs: dict[str, Config] = {}
    parts = request.format.parts(request.settings["negatives"])
    for part in parts:
        plain = [part.file(b.number, b.of) for b in blocks if part in b.parts] if part.is_parquet else [part.path]
        made = [(path, each) for name in plain if (each := Manifest.read(path := request.staging / name))]
        if part.is_parquet and not any(each.rows for _, each in made):
            continue
        content = digest([each.sha256 for _, each in made])[:16]
        for number, (path, each) in enumerate(made):
            name = part.final(content, number, len(made))
            path.replace(request.staging / name)
            facts = {"rows": each.rows, "bytes": each.bytes, "sha256": each.sha256}
            files[name] = {**facts, "training": part.is_rows}
        if part.config and (config := part.config_of(content)):
            configs[part.config] = config
    if configs and "default" not in configs and any(part.config == "default" for part in parts):
        widest, evidence, *_ = configs.values()
        configs = {"default": widest, "provenance": evidence, **configs}
    return files, configs


def _clear(folder: Path, keep: set[str]) -> None:
    """Delete the files that are no longer needed: pieces that were joined, and the manifests of single blocks."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif str(path.relative_to(folder)) not in keep:
            path.unlink()


def _put_in_place(request: ExportRequest) -> None:
    """Rename the finished folder to its final name. A previous export is deleted only after that."""
    old = request.workshop / "replaced"
    shutil.rmtree(old, ignore_errors=True)
    if request.target.exists():
        request.target.rename(old)
    request.staging.rename(request.target)
    shutil.rmtree(request.workshop)
    if not any(request.workshop.parent.iterdir()):
        request.workshop.parent.rmdir()
