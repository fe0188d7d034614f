"""Read a `.ts` file of the UCR and UEA archives: labelled time series, one a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import rnnbench
from rnnbench_tasks.labelled import Example
from rnnbench_tasks.largest import LARGEST

MISSING = ("error", "interpolate")
"""What may be done about missing values."""

EXPECTED = "expected dimensions separated by `:`, their values by `,`, and last the class"

# Header lines that announce another kind of file: what it holds, and what to do.
REFUSED = {
    ("@timestamps", "true"): "(time, value) pairs; write the values alone, evenly spaced in time",
    ("@targetlabel", "true"): "numbers as targets; a class a case is expected: @classLabel true",
    ("@classlabel", "false"): "no classes; a class a case is expected: @classLabel true",
}


@dataclass(frozen=True)
class TimeSeries:
    """The cases of a file, each [length, dimensions].

    filled  missing values that were interpolated
    """

    cases: tuple[Example, ...]
    filled: int

    @property
    def dimensions(self) -> int:
        """The values of a step."""
        return self.cases[0].values.shape[1]


def read_ts(path: Path, missing: str = "error", encoding: str = "utf-8") -> TimeSeries:
    """Read a file; with `missing` "interpolate", gaps become straight lines in time.

    Raises:
        rnnbench.DataError: the file is no such file or holds a case that cannot be used.
    """
    lines = rnnbench.read_text(path, encoding).split("\n")
    start, classes = _header(path, lines)
    cases, filled = [], 0
    for number, line in enumerate(lines[start:], start + 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        where = f"{path}:{number}"
        values, label = _case(where, text, classes)
        filled += _fill(where, values, missing)
        if cases and values.shape[1] != cases[0].values.shape[1]:
            raise rnnbench.DataError(
                f"{where}: {values.shape[1]} dimensions, but the first case has "
                f"{cases[0].values.shape[1]}; every case needs the same"
            )
        cases.append(Example(values, label))
    if not cases:
        raise rnnbench.DataError(f"{path}: no case follows `@data`; expected one a line")
    return TimeSeries(tuple(cases), filled)


def _header(path: Path, lines: list[str]) -> tuple[int, tuple[str, ...]]:
    """Return how many lines the header has, and the classes that it lists, if any."""
    classes: tuple[str, ...] = ()
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith(("#", "%")):
            continue
        if not words[0].startswith("@"):
            raise rnnbench.DataError(
                f"{path}:{number}: found `{_short(line)}` before a line `@data`; "
                "expected a .ts file, whose header lines begin with `@`"
            )
        key, value = words[0].lower(), " ".join(words[1:2]).lower()
        if key == "@data":
            return number, classes
        if (key, value) in REFUSED:
            raise rnnbench.DataError(
                f"{path}:{number}: {' '.join(words[:2])}: the file has {REFUSED[key, value]}"
            )
        if key == "@classlabel":
            classes = tuple(filter(None, ",".join(words[2:]).split(",")))
    raise rnnbench.DataError(f"{path}: no line `@data`; expected a .ts file with one before cases")


def _case(where: str, text: str, classes: tuple[str, ...]) -> tuple[NDArray[np.float64], str]:
    """Return the values [length, dimensions] of a line, NaN where missing, and its class."""
    *columns, label = (column.strip() for column in text.split(":"))
    if text.startswith("("):
        raise rnnbench.DataError(f"{where}: the file has {REFUSED['@timestamps', 'true']}")
    if not columns:
        raise rnnbench.DataError(f"{where}: no `:` and so no class; {EXPECTED}")
    spelled = {_number_or_word(one): one for one in classes}
    listed = spelled.get(_number_or_word(label), "") if classes else label
    if label in ("", "?") or not listed:
        known = f"one of {_short(', '.join(classes))}" if classes else "a word"
        raise rnnbench.DataError(
            f"{where}: `{_short(label)}` is no class; expected {known} after the last `:`"
        )
    values = [_column(f"{where}: dimension {n}", each) for n, each in enumerate(columns, 1)]
    for n, each in enumerate(values, 1):
        if len(each) != len(values[0]):
            raise rnnbench.DataError(
                f"{where}: dimension {n} has {len(each)} values, the first {len(values[0])}; "
                "every dimension of a case needs as many"
            )
    return np.stack(values, 1), listed


def _number_or_word(label: str) -> str:
    """Return a label in one spelling: `1` and `1.0` are one class."""
    try:
        return str(float(label))
    except ValueError:
        return label


def _column(where: str, text: str) -> NDArray[np.float64]:
    if not text:
        raise rnnbench.DataError(f"{where} has no values; drop the case, or give it one at least")
    cells = text.replace("?", "nan").split(",")
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError:
        place = next(place for place, cell in enumerate(cells) if not _number(cell))
        raise rnnbench.DataError(
            f"{where}, value {place + 1}: `{_short(cells[place])}` is no number; {EXPECTED}"
        ) from None
    large = np.abs(values) > LARGEST
    if large.any():
        place = int(large.argmax())
        raise rnnbench.DataError(
            f"{where}, value {place + 1}: `{_short(cells[place])}` is beyond {LARGEST:g}; "
            "expected a finite number, or `?` where it is missing"
        )
    return values


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _fill(where: str, values: NDArray[np.float64], missing: str) -> int:
    """Interpolate what is missing in place; return how many values that were."""
    gaps = np.isnan(values)
    if not gaps.any():
        return 0
    for column, gap in enumerate(gaps.T):
        if not gap.any():
            continue
        here = f"{where}: dimension {column + 1}"
        if missing == "error":
            raise rnnbench.DataError(
                f"{here}, value {gap.argmax() + 1} is missing (`?` or NaN); "
                "choose `missing: interpolate`, or fill it"
            )
        if gap.all():
            raise rnnbench.DataError(f"{here} has missing values only; drop the case")
        steps = np.arange(len(gap))
        values[gap, column] = np.interp(steps[gap], steps[~gap], values[~gap, column])
    return int(gaps.sum())


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
