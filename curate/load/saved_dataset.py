"""Folders that `save_to_disk` of Hugging Face's `datasets` writes: a dataset, or several under names."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curate.errors import BadInput
from curate.load.lines import require_file
from curate.load.shown import shown

ONE, SEVERAL = "state.json", "dataset_dict.json"


def saved_files(folder: Path) -> list[tuple[str, Path]]:
    """Return (name of its dataset, file) for the files in such a folder, in the order of the rows.

    The list is empty for another folder. Raises BadInput if the state of a dataset cannot be used.
    """
    return [(_name(dataset), file) for dataset in _datasets(folder) for file in _files(dataset)]


def _name(dataset: Path) -> str:
    return Path(os.path.abspath(dataset)).name  # noqa: PTH100 - "." has a name, and a link keeps its own


def _datasets(folder: Path) -> list[Path]:
    """Return the folders of the datasets in such a folder, which may be the folder itself; else an empty list."""
    if not folder.is_dir():
        return []
    if (folder / SEVERAL).exists():
        names = _read(folder / SEVERAL).get("splits")
        if not isinstance(names, list) or not names:
            raise BadInput("no list of 'splits', as datasets of Hugging Face have", file=shown(folder / SEVERAL))
        return [folder / str(name) for name in names]
    # Other programs, too, call a file state.json.
    return [folder] if (folder / ONE).exists() and "_data_files" in _read(folder / ONE) else []


def _files(dataset: Path) -> list[Path]:
    """Return the files of one dataset in the order of its rows; raises BadInput if its state cannot be used.

    Other Arrow files in the folder are caches, or remains of an earlier dataset.
    """
    state = _read(dataset / ONE)
    if state.get("_indices_data_files"):
        raise BadInput(
            "saved with a selection of its rows. Save it again: flatten_indices() first", file=shown(dataset)
        )
    return list(_named(dataset, state.get("_data_files")))


def _named(dataset: Path, found: Any) -> Iterator[Path]:
    if found == []:
        raise BadInput("no rows", file=shown(dataset))
    if not isinstance(found, list):
        raise BadInput("no list '_data_files', as datasets of Hugging Face have", file=shown(dataset / ONE))
    for entry in found:
        name = entry.get("filename") if isinstance(entry, dict) else None
        if not isinstance(name, str) or Path(name).name != name:
            raise BadInput("'_data_files' does not name a file of this folder", file=shown(dataset / ONE))
        yield dataset / name


def _read(path: Path) -> dict[str, Any]:
    require_file(path)
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadInput(f"broken JSON: {error}", file=shown(path)) from error
    if not isinstance(found, dict):
        raise BadInput("not an object", file=shown(path))
    return found
