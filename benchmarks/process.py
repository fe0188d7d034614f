"""Measure in a process of its own: a request on standard input, a record a line on output.

The allocator's settings and the instructions that torch may use hold for a whole process, hence
one process for each; both sides of a comparison run alternately in the same one.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import torch
from cases import CASES, Shape
from sides import Problem, Side, disagreement, of_layer, of_runner, problem
from timing import Timing, alternate

from rnnbench.allocator import tune
from rnnbench.contracts import Cell
from rnnbench.recurrence import Runner, runner
from rnnbench.recurrence.backend import system_library

TOLERANCE = 1e-3
"""How far a gradient may be from the loop's; beyond it a speed means nothing."""

CHECKED_STEPS = 5


@dataclass(frozen=True)
class Request:
    """What one process measures: each case at each shape against each opponent.

    against  opponents: `layer` (of torch), `loop`, `scan` (of JAX, where it has the case)
    tuned    whether glibc's allocator is tuned
    backend  the backend of rnnbench that is ours
    target   what its kernels are compiled for, a compiler's -march
    repeats, seconds  see `alternate`
    """

    cases: tuple[str, ...]
    shapes: tuple[str, ...]
    against: tuple[str, ...]
    tuned: bool
    backend: str
    target: str
    repeats: int
    seconds: float


@dataclass(frozen=True)
class Record:
    """A case at a shape against an opponent; `missing` says why a side has no timing."""

    case: str
    shape: str
    against: str
    ours: Timing | None = None
    theirs: Timing | None = None
    missing: str = ""

    @classmethod
    def read(cls, line: str) -> Record:
        """Read what `write` wrote."""
        fields = json.loads(line)
        for side in ("ours", "theirs"):
            fields[side] = fields[side] and Timing(**fields[side])
        return cls(**fields)

    def write(self) -> str:
        """Write one line of JSON."""
        return json.dumps(asdict(self))


def runner_for(backend: str, cell: Cell, target: str) -> Runner:
    """Return what runs `cell` on a backend whose kernels are compiled for `target`.

    Raises:
        UnknownNameError: no backend has this name.
        InputError: the backend cannot run this cell.
        BuildError: there is no compiler.
    """
    library = system_library(target) if backend == "kernel" else None
    return runner(backend, cell, library)


def measure(request: Request) -> Iterator[Record]:
    """Yield a record for each case, shape and opponent."""
    shapes = [Shape.read(text) for text in request.shapes]
    for name, shape, against in itertools.product(request.cases, shapes, request.against):
        if against != "scan" or CASES[name].in_jax:
            yield _compare(name, against, shape, request)


def _compare(name: str, against: str, shape: Shape, request: Request) -> Record:
    case = CASES[name]
    given = problem(case.cell, shape)
    makers: dict[str, Callable[[], Side]] = {
        "ours": lambda: _ours(case.cell, given, shape, request),
        "theirs": {
            "layer": lambda: of_layer(case.layer, given, shape),
            "loop": lambda: of_runner(runner("loop", case.cell), given),
            "scan": lambda: _scan(case.cell, given),
        }[against],
    }
    sides: dict[str, Side] = {}
    missing = []
    for side, make in makers.items():
        try:
            sides[side] = make()
        except Exception as error:  # noqa: BLE001  the other side is measured all the same
            missing.append(f"{side if side == 'ours' else against}: {_reason(error)}")
    timings = alternate(sides, request.repeats, request.seconds)
    return Record(
        name, str(shape), against, timings.get("ours"), timings.get("theirs"), "; ".join(missing)
    )


def _ours(cell: Cell, given: Problem, shape: Shape, request: Request) -> Side:
    run = runner_for(request.backend, cell, request.target)
    short = problem(cell, replace(shape, steps=min(CHECKED_STEPS, shape.steps)))
    _check(of_runner(run, short)(), _by_loop(cell, short))
    return of_runner(run, given)


def _scan(cell: Cell, given: Problem) -> Side:
    """Return the quicker of the hoisted and the plain scan."""
    if importlib.util.find_spec("jax") is None:
        raise ModuleNotFoundError("JAX is not installed: pip install -e '.[bench]'")
    from jax_scan import of_scan  # an extra, and its import takes a second

    expected = _by_loop(cell, given)
    ways: dict[str, Side] = {}
    for way in ("plain", "hoisted"):
        once, to_torch = of_scan(given, hoisted=way == "hoisted")
        _check(to_torch(once()), expected)
        ways[way] = once
    timings = alternate(ways, 2, 0)
    return ways[min(ways, key=lambda way: timings[way].median)]


def _by_loop(cell: Cell, given: Problem) -> dict[str, torch.Tensor]:
    return of_runner(runner("loop", cell), given)()


def _check(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    error = disagreement(found, expected)
    if not error <= TOLERANCE:
        raise ArithmeticError(f"gradients are {error:.1e} from the loop's")


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def _one_core() -> None:
    """Keep this process on one core: no setting makes JAX use one thread only."""
    if hasattr(os, "sched_setaffinity"):  # Linux
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def main() -> None:
    """Answer the request on standard input."""
    request = Request(**json.load(sys.stdin))
    _one_core()
    torch.set_num_threads(1)
    if request.tuned:
        tune()
    for record in measure(request):
        print(record.write(), flush=True)


if __name__ == "__main__":
    main()
