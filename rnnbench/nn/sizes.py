"""How large a network is, counted from what its cell declares, before any of it exists."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from rnnbench.contracts import ONE_TARGET, Cell, Layer, Sequences, Task, Tensors
from rnnbench.hyperparameters import AttentionKind, Conditioning, Fusion, Without
from rnnbench.initial import Initial
from rnnbench.nn.applying import places
from rnnbench.nn.attention import attention_flops, attention_weights
from rnnbench.nn.bridge import bridge_weights
from rnnbench.nn.encoder_decoder import beside, told
from rnnbench.nn.fusion import fusion_weights
from rnnbench.nn.reader import depth, input_width, look_width, reader_flops, reader_weights
from rnnbench.nn.readout import target_width
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
    conditioning: Conditioning = "state",
    fusion: Fusion = "concatenation",
    without: Without = "none",
) -> Sizes:
    """Count the network that `build` would make of the same arguments; allocates no tensor.

    Raises:
        PluginError: the cell contradicts itself.
    """
    net = _Net(unit, task, hidden, layers, bidirectional, attention, conditioning, fusion, without)
    recurrent = sum(
        stack.directions * _parameters(_weights(unit, width, hidden, stack.steps))
        for stack in net.stacks
        for width in stack.inputs
    )
    target = target_width(task.targets)
    rest = sum(_parameters(part) * count for part, count in net.rest)
    read = net.stacks[:1] if net.reads else ()
    return Sizes(
        parameters=recurrent + net.said * target + target + rest,
        recurrent_parameters=recurrent,
        state=layers
        * sum(stack.directions for stack in read or net.stacks)
        * sum(_states(unit, hidden).values()),
    )


def flops(
    unit: Cell | Layer,
    task: Task,
    *,
    hidden: int,
    layers: int = 1,
    bidirectional: bool = False,
    attention: AttentionKind = "none",
    conditioning: Conditioning = "state",
    fusion: Fusion = "concatenation",
    without: Without = "none",
) -> int:
    """Count the operations of products a time step and sequence of the same network.

    They are floating-point operations, two a multiply-add, and the read-out's and those of
    convolutions are among them. The step of a cell is run once, without its numbers unless it
    decides by them; what is no cell is run over the longest sequence. A decoder's count as well,
    for the targets of a training batch; a time step is one of the inputs.

    Raises:
        PluginError: the cell contradicts itself.
    """
    net = _Net(unit, task, hidden, layers, bidirectional, attention, conditioning, fusion, without)
    total = sum(
        stack.steps * stack.directions * _flops(unit, width, hidden, stack.steps)
        for stack in net.stacks
        for width in stack.inputs
    )
    answers = 1 if task.pattern in ONE_TARGET else task.target_length
    if not net.pictured:
        # as if every step were read out, so that sizes do not depend on how long sequences are
        answers = net.stacks[-1].steps
    total += answers * 2 * net.said * target_width(task.targets)
    return round((total + net.flops) / task.sequence_length)


def layer_inputs(
    unit: Cell | Layer,
    task: Task,
    *,
    hidden: int,
    layers: int = 1,
    bidirectional: bool = False,
    attention: AttentionKind = "none",
    conditioning: Conditioning = "state",
    fusion: Fusion = "concatenation",
    without: Without = "none",
) -> tuple[int, ...]:
    """Return how many numbers each layer reads a step, the first first, a decoder's last."""
    net = _Net(unit, task, hidden, layers, bidirectional, attention, conditioning, fusion, without)
    return tuple(width for stack in net.stacks for width in stack.inputs)


@dataclass(frozen=True)
class _Stack:
    """Layers on top of each other: what each reads a step, and what they say in the end."""

    inputs: tuple[int, ...]
    output: int
    directions: int
    steps: int


