"""How commands print: plain text and ruled-off tables that survive a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 100
"""Columns where there is no terminal to ask."""


def harmless(text: str) -> str:
    """Return text without what a terminal would obey: escape sequences, other invisible letters."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


def say(line: str, *, err: bool = False) -> None:
    """Print one line about a folder, whatever the names and texts in it are."""
    typer.echo(harmless(line.replace("\n", " ")), err=err)


class _Harmless(Console):
    """A console that shows text, whoever wrote it, and does not let it steer the terminal."""

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(harmless(text), **how)


def console() -> Console:
    """Return a console that prints names and docstrings as they are, brackets included."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = None if known else PIPE_WIDTH
    return _Harmless(width=width, markup=False, highlight=False, emoji=False)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table without lines; its last column wraps, the others keep names whole."""
    result = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        result.add_column(heading, no_wrap=heading != headings[-1], overflow="fold")
    for row in rows:
        result.add_row(*row)
    return result


def grouped(
    headings: Sequence[str], groups: Mapping[str, Sequence[Sequence[str]]]
) -> Iterator[str]:
    """Yield the lines of a table: each group's title, then its rows, all in the same columns."""
    rows = [headings, *(row for group in groups.values() for row in group)]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]

    def line(row: Sequence[str]) -> str:
        cells = [set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)]
        return "  ".join(["", *cells]).rstrip()

    yield line(headings)
    for title, group in groups.items():
        yield title
        yield from map(line, group)


def pairs(entries: Mapping[str, str]) -> Table:
    """Return names and what belongs to them, in two columns."""
    result = table(("", ""), entries.items())
    result.show_header = False
    return result
