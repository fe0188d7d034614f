"""The process of a worker on this machine, which lives no longer than the one that started it."""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import logging
import os
import platform
import signal
import threading
from contextlib import suppress
from pathlib import Path

from distributed import Worker

UNSEEN = {
    # an HTTP server is started even without a dashboard, and on all addresses unless told so
    "dashboard": False,
    "dashboard_address": "127.0.0.1:0",
}
"""Options of Dask's servers with which they show nothing to other machines."""

LOOPBACK = {"host": "127.0.0.1", **UNSEEN}
"""Options of Dask's servers with which they listen to this machine alone."""

_PDEATHSIG = 1


def serve(scheduler: str, name: str) -> None:
    """Serve a scheduler until it closes this worker, or the other end of standard input is gone."""
    # what takes the process along in C leaves a trace on stderr
    faulthandler.enable(all_threads=False)
    # Ctrl-C reaches the whole process group; the driver decides what happens to its workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if platform.system() == "Linux":
        # a process that hangs or is stopped would not notice that its parent is gone
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
        # where memory runs out the kernel ends a worker, and not the driver that keeps results
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
    threading.Thread(target=_die_with_the_driver, daemon=True).start()
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    asyncio.run(_served(scheduler, name))


def _die_with_the_driver() -> None:
    """Wait for the end of the pipe that the driver holds open."""
    os.read(0, 1)
    os._exit(0)


async def _served(scheduler: str, name: str) -> None:
    async with Worker(scheduler, name=name, nthreads=1, memory_limit=0, **LOOPBACK) as worker:
        await worker.finished()
