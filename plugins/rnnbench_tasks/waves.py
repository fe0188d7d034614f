"""Waves that pass a row of three sensors: drawn time series whose class is an order of events."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi

import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks.parts import HELD_OUT

SENSORS = 3
WAVES = 2
KNOWN = 1024

# Parts of a series at which the middle of the first wave may pass, and of the second.
EARLIEST = (0.25, 0.6)
WINDOW = 0.15

SHORTEST_PERIOD, LONGEST_PERIOD = 6.0, 10.0
WIDTH = 2.5


@dataclass(frozen=True)
class Waves:
    """Series of half to all of `length` steps, under white noise of this deviation.

    Each wave is a cosine of random phase and period under a Gaussian bell, and passes the sensors
    upwards or downwards, a quarter of a period after one another. The class is 0 for two upward
    waves, 1 for down then up, 2 for up then down, 3 for two downward ones.
    """

    length: int
    noise: float

    @property
    def steps(self) -> int:
        """The longest series."""
        return self.length

    @property
    def width(self) -> int:
        """One value a sensor."""
        return SENSORS

    @property
    def classes(self) -> tuple[str, ...]:
        """The directions, in the order of the waves."""
        return ("up up", "down up", "up down", "down down")

    @property
    def targets(self) -> rnnbench.Classes:
        """The four classes."""
        return rnnbench.Classes(len(self.classes))

    @cached_property
    def known(self) -> rnnbench.Batch:
        """Series drawn for a nearest neighbour to be sought among, always the same ones."""
        return self.batch(KNOWN, Generator().manual_seed(1))

    def path(self, bidirectional: bool) -> float:
        """Return how far the middle of the farther wave is from its read-out, on average.

        Forwards that is the first wave. With two directions it is whichever is farther from its end
        of the series: the larger of two numbers that are uniform in one window.
        """
        last = (self.length // 2 + self.length) / 2 - 1
        share = EARLIEST[0] + WINDOW * 2 / 3 if bidirectional else 1 - EARLIEST[0] - WINDOW / 2
        return share * last

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw series: inputs [length, size, 3], targets [size], lengths [size]."""
        count = len(self.classes)
        device = generator.device
        return self._drawn(
            torch.randint(count, (size,), generator=generator, device=device), generator
        )

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Draw 512 series for validation or 2048 for the test, as many of each class."""
        return self._drawn(torch.arange(HELD_OUT[split], device=generator.device) % 4, generator)

    def most_frequent(self, batch: rnnbench.Batch) -> Tensor:
        """Predict all classes alike: logits [batch, 4]."""
        return torch.zeros(len(batch), len(self.classes), device=batch.inputs.device)

    def _drawn(self, targets: Tensor, generator: Generator) -> rnnbench.Batch:
        size, device = len(targets), generator.device

        def uniform(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=generator, device=device)

        lengths = torch.randint(
            self.length // 2, self.length + 1, (size,), generator=generator, device=device
        )
        earliest = torch.tensor(EARLIEST, device=device)
        middle = (lengths - 1).unsqueeze(-1) * (earliest + WINDOW * uniform(size, WAVES))
        period = SHORTEST_PERIOD + (LONGEST_PERIOD - SHORTEST_PERIOD) * uniform(size, WAVES)
        phase = 2 * pi * uniform(size, WAVES)
        downwards = torch.stack([targets % 2, targets // 2], 1)
        sensor = torch.arange(SENSORS, device=device).view(-1, 1, 1) - SENSORS // 2
        delay = sensor * (1 - 2 * downwards) * period / 4
        steps = torch.arange(self.length, device=device).view(-1, 1, 1, 1)
        since = steps - (middle + delay)
        bells = torch.exp(-(since / WIDTH).square() / 2)
        waves = bells * torch.cos(2 * pi * since / period + phase)
        inputs = waves.sum(-1).transpose(1, 2)
        inputs += self.noise * torch.randn(inputs.shape, generator=generator, device=device)
        inputs *= (steps[..., 0] < lengths.unsqueeze(-1)).float()
        return rnnbench.Batch(inputs, targets, lengths)
