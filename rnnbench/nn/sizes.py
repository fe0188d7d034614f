"""How large a network is, counted from what its cell declares, before any of it exists."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from rnnbench.contracts import Cell, Task, Tensors
from rnnbench.nn.network import input_width
from rnnbench.nn.readout import require, target_width
from rnnbench.recurrence import output_of


@dataclass(frozen=True)
class Sizes:
    """What two networks can be matched by.

    parameters            trained numbers of the whole network
    recurrent_parameters  those of its cells
    state                 numbers carried from step to step, over all layers and directions
    flops                 floating-point operations of matrix products a time step and sequence,
                          two a multiply-add, read-out included
    """

    parameters: int
    recurrent_parameters: int
    state: int
    flops: int


def sizes(
    cell: Cell, task: Task, *, hidden: int, layers: int = 1, bidirectional: bool = False
) -> Sizes:
    """Count the network that `build` would make of the same arguments; allocates no tensor.

    Raises:
        InputError: there is no read-out for the task's pattern.
        PluginError: the cell contradicts itself.
    """
    require(task.pattern)
    directions = 2 if bidirectional else 1
    states = {name: initial.shape[0] for name, initial in cell.state(hidden).items()}
    output = directions * states[output_of(cell, states)]
    inputs = layer_inputs(cell, task, hidden=hidden, layers=layers, bidirectional=bidirectional)
    recurrent = directions * sum(_parameters(cell, width, hidden) for width in inputs)
    products = directions * sum(_flops(cell, width, hidden) for width in inputs)
    target = target_width(task.targets)
    return Sizes(
        parameters=recurrent + output * target + target,
        recurrent_parameters=recurrent,
        state=layers * directions * sum(states.values()),
        flops=products + 2 * output * target,
    )


def layer_inputs(
    cell: Cell, task: Task, *, hidden: int, layers: int, bidirectional: bool
) -> tuple[int, ...]:
    """Return how many numbers each layer reads a step, the first layer first."""
    states = {name: initial.shape[0] for name, initial in cell.state(hidden).items()}
    output = (2 if bidirectional else 1) * states[output_of(cell, states)]
    return (input_width(task.inputs), *[output] * (layers - 1))


def _parameters(cell: Cell, inputs: int, hidden: int) -> int:
    return sum(math.prod(weight.shape) for weight in cell.weights(inputs, hidden).values())


def _flops(cell: Cell, inputs: int, hidden: int) -> int:
    with torch.device("meta"), torch.no_grad():
        weights = {k: torch.empty(v.shape) for k, v in cell.weights(inputs, hidden).items()}
        options = {k: torch.empty(()) for k, v in cell.options.items() if v.numeric}
        noise = {k: torch.empty(1, v.width) for k, v in cell.noise(hidden).items()}
        state = {k: torch.empty(1, *v.shape) for k, v in cell.state(hidden).items()}
        with FlopCounterMode(display=False) as counter:
            cell.step(torch.empty(1, inputs), Tensors(state), Tensors(weights | options | noise))
    return int(counter.get_total_flops())
