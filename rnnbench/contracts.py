"""What a plugin author writes: a Cell, a Task, a Metric, and the records that pass between them.

Layout is [time, batch, features] everywhere, as in `torch.nn.LSTM`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, ClassVar, Literal, final

import torch
from torch import Generator, Tensor

from rnnbench.direction import Direction
from rnnbench.initial import Initial
from rnnbench.options import Option, Value, resolve

API_VERSION = 1
"""The version of these contracts; a plugin may declare `RNNBENCH_API = 1` in its module."""

Pattern = Literal[
    "one-to-one", "one-to-many", "many-to-one", "many-to-many", "sequence-to-sequence"
]
"""What a task maps to what; many-to-many is aligned: one target a step."""

ONE_TARGET: tuple[Pattern, ...] = ("one-to-one", "many-to-one")
"""The patterns with one target a sequence, read at its last step; one-to-one has but one step."""

Split = Literal["valid", "test"]
"""A held-out part of a task's data."""


class Tensors(dict[str, Tensor]):
    """Named tensors that also read as attributes: `s.h`, `w.W`."""

    def __getattr__(self, name: str) -> Tensor:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no tensor `{name}`; there are {', '.join(self)}") from None


@dataclass(frozen=True)
class TorchLayer:
    """The layer of torch that computes the same function as a cell.

    `states` names the cell's states in torch's order; `weights` maps the cell's weights (and
    numeric options) to torch's (weight_ih, weight_hh, bias_ih, bias_hh).
    """

    kind: Literal["LSTM", "GRU", "RNN_TANH", "RNN_RELU"]
    states: tuple[str, ...]
    weights: Callable[[Tensors], tuple[Tensor, Tensor, Tensor, Tensor]]


@dataclass(frozen=True)
class Noise:
    """Random numbers that a step reads from `w`: drawn in training, their mean otherwise.

    kind      mask     1 with probability `strength`, else 0; their mean is `strength`
              dropout  0 with probability `strength`, else 1/(1 − strength); their mean is 1
              normal   standard deviation `strength`; their mean is 0
    width     numbers a sequence and step
    strength  the numeric option that sets it; no gradient reaches it through the noise
    once      one draw for all steps of a sequence (Gal & Ghahramani 2016), not one a step; where
              sequences are trained in chunks, for all steps of a chunk
    """

    kind: Literal["mask", "dropout", "normal"]
    width: int
    strength: str
    once: bool = False


class Cell(ABC):
    """An update rule that is applied at every time step with the same weights.

    Write the equations once, in plain PyTorch, for a batch and no time. A numeric option (one
    with a float default) is read from `w` like a weight; any other option is an attribute.

        class Leaky(Cell):
            '''Leaky integrator (Jaeger et al. 2007).'''
            name = "leaky"
            reference = "Jaeger et al. 2007"
            equations = "h_t = (1 − a) h_{t−1} + a tanh(W x_t + U h_{t−1} + b)"
            options = {"leak": Option(0.5, search=Between(0.0, 1.0), low=0.0, high=1.0)}

            def weights(self, inputs, hidden):
                return {"W": uniform(hidden, inputs), "U": orthogonal(hidden, hidden),
                        "b": zeros(hidden)}

            def state(self, hidden):
                return {"h": zeros(hidden)}

            def step(self, x, s, w):
                new = torch.tanh(x @ w.W.T + s.h @ w.U.T + w.b)
                return {"h": (1 - w.leak) * s.h + w.leak * new}

    Random numbers are declared, never drawn inside `step`, so that runs can be repeated. With an
    option `zoneout`, zoneout (Krueger et al. 2017) is

            def noise(self, hidden):
                return {"keep": Noise("mask", hidden, strength="zoneout")}

    and `w.keep * s.h + (1 - w.keep) * new` in the step.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    reference: ClassVar[str]
    equations: ClassVar[str]
    card: ClassVar[Mapping[str, str]] = {}
    options: ClassVar[Mapping[str, Option]] = {}
    output: ClassVar[str | None] = None

    @final
    def __init__(self, **chosen: Value) -> None:
        """Choose options; those not named keep their defaults.

        Raises:
            UnknownNameError, OptionError: an option or value that the cell does not have.
        """
        self.chosen: dict[str, Value] = resolve(f"cell `{self.name}`", self.options, chosen)
        for name, option in self.options.items():
            if not option.numeric:
                setattr(self, name, self.chosen[name])

    @abstractmethod
    def weights(self, inputs: int, hidden: int) -> dict[str, Initial]:
        """Declare the trained tensors by name."""

    @abstractmethod
    def state(self, hidden: int) -> dict[str, Initial]:
        """Declare the tensors carried from step to step, each one row: its width and first value.

        The first is the output unless `output` names another.
        """

    @abstractmethod
    def step(self, x: Tensor, s: Any, w: Any) -> dict[str, Tensor]:
        """Compute the next state: x [batch, inputs], s.h [batch, hidden] -> {"h": [batch, hidden]}.

        Use data @ weight, elementwise functions, and chunk, split, slice and cat along the last
        dimension. `s` and `w` are `Tensors`.
        """

    def noise(self, hidden: int) -> dict[str, Noise]:  # noqa: ARG002  the default has no use for it
        """Declare the random numbers that `step` reads as `w.<name>` [batch, width]."""
        return {}

    def torch_layer(self) -> TorchLayer | None:
        """Return torch's equal of this cell with these options, where there is one."""
        return None


