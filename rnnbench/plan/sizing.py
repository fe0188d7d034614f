"""An architecture's size on a setting: counted, and matched to the suite's."""

from __future__ import annotations

import math
from typing import TypedDict

from rnnbench.hyperparameters import AttentionKind, Conditioning, Fusion, Without
from rnnbench.matching import TOLERANCE, Matched, match
from rnnbench.nn.applying import places
from rnnbench.nn.reader import activations, input_width
from rnnbench.nn.readout import target_width
from rnnbench.nn.sizes import Sizes, flops, output_width, sizes
from rnnbench.registry import asked
from rnnbench.resolving import ResolvedTask, ResolvedUnit, located
from rnnbench.suite import ArchitectureEntry, Suite


def matched_size(
    suite: Suite, unit: ResolvedUnit, task: ResolvedTask, *, trained: bool = True
) -> Matched:
    """Solve the hidden size that the suite asks for; the nearest where nothing of it is trained.

    Raises:
        SuiteError: no hidden size comes near enough.
    """
    wanted = suite.chosen.match

    def reached(hidden: int) -> int:
        if wanted.quantity == "flops":
            return flops_of(unit, task, hidden)
        counted = sizes_of(unit, task, hidden)
        if wanted.quantity == "state" and not counted.state:
            # it carries nothing, and has as many numbers in its one layer
            return hidden
        count: int = getattr(counted, wanted.quantity)
        return count

    tolerance = TOLERANCE if trained else math.inf
    who = f"`{unit.entry.label}` on `{task.entry.name}`"
    return located(
        suite,
        ("match", wanted.quantity),
        lambda: match(wanted.quantity, wanted.value, reached, who, tolerance),
    )


def sizes_of(unit: ResolvedUnit, task: ResolvedTask, hidden: int) -> Sizes:
    """Count the network with this hidden size."""
    return asked(
        unit.component, lambda: sizes(unit.unit, task.task, hidden=hidden, **stacking(unit.entry))
    )


def flops_of(unit: ResolvedUnit, task: ResolvedTask, hidden: int) -> int:
    """Count its operations a time step and sequence."""
    return asked(
        unit.component, lambda: flops(unit.unit, task.task, hidden=hidden, **stacking(unit.entry))
    )


class Stacking(TypedDict):
    """How a cell or layer is stacked, and what of the data it is not shown."""

    layers: int
    bidirectional: bool
    attention: AttentionKind
    conditioning: Conditioning
    fusion: Fusion
    without: Without


def stacking(entry: ArchitectureEntry) -> Stacking:
    """Return how an architecture is stacked, as the arguments of `build`."""
    return {
        "layers": entry.layers,
        "bidirectional": entry.bidirectional,
        "attention": entry.attention,
        "conditioning": entry.conditioning,
        "fusion": entry.fusion,
        "without": entry.without,
    }


def member_bytes(
    unit: ResolvedUnit,
    task: ResolvedTask,
    hidden: int,
    parameters: int,
    history: int,
    batch: int,
) -> int:
    """Estimate the memory that a member of a group takes while it trains.

    What its recurrences keep for the backward pass, and its inputs and predictions, twice, since
    gradients and outputs come beside them; and its weights, their gradients, the optimiser's
    memory, and the best so far.
    """
    both = 1 + unit.entry.bidirectional
    one = task.task
    read, said = one.sequence_length, one.target_length
    kept = both * history * max(read, said)
    kept += (input_width(one.inputs) + activations(one.inputs)) * read
    kept += target_width(one.targets) * said
    if one.image is not None:
        kept += activations(one.image)
    if unit.entry.attention != "none":
        # weights of every pair of steps; an additive attention has a vector for each
        width = output_width(unit.unit, hidden) if unit.entry.attention == "additive" else 1
        kept += max(read, places(one)) * said * width
    return 4 * (2 * kept * batch + 8 * parameters)
