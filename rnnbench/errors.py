"""Errors with a name and a cure, shown to users on one line without a traceback.

RnnbenchError
├── InputError           bad input: exit code 2, nothing written, nothing trained
│   ├── SuiteError       in a suite file: has file:line:column
│   ├── UnknownNameError a cell, task, metric or option that does not exist
│   ├── OptionError      a value that an option does not take
│   ├── DataError        a data file that is missing, damaged or of another format
│   └── StaleError       stored rows were made by other code
├── PluginError          an installed plugin that breaks its contract
├── UnsupportedError     a step that cannot become a kernel: another backend runs the cell
├── BuildError           a kernel that cannot be compiled or loaded: likewise
├── ClusterError         a scheduler that is gone, or no worker that can train the suite
├── UnwantedError        a driver waits no more for what a worker trains
├── StoreError           a results folder that is locked, foreign or damaged
├── WriteError           a file that cannot be written: a full disk, no permission
└── SealedError          test data was asked for during a search
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import partial
from pathlib import Path


class RnnbenchError(Exception):
    """Base of all errors that rnnbench raises on purpose."""


class InputError(RnnbenchError):
    """The user's input is wrong."""


class SuiteError(InputError):
    """A suite file is wrong at a place."""


class UnknownNameError(InputError):
    """A name that nothing answers to."""

    def __init__(self, kind: str, name: str, known: Iterable[str], note: str = "") -> None:
        """Say what `kind` of thing `name` should have been, and which there are."""
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=1)
        text = f"unknown {kind} `{name}`"
        if close:
            text += f"; did you mean `{close[0]}`?"
        text += (
            f" Known: {', '.join(names)}." if close else f"; known: {', '.join(names) or 'none'}."
        )
        super().__init__(text + (f" {note}" if note else ""))
        self.kind, self.name, self.known, self.note = kind, name, tuple(names), note

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[object, ...]]:
        """Let the error travel between processes: by default pickle would pass the text alone."""
        return type(self), (self.kind, self.name, self.known, self.note)


class OptionError(InputError):
    """An option's value is outside what the option takes."""


class DataError(InputError):
    """A data file is wrong at a place."""


class StaleError(InputError):
    """Stored rows were made by other code than is installed now."""


class PluginError(RnnbenchError):
    """A plugin breaks its contract."""


class UnsupportedError(RnnbenchError):
    """A step that cannot become a kernel; says what, where and what to write instead."""


class BuildError(RnnbenchError):
    """A kernel cannot be compiled or loaded; the text becomes the reason for another backend."""


class ClusterError(RnnbenchError):
    """There are no workers to train with."""


class UnwantedError(RnnbenchError):
    """Nobody waits for what is being trained."""


class StoreError(RnnbenchError):
    """A results folder cannot be used."""


class WriteError(RnnbenchError):
    """A file cannot be written."""

    def __init__(self, path: Path, reason: str, *, full: bool = False) -> None:
        """Name the file and what the system says; `full`: there is no room for it."""
        why = f"the disk or a quota is full ({reason})" if full else reason
        cure = "free some space" if full else "see that it can be written"
        super().__init__(f"{path} cannot be written: {why}; {cure}")
        self.path, self.reason, self.full = path, reason, full

    def __reduce__(self) -> tuple[object, ...]:
        """Let the error travel between processes: by default pickle would pass the text alone."""
        return partial(type(self), full=self.full), (self.path, self.reason)


class SealedError(RnnbenchError):
    """Test data was asked for where none may be read."""