@dataclass(frozen=True)
class _Net:
    """What `build` would make of the same arguments."""

    unit: Cell | Layer
    task: Task
    hidden: int
    layers: int
    bidirectional: bool
    attention: AttentionKind
    conditioning: Conditioning
    fusion: Fusion
    without: Without

    @property
    def pictured(self) -> bool:
        """Whether there is an image beside each sequence."""
        return self.task.image is not None

    @property
    def reads(self) -> bool:
        """Whether layers read the inputs."""
        shown = self.without != "question" or not self.pictured
        return self.task.pattern != "one-to-many" and shown

    @property
    def stacks(self) -> tuple[_Stack, ...]:
        """What reads the inputs, and the decoder, where they are there."""
        task, width = self.task, output_width(self.unit, self.hidden)

        def stack(inputs: int, directions: int, steps: int) -> _Stack:
            output = directions * width
            return _Stack((inputs, *[output] * (self.layers - 1)), output, directions, steps)

        found = []
        if self.reads:
            reads = input_width(task.inputs)
            found.append(stack(reads, 1 + self.bidirectional, task.sequence_length))
        if isinstance(task.targets, Sequences):
            seen = beside(task, self.attention, self.conditioning, self.without)
            found.append(stack(input_width(told(task.targets)) + seen, 1, task.target_length))
        return tuple(found)

    @property
    def said(self) -> int:
        """How many numbers the read-out reads."""
        return self.hidden if self.pictured else self.stacks[-1].output

    @property
    def rest(self) -> list[tuple[Mapping[str, Initial], int]]:
        """What is trained beside layers and read-out, and how often it is there."""
        task, looks = self.task, self.attention != "none"
        one = task.pattern == "one-to-many"
        blind = self.without == "image"
        found: list[tuple[Mapping[str, Initial], int]] = []
        if self.reads or (one and not blind):
            found.append((reader_weights(task.inputs, whole=not (one and looks)), 1))
        if task.image is not None:
            if not blind:
                found.append((reader_weights(task.image), 1))
            found.append((fusion_weights(self.fusion, *self._fused, self.hidden), 1))
        if isinstance(task.targets, Sequences):
            found.append((reader_weights(told(task.targets)), 1))
            found.append((attention_weights(self.attention, self.stacks[-1].output, self._keys), 1))
        return found + [(opened, self.layers) for opened in self._opened]

    @property
    def flops(self) -> int:
        """Operations of products a sequence, of what stands beside layers and read-out."""
        task, looks = self.task, self.attention != "none"
        one = task.pattern == "one-to-many"
        blind = self.without == "image"
        total = 0
        if self.reads or (one and not blind):
            total += task.sequence_length * reader_flops(task.inputs, whole=not (one and looks))
        if task.image is not None:
            total += 0 if blind else reader_flops(task.image)
            total += _products(fusion_weights(self.fusion, *self._fused, self.hidden))
        if looks and isinstance(task.targets, Sequences):
            seen = places(task) if one else task.sequence_length
            total += attention_flops(
                self.attention,
                self.stacks[-1].output,
                self._keys,
                queries=task.target_length,
                keys=seen,
            )
        return total + self.layers * sum(map(_products, self._opened))

    @property
    def _fused(self) -> tuple[int, int]:
        """How wide a question and its picture are when they meet; 0 for what is not shown."""
        assert self.task.image is not None  # noqa: S101  asked of such tasks alone
        read = self.stacks[0].output if self.reads else 0
        return read, 0 if self.without == "image" else input_width(self.task.image)

    @property
    def _keys(self) -> int:
        """How wide what an attention looks at is."""
        one = self.task.pattern == "one-to-many"
        return depth(self.task.inputs) if one else self.stacks[0].output

    @property
    def _opened(self) -> list[dict[str, Initial]]:
        """What leads to the first states of a decoder's layer, for each state."""
        task, states = self.task, _states(self.unit, self.hidden)
        if not isinstance(task.targets, Sequences):
            return []
        if task.pattern != "one-to-many":
            both = self.bidirectional
            return [bridge_weights(width, 2 * width) for width in states.values() if both]
        if self.without == "image" or self.conditioning == "step":
            return []
        seen = look_width(task.inputs, again=self.attention != "none")
        return [bridge_weights(width, seen) for width in states.values()]


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


def _products(weights: Mapping[str, Initial]) -> int:
    """Count the operations of a product with each matrix of these."""
    return sum(2 * math.prod(one.shape) for one in weights.values() if len(one.shape) > 1)


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
