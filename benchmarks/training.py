"""Updates a second of a suite's members and the recurrence's share of them, backend by backend.

Each study's first member is trained for a few updates on the backend that it would have without
kernels (torch's own layer where the cell equals one, else the loop) and on its kernel, in turn, in
one process with one thread and the allocator tuned as in a worker. The share is what is saved
where a stand-in that computes nothing takes the recurrence's place.

    python benchmarks/training.py [SUITE] [--updates 40] [--budget standard]
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import torch  # noqa: E402  after the threads are set
from torch import Tensor  # noqa: E402

from rnnbench import allocator  # noqa: E402
from rnnbench.contracts import Cell, Tensors  # noqa: E402
from rnnbench.member import Member  # noqa: E402
from rnnbench.nn import recurrent  # noqa: E402
from rnnbench.plan import plan  # noqa: E402
from rnnbench.recurrence import output_of  # noqa: E402
from rnnbench.registry import Registry, load_registry  # noqa: E402
from rnnbench.study import Study  # noqa: E402
from rnnbench.suite import read_suite  # noqa: E402
from rnnbench.training import train  # noqa: E402

ROUNDS = 5


def nothing(_: str, cell: Cell) -> Callable[..., tuple[Tensor, Tensors]]:
    """Stand in for `recurrence.runner`: outputs that depend on all weights and cost nothing."""

    def run(x: Tensor, state: Tensors, weights: Tensors, *_: object) -> tuple[Tensor, Tensors]:
        total = torch.stack([weight.sum() for weight in weights.values()]).sum()
        return (state[output_of(cell, state)] + total).expand(len(x), -1, -1), state

    return run


@contextmanager
def without_recurrence() -> Iterator[None]:
    """Replace what runs cells for a while."""
    real = recurrent.runner
    recurrent.runner = nothing
    try:
        yield
    finally:
        recurrent.runner = real


def seconds(member: Member, registry: Registry) -> float:
    """Train a member and return the seconds that an update took."""
    finished, _ = train(member, registry)
    if finished.status not in ("ok", "diverged"):
        raise SystemExit(f"{member.architecture.cell}: {finished.status} {finished.reason}")
    return finished.seconds["update"]


def measured(study: Study, registry: Registry, updates: int) -> dict[str, float]:
    """Return the median seconds of an update, by backend, and without a recurrence."""
    template = study.template
    recipe = replace(template.recipe, updates=updates, points=1)
    slow = "torch" if equals_torch(template, registry) else "loop"
    members = {name: replace(template, recipe=recipe, backend=name) for name in (slow, "kernel")}
    taken: dict[str, list[float]] = {name: [] for name in (*members, "nothing")}
    for _ in range(ROUNDS):
        for name, member in members.items():
            taken[name].append(seconds(member, registry))
        with without_recurrence():
            taken["nothing"].append(seconds(members["kernel"], registry))
    return {name: statistics.median(values) for name, values in taken.items()}


def equals_torch(member: Member, registry: Registry) -> bool:
    """Whether a member's cell equals a layer of torch."""
    net = member.architecture
    cell = registry.cell(net.cell).cls(**net.structure, **net.numeric)
    return cell.torch_layer() is not None


def main() -> None:
    """Print one line a study."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("suite", nargs="?", default="suites/long_dependency.yaml", type=Path)
    ask.add_argument("--updates", type=int, default=40)
    ask.add_argument("--budget", default=None)
    given = ask.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    allocator.tune()
    registry = load_registry(())
    planned = plan(read_suite(given.suite, budget=given.budget), registry)
    print(
        f"{'architecture':16} {'setting':26} hidden  without kernel  with kernel   times  "
        "share of recurrence"
    )
    totals = {"slow": 0.0, "kernel": 0.0, "nothing": 0.0}
    for study in planned.studies:
        if study.skipped:
            continue
        took = measured(study, registry, given.updates)
        slow = next(name for name in took if name not in ("kernel", "nothing"))
        totals["slow"] += took[slow]
        totals["kernel"] += took["kernel"]
        totals["nothing"] += took["nothing"]
        shares = [1 - took["nothing"] / took[name] for name in (slow, "kernel")]
        print(
            f"{study.architecture:16} {study.setting:26} {study.template.architecture.hidden:6d}"
            f"  {slow:5} {1 / took[slow]:6.0f}/s {1 / took['kernel']:10.0f}/s"
            f" {took[slow] / took['kernel']:7.1f}  {shares[0]:5.0%} -> {shares[1]:4.0%}",
            flush=True,
        )
    slow, kernel, rest = totals["slow"], totals["kernel"], totals["nothing"]
    print(
        f"\none update of each study: {1e3 * slow:.1f} ms without kernels, {1e3 * kernel:.1f} ms "
        f"with, {slow / kernel:.2f} times as fast; share of the recurrence {1 - rest / slow:.0%} "
        f"-> {1 - rest / kernel:.0%}"
    )


if __name__ == "__main__":
    main()