class Layer(ABC):
    """A map from a whole sequence to a sequence, in plain PyTorch: what is no recurrence.

    Baselines are layers: they are tuned, matched and stacked as cells are. Numeric options are read
    from `w`, as in a cell.

        class Window(Layer):
            '''The last two inputs and nothing else.'''
            name = "window"
            reference = "Yule 1927"
            equations = "h_t = tanh(A x_t + B x_{t−1} + b)"

            def weights(self, inputs, hidden, steps):
                return {"A": uniform(hidden, inputs), "B": uniform(hidden, inputs),
                        "b": zeros(hidden)}

            def forward(self, x, lengths, w):
                before = torch.cat([torch.zeros_like(x[:1]), x[:-1]])
                return torch.tanh(x @ w.A.T + before @ w.B.T + w.b)
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    reference: ClassVar[str]
    equations: ClassVar[str]
    card: ClassVar[Mapping[str, str]] = {}
    options: ClassVar[Mapping[str, Option]] = {}
    causal: ClassVar[bool] = True
    patterns: ClassVar[tuple[Pattern, ...]] = ("one-to-one", "many-to-one", "many-to-many")

    @final
    def __init__(self, **chosen: Value) -> None:
        """Choose options; those not named keep their defaults.

        Raises:
            UnknownNameError, OptionError: an option or value that the layer does not have.
        """
        self.chosen: dict[str, Value] = resolve(f"layer `{self.name}`", self.options, chosen)
        for name, option in self.options.items():
            if not option.numeric:
                setattr(self, name, self.chosen[name])

    @abstractmethod
    def weights(self, inputs: int, hidden: int, steps: int) -> dict[str, Initial]:
        """Declare the trained tensors by name; `steps` is the length of the longest sequence."""

    def width(self, hidden: int) -> int:
        """Return how wide the outputs are."""
        return hidden

    @abstractmethod
    def forward(self, x: Tensor, lengths: Tensor | None, w: Any) -> Tensor:
        """Map x [time, batch, inputs] to outputs [time, batch, width].

        lengths  [batch] int64, the valid steps of each sequence; None: all. Padding is zeros.

        A causal layer's output at a step depends on no later step. Many-to-one reads the output at
        the last valid step.
        """


@dataclass(frozen=True)
class Reals:
    """Real vectors: inputs [time, batch, width], targets [batch, width] or [time, batch, width]."""

    width: int


@dataclass(frozen=True)
class Tokens:
    """Symbols out of a vocabulary: inputs [time, batch], int64.

    The network sees them one-hot, or as rows of a trained table that are `embedding` wide. Where
    `symbols` says how each is written, and `between` what stands between two, reports can show
    what was read.
    """

    vocabulary: int
    embedding: int | None = None
    symbols: tuple[str, ...] = ()
    between: str = ""


@dataclass(frozen=True)
class Classes:
    """One of `count` classes: targets [batch] or [time, batch], int64; predictions are logits."""

    count: int


@dataclass(frozen=True)
class Labels:
    """Any of `count` labels at once: targets [batch, count] or [time, batch, count], 0 or 1.

    Predictions are logits, one a label.
    """

    count: int


@dataclass(frozen=True)
class Sequences:
    """Sequences of symbols that a decoder says one by one: targets [target time, batch], int64.

    Each target closes with the symbol number `end`, <END>; what stands after it does not count. The
    decoder is given <START>, which is none of the symbols, and then what it said last, one-hot or
    as rows of a trained table that are `embedding` wide. Predictions are the numbers of what it
    said, [target time, batch] int64, and anything after the first `end`.

    symbols  how each is written; their count is the vocabulary
    between  what stands between two symbols of a text: nothing, or a space
    unknown  the symbol that stands for whatever the vocabulary lacks, which is never said
    """

    symbols: tuple[str, ...]
    end: int
    between: str = ""
    unknown: int | None = None
    embedding: int | None = None

    @property
    def count(self) -> int:
        """How many symbols there are, `end` and `unknown` among them."""
        return len(self.symbols)

    def until_end(self, numbers: Iterable[int]) -> list[int]:
        """Return what stands before the first `end`."""
        return list(takewhile(lambda number: number != self.end, numbers))

    def text(self, numbers: Iterable[int]) -> str:
        """Write a sequence, up to its first `end`."""
        return self.between.join(self.symbols[number] for number in self.until_end(numbers))


Targets = Reals | Classes | Labels | Sequences
"""What a target may be."""


@dataclass(frozen=True)
class Batch:
    """Sequences with their targets.

    inputs   Reals [time, batch, width] float32, or Tokens [time, batch] int64
    targets  one-to-one and many-to-one: [batch] or [batch, width];
             many-to-many: [time, batch] or [time, batch, width];
             sequence-to-sequence: [target time, batch], each closed by the symbol <END>
    lengths  [batch] int64, the valid steps of each input sequence; None: all of them
    mask     [time, batch] bool, many-to-many only: the steps that count; None: all valid ones
    references  sequence-to-sequence, held-out data only: for each sequence the texts that are right
             answers, one or several; None: the targets as they are written
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None = None
    mask: Tensor | None = None
    references: tuple[tuple[str, ...], ...] | None = None

    def __len__(self) -> int:
        """Count the sequences."""
        return self.inputs.shape[1]

    def choose(self, rows: Tensor, pattern: Pattern) -> Batch:
        """Return the sequences of these numbers, [n] int64, of a batch of this pattern."""
        every_step = pattern not in ONE_TARGET
        references = self.references
        if references is not None:
            references = tuple(references[row] for row in rows.tolist())
        return Batch(
            self.inputs.index_select(1, rows),
            self.targets.index_select(int(every_step), rows),
            None if self.lengths is None else self.lengths[rows],
            None if self.mask is None else self.mask.index_select(1, rows),
            references,
        )

    def draw(self, size: int, generator: Generator, pattern: Pattern) -> Batch:
        """Draw `size` sequences on the generator's device: different ones, unless there are fewer.

        A batch of all training sequences in memory gives training batches.
        """
        count, device = len(self), generator.device
        if size > count:
            rows = torch.randint(count, (size,), generator=generator, device=device)
        else:
            rows = torch.randperm(count, generator=generator, device=device)[:size]
        return self.choose(rows.to(self.inputs.device), pattern).to(device)

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on a device."""
        return replace(
            self,
            inputs=self.inputs.to(device),
            targets=self.targets.to(device),
            lengths=None if self.lengths is None else self.lengths.to(device),
            mask=None if self.mask is None else self.mask.to(device),
        )


@dataclass(frozen=True)
class Anchors:
    """What the first metric of a task reads on test data for predictors that are no network.

    chance   a random guess
    trivial  the best constant or memoryless predictor
    oracle   a predictor that knows the rule; None where none exists
    solved   the value from which on a run counts as having solved the task
    floors   naive predictors by name that a network should beat: a 4-gram model, persistence
    """

    chance: float
    trivial: float
    oracle: float | None
    solved: float
    floors: Mapping[str, float] = field(default_factory=dict)


class Task(ABC):
    """Where data comes from, how it is shaped and scored, and what is known about it beforehand.

    All randomness comes from the generators passed in. The docstring shows one input row and its
    target, and says whether the task is causal.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    reference: ClassVar[str]
    options: ClassVar[Mapping[str, Option]] = {}
    pattern: ClassVar[Pattern]
    causal: ClassVar[bool]
    metrics: ClassVar[tuple[str, ...]]
    loss_over_steps: ClassVar[Literal["mean", "sum"]] = "mean"

    @final
    def __init__(self, **chosen: Value) -> None:
        """Fix the parameters: a task with its options chosen is a setting.

        Raises:
            UnknownNameError, OptionError: an option or value that the task does not have.
        """
        self.chosen: dict[str, Value] = resolve(f"task `{self.name}`", self.options, chosen)
        for name, value in self.chosen.items():
            setattr(self, name, value)

    @property
    @abstractmethod
    def sequence_length(self) -> int:
        """The number of time steps of a training batch, in which shorter sequences are padded."""

    @property
    def target_length(self) -> int:
        """The number of target steps of a training batch, <END> among them.

        Sequence-to-sequence tasks say their own; elsewhere targets are as long as inputs.
        """
        return self.sequence_length

    @property
    @abstractmethod
    def inputs(self) -> Reals | Tokens:
        """What a step's input is."""

    @property
    @abstractmethod
    def targets(self) -> Targets:
        """What a target is; it decides the loss.

        Reals cost their squared error, classes and the symbols of sequences their cross-entropy,
        labels the sum of their binary cross-entropies.
        """

    @property
    @abstractmethod
    def anchors(self) -> Anchors:
        """What the first of `metrics` reads for chance, the trivial predictor and an oracle."""

    @abstractmethod
    def shortest_path(self, bidirectional: bool) -> float:
        """Return how many steps the farthest relevant input travels to its read-out, on average.

        Each relevant input takes the shorter direction where there are two.
        """

    @abstractmethod
    def batch(self, size: int, generator: Generator) -> Batch:
        """Draw a training batch of `size` sequences."""

    @abstractmethod
    def held_out(self, split: Split, generator: Generator) -> Batch:
        """Return the whole validation or test set; no sequence of one is in the other."""

    @abstractmethod
    def trivial(self, batch: Batch) -> Tensor:
        """Predict as the trivial predictor does; shaped like a network's predictions.

        Sequence-to-sequence tasks return the numbers of symbols, [target time, batch] int64.
        """

    def oracle(self, batch: Batch) -> Tensor | None:  # noqa: ARG002  the default has no use for it
        """Predict by the rule that made the data, where there is one."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the data: how many sequences were cut, or words unknown."""
        return ()

    @property
    def leaks(self) -> tuple[str, ...]:
        """What parts share that should not: a report doubts every score because of it."""
        return ()

    def samples(
        self,
        predict: Callable[[Tensor], Tensor],  # noqa: ARG002  the default has no use for it
        generator: Generator,  # noqa: ARG002  likewise
    ) -> Mapping[str, str]:
        """Let a network make something of its own, in words: a title to a text; {} for nothing.

        It is asked now and then during training, and what it says is kept with the update. What
        was given to the network stands first, in brackets. Tasks whose targets are sequences are
        not asked: some of the answers are kept.

        predict  inputs [time, batch] or [time, batch, width] -> predictions, as in training
        """
        return {}


