"""A Dask scheduler that runs already, somewhere, with workers that others look after."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from uuid import uuid4

import dask
import psutil
from distributed import Client, Nanny, rpc
from distributed.protocol.pickle import dumps
from distributed.security import Security

from rnnbench.cluster import Connection, Found, quiet
from rnnbench.errors import ClusterError, InputError
from rnnbench.machine import versions

CONNECT_SECONDS = 10
"""How long a scheduler may take to answer."""

COMPARED = ("rnnbench", "distributed")
"""The versions that must be the driver's on a scheduler, which reads what passes through it."""

_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:.]+\]|[^\s/:\[\]]+):([0-9]{1,5})")
_MOST_PORTS = 2**16


@dataclass(frozen=True)
class Tls:
    """Files of a TLS connection, all of them PEM.

    ca    the certificates that the scheduler's is signed by
    cert  the driver's certificate, and
    key   its key
    """

    ca: Path
    cert: Path
    key: Path

    def security(self) -> Security:
        """Return them as Dask takes them.

        Raises:
            InputError: a file cannot be read, or is not what it should be.
        """
        for field in fields(self):
            path: Path = getattr(self, field.name)
            try:
                path.read_bytes()
            except OSError as error:
                raise InputError(f"--tls-{field.name} {path}: {error.strerror}") from None
        security = Security(
            tls_ca_file=str(self.ca),
            tls_client_cert=str(self.cert),
            tls_client_key=str(self.key),
            require_encryption=True,
        )
        try:
            ssl.create_default_context(cafile=self.ca)
        except ssl.SSLError:
            raise InputError(f"--tls-ca {self.ca}: no certificate in PEM form") from None
        try:
            security.get_connection_args("client")
        except ssl.SSLError as error:
            raise InputError(
                f"--tls-cert {self.cert} and --tls-key {self.key} are no certificate and its key, "
                f"both in PEM form ({error.reason or error})"
            ) from None
        return security


