"""Read pairs of texts from a table: a sentence and its translation, a question and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import rnnbench
from rnnbench_tasks.delimited import Table, read_table


@dataclass(frozen=True)
class Layout:
    """How a table is laid out, in the words of a suite.

    source, target  a name in the header, or a number from 1
    header          auto, yes or no; auto: there is one if a column is asked for by name
    separator       auto, tab, semicolon or comma
    empty           what a row with an empty side is: an `error`, or one to `skip`
    """

    source: str
    target: str
    header: str
    separator: str
    empty: str
    encoding: str


@dataclass(frozen=True)
class PairTable:
    """The pairs of a table, source and target, one at least; and how many rows were skipped."""

    pairs: list[tuple[str, str]]
    skipped: int


def read_pairs(path: Path, layout: Layout) -> PairTable:
    """Read a table; columns other than the two are left alone.

    Raises:
        DataError: what `read_table` says; there is no such column, a side of a pair is empty, or
            there is no pair.
    """
    table = read_table(path, layout.encoding, layout.separator, quoted_tabs=False)
    named = not (layout.source.isdecimal() and layout.target.isdecimal())
    headed = layout.header == "yes" or (layout.header == "auto" and named)
    header = [cell.strip() for cell in table.rows[0][1]] if headed else []
    source = _column(table, "source_column", layout.source, header)
    target = _column(table, "target_column", layout.target, header)
    if source == target:
        raise rnnbench.DataError(
            f"{path}: `source_column` and `target_column` are the same column; name another"
        )
    pairs, skipped = [], 0
    for line, cells in table.rows[headed:]:
        pair = cells[source].strip(), cells[target].strip()
        if all(pair):
            pairs.append(pair)
        elif layout.empty == "skip":
            skipped += 1
        else:
            name, column = ("source", source) if not pair[0] else ("target", target)
            raise rnnbench.DataError(
                f"{path}:{line}: the {name} in column {column + 1} is empty; "
                "give one, or set `empty: skip`"
            )
    if not pairs:
        raise rnnbench.DataError(f"{path}: there are no pairs in it; expected one a row")
    return PairTable(pairs, skipped)


def _column(table: Table, option: str, chosen: str, header: list[str]) -> int:
    """Find a column by its name or its number from 1."""
    if chosen in header:
        return header.index(chosen)
    if chosen.isdecimal() and 1 <= int(chosen) <= table.width:
        return int(chosen) - 1
    counted = f"it has {table.width} column{'s' * (table.width > 1)} and no header"
    known = f"its columns are {', '.join(header)}" if header else counted
    raise rnnbench.DataError(
        f"{table.path}:1: no column `{chosen}`: {known}; set `{option}` to a name or a number "
        f"from 1 ({table.advice})"
    )
