"""Make tasks out of settings, their data files found on this machine."""

from __future__ import annotations

from collections.abc import Mapping

from rnnbench.contracts import Task
from rnnbench.datafiles import DataFiles, digest
from rnnbench.errors import DataError
from rnnbench.member import Setting
from rnnbench.options import Value
from rnnbench.registry import Registry

KEPT = 8
"""How many tasks are kept, since one may hold a data set in memory."""


class Tasks:
    """Makes tasks, and keeps those that were asked for last."""

    def __init__(self, registry: Registry, files: DataFiles | None = None) -> None:
        self._registry, self._files = registry, files or DataFiles()
        self._made: dict[str, Task] = {}

    def of(self, setting: Setting) -> Task:
        """Return the task of a setting.

        Raises:
            DataError: a file is missing, or has another content than the setting was planned with.
        """
        key = repr(setting)
        task = self._made.pop(key, None)
        if task is None:
            cls = self._registry.task(setting.task).cls
            task = made(cls, setting.options, self._files, setting.files)
        self._made[key] = task
        while len(self._made) > KEPT:
            del self._made[next(iter(self._made))]
        return task


def contents(cls: type[Task], options: Mapping[str, Value], files: DataFiles) -> dict[str, str]:
    """Return the hashes of the data files that options name, by option.

    Raises:
        DataError: a file cannot be found.
    """
    return {name: digest(files.find(value)) for name, value in _named(cls, options).items()}


def made(
    cls: type[Task],
    options: Mapping[str, Value],
    files: DataFiles,
    known: Mapping[str, str] | None = None,
) -> Task:
    """Return a task with these options, in which files stand with their places on this machine.

    known  what `contents` said of them; None: not compared

    Raises:
        DataError: a file cannot be found, or has changed.
    """
    places = {name: files.find(value) for name, value in _named(cls, options).items()}
    for name, path in places.items():
        if known is not None and digest(path) != known.get(name):
            raise DataError(f"{path}: the file has changed since the run was planned")
    return cls(**{**options, **{name: str(path) for name, path in places.items()}})


def _named(cls: type[Task], options: Mapping[str, Value]) -> dict[str, str]:
    return {
        name: str(options[name])
        for name, option in cls.options.items()
        if option.file and options.get(name)
    }
