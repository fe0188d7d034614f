"""What an author of a metric writes: predictions, or how a run went, to one number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from rnnbench.direction import Direction


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
                     of sequences: [target time, batch] int64, the symbols that were said
        targets      [batch], [batch, width], [time, batch] or [time, batch, width]
        mask         [time, batch] bool, the steps that count; None: all of them;
                     of sequences: the steps of each target up to <END>, always given
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


class AttentionMetric(ABC):
    """Where an attention looked in pictures, and where it should have, to one number.

    Only tasks whose batches have `boxes` can be scored by it, and only networks with attention.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    reference: ClassVar[str] = ""
    direction: ClassVar[Direction]
    low: ClassVar[float | None] = None
    high: ClassVar[float | None] = None

    @abstractmethod
    def measure(self, weights: Tensor, boxes: Tensor) -> float:
        """Score a whole held-out set, while the right symbols are told.

        weights  [target time, batch, rows, columns], how much was looked at each place of the
                 picture for each symbol; they sum to 1
        boxes    [target time, batch, 4], as in `Batch`
        """


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


AnyMetric = Metric | TextMetric | AttentionMetric | OutcomeMetric
"""What a metric may be."""

OfPredictions = Metric | TextMetric
"""A metric that can be a task's score."""
