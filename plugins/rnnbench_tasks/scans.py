"""The scans of handwritten digits that scikit-learn bundles, cut into parts, and naive readers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from rnnbench_tasks.parts import PARTS, Part

SIDE = 8
DIGITS = 10

# Of every five scans of a digit, in file order. The rule needs no random numbers, so the split is
# the same with every version of NumPy.
OF_FIVE: tuple[Part, ...] = ("train", "train", "train", "valid", "test")


class Scans(NamedTuple):
    """Scans [count, 64], each value in [0, 1], line by line, and their digits [count] int64."""

    values: Tensor
    digits: Tensor


@cache
def parts() -> dict[Part, Scans]:
    """Return 1085 scans for training, 357 for validation and 355 for the test."""
    # Importing it takes most of a second, which every listing of tasks would pay.
    from sklearn.datasets import load_digits

    scans, digits = load_digits(return_X_y=True)
    rank = np.zeros_like(digits)
    for digit in range(DIGITS):
        same = digits == digit
        rank[same] = np.arange(same.sum())
    part = np.array(OF_FIVE)[rank % len(OF_FIVE)]
    values, targets = torch.from_numpy(scans).float().div(16), torch.from_numpy(digits).long()
    rows = {name: torch.from_numpy(np.flatnonzero(part == name)) for name in PARTS}
    return {name: Scans(values[those], targets[those]) for name, those in rows.items()}


def draw(size: int, generator: Generator) -> Tensor:
    """Draw the numbers of `size` different training scans: [size] int64.

    Raises:
        ValueError: there are not as many.
    """
    count = len(parts()["train"].digits)
    if size > count:
        raise ValueError(f"a batch of {size} asks for more than the {count} training scans")
    return torch.randperm(count, generator=generator, device=generator.device)[:size]


def most_frequent() -> int:
    """Return the digit that is most frequent in training."""
    return int(parts()["train"].digits.bincount().argmax())


def nearest_mean(values: Tensor) -> Tensor:
    """Name the digit whose mean training scan is nearest: [count, 64] -> [count]."""
    train = parts()["train"]
    means = torch.stack([train.values[train.digits == digit].mean(0) for digit in range(DIGITS)])
    return torch.cdist(values, means).argmin(1)


def nearest_neighbour(values: Tensor) -> Tensor:
    """Name the digit of the nearest training scan: [count, 64] -> [count]."""
    train = parts()["train"]
    return train.digits[torch.cdist(values, train.values).argmin(1)]


@cache
def floors() -> dict[str, float]:
    """Return the share of test scans that each naive reader names rightly, by its name."""
    values, digits = parts()["test"]
    readers: dict[str, Callable[[Tensor], Tensor]] = {
        "nearest mean scan": nearest_mean,
        "1-NN": nearest_neighbour,
    }
    return {name: (read(values) == digits).double().mean().item() for name, read in readers.items()}
