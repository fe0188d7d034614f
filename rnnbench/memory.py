"""How much memory this process has taken."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import resource

STATUS = Path("/proc/self/status")


def peak_bytes() -> int | None:
    """Return the largest resident size that this process has had; None where that is unknown."""
    if sys.platform == "win32":
        return None
    with suppress(OSError):
        # what getrusage says begins, on Linux, with the size of whoever started this process
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
