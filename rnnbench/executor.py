"""Groups to workers and results back, through Dask: one single-threaded process a core or GPU."""

from __future__ import annotations

import logging
import queue
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Self

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster, WorkerPlugin, get_worker
from distributed.scheduler import KilledWorker

from rnnbench.allocator import tune
from rnnbench.datafiles import DataFiles
from rnnbench.member import Finished, Member

ENVIRONMENT: Mapping[str, str] = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # without it MKL picks its code by the alignment of a buffer, and the last bits with it
    "MKL_CBWR": "AUTO",
    # cuBLAS is deterministic only with a fixed workspace
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    # members train in a thread; glibc would give it a heap of its own, where `tune` has no effect
    "MALLOC_ARENA_MAX": "1",
}
"""Set in a worker's environment before it starts."""

_DASK: Mapping[str, object] = {
    "distributed.nanny.pre-spawn-environ": dict(ENVIRONMENT),
    # a member alone on its worker that kills it is to blame: no second try elsewhere
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
}


_LOOPBACK: Mapping[str, object] = {
    "host": "127.0.0.1",
    # an HTTP server is started even without a dashboard, and on all addresses unless told so
    "dashboard": False,
    "dashboard_address": "127.0.0.1:0",
}


@dataclass(frozen=True)
class Slot:
    """One worker process: its name and the GPU it sees, if it sees one."""

    name: str
    gpu: str | None = None


@dataclass(frozen=True)
class Done:
    """What came back for one member of a group of so many."""

    key: str
    finished: Finished
    weights: bytes | None
    group: int = 1


def slots_for(workers: int, gpus: Sequence[str], per_gpu: int = 1) -> tuple[Slot, ...]:
    """Place `per_gpu` workers on each GPU (index or UUID), or `workers` of them on CPU cores."""
    if gpus:
        # one on each GPU first, so that few members are spread
        return tuple(Slot(f"gpu-{gpu}-{index}", gpu) for index in range(per_gpu) for gpu in gpus)
    return tuple(Slot(f"cpu-{index}") for index in range(workers))


def environment_of(slot: Slot) -> dict[str, str]:
    """Return what a worker's environment says about GPUs: its own, or none."""
    return {"CUDA_VISIBLE_DEVICES": slot.gpu or ""}


class Prepare(WorkerPlugin):  # type: ignore[misc]  # a class that mypy is told to skip
    """Make a worker process ready: one thread, its own registry of plugins, its data files."""

    name = "rnnbench"

    def __init__(self, disabled: Sequence[str], files: DataFiles) -> None:
        self.disabled, self.files = tuple(disabled), files

    def setup(self, worker: Any) -> None:  # noqa: ARG002  Dask's signature
        """Load torch and the plugins, once per process."""
        import torch

        from rnnbench.group.steps import Programs
        from rnnbench.registry import load_registry
        from rnnbench.tasks import Tasks

        # Ctrl-C reaches the whole process group; the driver decides what happens to its workers
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        tune()
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        # or every new tensor is filled with NaN before its values are written
        settings: Any = torch.utils.deterministic  # a module that torch gives no types
        settings.fill_uninitialized_memory = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        self.registry = load_registry(self.disabled)
        self.programs, self.tasks = Programs(), Tasks(self.registry, self.files)


def train_here(members: Sequence[Member]) -> list[tuple[Finished, bytes | None]]:
    """Train a group in the worker process that runs this."""
    from rnnbench.training import train_group

    ready = get_worker().plugins[Prepare.name]
    return train_group(members, ready.registry, ready.programs, ready.tasks)


class Executor:
    """Local worker processes, each training at most one group at a time.

    Use it as a context manager; leaving it stops every process it started.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        disabled: Sequence[str] = (),
        files: DataFiles | None = None,
    ) -> None:
        self._slots = tuple(slots)
        self._disabled = tuple(disabled)
        self._files = files or DataFiles()
        self._free = list(reversed(self._slots))
        self._flying: dict[str, tuple[Slot, tuple[str, ...]]] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._submitted = count()

    def __enter__(self) -> Self:
        self._settings = dask.config.set(_DASK)
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        workers = {
            slot.name: {
                "cls": Nanny,
                "options": {
                    "nthreads": 1,
                    "env": environment_of(slot),
                    "memory_limit": 0,
                    "silence_logs": logging.CRITICAL,
                    **_LOOPBACK,
                },
            }
            for slot in self._slots
        }
        scheduler = {"cls": Scheduler, "options": {"port": 0, **_LOOPBACK}}
        self._cluster = SpecCluster(workers, scheduler, silence_logs=logging.CRITICAL)
        self._client = Client(self._cluster, set_as_default=False)
        self._client.register_plugin(Prepare(self._disabled, self._files))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()
        self._cluster.close()
        self._settings.__exit__(kind, error, traceback)

    @property
    def free(self) -> int:
        """How many more groups can start now."""
        return len(self._free)

    def submit(self, members: Sequence[Member]) -> None:
        """Start a group, members of one shape, on a free worker; there must be one."""
        slot = self._free.pop()
        keys = tuple(member.key for member in members)
        # never the same again: Dask may answer with what it still knows of a task that died
        task = f"{keys[0]}-{next(self._submitted)}"
        self._flying[task] = slot, keys
        # bound to its slot: a worker that held two groups would take both along when it dies
        future = self._client.submit(
            train_here, list(members), key=task, pure=False, workers=[slot.name]
        )
        future.add_done_callback(self._done.put)

    def wait(self, timeout: float) -> list[Done]:
        """Return the members that came back, waiting up to `timeout` seconds for the first."""
        try:
            futures = [self._done.get(timeout=timeout)]
        except queue.Empty:
            return []
        while not self._done.empty():
            futures.append(self._done.get())
        return [done for future in futures for done in self._collected(future)]

    def _collected(self, future: Any) -> list[Done]:
        slot, keys = self._flying.pop(future.key)
        self._free.append(slot)
        try:
            lefts = future.result()
        except KilledWorker:
            crashed = Finished("crashed", "its worker process died while training it")
            lefts = [(crashed, None)] * len(keys)
        future.release()
        return [
            Done(key, finished, weights, len(keys))
            for key, (finished, weights) in zip(keys, lefts, strict=True)
        ]
