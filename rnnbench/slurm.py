"""Workers in jobs of Slurm, which dask-jobqueue submits and the run cancels at its end."""

from __future__ import annotations

import logging
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dask
import psutil
from dask.utils import parse_bytes
from dask_jobqueue.slurm import SLURMCluster, SLURMJob
from distributed import Client
from distributed.core import Status

from rnnbench.cluster import OURS, Connection, Found, quiet
from rnnbench.errors import ClusterError, InputError
from rnnbench.process import UNSEEN
from rnnbench.remote import end
from rnnbench.suite import Slurm
from rnnbench.worker import ENVIRONMENT

ASK_SECONDS = 30.0
"""How often Slurm is asked which jobs there are; its controller serves everybody."""

ANSWER_SECONDS = 30
"""How long a command of Slurm may take; one that hangs is ended."""

DEATH_SECONDS = 60
"""How long a worker waits for the scheduler before it ends, and its job with it."""


@dataclass(frozen=True)
class Jobs:
    """Jobs of Slurm with a worker on each core.

    The scheduler listens on the interface that the suite names, and on no other; what passes is not
    encrypted.
    """

    wanted: Slurm

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Slurm" + (f" ({self.wanted.queue})" if self.wanted.queue else "")

    @property
    def size(self) -> int:
        """How many jobs are its own to keep alive."""
        return self.wanted.jobs

    def found(self) -> Found:
        """Count the workers that jobs will have, and the memory of each.

        Raises:
            InputError: this machine has no such interface.
            ClusterError: this machine submits no jobs.
        """
        interfaces = psutil.net_if_addrs()
        if self.wanted.interface not in interfaces:
            raise InputError(
                f"executor.slurm.interface: no interface `{self.wanted.interface}` here; "
                f"there are {', '.join(sorted(interfaces))}"
            )
        for command in ("sbatch", "squeue", "scancel"):
            if shutil.which(command) is None:
                raise ClusterError(
                    f"no `{command}` on this machine: start the run where jobs are submitted, "
                    "or without Slurm by --set executor.slurm=null"
                )
        memory = parse_bytes(self.wanted.memory) // self.wanted.cores
        return Found(self.wanted.jobs * self.wanted.cores, memory)

    def script(self) -> str:
        """Return the script of a job, but for the scheduler's address and the job's name."""
        job = _Job("tcp://<address of the run>", "<name>", **self._options)
        return str(job.job_script())

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Start a scheduler in this process, and submit the jobs."""
        self.found()
        quiet()
        with (
            dask.config.set(OURS),
            _submitting(self.wanted.jobs, self._options) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield _OfJobs(client, cluster)

    @property
    def _options(self) -> dict[str, Any]:
        wanted = self.wanted
        exports = [f"export {name}={value}" for name, value in ENVIRONMENT.items()]
        return {
            "interface": wanted.interface,
            "queue": wanted.queue,
            "account": wanted.account,
            "walltime": wanted.walltime,
            "cores": wanted.cores,
            "processes": wanted.cores,
            "memory": wanted.memory,
            "job_name": "rnnbench",
            "death_timeout": DEATH_SECONDS,
            "job_extra_directives": list(wanted.job_extra),
            "job_script_prologue": [*exports, *wanted.prologue],
            "worker_extra_args": ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"],
        }


class _Job(SLURMJob):  # type: ignore[misc]  # dask-jobqueue has no types
    """A job as dask-jobqueue writes it, whose commands end."""

    submit_command = f"timeout {ANSWER_SECONDS} sbatch"
    cancel_command = f"timeout {ANSWER_SECONDS} scancel"
    # Slurm bounds a job's memory; a worker that Dask pauses near a limit would never end
    worker_process_memory = "0"


@contextmanager
def _submitting(jobs: int, options: dict[str, Any]) -> Iterator[SLURMCluster]:
    """Submit jobs, and cancel them in the end."""
    with SLURMCluster(
        **options,
        job_cls=_Job,
        scheduler_options=dict(UNSEEN),
        silence_logs=logging.CRITICAL,
    ) as cluster:
        # as `scale` does, which would write what sbatch says into the live view
        while len(cluster.worker_spec) < jobs:
            cluster.worker_spec.update(cluster.new_worker_spec())
        _correct(cluster)
        yield cluster


def _correct(cluster: SLURMCluster) -> None:
    """Submit the jobs that are lacking."""
    try:
        cluster.sync(cluster._correct_state)
    except (RuntimeError, ValueError, OSError) as error:
        # what was not submitted is no job: it cannot be cancelled, nor has it ended
        lacking = [name for name, job in cluster.workers.items() if job.status == Status.created]
        _forget(cluster, lacking)
        words = " ".join(str(error).split())
        said = words.rpartition("stderr: ")[2] or words
        raise ClusterError(f"Slurm takes no job: {said}") from None


def _forget(cluster: SLURMCluster, names: Collection[str]) -> None:
    """Take jobs out of what Dask closes in the end; it insists that it has closed all it knows."""
    for name in names:
        job = cluster.workers.pop(name, None)
        if job is not None:
            cluster._created.discard(job)


@dataclass
class _OfJobs:
    client: Client
    cluster: SLURMCluster
    asked: float = field(default_factory=time.monotonic)
    refused: bool = False

    def mend(self, there: Collection[str], say: Callable[[str], None]) -> list[str]:
        """Submit again the jobs that have ended: killed, or out of time.

        Raises:
            ClusterError: Slurm takes none, and there is neither a worker nor another job.
        """
        if time.monotonic() - self.asked < ASK_SECONDS:
            return []
        self.asked = time.monotonic()
        queued = _queued()
        if queued is None:
            return []
        jobs = dict(self.cluster.workers)
        ended = [name for name, job in jobs.items() if job.job_id not in queued]
        _forget(self.cluster, ended)
        if ended or len(jobs) < len(self.cluster.worker_spec):
            self._submit(there, say)
        return ended

    def _submit(self, there: Collection[str], say: Callable[[str], None]) -> None:
        """Submit what is lacking; what Slurm refuses is tried again the next time."""
        try:
            _correct(self.cluster)
            self.refused = False
        except ClusterError as error:
            if not there and not self.cluster.workers:
                raise
            if not self.refused:
                self.refused = True
                say(f"{error}; it is asked again every {ASK_SECONDS:g} s")

    def end(self, name: str, address: str) -> None:  # noqa: ARG002  a job has several workers
        """Have a worker's nanny start another."""
        end(self.client, address)

    def obituary(self, name: str) -> tuple[str, str]:  # noqa: ARG002  Slurm writes its output
        return "see the output of their jobs", ""


def _queued() -> set[str] | None:
    """Return the ids of this user's jobs; None where Slurm does not say."""
    asked = ["squeue", "--me", "--noheader", "--format=%i"]
    try:
        done = subprocess.run(  # noqa: S603
            asked, capture_output=True, text=True, check=True, timeout=ANSWER_SECONDS
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return set(done.stdout.split())
