"""Where workers come from, and the processes of this machine that they usually are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

import dask
from distributed import Client, Scheduler, SpecCluster

from rnnbench.crew import Crew, Slot
from rnnbench.machine import memory
from rnnbench.process import LOOPBACK

OURS: Mapping[str, object] = {
    # a group whose worker died is not Dask's to try again
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
}
"""How a scheduler that a run starts is set."""


@dataclass(frozen=True)
class Found:
    """What there is to train with: workers, and the bytes that each has; None: unknown."""

    workers: int
    memory: int | None = None


class Connection(Protocol):
    """A connection to a scheduler, and a hand on its workers."""

    @property
    def client(self) -> Client:
        """Submits tasks, and asks who is there."""

    def mend(self, there: Collection[str], say: Callable[[str], None]) -> list[str]:
        """Start workers again that have died, where that is ours to do; return which had.

        `say` tells the user what does not end the run.
        """

    def end(self, name: str, address: str) -> None:
        """Kill a worker's process; another takes its place."""

    def obituary(self, name: str) -> tuple[str, str]:
        """Say how a worker died and what it said last; "" where that is not known."""


class Cluster(Protocol):
    """Where workers come from."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def size(self) -> int:
        """How many workers are its own to keep alive."""

    def found(self) -> Found:
        """Say what there is to train with.

        Raises:
            ClusterError: the scheduler does not answer, or cannot be used.
        """

    def connected(self) -> AbstractContextManager[Connection]:
        """Hold a connection to its scheduler.

        Raises:
            ClusterError: the scheduler does not answer.
        """


@dataclass(frozen=True)
class Local:
    """Worker processes of this machine, one for each slot, which end with the driver.

    environment  theirs, beside what they train by
    """

    slots: tuple[Slot, ...]
    environment: Mapping[str, str]

    @property
    def name(self) -> str:
        """What messages call it."""
        return "this machine"

    @property
    def size(self) -> int:
        """How many workers are its own to keep alive."""
        return len(self.slots)

    def found(self) -> Found:
        """Share this machine's memory among the workers."""
        whole = memory()
        return Found(len(self.slots), whole and whole // len(self.slots))

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Start a scheduler in this process and the workers, all of them on loopback."""
        quiet()
        scheduler = {"cls": Scheduler, "options": {"port": 0, **LOOPBACK}}
        with (
            dask.config.set(OURS),
            SpecCluster({}, scheduler, silence_logs=logging.CRITICAL) as cluster,
            Client(cluster, set_as_default=False) as client,
            Crew(self.slots, cluster.scheduler_address, self.environment) as crew,
        ):
            yield _OfCrew(client, crew)


@dataclass(frozen=True)
class _OfCrew:
    client: Client
    crew: Crew

    def mend(self, there: Collection[str], say: Callable[[str], None]) -> list[str]:  # noqa: ARG002
        return self.crew.mend(there)

    def end(self, name: str, address: str) -> None:  # noqa: ARG002  a name is enough
        self.crew.end(name)

    def obituary(self, name: str) -> tuple[str, str]:
        return self.crew.obituary(name)


def quiet() -> None:
    """Say ourselves what becomes of workers; Dask would write it into the live view."""
    # some loggers below it have levels of their own
    children = [name for name in logging.root.manager.loggerDict if name.startswith("distributed.")]
    for name in ("distributed", *children):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def slots_for(workers: int, gpus: Sequence[str], per_gpu: int = 1) -> tuple[Slot, ...]:
    """Place `per_gpu` workers on each GPU (index or UUID), or `workers` of them on CPU cores."""
    if gpus:
        # one on each GPU first, so that few members are spread
        return tuple(Slot(f"gpu-{gpu}-{index}", gpu) for index in range(per_gpu) for gpu in gpus)
    return tuple(Slot(f"cpu-{index}") for index in range(workers))
