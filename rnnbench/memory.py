"""How much memory this process has taken."""

from __future__ import annotations

import sys

if sys.platform != "win32":
    import resource


def peak_bytes() -> int | None:
    """Return the largest resident size that this process has had; None where that is unknown."""
    if sys.platform == "win32":
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
