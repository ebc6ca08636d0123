"""Records of separated values whose cells may be quoted, as Python's csv module and spreadsheets write them."""

import re
from collections.abc import Iterator

from curate.errors import BadInput
from curate.load.fields import Unfit
from curate.load.lines import LONGEST_LINE, Lines
from curate.load.shown import shown
from curate.load.value_checks import decoded


class Csv:
    """A parser of records whose cells are separated by one character. A quoted cell may hold it, and line ends."""

    def __init__(self, separator: str) -> None:
        self.separator = separator
        self.cell = re.compile(f'(?:"((?:[^"]++|"")*+)"|([^"{separator}][^{separator}]*+)?)({separator}|\\Z)')
        inside = '(?:[^"]++|"")*+'
        cells = f'(?:(?:"{inside}"[^{separator}]*+|[^"{separator}][^{separator}]*+|){separator})*+'
        self.opens = re.compile(f'{cells}"{inside}'.encode())
        self.stays_open = re.compile(f'{inside}(?:"[^{separator}]*+{separator}{cells}"{inside})?+'.encode())

    def cells(self, record: bytes) -> list[str]:
        """Return the cells of a record; raises Unfit."""
        text = decoded(record).removesuffix("\r")
        if '"' not in text:
            return text.split(self.separator)
        found: list[str] = []
        at, end = 0, self.separator
        while end:
            match = self.cell.match(text, at)
            if match is None:
                raise Unfit(f"broken CSV: a cell goes on after its closing quotation mark, at character {at + 1}")
            quoted, bare, end = match.groups()
            found.append(bare or "" if quoted is None else quoted.replace('""', '"'))
            at = match.end()
        return found


class Records:
    """The records of a file of separated values, with the number of the line on which each begins."""

    def __init__(self, lines: Lines, csv: Csv) -> None:
        self.lines = lines
        self.csv = csv

    @property
    def unended(self) -> bool:
        """Whether the record yielded last is the last line of the file and has no line end."""
        return self.lines.unended

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield (line number, record); raises BadInput for a quoted cell that never ends."""
        begun, parts, size = 0, list[bytes](), 0
        for number, line in self.lines:
            if not parts:
                if b'"' not in line or not self.csv.opens.fullmatch(line):
                    yield number, line
                    continue
                begun, parts, size = number, [line], len(line)
                continue
            parts.append(line)
            size += len(line)
            if not self.csv.stays_open.fullmatch(line):
                yield begun, b"\n".join(parts)
                parts = []
            elif size > LONGEST_LINE:
                break
        if parts:
            raise BadInput(
                "a quoted cell of this record never ends. "
                'Close it with a quotation mark; a quotation mark inside a quoted cell is written ""',
                file=shown(self.lines.path),
                line=begun,
            )