class Metric(ABC):
    """Predictions and targets to one number.

    The value may not depend on how the data was cut into batches, and is a plain float.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    reference: ClassVar[str] = ""
    direction: ClassVar[Direction]
    low: ClassVar[float | None] = None
    high: ClassVar[float | None] = None

    @abstractmethod
    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score a whole held-out set.

        predictions  [batch, width] or [time, batch, width]: logits of classes or labels, or values;
                     sequence-to-sequence: [target time, batch] int64, the symbols that were said
        targets      [batch], [batch, width], [time, batch] or [time, batch, width]
        mask         [time, batch] bool, the steps that count; None: all of them;
                     sequence-to-sequence: the steps of each target up to <END>, always given
        """


class TextMetric(ABC):
    """What a network said, in words, and right answers to one number: BLEU, chrF.

    Only tasks whose targets are `Sequences` can be scored by it.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    reference: ClassVar[str] = ""
    direction: ClassVar[Direction]
    low: ClassVar[float | None] = None
    high: ClassVar[float | None] = None

    @abstractmethod
    def measure(self, said: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """Score a whole held-out set: for each text that was said, one right answer or several."""


@dataclass(frozen=True)
class Outcome:
    """What a finished run leaves for a metric of outcomes.

    score      the task's first metric on test data
    direction  whether larger is better
    solved     the task's solved threshold
    curve      (update, validation score) in order
    """

    score: float
    direction: Direction
    solved: float
    curve: tuple[tuple[int, float], ...]

    def reached(self, score: float) -> bool:
        """Whether `score` counts as solved."""
        return score >= self.solved if self.direction == "max" else score <= self.solved


@dataclass(frozen=True)
class Measured:
    """A value, and whether the true one is only known to lie beyond it."""

    value: float
    censored: bool = False


class OutcomeMetric(ABC):
    """A finished run to one number: solved or not, updates to solve."""

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    reference: ClassVar[str] = ""
    direction: ClassVar[Direction]
    low: ClassVar[float | None] = None
    high: ClassVar[float | None] = None

    @abstractmethod
    def measure(self, outcome: Outcome) -> Measured:
        """Score a finished run."""
