"""A cell or a layer, and a task, to a network that predicts the task's targets."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Generator

from rnnbench.contracts import Cell, Layer, Sequences, Task
from rnnbench.errors import InputError, UnknownNameError
from rnnbench.hyperparameters import WORDS, AttentionKind
from rnnbench.nn.attention import Attention
from rnnbench.nn.bridge import Bridge
from rnnbench.nn.encoder_decoder import EncoderDecoder, told
from rnnbench.nn.network import Network
from rnnbench.nn.predictor import Predictor
from rnnbench.nn.readout import Readout, require, target_width
from rnnbench.nn.stack import Stack
from rnnbench.nn.teacher import Teacher
from rnnbench.nn.vectors import input_width, table


def build(
    unit: Cell | Layer,
    task: Task,
    *,
    hidden: int,
    layers: int = 1,
    bidirectional: bool = False,
    attention: AttentionKind = "none",
    dropout: float = 0.0,
    numeric: Mapping[str, float] | None = None,
    backend: str,
    generator: Generator,
    chunk: int | None = None,
    sampled: bool = False,
) -> Network:
    """Build a network for `task` out of a cell or a layer.

    Where targets are sequences it is an encoder, which may be bidirectional, and a decoder of the
    same cell, size and depth.

    attention  how a decoder looks at what the encoder said
    numeric    values of numeric options; those not named are as chosen in the cell or layer
    dropout    rate after each layer; see `rekey`
    backend    how a cell is run, `kernel`, `torch`, `fused` or `loop`; a layer runs as it is
    chunk      steps after which the gradient is cut in training; None: never
    sampled    whether a decoder has to take some symbols from itself in training; see `Teacher`
    generator  all initial values come from it: layer by layer, forward then backward, weights
               in declared order, then the first state; with a decoder what leads to it, its
               layers, the attention; the read-out; last the tables of symbols

    Raises:
        UnknownNameError: `numeric`, `attention` or `backend` is no name of what there is.
        OptionError: a numeric value is outside its option's range.
        InputError: there is no read-out for the task's pattern, the backend cannot run the cell,
            the dropout rate is no rate, a layer stands where a state is needed, attention without
            a decoder, or `dot` between unequal widths.
        PluginError: the cell or layer contradicts itself.
    """
    require(task.pattern)
    if attention not in WORDS["attention"]:
        raise UnknownNameError("attention", attention, WORDS["attention"])
    values = _numeric(unit, numeric or {})

    def stack(inputs: int, steps: int, *, bidirectional: bool, chunk: int | None) -> Stack:
        return Stack(
            unit,
            inputs,
            hidden,
            steps,
            layers=layers,
            bidirectional=bidirectional,
            dropout=dropout,
            numeric=values,
            backend=backend,
            generator=generator,
            chunk=chunk,
        )

    inputs, targets = task.inputs, task.targets
    if attention != "none" and not isinstance(targets, Sequences):
        raise InputError(f"attention needs a decoder, and task `{task.name}` asks for no sequence")
    encoder = stack(
        input_width(inputs), task.sequence_length, bidirectional=bidirectional, chunk=chunk
    )
    if not isinstance(targets, Sequences):
        readout = Readout(task.pattern, encoder.width, target_width(targets), generator=generator)
        return Predictor(inputs, table(inputs, generator), encoder, readout)
    if isinstance(unit, Layer):
        raise InputError(f"layer `{unit.name}` has no state for a decoder to begin with")
    states = {name: first.shape[0] for name, first in unit.state(hidden).items()}
    bridge = Bridge(states, layers, bidirectional, generator=generator)
    said = told(targets)
    decoder = stack(input_width(said), task.target_length, bidirectional=False, chunk=None)
    looks = None
    if attention != "none":
        looks = Attention(attention, decoder.width, encoder.width, generator=generator)
    readout = Readout(task.pattern, decoder.width, target_width(targets), generator=generator)
    return EncoderDecoder(
        inputs,
        targets,
        encoder,
        bridge,
        decoder,
        looks,
        readout,
        table(inputs, generator),
        table(said, generator),
        Teacher() if sampled else None,
    )


def _numeric(unit: Cell | Layer, given: Mapping[str, float]) -> dict[str, float]:
    options = {name: option for name, option in unit.options.items() if option.numeric}
    for name in given:
        if name not in options:
            kind = "layer" if isinstance(unit, Layer) else "cell"
            raise UnknownNameError(f"numeric option of {kind} `{unit.name}`", name, options)
    return {
        name: float(option.check(name, given.get(name, unit.chosen[name])))
        for name, option in options.items()
    }
