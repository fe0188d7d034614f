"""Where rnnbench keeps what it can make or fetch again: folders in the user's cache."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

KERNELS, DATA = "kernels", "data"


def cache_folder(name: str) -> Path:
    """Return a folder of the user's cache, or of the temporary one for a user without a home."""
    with suppress(RuntimeError):  # nobody knows the user, and older versions leave a `~`
        cache = user_cache_path("rnnbench")
        if cache.is_absolute():
            return cache / name
    return Path(tempfile.gettempdir(), f"rnnbench-{os.getuid()}", name)
