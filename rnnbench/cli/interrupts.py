"""Ctrl-C once: finish what is under way; twice: stop at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """Counts requests to stop."""

    def __init__(self) -> None:
        self.asked = False

    def stopping(self) -> bool:
        """Whether the user asked to stop."""
        return self.asked

    def __call__(self, _: int, __: FrameType | None) -> None:
        """Take in a signal; the second one raises KeyboardInterrupt."""
        # straight to the descriptor: the signal may have come in the middle of a print to stderr
        if self.asked:
            os.write(2, b"\nstopped: what has finished is kept, and the same command goes on\n")
            raise KeyboardInterrupt
        self.asked = True
        os.write(2, b"\nstopping: finishing what is under way; once more to stop at once\n")


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Catch SIGINT and SIGTERM for a while."""
    caught = Interrupts()
    before: dict[signal.Signals, Any] = {
        number: signal.signal(number, caught) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
