"""Read a table of texts and their labels, compressed or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import rnnbench
from rnnbench_tasks.delimited import Table, read_table


@dataclass(frozen=True)
class Layout:
    """How a table is laid out, in the words of a suite.

    text, label  a name in the header, or a number from 1
    header       auto, yes or no
    separator    auto, tab, semicolon or comma
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
    path: Path, layout: Layout, like: LabelledTexts | None = None
) -> LabelledTexts:
    """Read a table.

    Commas and semicolons separate cells as in spreadsheets, where quotes hold a cell together; in
    tab-separated files a quote is a character like any other. The first row is a header if a column
    is asked for by name, or if its label is nobody else's.

    like  a table of the same data: this one has a header if that one has, and the same

    Raises:
        DataError: a file, row or cell that is not as it should be, with its line.
    """
    table = read_table(path, layout.encoding, layout.separator, quoted_tabs=False)
    header, guessed = _header(table, layout, like)
    text = _column(table, "text", layout.text, header or [])
    label = _column(table, "label", layout.label, header or [])
    if text == label:
        raise rnnbench.DataError(f"{path}: `text` and `label` are the same column")
    rows, skipped = [], 0
    for line, cells in table.rows[1 if header else 0 :]:
        if not cells[text].strip() and layout.empty == "skip":
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
        _check_labels(path, [label for _, label in rows], layout.label, table.width)
    return LabelledTexts(rows, header, guessed, skipped)


def _header(
    table: Table, layout: Layout, like: LabelledTexts | None
) -> tuple[list[str] | None, bool]:
    """Return the first row if it names the columns, and whether that was a guess."""
    first = [cell.strip() for cell in table.rows[0][1]]
    named = not (layout.text.isdecimal() and layout.label.isdecimal())
    if layout.header == "no":
        return None, False
    if layout.header == "yes" or named:
        return first, False
    if like is not None:
        if like.header not in (None, first):
            raise rnnbench.DataError(
                f"{table.path}:1: the first row is {', '.join(first)}; "
                f"expected the header of the training file, {', '.join(like.header)}"
            )
        return like.header, False
    column = _column(table, "label", layout.label, [])
    others = {cells[column].strip() for _, cells in table.rows[1:]}
    return (None, False) if first[column] in others or not others else (first, True)


def _column(table: Table, option: str, chosen: str, header: list[str]) -> int:
    """Find a column by its name or its number from 1."""
    if chosen in header:
        return header.index(chosen)
    if chosen.isdecimal() and 1 <= int(chosen) <= table.width:
        return int(chosen) - 1
    counted = f"it has {table.width} columns and no header"
    known = f"its columns are {', '.join(header)}" if header else counted
    raise rnnbench.DataError(
        f"{table.path}:1: no column `{chosen}`: {known}; set `{option}` to a name or a number "
        f"from 1 ({table.advice})"
    )


def _check_labels(path: Path, labels: list[str], option: str, number: int) -> None:
    """Refuse a column of numbers or texts that only passes for labels."""
    different = len(set(labels))
    if 2 * different > len(labels) + 2:
        raise rnnbench.DataError(
            f"{path}: column `{option}` has {different:,} different values in {len(labels):,} "
            f"rows, too many to be labels; set `label` to another of the {number} columns"
        )
