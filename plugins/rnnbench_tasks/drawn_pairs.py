"""Tasks whose pairs of sequences are drawn and follow from a rule."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks import endless, pairs
from rnnbench_tasks.parts import TITLES, Part

BLANK = -1
"""No symbol: what columns may hold anywhere, and is dropped when they become sequences."""

WANTED: Mapping[rnnbench.Split, int] = {"valid": 256, "test": 768}
"""How many different pairs held-out parts have where there are so many."""

DRAWS = 4
"""Held-out pairs are chosen out of so many times the number wanted."""

COUNTED = 4096
"""The training answers out of which the trivial predictor takes the most frequent."""


class DrawnPairs(rnnbench.Task):
    """Pairs drawn from the generator; whatever one part can draw, no other part can.

    A subclass says how pairs are drawn, as columns of numbers, and what their source and target
    are. Columns of symbols may hold `BLANK` anywhere.
    """

    pattern = "sequence-to-sequence"
    causal = False
    metrics = ("exact_match", "token_accuracy")

    @property
    @abstractmethod
    def targets(self) -> rnnbench.Sequences:
        """The symbols of the answers."""

    @abstractmethod
    def drawn(self, part: Part, count: int, generator: Generator) -> Tensor:
        """Draw what pairs follow from, of whatever part: [values, count] int64, each −1 or more."""

    def key(self, drawn: Tensor) -> Tensor:
        """Return what decides to which part each column belongs, as columns."""
        return drawn

    @abstractmethod
    def source(self, drawn: Tensor) -> Tensor:
        """Write the sources: symbols and blanks [steps, count]."""

    @abstractmethod
    def target(self, drawn: Tensor) -> Tensor:
        """Write the targets without <END>: symbols and blanks [steps, count]."""

    @abstractmethod
    def recover(self, source: Tensor) -> Tensor:
        """Return what was drawn from sources, blanks behind each: the inverse of `source`."""

    @property
    def floors(self) -> Mapping[str, float]:
        """What naive predictors measure on the test part, by name."""
        return {}

    @cached_property
    def anchors(self) -> rnnbench.Anchors:
        """A guess of every symbol, the most frequent training answer, and the rule.

        Solved is less than 1 % errors. What is measured is measured on the test set of seed 0.
        """
        said = (self.test.targets == self.targets.end).int().argmax(0) + 1
        return rnnbench.Anchors(
            chance=(self.targets.count ** -said.double()).mean().item(),
            trivial=self.measured(self.trivial(self.test)),
            oracle=1.0,
            solved=0.99,
            floors=self.floors,
        )

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` pairs: inputs [steps, size], targets [target steps, size], lengths [size]."""
        return self._told(self._taken("train", size, generator))

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Draw 256 different pairs for validation or 768 for the test, or as many as there are."""
        drawn = self._taken(split, DRAWS * WANTED[split], generator)
        return self._told(endless.different(drawn, WANTED[split]))

    @property
    def notes(self) -> tuple[str, ...]:
        """How many pairs there are in held-out parts that have fewer than are wanted."""
        counts = {
            split: len(self.held_out(split, torch.Generator().manual_seed(0))) for split in WANTED
        }
        return tuple(
            f"{count} different {TITLES[split]} pairs are in the draws of seed 0, where "
            f"{WANTED[split]} are wanted; none is scored twice"
            for split, count in counts.items()
            if count < WANTED[split]
        )

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Say the most frequent of 4096 training answers: [target steps, batch]."""
        answers = self._frequent.to(batch.targets.device).expand(-1, len(batch))
        return pairs.fit(answers, len(batch.targets), self.targets.end)

    def oracle(self, batch: rnnbench.Batch) -> Tensor:
        """Read the source and answer by the rule: [target steps, batch]."""
        return self.said(self.target(self.recovered(batch)), batch)

    def recovered(self, batch: rnnbench.Batch) -> Tensor:
        """Return what the pairs of a batch were drawn as, read off their sources."""
        steps = torch.arange(len(batch.inputs), device=batch.inputs.device).unsqueeze(1)
        return self.recover(torch.where(steps < batch.lengths, batch.inputs, BLANK))

    def said(self, columns: Tensor, batch: rnnbench.Batch) -> Tensor:
        """Answer a batch with columns of symbols and blanks: [target steps, batch]."""
        end = self.targets.end
        return pairs.fit(pairs.close(*packed(columns), end), len(batch.targets), end)

    def measured(self, said: Tensor) -> float:
        """Return the share of the test set that is answered exactly."""
        return (said == self.test.targets).all(0).double().mean().item()

    @cached_property
    def test(self) -> rnnbench.Batch:
        """The test set of seed 0, on which anchors are measured."""
        return self.held_out("test", torch.Generator().manual_seed(0))

    def _taken(self, part: Part, size: int, generator: Generator) -> Tensor:
        return endless.take(part, size, lambda count: self.drawn(part, count, generator), self.key)

    def _told(self, drawn: Tensor) -> rnnbench.Batch:
        """Make sequences of what was drawn."""
        inputs, lengths = packed(self.source(drawn))
        targets = pairs.close(*packed(self.target(drawn)), self.targets.end)
        return rnnbench.Batch(inputs, targets, lengths)

    @cached_property
    def _frequent(self) -> Tensor:
        """The most frequent training answer: [target steps, 1]."""
        answers = self.batch(COUNTED, torch.Generator().manual_seed(0)).targets
        different, counts = torch.unique(answers, dim=1, return_counts=True)
        return different[:, counts.argmax()].unsqueeze(1)


def packed(columns: Tensor) -> tuple[Tensor, Tensor]:
    """Drop the blanks of columns [steps, count]: the rest, then zeros; and lengths [count]."""
    blank = columns == BLANK
    order = blank.int().argsort(dim=0, stable=True)
    return columns.gather(0, order).clamp(min=0), (~blank).sum(0)
