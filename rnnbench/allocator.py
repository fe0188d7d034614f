"""Let glibc keep freed memory, so that a training step finds the pages of the last one."""

from __future__ import annotations

import ctypes
import platform

SETTINGS = (
    (-4, 0),  # M_MMAP_MAX: big buffers come from the heap, not from a mapping of their own
    (-1, 2**31 - 1),  # M_TRIM_THRESHOLD: its free end is given back beyond 2 GiB only
)
"""Parameters of glibc's mallopt and their values, from malloc.h."""


def tune() -> bool:
    """Tune the allocator of this process where it is glibc's; return whether it was.

    By default a buffer of some megabytes is mapped when it is made and unmapped when it is freed,
    and the kernel clears each of its pages anew at every training step. A process so tuned keeps
    up to 2 GiB that it no longer needs.

    It holds for the heap of the main thread, which all threads share in a process started with
    MALLOC_ARENA_MAX=1.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(parameter, value) == 1 for parameter, value in SETTINGS)
