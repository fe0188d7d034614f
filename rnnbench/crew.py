"""The worker processes that a driver starts on its machine, watches, and starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Self

from rnnbench.worker import ENVIRONMENT

_LAST_WORDS = 16384
"""Bytes of what a process said that are kept when it dies."""

START_SECONDS = 120.0
"""How long a process may take until its scheduler knows it."""

_REAPED_SECONDS = 1.0
"""How long a process may take to end once its scheduler has lost it."""


@dataclass(frozen=True)
class Slot:
    """One worker process: its name and the GPU it sees, if it sees one."""

    name: str
    gpu: str | None = None


@dataclass(frozen=True)
class _Hand:
    """A process in a slot; `log` is what it writes to stderr, `started` when."""

    slot: Slot
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    started: float = field(default_factory=time.monotonic)


class Crew:
    """A process for each slot; use it as a context manager, which kills them at its end.

    inherited  the environment that they share, beside what they train by
    """

    def __init__(self, slots: Sequence[Slot], scheduler: str, inherited: Mapping[str, str]) -> None:
        self._slots, self._scheduler, self._inherited = tuple(slots), scheduler, inherited
        self._hands: dict[str, _Hand] = {}
        self._dead: dict[str, tuple[str, str]] = {}
        self._known: set[str] = set()
        self._ended: list[str] = []
        self._started = 0

    def __enter__(self) -> Self:
        for slot in self._slots:
            self._start(slot)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for hand in self._hands.values():
            hand.process.kill()
        for hand in self._hands.values():
            _buried(hand)

    def mend(self, there: Collection[str] = ()) -> list[str]:
        """Start a process anew in each slot whose process has ended; return who had, each once.

        there  names that the scheduler knows; who is not among them for long is ended
        """
        self._known.update(there)
        for name, hand in self._hands.items():
            if name not in self._known and time.monotonic() - hand.started > START_SECONDS:
                hand.process.kill()
        self._replace()
        ended, self._ended = self._ended, []
        return ended

    def end(self, name: str) -> None:
        """Kill a process; `mend` starts another."""
        if name in self._hands:
            self._hands[name].process.kill()

    def obituary(self, name: str) -> tuple[str, str]:
        """Say how a process ended and what it wrote to stderr last; "" where it lives."""
        if name in self._hands:
            with suppress(subprocess.TimeoutExpired):
                self._hands[name].process.wait(_REAPED_SECONDS)
            self._replace()
        return self._dead.get(name, ("", ""))

    def _replace(self) -> None:
        for name in [name for name, one in self._hands.items() if one.process.poll() is not None]:
            hand = self._hands.pop(name)
            self._dead[name] = _buried(hand)
            self._ended.append(name)
            self._start(hand.slot)

    def _start(self, slot: Slot) -> None:
        # a scheduler has one worker of a name, and may not have noticed yet that another has died
        name = f"{slot.name}.{self._started}"
        self._started += 1
        log = tempfile.TemporaryFile()  # noqa: SIM115  closed when its process is buried
        process = subprocess.Popen(  # noqa: S603  the words are this module's own
            [sys.executable, "-P", "-m", "rnnbench", "work", self._scheduler, name],
            env=environment_of(slot, self._inherited),
            stdin=subprocess.PIPE,
            stdout=sys.__stderr__,
            stderr=log,
        )
        self._hands[name] = _Hand(slot, process, log)


def environment_of(slot: Slot, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return a worker's environment: where modules are found, one thread, its own GPU or none."""
    return {
        **inherited,
        **ENVIRONMENT,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "CUDA_VISIBLE_DEVICES": slot.gpu or "",
    }


def _buried(hand: _Hand) -> tuple[str, str]:
    """Wait for a process that ends; say how it did and what it wrote last."""
    code = hand.process.wait()
    if hand.process.stdin is not None:
        hand.process.stdin.close()
    size = hand.log.seek(0, os.SEEK_END)
    hand.log.seek(max(0, size - _LAST_WORDS))
    words = hand.log.read().decode(errors="replace")
    hand.log.close()
    how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return how, words
