"""Labelled sequences of real vectors in memory: dealt into parts, cut, standardised and padded."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn.functional import one_hot

import rnnbench
from rnnbench_tasks.parts import PARTS, Part, overlaps

BESIDE_TEST: Mapping[Part, float] = {"train": 0.8, "valid": 0.2}
"""What each part gets of data that has a test part beside it."""

One = TypeVar("One")


class Example(NamedTuple):
    """A sequence [length, width] and the name of its class."""

    values: NDArray[np.floating]
    label: str


def dealt(
    labels: Sequence[str], examples: Sequence[One], shares: Mapping[Part, float]
) -> dict[Part, list[One]]:
    """Deal examples into parts of these shares, label by label, so that every part has each label.

    A label with fewer examples than there are parts stays in the first part.

    Raises:
        ValueError: that leaves a part empty.
    """
    rows: dict[Part, list[int]] = {part: [] for part in shares}
    for label in sorted(set(labels)):
        same = [row for row, other in enumerate(labels) if other == label]
        if len(same) < len(shares):
            rows[next(iter(shares))] += same
            continue
        for part, places in rnnbench.deal(len(same), shares).items():
            rows[part] += [same[place] for place in places]
    if not all(rows.values()):
        raise ValueError(
            f"no class has the {len(shares)} examples that dealing into "
            f"{', '.join(shares)} takes of each"
        )
    return {part: [examples[row] for row in sorted(rows[part])] for part in rows}


@dataclass(frozen=True)
class Labelled:
    """Three parts of sequences as a network sees them.

    parts    inputs [steps, count, width] float32, zeros after each sequence's end; targets [count]
    classes  the labels of the training part, in order; the target is the place in it
    unseen   held-out sequences whose label training does not have: they share one class more
    cut      sequences that were longer than `limit` and lost their end
    """

    parts: Mapping[Part, rnnbench.Batch]
    classes: tuple[str, ...]
    unseen: int
    cut: int
    limit: int

    @classmethod
    def of(cls, examples: Mapping[Part, Sequence[Example]], limit: int) -> Labelled:
        """Standardise every column by the training part's mean and deviation, cut and pad.

        limit  the most steps of a sequence; 0: those of the longest in training
        """
        train = [example.values for example in examples["train"]]
        limit = limit or max(map(len, train))
        classes = tuple(sorted({example.label for example in examples["train"]}))
        mean, deviation = _moments(values[:limit] for values in train)
        numbers = {label: number for number, label in enumerate(classes)}
        every = [example for part in PARTS for example in examples[part]]
        steps = min(limit, max(len(example.values) for example in every))
        parts = {}
        for part in PARTS:
            sequences = [
                torch.from_numpy(((values[:limit] - mean) / deviation).astype(np.float32))
                for values, _ in examples[part]
            ]
            inputs, lengths = rnnbench.pad(sequences, steps)
            targets = [numbers.get(label, len(classes)) for _, label in examples[part]]
            parts[part] = rnnbench.Batch(inputs, torch.tensor(targets), lengths)
        return cls(
            parts,
            classes,
            unseen=sum(example.label not in numbers for example in every),
            cut=sum(len(example.values) > limit for example in every),
            limit=limit,
        )

    @property
    def steps(self) -> int:
        """How far the sequences of every part are padded: as long as the longest is."""
        return len(self.parts["train"].inputs)

    @property
    def width(self) -> int:
        """The values of a step."""
        return self.parts["train"].inputs.shape[-1]

    @property
    def targets(self) -> rnnbench.Classes:
        """The classes of training, and one more where held-out parts have labels of their own."""
        return rnnbench.Classes(len(self.classes) + bool(self.unseen))

    @cached_property
    def majority(self) -> int:
        """The class that is most frequent in training."""
        return int(self.parts["train"].targets.bincount().argmax())

    @property
    def known(self) -> rnnbench.Batch:
        """The training part: what a nearest neighbour is sought among."""
        return self.parts["train"]

    def path(self, bidirectional: bool) -> float:
        """Return how far the farthest step of a training sequence is from its read-out, on average.

        That is the first step, with two directions the one in the middle.
        """
        last = _lengths(self.parts["train"]) - 1
        return (last // 2 if bidirectional else last).double().mean().item()

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw training sequences, all different unless there are fewer than `size`.

        inputs [steps, size, width], targets [size], lengths [size]
        """
        return self.parts["train"].draw(size, generator, "many-to-one")

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return a whole part."""
        return self.parts[split].to(generator.device)

    def most_frequent(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the class that is most frequent in training: logits [batch, classes]."""
        frequent = torch.full((len(batch),), self.majority, device=batch.inputs.device)
        return one_hot(frequent, self.targets.count).float()

    def notes(self, noun: str) -> tuple[str, ...]:
        """Say how large the parts are, and what was cut or cannot be named."""
        counts = Counter({part: len(self.parts[part]) for part in PARTS})
        notes = [
            f"{counts['train']} {noun} for training, {counts['valid']} for validation, "
            f"{counts['test']} for the test, of {len(self.classes)} classes"
        ]
        if self.cut:
            notes.append(
                f"{self.cut} of {counts.total()} {noun} are longer than {self.limit} steps "
                "and lost their end"
            )
        if self.unseen:
            notes.append(
                f"{self.unseen} held-out {noun} have a label that training has not; "
                "they count as wrong"
            )
        return tuple(notes)

    def leaks(self, noun: str) -> tuple[str, ...]:
        """Say how many held-out sequences another part has too."""
        contents = {part: _contents(batch) for part, batch in self.parts.items()}
        return tuple(overlaps(contents, noun))


def _moments(sequences: Iterable[NDArray[np.floating]]) -> tuple[NDArray, NDArray]:
    """Return mean and deviation of each column; a constant column has deviation 1."""
    rows = np.concatenate([values.astype(np.float64) for values in sequences])
    mean, deviation = rows.mean(0), rows.std(0)
    constant = deviation <= 1e-12 * np.abs(rows).max(0)
    return mean, np.where(constant, 1.0, deviation)


def _contents(batch: rnnbench.Batch) -> list[bytes]:
    """Return what tells each sequence from every other: its hash."""
    return [
        hashlib.sha256(batch.inputs[:length, place].numpy().tobytes()).digest()
        for place, length in enumerate(_lengths(batch).tolist())
    ]


def _lengths(batch: rnnbench.Batch) -> Tensor:
    if batch.lengths is None:
        raise TypeError("sequences in memory have lengths")
    return batch.lengths
