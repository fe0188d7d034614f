"""What an author of a task writes: data, how it is shaped, and what is known about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, final

from torch import Generator, Tensor

from rnnbench.contracts.batch import Batch
from rnnbench.contracts.data import Features, Images, Inputs, Targets
from rnnbench.contracts.pattern import Pattern
from rnnbench.options import Option, Value, resolve

Split = Literal["valid", "test"]
"""A held-out part of a task's data."""


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

        Tasks whose targets are sequences say their own; elsewhere targets are as long as inputs.
        """
        return self.sequence_length

    @property
    def image(self) -> Images | Features | None:
        """What stands beside each sequence, of one target: a picture that the question is about."""
        return None

    @property
    @abstractmethod
    def inputs(self) -> Inputs:
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

        Of sequences these are the numbers of symbols, [target time, batch] int64.
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
