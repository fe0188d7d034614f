"""The environment variables that rnnbench reads, and those that it sets for itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rnnbench.errors import UnknownNameError

if TYPE_CHECKING:
    from rnnbench.datafiles import DataFiles


def compute_as_workers_do() -> None:
    """Keep torch to one thread and one way of rounding: it is not loaded yet.

    Two threads that wait for each other in small operations make them slower, and many times so
    where workers keep the cores busy; a user may ask for more. What decides whether members may
    train together is tried here, so that products must round as they do in a worker.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ["MKL_CBWR"] = "AUTO"


def inherited() -> dict[str, str]:
    """Return the environment that worker processes are started with."""
    return dict(os.environ)


def disabled_plugins() -> frozenset[str]:
    """Return the plugins and packages that RNNBENCH_DISABLE_PLUGINS names, split at commas."""
    names = os.environ.get("RNNBENCH_DISABLE_PLUGINS", "").split(",")
    return frozenset(name.strip() for name in names if name.strip())


def data_files(fetching: Callable[[str], None] | None = None) -> DataFiles:
    """Return where data files are: here, and where RNNBENCH_DATA says.

    fetching  told of an address before it is fetched; None: nothing is fetched
    """
    from rnnbench.datafiles import DataFiles

    named = os.environ.get("RNNBENCH_DATA")
    folders = (Path.cwd(), *([Path(named).absolute()] if named else []))
    return DataFiles(folders, fetching=fetching)


def forced_backend() -> str | None:
    """Return what RNNBENCH_BACKEND says, `auto` or the name of a backend; None where it is unset.

    Raises:
        UnknownNameError: no backend has this name.
    """
    name = os.environ.get("RNNBENCH_BACKEND")
    if not name:
        return None
    from rnnbench.recurrence import NAMES

    known = ("auto", *NAMES)
    if name not in known:
        raise UnknownNameError("backend", name, known, "RNNBENCH_BACKEND asks for it.")
    return name


def visible_gpus() -> tuple[str, ...] | None:
    """Return the GPUs that CUDA_VISIBLE_DEVICES leaves to this process, None where it is unset."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if names is None else tuple(name.strip() for name in names.split(",") if name)
