"""Read a table of texts and their labels: comma- or tab-separated, compressed or not."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import rnnbench

QUOTED = {"comma": ",", "semicolon": ";"}
BY_SUFFIX = {".csv": "comma", ".tsv": "tab", ".tab": "tab"}


@dataclass(frozen=True)
class Columns:
    """How a table is laid out, in the words of a suite.

    text, label  a name in the header, or a number from 1
    header       auto, yes or no
    separator    auto, comma, semicolon or tab
    empty        what a row without text is: an `error`, or one to `skip`
    """

    text: str
    label: str
    header: str
    separator: str
    empty: str
    encoding: str


@dataclass(frozen=True)
class LabelledTexts:
    """The rows of a table.

    rows     texts with their labels
    header   the first row, where it names the columns
    guessed  whether the header was recognised by its content alone
    skipped  how many rows had no text
    """

    rows: list[tuple[str, str]]
    header: list[str] | None
    guessed: bool
    skipped: int


def read_labelled_texts(
    path: Path, columns: Columns, like: LabelledTexts | None = None
) -> LabelledTexts:
    """Read a table.

    Commas and semicolons separate cells as in spreadsheets, where quotes hold a cell together; in
    tab-separated files a quote is a character like any other. The first row is a header if a column
    is asked for by name, or if its label is nobody else's.

    like  a table of the same data: this one has a header if that one has, and the same

    Raises:
        DataError: a file, row or cell that is not as it should be, with its line.
    """
    table = list(_cells(path, columns))
    header, guessed = _header(path, columns, table, like)
    names = header or []
    text = _column(path, "text", columns.text, names, len(table[0][1]))
    label = _column(path, "label", columns.label, names, len(table[0][1]))
    if text == label:
        raise rnnbench.DataError(f"{path}: `text` and `label` are the same column")
    rows, skipped = [], 0
    for line, cells in table[1 if header else 0 :]:
        if not cells[text].strip() and columns.empty == "skip":
            skipped += 1
            continue
        for name, column in (("text", text), ("label", label)):
            if not cells[column].strip():
                advice = "give one" if name == "label" else "give one, or set `empty: skip`"
                raise rnnbench.DataError(
                    f"{path}:{line}: the {name} in column {column + 1} is empty; {advice}"
                )
        rows.append((cells[text].strip(), cells[label].strip()))
    if not rows:
        raise rnnbench.DataError(f"{path}: there are no texts in it; expected one a row")
    if like is None:
        _check_labels(path, [label for _, label in rows], columns.label, len(table[0][1]))
    return LabelledTexts(rows, header, guessed, skipped)


def _cells(path: Path, columns: Columns) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the cells of every row, all of one number."""
    text = rnnbench.read_text(path, columns.encoding)
    separator = columns.separator
    if separator == "auto":
        suffix = Path(path.stem if path.suffix == ".gz" else path.name).suffix
        guess = "tab" if "\t" in text.partition("\n")[0] else "comma"
        separator = BY_SUFFIX.get(suffix.lower(), guess)
    advice = f"cells are separated by a {separator}: correct the row, or set `separator`"
    expected = 0
    for line, cells in _by_tab(text) if separator == "tab" else _quoted(path, text, separator):
        expected = expected or len(cells)
        if len(cells) != expected:
            raise rnnbench.DataError(
                f"{path}:{line}: {len(cells)} cells where the first row has {expected}; {advice}"
            )
        yield line, cells


def _by_tab(text: str) -> Iterator[tuple[int, list[str]]]:
    for line, row in enumerate(text.split("\n"), 1):
        if row:
            yield line, row.split("\t")


def _quoted(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=QUOTED[separator], strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise rnnbench.DataError(
            f"{path}:{line}: {error}; close every quote and double it within quotes"
        ) from None


def _header(
    path: Path,
    columns: Columns,
    table: list[tuple[int, list[str]]],
    like: LabelledTexts | None,
) -> tuple[list[str] | None, bool]:
    """Return the first row if it names the columns, and whether that was a guess."""
    first = [cell.strip() for cell in table[0][1]]
    named = not (columns.text.isdecimal() and columns.label.isdecimal())
    if columns.header == "no":
        return None, False
    if columns.header == "yes" or named:
        return first, False
    if like is not None:
        if like.header not in (None, first):
            raise rnnbench.DataError(
                f"{path}:1: the first row is {', '.join(first)}; "
                f"expected the header of the training file, {', '.join(like.header)}"
            )
        return like.header, False
    column = _column(path, "label", columns.label, [], len(first))
    others = {cells[column].strip() for _, cells in table[1:]}
    return (None, False) if first[column] in others or not others else (first, True)


def _column(path: Path, option: str, chosen: str, header: list[str], number: int) -> int:
    """Find a column by its name or its number from 1."""
    if chosen in header:
        return header.index(chosen)
    if chosen.isdecimal() and 1 <= int(chosen) <= number:
        return int(chosen) - 1
    known = f"its columns are {', '.join(header)}" if header else f"it has {number} columns"
    hint = "" if header else " and no header"
    raise rnnbench.DataError(
        f"{path}:1: no column `{chosen}`: {known}{hint}; "
        f"set `{option}` to a name or a number from 1"
    )


def _check_labels(path: Path, labels: list[str], option: str, number: int) -> None:
    """Refuse a column of numbers or texts that only passes for labels."""
    different = len(set(labels))
    if 2 * different > len(labels) + 2:
        raise rnnbench.DataError(
            f"{path}: column `{option}` has {different:,} different values in {len(labels):,} "
            f"rows, too many to be labels; set `label` to another of the {number} columns"
        )