@dataclass(frozen=True)
class Remote:
    """A running scheduler's address, as in tcp://host:port or tls://host:port.

    tls  None: nothing is encrypted

    Raises:
        InputError: it is no such address, or one of the other kind.
    """

    address: str
    tls: Tls | None = None

    def __post_init__(self) -> None:
        matched = _ADDRESS.fullmatch(self.address)
        if matched is None or not 0 < int(matched[3]) < _MOST_PORTS:
            raise InputError(
                f"--cluster {self.address}: write tcp://host:port or tls://host:port, "
                "as the scheduler says when it starts"
            )
        if matched[1] == "tls" and self.tls is None:
            raise InputError(
                f"--cluster {self.address}: TLS needs --tls-ca, --tls-cert and --tls-key"
            )
        if matched[1] == "tcp" and self.tls is not None:
            raise InputError(f"--cluster {self.address}: a TLS connection is tls://host:port")

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.address

    @property
    def size(self) -> int:
        """How many workers are its own to keep alive: others look after them."""
        return 0

    def found(self) -> Found:
        """Ask the scheduler for its workers and their memory.

        Raises:
            ClusterError: nothing answers, or what answers is no scheduler that can be used.
        """
        quiet()
        return asyncio.run(self._asked())

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Hold a connection; the scheduler and its workers go on after it."""
        self.found()
        with dask.config.set({"distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s"}):
            try:
                client = Client(
                    self.address,
                    security=self.tls and self.tls.security(),
                    timeout=CONNECT_SECONDS,
                    set_as_default=False,
                )
            except (OSError, ValueError) as error:
                raise self._foreign(error) from None
            with client:
                yield _OfScheduler(client)

    async def _asked(self) -> Found:
        _scheme, _, place = self.address.partition("://")
        host, _, port = place.rpartition(":")
        arguments = self.tls.security().get_connection_args("client") if self.tls else {}
        try:
            # it says at once what is wrong with a host or a port, and Dask tries again and again
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        except (OSError, UnicodeError) as error:
            said = getattr(error, "strerror", None) or error
            raise ClusterError(f"no Dask scheduler answers at {self.address}: {said}") from None
        scheduler = rpc(self.address, connection_args=arguments)
        try:
            # Dask waits for ever where something listens that does not speak as it does
            async with asyncio.timeout(CONNECT_SECONDS):
                kind = (await scheduler.identity())["type"]
                if kind != "Scheduler":
                    raise ClusterError(
                        f"{self.address} is a Dask {kind.lower()}: give its scheduler's address"
                    )
                who = await scheduler.identity(n_workers=-1)
                self._check((await scheduler.versions(packages=list(COMPARED)))["packages"])
            return await _measured(scheduler, who["workers"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise self._foreign(error) from None
        finally:
            await scheduler.close_rpc()

    def _check(self, there: Mapping[str, str | None]) -> None:
        own = versions()
        wrong = [
            f"{name} {there.get(name) or 'is missing'} there and {own[name]} here"
            for name in COMPARED
            if there.get(name) != own[name]
        ]
        if wrong:
            raise ClusterError(
                f"the scheduler at {self.address} cannot be used: {', '.join(wrong)}; "
                "start it from an environment like this one"
            )

    def _foreign(self, error: Exception) -> ClusterError:
        """Say what may be wrong with what took the connection and did not answer it."""
        said = " ".join(str(error).split()).rpartition("Error: ")[2]
        other = "speaks TLS" if self.tls is None else "speaks no TLS, or trusts another authority"
        return ClusterError(
            f"what listens at {self.address} does not answer as a Dask scheduler does: "
            f"is it another program, or one that {other}?" + (f" ({said})" if said else "")
        )


async def _measured(scheduler: Any, workers: Mapping[str, Any]) -> Found:
    """Count workers, and the memory that each may take: its limit, or its share of its host's."""
    free = [address for address, facts in workers.items() if not facts["memory_limit"]]
    question = {"op": "run", "function": dumps(psutil.virtual_memory), "wait": True}
    answers: Mapping[str, Any] = {}
    with suppress(TimeoutError):  # one that hangs; the others' memory is as good as unknown
        async with asyncio.timeout(CONNECT_SECONDS):
            answers = await scheduler.broadcast(msg=question, workers=free, on_error="ignore")
    beside = Counter(facts["host"] for facts in workers.values())
    shares = [
        answer["result"].total // beside[workers[address]["host"]]
        for address, answer in answers.items()
        if answer["status"] == "OK"
    ]
    limits = [facts["memory_limit"] for facts in workers.values() if facts["memory_limit"]]
    return Found(len(workers), min([*limits, *shares], default=None))


@dataclass(frozen=True)
class _OfScheduler:
    client: Client

    def mend(  # others look after them
        self,
        there: Collection[str],  # noqa: ARG002
        say: Callable[[str], None],  # noqa: ARG002
    ) -> list[str]:
        return []

    def end(self, name: str, address: str) -> None:  # noqa: ARG002  names need not be unique there
        end(self.client, address)

    def obituary(self, name: str) -> tuple[str, str]:  # noqa: ARG002  it died elsewhere
        return "", ""


def end(client: Client, address: str) -> None:
    """Have the nanny of a worker kill it and start another; without one, have it forgotten."""
    with suppress(OSError, TimeoutError):  # the scheduler is gone, and the worker with it
        client.sync(_ended, client.scheduler, address, callback_timeout=CONNECT_SECONDS)


async def _ended(scheduler: Any, address: str) -> None:
    question = {"op": "run", "function": dumps(_kill), "wait": True}
    await scheduler.broadcast(msg=question, workers=[address], nanny=True, on_error="ignore")
    await scheduler.unregister(address=address, stimulus_id=f"rnnbench-{uuid4().hex}")


def _kill(dask_worker: Nanny) -> None:
    """Kill the worker process of the nanny that runs this; it starts another."""
    if dask_worker.pid is not None:
        os.kill(dask_worker.pid, signal.SIGKILL)
