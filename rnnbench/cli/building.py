"""Say on stderr what takes a while the first time: kernels compiled, data files fetched."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

import typer

_CLEAR = "\r\x1b[K"


def fetching(address: str) -> None:
    """Say that a data file is fetched, and from where."""
    typer.echo(f"fetching {address} …", err=True)


class Building:
    """Counts compilations on a line of a terminal until it is left; elsewhere it says it once.

    Call it before each. What is in the cache is not compiled, and nothing is said.
    """

    def __init__(self) -> None:
        self._count = 0

    def __call__(self) -> None:
        """Tell of one more."""
        self._count += 1
        if sys.stderr.isatty():
            typer.echo(f"{_CLEAR}building kernels … {self._count}", err=True, nl=False)
        elif self._count == 1:
            typer.echo("building kernels …", err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._count and sys.stderr.isatty():
            typer.echo(_CLEAR, err=True, nl=False)
