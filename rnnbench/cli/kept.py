"""Say what is kept: the members of a run that cannot write on, and how large a folder is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rnnbench.cli.console import say
from rnnbench.errors import RnnbenchError, WriteError

if TYPE_CHECKING:
    from rnnbench.store import Store


@contextmanager
def kept_on_failure(store: Store, words: str) -> Iterator[None]:
    """Where something cannot be written, say how many members are kept and how to continue.

    words  the command that continues the run
    """
    try:
        yield
    except WriteError as error:
        from rnnbench.findings.wording import counted

        kept = counted(len(store.read()), "member")
        raise RnnbenchError(f"{error} (kept: {kept}), then continue: {words}") from None


def tell(line: str) -> None:
    """Say on stderr what of a folder is damaged."""
    say(f"damaged: {line}", err=True)


def in_bytes(size: int) -> str:
    """Write a number of bytes for people."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"
