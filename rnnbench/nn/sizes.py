"""How large a network is, counted from what its cell declares, before any of it exists."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from rnnbench.contracts import Cell, Task, Tensors
from rnnbench.nn.network import input_width, table_size
from rnnbench.nn.readout import require, target_width
from rnnbench.recurrence import output_of


@dataclass(frozen=True)
class Sizes:
    """What two networks can be matched by, and what can be counted without running them.

    parameters            trained numbers of the whole network
    recurrent_parameters  those of its cells
    state                 numbers carried from step to step, over all layers and directions
    """

    parameters: int
    recurrent_parameters: int
    state: int


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
    target = target_width(task.targets)
    return Sizes(
        parameters=recurrent + output * target + target + table_size(task.inputs),
        recurrent_parameters=recurrent,
        state=layers * directions * sum(states.values()),
    )


def flops(
    cell: Cell, task: Task, *, hidden: int, layers: int = 1, bidirectional: bool = False
) -> int:
    """Count the operations of matrix products a time step and sequence of the same network.

    They are floating-point operations, two a multiply-add, and the read-out's are among them. Each
    layer's step is run once, without its numbers unless it decides by them.

    Raises:
        PluginError: the cell contradicts itself.
    """
    directions = 2 if bidirectional else 1
    states = {name: initial.shape[0] for name, initial in cell.state(hidden).items()}
    output = directions * states[output_of(cell, states)]
    inputs = layer_inputs(cell, task, hidden=hidden, layers=layers, bidirectional=bidirectional)
    products = directions * sum(_flops(cell, width, hidden) for width in inputs)
    return products + 2 * output * target_width(task.targets)


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
    try:
        return _counted(cell, inputs, hidden, "meta")
    except RuntimeError:
        # its step reads a number, which tensors that only have a shape do not have
        return _counted(cell, inputs, hidden, "cpu")


def _counted(cell: Cell, inputs: int, hidden: int, device: str) -> int:
    with torch.device(device), torch.no_grad():
        weights = {k: torch.zeros(v.shape) for k, v in cell.weights(inputs, hidden).items()}
        options = {k: torch.zeros(()) for k, v in cell.options.items() if v.numeric}
        noise = {k: torch.zeros(1, v.width) for k, v in cell.noise(hidden).items()}
        state = {k: torch.zeros(1, *v.shape) for k, v in cell.state(hidden).items()}
        with FlopCounterMode(display=False) as counter:
            cell.step(torch.zeros(1, inputs), Tensors(state), Tensors(weights | options | noise))
    return int(counter.get_total_flops())
