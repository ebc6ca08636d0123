"""Rows of raw values from files of typed columns: what Parquet and Arrow have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from curate.errors import BadInput
from curate.load.fields import Field, Unfit, locate
from curate.load.lines import Advance
from curate.load.shown import printable, shown

ROWS = 4096


class TableRows(ABC):
    """The rows of such a file with their numbers from 1; raises BadInput if a column is missing or repeated."""

    form: ClassVar[str]
    unended = False

    def __init__(self, path: Path, fields: tuple[Field, ...], advance: Advance) -> None:
        self.path = path
        self.advance = advance
        try:
            names = self.columns(path)
            self.places = locate(names, fields)
        except Unfit as unfit:
            raise BadInput(str(unfit), file=shown(path)) from unfit
        for place in self.places:
            if place and names.count(place) > 1:
                raise BadInput(f"found {names.count(place)} columns '{place}', expected one", file=shown(path))

    @classmethod
    def columns(cls, path: Path) -> list[str]:
        """Return the names of a file's columns; raises BadInput if the file is damaged."""
        try:
            return cls._names(path)
        except _errors() as error:
            raise BadInput(f"damaged {cls.form}: {printable(str(error))}", file=shown(path)) from error

    def __iter__(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yield (row number, raw values of the fields)."""
        number = 0
        try:
            for batch in self._batches([place for place in self.places if place]):
                yield from enumerate(self._rows(batch, number), number + 1)
                number += len(batch)
        except _errors() as error:
            raise BadInput(
                f"damaged {self.form}, after row {number}: {printable(str(error))}", file=shown(self.path)
            ) from error

    @staticmethod
    @abstractmethod
    def _names(path: Path) -> list[str]:
        """Return the names of the columns; may raise Arrow's errors."""

    @abstractmethod
    def _batches(self, places: list[str]) -> Iterator[Any]:
        """Yield record batches with the columns `places`, and advance; may raise Arrow's errors."""

    def _rows(self, batch: Any, number: int) -> Iterator[tuple[Any, ...]]:
        nothing = [None] * len(batch)
        cells = [self._cells(batch.column(place), place, number) if place else nothing for place in self.places]
        return zip(*cells, strict=True)

    def _cells(self, column: Any, place: str, number: int) -> list[Any]:
        """Return the Python values of a column, as bytes if a string is not UTF-8: the checks then reject it."""
        import pyarrow as pa

        try:
            cells = list(column.to_pylist())
        except UnicodeDecodeError:
            return list(column.cast(pa.large_binary()).to_pylist())
        except (ValueError, OverflowError) as error:  # a date before the year 1, for example
            raise BadInput(
                f"after row {number}: column '{place}': {printable(str(error))}", file=shown(self.path)
            ) from error
        if pa.types.is_floating(column.type) and column.type.bit_width < 64:
            exact = {16: 2**11, 32: 2**24}[column.type.bit_width]
            if any(cell is not None and abs(cell) >= exact for cell in cells):
                raise BadInput(
                    f"after row {number}: column '{place}' of {column.type} holds numbers "
                    f"from {exact:,} on, which it cannot tell apart. Write it again as whole numbers or "
                    "as strings",
                    file=shown(self.path),
                )
        return cells


def _errors() -> tuple[type[Exception], ...]:
    import pyarrow as pa

    return pa.ArrowException, OSError, UnicodeDecodeError  # the last for names of columns
