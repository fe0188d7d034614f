"""How large a network is, counted from what its cell declares, before any of it exists."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from rnnbench.contracts import Cell, Layer, Sequences, Task, Tensors
from rnnbench.hyperparameters import AttentionKind
from rnnbench.initial import Initial
from rnnbench.nn.attention import attention_flops, attention_weights
from rnnbench.nn.bridge import bridge_weights
from rnnbench.nn.encoder_decoder import told
from rnnbench.nn.readout import require, target_width
from rnnbench.nn.vectors import input_width, table_size
from rnnbench.recurrence import output_of


@dataclass(frozen=True)
class Sizes:
    """What two networks can be matched by, and what can be counted without running them.

    parameters            trained numbers of the whole network
    recurrent_parameters  those of its cells
    state                 numbers carried from step to step, over all layers and directions; of an
                          encoder and a decoder the encoder's
    """

    parameters: int
    recurrent_parameters: int
    state: int


def sizes(
    unit: Cell | Layer,
    task: Task,
    *,
    hidden: int,
    layers: int = 1,
    bidirectional: bool = False,
    attention: AttentionKind = "none",
) -> Sizes:
    """Count the network that `build` would make of the same arguments; allocates no tensor.

    Raises:
        InputError: there is no read-out for the task's pattern.
        PluginError: the cell contradicts itself.
    """
    require(task.pattern)
    stacks = _stacks(unit, task, hidden, layers, bidirectional)
    recurrent = sum(
        stack.directions * _parameters(_weights(unit, width, hidden, stack.steps))
        for stack in stacks
        for width in stack.inputs
    )
    rest = table_size(task.inputs)
    states = _states(unit, hidden)
    if isinstance(task.targets, Sequences):
        rest += table_size(told(task.targets))
        rest += _parameters(attention_weights(attention, stacks[1].output, stacks[0].output))
        if bidirectional:
            maps = [bridge_weights(width) for width in states.values()]
            rest += layers * sum(map(_parameters, maps))
    target = target_width(task.targets)
    return Sizes(
        parameters=recurrent + stacks[-1].output * target + target + rest,
        recurrent_parameters=recurrent,
        state=layers * stacks[0].directions * sum(states.values()),
    )


def flops(
    unit: Cell | Layer,
    task: Task,
    *,
    hidden: int,
    layers: int = 1,
    bidirectional: bool = False,
    attention: AttentionKind = "none",
) -> int:
    """Count the operations of matrix products a time step and sequence of the same network.

    They are floating-point operations, two a multiply-add, and the read-out's are among them. The
    step of a cell is run once, without its numbers unless it decides by them; what is no cell is
    run over the longest sequence. A decoder's count as well, for the targets of a training batch;
    a time step is one of the inputs.

    Raises:
        PluginError: the cell contradicts itself.
    """
    stacks = _stacks(unit, task, hidden, layers, bidirectional)
    steps = task.sequence_length
    total = sum(
        stack.steps * stack.directions * _flops(unit, width, hidden, stack.steps)
        for stack in stacks
        for width in stack.inputs
    )
    total += stacks[-1].steps * 2 * stacks[-1].output * target_width(task.targets)
    if isinstance(task.targets, Sequences):
        keys, queries = stacks
        total += attention_flops(
            attention, queries.output, keys.output, queries=queries.steps, keys=keys.steps
        )
        if bidirectional:
            maps = [bridge_weights(width) for width in _states(unit, hidden).values()]
            total += layers * sum(2 * math.prod(one["weight"].shape) for one in maps)
    return round(total / steps)


def layer_inputs(
    unit: Cell | Layer, task: Task, *, hidden: int, layers: int, bidirectional: bool
) -> tuple[int, ...]:
    """Return how many numbers each layer reads a step, the first first, a decoder's last."""
    stacks = _stacks(unit, task, hidden, layers, bidirectional)
    return tuple(width for stack in stacks for width in stack.inputs)


@dataclass(frozen=True)
class _Stack:
    """Layers on top of each other: what each reads a step, and what they say in the end."""

    inputs: tuple[int, ...]
    output: int
    directions: int
    steps: int


def _stacks(
    unit: Cell | Layer, task: Task, hidden: int, layers: int, bidirectional: bool
) -> tuple[_Stack, ...]:
    """Return what reads the inputs, and the decoder where there is one."""
    width = output_width(unit, hidden)

    def stack(inputs: int, directions: int, steps: int) -> _Stack:
        output = directions * width
        return _Stack((inputs, *[output] * (layers - 1)), output, directions, steps)

    reader = stack(input_width(task.inputs), 1 + bidirectional, task.sequence_length)
    if not isinstance(task.targets, Sequences):
        return (reader,)
    return reader, stack(input_width(told(task.targets)), 1, task.target_length)


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


def _parameters(weights: Mapping[str, Initial]) -> int:
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
