"""Where workers come from: processes of this machine, or a Dask scheduler that runs already."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster
from distributed.security import Security

from rnnbench.crew import Crew, Slot
from rnnbench.errors import ClusterError
from rnnbench.process import LOOPBACK

CONNECT_SECONDS = 10
"""How long a scheduler may take to answer."""

_OURS: Mapping[str, object] = {
    # a group whose worker died is not Dask's to try again
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
}


class Connection(Protocol):
    """A connection to a scheduler, and a hand on its workers."""

    @property
    def client(self) -> Client:
        """Submits tasks, and asks who is there."""

    def mend(self) -> list[str]:
        """Start workers again that have died, where that is ours to do; return which had."""

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

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Start a scheduler in this process and the workers, all of them on loopback."""
        _quiet()
        scheduler = {"cls": Scheduler, "options": {"port": 0, **LOOPBACK}}
        with (
            dask.config.set(_OURS),
            SpecCluster({}, scheduler, silence_logs=logging.CRITICAL) as cluster,
            Client(cluster, set_as_default=False) as client,
            Crew(self.slots, cluster.scheduler_address, self.environment) as crew,
        ):
            yield _OfCrew(client, crew)


@dataclass(frozen=True)
class _OfCrew:
    client: Client
    crew: Crew

    def mend(self) -> list[str]:
        return self.crew.mend()

    def end(self, name: str, address: str) -> None:  # noqa: ARG002  a name is enough
        self.crew.end(name)

    def obituary(self, name: str) -> tuple[str, str]:
        return self.crew.obituary(name)


@dataclass(frozen=True)
class Remote:
    """A scheduler that runs already, somewhere, with workers of its own.

    address        as in tcp://host:port or tls://host:port
    ca, cert, key  files of a TLS connection; None: none
    """

    address: str
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.address

    @property
    def size(self) -> int:
        """How many workers are its own to keep alive: others look after them."""
        return 0

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Hold a connection; the scheduler and its workers go on after it."""
        _quiet()
        connect = {"distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s"}
        with dask.config.set(connect):
            try:
                client = Client(
                    self.address,
                    security=self._security(),
                    timeout=CONNECT_SECONDS,
                    set_as_default=False,
                )
            except (OSError, ValueError, ImportError) as error:
                said = " ".join(str(error).split())
                raise ClusterError(f"no Dask scheduler answers at {self.address}: {said}") from None
            with client:
                yield _OfScheduler(client)

    def _security(self) -> Security | None:
        if not (self.ca or self.cert or self.key):
            return None
        return Security(
            tls_ca_file=self.ca,
            tls_client_cert=self.cert,
            tls_client_key=self.key,
            require_encryption=True,
        )


@dataclass(frozen=True)
class _OfScheduler:
    client: Client

    def mend(self) -> list[str]:
        return []

    def end(self, name: str, address: str) -> None:  # noqa: ARG002  names need not be unique there
        self.client.run(_kill, workers=[address], nanny=True, wait=False, on_error="ignore")

    def obituary(self, name: str) -> tuple[str, str]:  # noqa: ARG002  it died elsewhere
        return "", ""


def _kill(dask_worker: Nanny) -> None:
    """Kill the worker process of the nanny that runs this; it starts another."""
    if dask_worker.pid is not None:
        os.kill(dask_worker.pid, signal.SIGKILL)


def _quiet() -> None:
    """Say ourselves what becomes of workers; Dask would write it into the live view."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)


def slots_for(workers: int, gpus: Sequence[str], per_gpu: int = 1) -> tuple[Slot, ...]:
    """Place `per_gpu` workers on each GPU (index or UUID), or `workers` of them on CPU cores."""
    if gpus:
        # one on each GPU first, so that few members are spread
        return tuple(Slot(f"gpu-{gpu}-{index}", gpu) for index in range(per_gpu) for gpu in gpus)
    return tuple(Slot(f"cpu-{index}") for index in range(workers))
