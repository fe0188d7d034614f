"""Where rnnbench keeps what it can make or fetch again: folders in the user's cache."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(name: str) -> Path:
    """Return a folder of the user's cache, or of the temporary one for a user without a home."""
    cache = user_cache_path("rnnbench")
    if not cache.is_absolute():  # `~` stays as it is where nobody knows the user
        cache = Path(tempfile.gettempdir(), f"rnnbench-{os.getuid()}")
    return cache / name
