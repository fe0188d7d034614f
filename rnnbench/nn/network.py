"""A cell or a layer, and a task, to a network that predicts the task's targets."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import embedding

from rnnbench.contracts import Batch, Cell, Layer, Reals, Task, Tokens
from rnnbench.errors import UnknownNameError
from rnnbench.initial import uniform
from rnnbench.nn.readout import Readout, require, target_width
from rnnbench.nn.stack import Stack


class Network(nn.Module):
    """A stack of recurrent layers and a read-out; made by `build`.

    table  [vocabulary, width], the rows that symbols are read as; None: one-hot
    """

    def __init__(
        self, inputs: Reals | Tokens, table: Tensor | None, stack: Stack, readout: Readout
    ) -> None:
        super().__init__()
        self.inputs, self.stack, self.readout = inputs, stack, readout
        self.table = None if table is None else nn.Parameter(table)

    def forward(self, batch: Batch) -> Tensor:
        """Predict: [time, batch, width] for many-to-many, else [batch, width]."""
        return self.run(batch)[0]

    def run(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, and return the states after the last step by the buffers of the first ones."""
        x = batch.inputs
        if self.table is not None:
            x = embedding(x.clamp(0, len(self.table) - 1), self.table)
        elif isinstance(self.inputs, Tokens):
            x = one_hot(x, self.inputs.vocabulary).to(self.readout.weight.dtype)
        outputs, last, states = self.stack(x, batch.lengths)
        after = {f"stack.{name}": state for name, state in states.items()}
        return self.readout(outputs, last), after


def build(
    unit: Cell | Layer,
    task: Task,
    *,
    hidden: int,
    layers: int = 1,
    bidirectional: bool = False,
    dropout: float = 0.0,
    numeric: Mapping[str, float] | None = None,
    backend: str,
    generator: Generator,
    chunk: int | None = None,
) -> Network:
    """Build a network for `task` out of a cell or a layer.

    numeric    values of numeric options; those not named are as chosen in the cell or layer
    dropout    rate after each layer; see `rekey`
    backend    how a cell is run, `kernel`, `torch`, `fused` or `loop`; a layer runs as it is
    chunk      steps after which the gradient is cut in training; None: never
    generator  all initial values come from it: layer by layer, forward then backward, weights
               in declared order, then the first state; the read-out; last the table of symbols

    Raises:
        UnknownNameError: `numeric` or `backend` is no name of the cell's options or of a backend.
        OptionError: a numeric value is outside its option's range.
        InputError: there is no read-out for the task's pattern, the backend cannot run the cell,
            or the dropout rate is no rate.
        PluginError: the cell or layer contradicts itself.
    """
    require(task.pattern)
    stack = Stack(
        unit,
        input_width(task.inputs),
        hidden,
        task.sequence_length,
        layers=layers,
        bidirectional=bidirectional,
        dropout=dropout,
        numeric=_numeric(unit, numeric or {}),
        backend=backend,
        generator=generator,
        chunk=chunk,
    )
    readout = Readout(
        task.pattern,
        stack.width,
        target_width(task.targets),
        generator=generator,
    )
    return Network(task.inputs, _table(task.inputs, generator), stack, readout)


def input_width(inputs: Reals | Tokens) -> int:
    """Return how many numbers a layer sees a step: the width, one a symbol, or the embedding's."""
    if isinstance(inputs, Reals):
        return inputs.width
    return inputs.vocabulary if inputs.embedding is None else inputs.embedding


def table_size(inputs: Reals | Tokens) -> int:
    """Return how many numbers are trained to embed symbols."""
    if isinstance(inputs, Reals) or inputs.embedding is None:
        return 0
    return inputs.vocabulary * inputs.embedding


def _table(inputs: Reals | Tokens, generator: Generator) -> Tensor | None:
    """Return rows of variance 1, as inputs of real vectors should be."""
    if isinstance(inputs, Reals) or inputs.embedding is None:
        return None
    return uniform(inputs.vocabulary, inputs.embedding, bound=math.sqrt(3)).draw(generator)


def one_hot(tokens: Tensor, vocabulary: int) -> Tensor:
    """Mark each symbol's place: [time, batch] -> [time, batch, vocabulary] bool.

    Padding may hold any number; one outside the vocabulary becomes a row without a mark.
    """
    return tokens.unsqueeze(-1) == torch.arange(vocabulary, device=tokens.device)


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
