"""The environment variables that rnnbench reads."""

from __future__ import annotations

import os


def disabled_plugins() -> frozenset[str]:
    """Return the plugins and packages that RNNBENCH_DISABLE_PLUGINS names, split at commas."""
    names = os.environ.get("RNNBENCH_DISABLE_PLUGINS", "").split(",")
    return frozenset(name.strip() for name in names if name.strip())


def forced_backend() -> str | None:
    """Return the recurrence backend that RNNBENCH_BACKEND forces, if it is set."""
    return os.environ.get("RNNBENCH_BACKEND") or None


def visible_gpus() -> tuple[str, ...] | None:
    """Return the GPUs that CUDA_VISIBLE_DEVICES leaves to this process, None where it is unset."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if names is None else tuple(name.strip() for name in names.split(",") if name)
