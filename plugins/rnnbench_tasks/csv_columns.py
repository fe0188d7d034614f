"""Read the numeric columns of a table: one row a time step, in the order of the lines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import rnnbench
from rnnbench_tasks.delimited import read_table
from rnnbench_tasks.largest import LARGEST

MISSING = frozenset({"", "?", "nan", "na"})
"""What stands for no value, in any case of letters."""


@dataclass(frozen=True)
class Columns:
    """Named columns of numbers.

    values   [rows, columns] float64, NaN where a value is missing
    skipped  the columns that hold no numbers, such as dates
    """

    path: Path
    names: tuple[str, ...]
    values: np.ndarray
    skipped: tuple[str, ...]


def read_columns(
    path: Path,
    wanted: Sequence[str] = (),
    *,
    separator: str = "auto",
    encoding: str = "utf-8",
    gaps: bool = False,
) -> Columns:
    """Read the wanted columns; none named means every column with a name and with numbers.

    gaps  whether values may be missing

    Raises:
        DataError: what `read_table` says; no header, or one with a name twice; no such column, a
            value that is no finite number or is missing without leave.
    """
    table = read_table(path, encoding, separator, quoted_tabs=True)
    (_, first), *rows = table.rows
    header = [name.strip() for name in first]
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise rnnbench.DataError(f"{path}:1: column `{twice[0]}` is there twice; rename one")
    if any(header) and all(_is_number(name) for name in header if name):
        raise rnnbench.DataError(
            f"{path}:1: the first line holds numbers; write a line with the columns' names above it"
        )
    named = ", ".join(filter(None, header)) or "none"
    for name in wanted:
        if name not in header:
            raise rnnbench.DataError(
                f"{path}:1: no column `{name}`; there are {named} ({table.advice})"
            )
    kept: dict[str, np.ndarray] = {}
    skipped = []
    for place, name in enumerate(header):
        if not name or (wanted and name not in wanted):
            continue
        cells = [(line, row[place].strip()) for line, row in rows]
        if not any(_is_number(cell) for _, cell in cells):
            if wanted:
                raise rnnbench.DataError(f"{path}: column `{name}` holds no number; leave it out")
            if any(_is_number(cell.replace(",", ".")) for _, cell in cells):
                raise rnnbench.DataError(
                    f"{path}: column `{name}` holds numbers with decimal commas; write points"
                )
            skipped.append(name)
            continue
        kept[name] = _numbers(path, name, cells, gaps)
    if not kept:
        raise rnnbench.DataError(f"{path}: no column holds numbers; the columns are {named}")
    return Columns(path, tuple(kept), np.stack([*kept.values()], 1), tuple(skipped))


def _numbers(path: Path, name: str, cells: Sequence[tuple[int, str]], gaps: bool) -> np.ndarray:
    """Return a column's values, missing ones as NaN."""
    values = []
    for line, cell in cells:
        if cell.lower() in MISSING:
            if not gaps:
                raise rnnbench.DataError(
                    f"{path}:{line}: column `{name}` has no value ({cell or 'empty'}); fill it, or "
                    "set `missing: last`"
                )
            values.append(math.nan)
        elif _is_number(cell):
            values.append(float(cell))
        else:
            raise rnnbench.DataError(
                f"{path}:{line}: column `{name}` has {cell[:40]!r}, which is no finite number; "
                "repair it, or name other `columns`"
            )
    return np.array(values)


def _is_number(cell: str) -> bool:
    try:
        return abs(float(cell)) <= LARGEST and "_" not in cell
    except ValueError:
        return False
