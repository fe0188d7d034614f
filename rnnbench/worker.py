"""A worker's side: make its process ready, see that it is as the driver's, train groups there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import get_worker

from rnnbench.allocator import tune
from rnnbench.checkpoints import Checkpoints
from rnnbench.datafiles import DataFiles
from rnnbench.errors import BuildError, RnnbenchError
from rnnbench.machine import versions
from rnnbench.member import Finished, Member, Setting

if TYPE_CHECKING:
    from rnnbench.registry import Registry
    from rnnbench.study import Study

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
"""What a worker's process needs in its environment, best before it starts."""

PACKAGES = ("rnnbench", "torch", "numpy", "scipy", "distributed")
"""The packages whose versions must be the driver's, as Python's: what is sent, what computes."""

_KEPT = "rnnbench"


@dataclass(frozen=True)
class Terms:
    """What a driver asks of every worker.

    versions     of packages (`COMPARED`), which must be the same
    sources      hashes of the source of what is trained, by "cell lstm", likewise
    compiler     what compiles kernels, with its flags; "" where none is compiled
    device       where members train
    settings     those whose data files must be there
    files        where data files are looked for, before the worker's own folders
    disabled     plugins that are switched off
    limit        seconds that a member may take; None: any
    checkpoints  where and how often what long members have reached is kept
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    compiler: str = ""
    device: str = "cpu"
    settings: tuple[Setting, ...] = ()
    files: DataFiles = field(default_factory=DataFiles)
    disabled: tuple[str, ...] = ()
    limit: float | None = None
    checkpoints: Checkpoints = field(default_factory=Checkpoints)

    @property
    def topic(self) -> str:
        """Under which workers tell what a user should know."""
        return f"rnnbench {self.checkpoints.folder}"


def terms_of(studies: Sequence[Study]) -> Terms:
    """Return what workers need to train studies as this process planned them."""
    own = versions()
    networks = [one for study in studies for one in (study, *study.variants)]
    sources: dict[str, str] = {}
    for one in networks:
        member = one.template
        sources[f"{member.architecture.kind} {member.architecture.cell}"] = one.cell_source
        sources[f"task {member.setting.task}"] = one.task_source
        sources |= {f"metric {name}": source for name, source in one.metric_sources.items()}
    settings = {repr(one.template.setting): one.template.setting for one in networks}
    return Terms(
        versions={name: own[name] for name in ("python", *PACKAGES)},
        sources=dict(sorted(sources.items())),
        compiler=next((one.compiler for one in networks if one.compiler), ""),
        device=networks[0].template.device if networks else "cpu",
        settings=tuple(setting for setting in settings.values() if setting.files),
    )


class Ready:
    """What a process keeps between groups: one thread, its registry, programs and tasks."""

    def __init__(self, terms: Terms) -> None:
        os.environ.update(ENVIRONMENT)
        import torch

        from rnnbench.group.steps import Programs
        from rnnbench.registry import load_registry
        from rnnbench.tasks import Tasks

        tune()
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        # or every new tensor is filled with NaN before its values are written
        settings: Any = torch.utils.deterministic  # a module that torch gives no types
        settings.fill_uninitialized_memory = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        self.terms = terms
        self.registry = load_registry(terms.disabled)
        self.programs, self.tasks = Programs(), Tasks(self.registry, files_here(terms.files))


def files_here(files: DataFiles) -> DataFiles:
    """Return where this process looks: where the driver does, in its own folder and RNNBENCH_DATA.

    What was fetched is in this user's cache, wherever the driver's is.
    """
    named = os.environ.get("RNNBENCH_DATA")
    own = (Path.cwd(), *([Path(named).absolute()] if named else []))
    return replace(files, folders=(*files.folders, *own), cache=DataFiles().cache)


def unlike(there: Mapping[str, str | None], wanted: Mapping[str, str]) -> list[str]:
    """Say which packages of a worker are missing or of another version than the driver's.

    there  what `distributed.versions` says of it: Python's version goes on with its level
    """
    found = []
    for name in ("rnnbench", *(name for name in wanted if name != "rnnbench")):
        own = there.get(name)
        if name == "python" and own is not None:
            own = ".".join(own.split(".")[:3])
        if own is None or own != wanted.get(name, own):
            driver = f", the driver has {wanted[name]}" if name in wanted else ""
            found.append(f"{name} {own or 'is missing'}{driver}")
    return found


def refusals(terms: Terms) -> tuple[str, ...]:
    """Say what of the terms, but for versions, the worker that runs this does not keep."""
    try:
        ready = _ready(terms)
    except RnnbenchError as error:  # a plugin that is switched off here is not installed there
        return (str(error),)
    found = _foreign(terms.sources, ready.registry)
    if terms.compiler and (compiler := _compiler()) != terms.compiler:
        found.append(f"compiler {compiler}, the driver has {terms.compiler}")
    if terms.device == "cuda" and not _sees_a_gpu():
        found.append("no GPU")
    for setting in terms.settings:
        try:
            ready.tasks.of(setting)
        except RnnbenchError as error:
            found.append(str(error))
    return tuple(found)


def train_here(members: Sequence[Member], terms: Terms) -> list[tuple[Finished, bytes | None]]:
    """Train a group in the worker process that runs this."""
    from rnnbench.course import Pace
    from rnnbench.training import train_group

    worker, ready = get_worker(), _ready(terms)
    task = worker.state.tasks[worker.get_current_task()]
    worker.log_event(terms.topic, {"began": str(task.key)})
    # the driver that asked has gone, or wants it no more
    pace = Pace(
        terms.limit,
        terms.checkpoints,
        terms.compiler,
        unwanted=lambda: task.state == "cancelled",
        tell=lambda text: worker.log_event(terms.topic, f"{worker.name}: {text}"),
    )
    return train_group(members, ready.registry, ready.programs, ready.tasks, pace)


def _ready(terms: Terms) -> Ready:
    """Return what this process keeps, made anew where a driver has other terms."""
    kept = get_worker().extensions
    if _KEPT not in kept or kept[_KEPT].terms != terms:
        kept[_KEPT] = Ready(terms)
    ready: Ready = kept[_KEPT]
    return ready


def _foreign(sources: Mapping[str, str], registry: Registry) -> list[str]:
    """Say which components this process lacks or has of another source."""
    known = {one.title: one.source for one in registry.components}
    return [
        f"{title} {'has another source' if title in known else 'is not installed'}"
        for title, source in sources.items()
        if known.get(title) != source
    ]


def _compiler() -> str:
    from rnnbench.recurrence.build import find_compiler

    try:
        return str(find_compiler())
    except BuildError as error:
        return f"missing ({error})"


def _sees_a_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
