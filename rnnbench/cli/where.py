"""Where a run trains: this machine, a scheduler that runs already, or jobs of Slurm."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rnnbench.cli.environment import inherited, visible_gpus
from rnnbench.errors import InputError

if TYPE_CHECKING:
    from rnnbench.cluster import Cluster
    from rnnbench.remote import Tls
    from rnnbench.suite import Slurm


@dataclass(frozen=True)
class Where:
    """Workers and what they train on.

    gpus    of this machine, as CUDA_VISIBLE_DEVICES names them
    here    whether workers are processes of this machine
    script  of a job that they run in; "" where they run in none
    """

    cluster: Cluster
    device: str
    gpus: tuple[str, ...] = ()
    here: bool = False
    script: str = ""

    def counted(self, workers: int) -> str:
        """Say how many workers there are, and of what."""
        from rnnbench.findings.wording import counted

        if self.here:
            return counted(len(self.gpus), "GPU") if self.gpus else counted(workers, "CPU worker")
        if self.script:
            return f"{counted(workers, 'worker')} in {counted(self.cluster.size, 'job')} of Slurm"
        if not workers:
            return f"no workers of {self.cluster.name} yet: it waits for them"
        return f"{counted(workers, 'worker')} of {self.cluster.name}"


def where(
    slurm: Slurm | None,
    *,
    cluster: str | None,
    tls: tuple[Path | None, Path | None, Path | None],
    workers: int | None,
    per_gpu: int | None,
    devices: str,
) -> Where:
    """Return where to train; a scheduler that the command line names goes before the suite's jobs.

    Raises:
        InputError: options that contradict each other, or a device that is not there.
    """
    from rnnbench.cluster import Local, slots_for
    from rnnbench.devices import gpus_for
    from rnnbench.machine import cores
    from rnnbench.remote import Remote

    files = _tls(tls)
    if cluster is None and files is not None:
        raise InputError("--tls-ca, --tls-cert and --tls-key are of a --cluster tls://host:port")
    if cluster is None and slurm is None:
        gpus = gpus_for(devices, visible_gpus())
        slots = slots_for(workers or cores(), gpus, per_gpu or 1)
        return Where(Local(slots, inherited()), "cuda" if gpus else "cpu", gpus, here=True)
    named = f"--cluster {cluster}" if cluster else "the suite's `executor: {slurm: …}`"
    for option, value in {"--workers": workers, "--slots": per_gpu}.items():
        if value is not None:
            cure = "" if cluster else "; to train on this machine add --set executor.slurm=null"
            raise InputError(
                f"{option} is of workers on this machine, and {named} has its own{cure}"
            )
    device = _device(devices, named)
    if cluster is not None:
        return Where(Remote(cluster, files), device)
    assert slurm is not None  # noqa: S101  as was asked above
    if find_spec("dask_jobqueue") is None:
        raise InputError(f"{named} needs dask-jobqueue: pip install 'rnnbench[slurm]'")
    from rnnbench.slurm import Jobs

    jobs = Jobs(slurm)
    return Where(jobs, device, script=jobs.script())


def _tls(given: tuple[Path | None, Path | None, Path | None]) -> Tls | None:
    from rnnbench.remote import Tls

    ca, cert, key = given
    if ca is None and cert is None and key is None:
        return None
    if ca is None or cert is None or key is None:
        raise InputError("TLS needs all three of --tls-ca, --tls-cert and --tls-key")
    return Tls(ca, cert, key)


def _device(devices: str, named: str) -> str:
    """Return the device of workers elsewhere."""
    from rnnbench.devices import gpus_for

    if devices not in ("auto", "cpu", "cuda"):
        raise InputError(
            f"--devices {devices}: with {named} it is cpu, or cuda: the GPU that each worker sees"
        )
    if devices == "cuda" and not gpus_for("auto", visible_gpus()):
        raise InputError("--devices cuda: the machine that plans needs a GPU too; it sees none")
    return "cuda" if devices == "cuda" else "cpu"
