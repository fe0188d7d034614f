"""How large a network is, counted from what its cell declares, before any of it exists."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from rnnbench.contracts import Cell, Layer, Task, Tensors
from rnnbench.initial import Initial
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
    unit: Cell | Layer, task: Task, *, hidden: int, layers: int = 1, bidirectional: bool = False
) -> Sizes:
    """Count the network that `build` would make of the same arguments; allocates no tensor.

    Raises:
        InputError: there is no read-out for the task's pattern.
        PluginError: the cell contradicts itself.
    """
    require(task.pattern)
    directions = 2 if bidirectional else 1
    steps = task.sequence_length
    output = directions * output_width(unit, hidden)
    inputs = layer_inputs(unit, task, hidden=hidden, layers=layers, bidirectional=bidirectional)
    recurrent = directions * sum(_parameters(unit, width, hidden, steps) for width in inputs)
    target = target_width(task.targets)
    return Sizes(
        parameters=recurrent + output * target + target + table_size(task.inputs),
        recurrent_parameters=recurrent,
        state=layers * directions * sum(_states(unit, hidden).values()),
    )


def flops(
    unit: Cell | Layer, task: Task, *, hidden: int, layers: int = 1, bidirectional: bool = False
) -> int:
    """Count the operations of matrix products a time step and sequence of the same network.

    They are floating-point operations, two a multiply-add, and the read-out's are among them. The
    step of a cell is run once, without its numbers unless it decides by them; what is no cell is
    run over the longest sequence.

    Raises:
        PluginError: the cell contradicts itself.
    """
    directions = 2 if bidirectional else 1
    steps = task.sequence_length
    output = directions * output_width(unit, hidden)
    inputs = layer_inputs(unit, task, hidden=hidden, layers=layers, bidirectional=bidirectional)
    products = directions * sum(_flops(unit, width, hidden, steps) for width in inputs)
    return products + 2 * output * target_width(task.targets)


def layer_inputs(
    unit: Cell | Layer, task: Task, *, hidden: int, layers: int, bidirectional: bool
) -> tuple[int, ...]:
    """Return how many numbers each layer reads a step, the first layer first."""
    output = (2 if bidirectional else 1) * output_width(unit, hidden)
    return (input_width(task.inputs), *[output] * (layers - 1))


def output_width(unit: Cell | Layer, hidden: int) -> int:
    """Return how wide the outputs of one direction are."""
    if isinstance(unit, Layer):
        return unit.width(hidden)
    states = _states(unit, hidden)
    return states[output_of(unit, states)]


def _states(unit: Cell | Layer, hidden: int) -> dict[str, int]:
    """Return the widths of what is carried from step to step."""
    if isinstance(unit, Layer):
        return {}
    return {name: initial.shape[0] for name, initial in unit.state(hidden).items()}


def _weights(unit: Cell | Layer, inputs: int, hidden: int, steps: int) -> dict[str, Initial]:
    if isinstance(unit, Layer):
        return unit.weights(inputs, hidden, steps)
    return unit.weights(inputs, hidden)


def _parameters(unit: Cell | Layer, inputs: int, hidden: int, steps: int) -> int:
    weights = _weights(unit, inputs, hidden, steps)
    return sum(math.prod(weight.shape) for weight in weights.values())


def _flops(unit: Cell | Layer, inputs: int, hidden: int, steps: int) -> int:
    try:
        return _counted(unit, inputs, hidden, steps, "meta")
    except RuntimeError:
        # it reads a number, which tensors that only have a shape do not have
        return _counted(unit, inputs, hidden, steps, "cpu")


def _counted(unit: Cell | Layer, inputs: int, hidden: int, steps: int, device: str) -> int:
    with torch.device(device), torch.no_grad():
        declared = _weights(unit, inputs, hidden, steps)
        weights = {k: torch.zeros(v.shape) for k, v in declared.items()}
        options = {k: torch.zeros(()) for k, v in unit.options.items() if v.numeric}
        if isinstance(unit, Layer):
            with FlopCounterMode(display=False) as counter:
                unit.forward(torch.zeros(steps, 1, inputs), None, Tensors(weights | options))
            return round(int(counter.get_total_flops()) / steps)
        cell = unit
        noise = {k: torch.zeros(1, v.width) for k, v in cell.noise(hidden).items()}
        state = {k: torch.zeros(1, *v.shape) for k, v in cell.state(hidden).items()}
        with FlopCounterMode(display=False) as counter:
            cell.step(torch.zeros(1, inputs), Tensors(state), Tensors(weights | options | noise))
    return int(counter.get_total_flops())
