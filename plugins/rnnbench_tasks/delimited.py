"""Read a table whose cells commas, semicolons or tabs separate, compressed or not."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import rnnbench

SEPARATORS = {"tab": "\t", "semicolon": ";", "comma": ","}

CHOICES = ("auto", *SEPARATORS)
"""What a suite may say of a table's separator."""

BY_SUFFIX = {".tsv": "tab", ".tab": "tab"}

LOOKED_AT = 20
"""Rows that tell the separator."""

Row = tuple[int, list[str]]
"""The line on which a row begins, and its cells."""


@dataclass(frozen=True)
class Table:
    """The rows of a file, at least one, all of as many cells; and the name of their separator."""

    path: Path
    separator: str
    rows: list[Row]

    @property
    def width(self) -> int:
        """The cells of a row."""
        return len(self.rows[0][1])

    @property
    def advice(self) -> str:
        """What the separator was taken for, to be said where that may be wrong."""
        others = " or ".join(name for name in SEPARATORS if name != self.separator)
        return f"cells are separated by a {self.separator}: if not, set `separator` to {others}"


def read_table(path: Path, encoding: str, separator: str, *, quoted_tabs: bool) -> Table:
    """Read a table; empty lines are left out.

    Quotes hold a cell together, as in spreadsheets, where commas or semicolons separate.

    separator    a name, or auto: a file whose name ends in .tsv or .tab has tabs; in others it is
                 what cuts most of the first rows into as many cells as the first one has
    quoted_tabs  whether quotes do so between tabs too, or are characters like any other

    Raises:
        DataError: as `rnnbench.read_text`; a quote is not closed, a cell is longer than those in
            quotes can be, or a row has another number of cells than the first.
    """
    text = rnnbench.read_text(path, encoding)
    if separator == "auto":
        separator = _shown(path, text)
    rows = list(_rows(path, text, separator, quoted_tabs or separator != "tab"))
    table = Table(path, separator, rows)
    for line, cells in rows:
        if len(cells) != table.width:
            raise rnnbench.DataError(
                f"{path}:{line}: {len(cells)} cells where the first row has {table.width}; "
                f"correct the row ({table.advice})"
            )
    return table


def _shown(path: Path, text: str) -> str:
    suffix = Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()
    alike = {name: _alike(path, text, name) for name in SEPARATORS}
    shown = max(alike, key=alike.__getitem__) if any(alike.values()) else "comma"
    return BY_SUFFIX.get(suffix, shown)


def _alike(path: Path, text: str, separator: str) -> int:
    """Count rows that have as many cells as the first, up to one that is broken; 0 for one cell."""
    counts: list[int] = []
    try:
        for _, cells in islice(_rows(path, text, separator, separator != "tab"), LOOKED_AT):
            counts.append(len(cells))
    except rnnbench.DataError:
        pass
    return counts.count(counts[0]) if counts and counts[0] > 1 else 0


def _rows(path: Path, text: str, separator: str, quotes: bool) -> Iterator[Row]:
    if not quotes:
        lines = enumerate(text.split("\n"), 1)
        yield from ((line, row.split(SEPARATORS[separator])) for line, row in lines if row)
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=SEPARATORS[separator], strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        said = f"{error}; close every quote and double it within quotes"
        if "field limit" in str(error):
            said = (
                f"a cell has more than {csv.field_size_limit():,} characters; close its quote, "
                "or separate cells by tabs where texts are so long"
            )
        raise rnnbench.DataError(f"{path}:{line}: {said}") from None
