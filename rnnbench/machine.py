"""The machine and the versions that numbers come from."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = (
    "rnnbench",
    "torch",
    "numpy",
    "pandas",
    "optuna",
    "distributed",
    "scipy",
    "seaborn",
    "matplotlib",
    "pluggy",
)
"""The packages whose versions are recorded."""


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on."""
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def hardware() -> dict[str, Any]:
    """Describe the machine: CPU model, usable cores, memory, system, host."""
    return {
        "cpu": processor(),
        "cores": cores(),
        "memory_bytes": memory(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "host": socket.gethostname(),
    }


def cores() -> int:
    """Count the CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def git(folder: Path) -> dict[str, Any] | None:
    """Return the commit of a folder's tracked files and whether the tree is dirty.

    None where git tracks nothing in it: an installed package inside somebody else's work tree.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None or not _git(folder, "ls-files", "."):
        return None
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain"))}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  the words are this module's own
            ["git", "-C", str(folder), *words],  # noqa: S607  the user's git
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def processor() -> str:
    """Name the CPU model, or the kind of processor where the model is not told."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        with info.open(errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory() -> int | None:
    """Return the bytes of the machine's memory, where that is known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
