"""Groups to workers and results back, through Dask: one group at a time on each worker."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import count
from types import TracebackType
from typing import Any, Literal, Self
from uuid import uuid4

from distributed.scheduler import KilledWorker
from distributed.versions import get_versions

from rnnbench.cluster import Cluster, Local
from rnnbench.errors import ClusterError
from rnnbench.member import Finished, Member, Status
from rnnbench.worker import PACKAGES, Terms, refusals, train_here, unlike

PATIENCE = 60.0
"""Seconds without a sign of life after which a worker is taken for hung, and ended."""

GRACE = 15.0
"""Seconds that a group may take beyond twice the time limits of its members."""

FETCH = 2.0
"""Seconds that what a worker left may take to arrive before it is asked whether it is there."""

PAUSE = 10.0
"""Seconds between two looks that only a process takes that was stopped."""

LOOK = 1.0
"""Seconds between two looks at who is there."""

STARTS = 5
"""How many processes a slot may lose in a row before any worker is ready."""


@dataclass(frozen=True)
class Done:
    """What came back for one member of a group of so many.

    lost    the group's worker has died, hung or run out of time: that says nothing of this member
            unless it was alone
    blame   whether the worker was lost while it trained them: not where only word of it was
    flight  a number that the members of the group share
    """

    key: str
    finished: Finished
    weights: bytes | None
    group: int = 1
    lost: bool = False
    blame: bool = True
    flight: int = 0


@dataclass
class _Worker:
    """What is known of a worker process; `seen` is the scheduler's word, `since` this clock's."""

    address: str
    name: str
    seen: float
    since: float
    state: Literal["new", "free", "busy", "refused"] = "new"


@dataclass(frozen=True)
class _Flight:
    """A task under way: the greeting of a worker, or a group of members.

    seconds  that it may take from when it began; None: any
    """

    number: int
    future: Any
    worker: _Worker
    keys: tuple[str, ...] = ()
    seconds: float | None = None
    since: float = field(default_factory=time.monotonic)


class Executor:
    """The workers of a cluster, each training at most one group at a time.

    Use it as a context manager. What a worker leaves undone because its process died, stopped
    answering or took too long comes back as lost, and a new process is waited for.

    patience  seconds without a sign of life after which a worker is taken for hung, and ended
    grace     seconds that a group may take beyond twice the time limits of its members

    Raises:
        ClusterError: the scheduler is gone, or no worker can be had.
    """

    def __init__(
        self,
        cluster: Cluster,
        terms: Terms,
        *,
        patience: float = PATIENCE,
        grace: float = GRACE,
    ) -> None:
        self._cluster, self._terms = cluster, terms
        self._patience, self._grace = patience, grace
        self._workers: dict[str, _Worker] = {}
        self._flights: dict[str, _Flight] = {}
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._submitted = count()
        # when tasks began, which may be later than they were submitted where others train too
        self._began: dict[str, float] = {}
        self._looked = 0.0
        self._deaths = 0
        self._news: list[str] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._connection = stack.enter_context(self._cluster.connected())
            self._client = self._connection.client
            self._client.subscribe_topic(self._terms.topic, self._told)
            if not isinstance(self._cluster, Local):
                marked = self._terms.checkpoints.marked()
                self._terms = replace(self._terms, checkpoints=marked)
            stack.callback(self._terms.checkpoints.tidy)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    @property
    def free(self) -> int:
        """How many more groups can start now."""
        return sum(worker.state == "free" for worker in self._workers.values())

    def submit(self, members: Sequence[Member]) -> None:
        """Start a group, members of one shape, on a free worker; there must be one."""
        worker = next(one for one in self._workers.values() if one.state == "free")
        worker.state = "busy"
        keys = tuple(member.key for member in members)
        limit = self._terms.limit
        # as much again for what is not training: to read data, and to score a run
        seconds = None if limit is None else 2 * limit * len(keys) + self._grace
        words = (list(members), self._terms)
        self._start(keys[0], worker, train_here, *words, keys=keys, seconds=seconds)

    def news(self) -> list[str]:
        """Return what a user should know of the workers, once."""
        news, self._news = self._news, []
        return news

    def forget(self, key: str) -> None:
        """Drop what a member has left on its way: it is kept now."""
        try:
            self._terms.checkpoints.remove(key)
        except OSError as error:
            self._news.append(f"a checkpoint cannot be removed: {error}")

    def wait(self, timeout: float) -> list[Done]:
        """Return the members that came back, waiting up to `timeout` seconds for the first."""
        back = []
        try:
            back.append(self._finished.get(timeout=timeout))
            while not self._finished.empty():
                back.append(self._finished.get())
        except queue.Empty:
            pass
        done = [one for future in back for one in self._landed(future)]
        if time.monotonic() - self._looked >= LOOK:
            done += self._look()
            self._looked = time.monotonic()
        return done

    def _told(self, event: tuple[float, str | Mapping[str, str]]) -> None:
        """Take in what a worker tells: that a task began, or words; called in Dask's thread."""
        said = event[1]
        if isinstance(said, Mapping):
            self._began.setdefault(said["began"], time.monotonic())
        elif said not in self._news:
            self._news.append(said)

    def _start(
        self,
        name: str,
        worker: _Worker,
        function: Callable[..., Any],
        *words: object,
        keys: tuple[str, ...] = (),
        seconds: float | None = None,
    ) -> None:
        # never the same again: Dask may answer with what it still knows of a task that died
        number = next(self._submitted)
        task = f"{name}-{uuid4().hex}"
        if self._cluster.size:  # its workers train for nobody else
            self._began[task] = time.monotonic()
        # bound to its worker: one that held two groups would take both along when it dies
        future = self._client.submit(
            function, *words, key=task, pure=False, workers=[worker.address]
        )
        self._flights[task] = _Flight(number, future, worker, keys, seconds)
        future.add_done_callback(self._finished.put)

    def _landed(self, future: Any) -> list[Done]:
        """Take in a task that has ended, one way or the other."""
        flight = self._flights.get(future.key)
        if flight is None:  # given up before
            return []
        try:
            left = future.result(timeout=FETCH)
        except TimeoutError:
            # what the worker had left is gone with it, or on its way; a look will tell
            self._finished.put(future)
            return []
        except Exception as error:  # noqa: BLE001  a worker's death has many names in Dask
            if not flight.keys:
                return self._unfit(future.key, error)
            if isinstance(error, KilledWorker) or flight.worker.address not in self._there():
                return self._died(future.key)
            flight.worker.state = "free"
            if isinstance(error, CancelledError):  # the scheduler was out of reach for a while
                return self._lost(future.key, "crashed", "its scheduler lost it", blame=False)
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            return self._lost(future.key, "error", said[:500])
        self._close(future.key)
        future.release()
        if not flight.keys:
            self._greeted(flight.worker, left)
            return []
        flight.worker.state = "free"
        return [
            Done(key, finished, weights, len(flight.keys), flight=flight.number)
            for key, (finished, weights) in zip(flight.keys, left, strict=True)
        ]

    def _greeted(self, worker: _Worker, left: Any) -> None:
        """Take in a worker's versions, then what it refuses."""
        asked = isinstance(left, Mapping)
        refused = unlike(left["packages"], self._terms.versions) if asked else left
        if refused:
            worker.state = "refused"
            self._news.append(f"worker {worker.name} is not used: {'; '.join(refused)}")
            self._all_refused()
        elif asked:
            self._start("hello", worker, refusals, self._terms)
        else:
            self._deaths, worker.state = 0, "free"

    def _unfit(self, task: str, error: BaseException) -> list[Done]:
        """Take in a greeting that failed: the process died, or cannot load what it was sent."""
        worker = self._close(task).worker
        said = " ".join(str(error).split())
        if worker.address in self._there():
            worker.state = "refused"
            self._news.append(f"worker {worker.name} is not used: it cannot load rnnbench ({said})")
            self._all_refused()
        return []

    def _all_refused(self) -> None:
        refused = [worker.state == "refused" for worker in self._workers.values()]
        if all(refused) and len(refused) >= self._cluster.size:
            said = "; ".join(dict.fromkeys(self._news))
            raise ClusterError(f"no worker of {self._cluster.name} can train this suite: {said}")

    def _died(self, task: str) -> list[Done]:
        """Give a group up whose worker's process is gone."""
        self._mend()
        how, words = self._connection.obituary(self._flights[task].worker.name)
        reason = "its worker process died while training it" + (f" ({how})" if how else "")
        return self._lost(task, "crashed", reason, words)

    def _lost(
        self, task: str, status: Status, reason: str, words: str = "", *, blame: bool = True
    ) -> list[Done]:
        """Give a group up, and return its members as lost."""
        flight = self._close(task)
        flight.future.cancel(force=True)
        spent = {"train": time.monotonic() - flight.since}
        finished = Finished(status, reason, words, seconds=spent)
        return [
            Done(key, finished, None, len(flight.keys), True, blame, flight.number)
            for key in flight.keys
        ]

    def _close(self, task: str) -> _Flight:
        self._began.pop(task, None)
        return self._flights.pop(task)

    def _look(self) -> list[Done]:
        """See which workers are there: greet new ones, give up those that are gone or hang."""
        self._mend()
        there, now = self._there(), time.monotonic()
        if self._looked and now - self._looked > PAUSE:
            # this process was stopped for a while, and perhaps its workers with it
            for task in self._began:
                self._began[task] += now - self._looked
        for address, facts in there.items():
            known = self._workers.get(address)
            if known is None:
                worker = _Worker(address, str(facts["name"]), facts["last_seen"], now)
                self._workers[address] = worker
                # Dask's own: a worker that lacks what it is sent dies of it
                self._start("versions", worker, get_versions, list(PACKAGES))
            elif known.seen != facts["last_seen"]:
                known.seen, known.since = facts["last_seen"], now
        gone = [worker for address, worker in self._workers.items() if address not in there]
        for worker in gone:
            del self._workers[worker.address]
        hung = [one for one in self._workers.values() if now - one.since > self._patience]
        for worker in hung:
            self._end(worker)
            silent = f"{now - worker.since:.0f} s"
            self._news.append(f"worker {worker.name} gave no sign of life for {silent}: ended")
        return [one for task in list(self._flights) for one in self._checked(task, gone, hung, now)]

    def _checked(
        self, task: str, gone: Sequence[_Worker], hung: Sequence[_Worker], now: float
    ) -> list[Done]:
        """Give a task up whose worker is gone, hangs, or has had its time."""
        flight = self._flights[task]
        if flight.worker in gone:
            return self._died(task)
        if flight.worker in hung:
            return self._lost(task, "crashed", "its worker process stopped answering")
        began = self._began.get(task, now)
        if flight.seconds is not None and now - began > flight.seconds:
            self._end(flight.worker)
            reason = f"hung, and was ended: the time limit is {self._terms.limit:g} s"
            return self._lost(task, "timeout", reason)
        return []

    def _mend(self) -> None:
        """Let dead workers be replaced; give up where none lives long enough to be ready."""
        there = {worker.name for worker in self._workers.values()}
        ended = self._connection.mend(there, self._news.append)
        self._deaths += len(ended)
        if ended and self._deaths >= STARTS * self._cluster.size:
            how, words = self._connection.obituary(ended[-1])
            said = words.strip().rpartition("\n")[2]
            raise ClusterError(
                f"workers of {self._cluster.name} die as they start: {': '.join([how, said])}"
            )

    def _there(self) -> dict[str, Any]:
        """Ask the scheduler who is there."""
        try:
            identity = self._client.sync(
                self._client.scheduler.identity, n_workers=-1, callback_timeout=self._patience
            )
        except (OSError, TimeoutError) as error:
            how = "does not answer any more" if isinstance(error, TimeoutError) else "is gone"
            raise ClusterError(f"the scheduler of {self._cluster.name} {how}") from None
        workers: dict[str, Any] = identity["workers"]
        return workers

    def _end(self, worker: _Worker) -> None:
        """Kill a worker's process; another takes its place."""
        self._workers.pop(worker.address, None)
        self._connection.end(worker.name, worker.address)
