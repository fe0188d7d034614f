"""A seasonal random walk with drift and autoregressive shocks, and what is exactly known of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import erf, exp, pi, sqrt

import numpy as np
import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks.parts import HELD_OUT
from rnnbench_tasks.series import Series

PATTERN = 3.0
"""The standard deviation of the first season's values."""

DRIFT = 0.5
"""What a season adds to the one before."""

PHI = 0.8
"""How much of a shock is left a step later."""


@dataclass(frozen=True)
class SeasonalWalk(Series):
    """Windows of x_t = x_{t−season} + DRIFT + d_t, where d_t = PHI d_{t−1} + e_t.

    The innovations e are N(0, 1), the first season's values N(0, PATTERN²), and d starts
    stationary. In the notation of Box & Jenkins this is (1 − PHI B)(1 − B^season) x = constant + e:
    season + 1 values predict the next one up to its innovation, and fewer do not.

    A window is linear in its shocks z, independent N(0, 1), one a step: x = mean + response z, with
    a response that is lower triangular. So all that is said of it is exact.
    """

    season: int
    length: int
    counted: int
    horizon: int

    names = ("value",)
    places = (0,)

    def draw(self, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw windows, each a series of its own, in which the last steps count.

        They are [length + horizon, size, 1] float64, and [length, size] bool.
        """
        steps, device = len(self.mean), generator.device
        shocks = torch.randn(steps, size, generator=generator, dtype=torch.float64, device=device)
        mean, response = _like(shocks, self.mean[:, None]), _like(shocks, self.response)
        counts = torch.zeros(self.length, size, dtype=torch.bool, device=device)
        counts[self.length - self.counted :] = True
        return (mean + response @ shocks).unsqueeze(-1), counts

    def held_out(self, split: rnnbench.Split, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw 512 windows for validation or 2048 for the test."""
        return self.draw(HELD_OUT[split], generator)

    def origins(self, part: str) -> np.ndarray:  # noqa: ARG002  all parts are drawn alike
        """Return the steps of a window that count."""
        return np.arange(self.length - self.counted, self.length)

    @cached_property
    def mean(self) -> np.ndarray:
        """The expected value at each step: [steps]."""
        return DRIFT * (np.arange(self.length + self.horizon) // self.season).astype(float)

    @cached_property
    def response(self) -> np.ndarray:
        """What a shock (column) adds to the value at a step (row): [steps, steps]."""
        response = np.zeros((len(self.mean), len(self.mean)))
        change = np.zeros(len(self.mean))
        for step in range(len(self.mean)):
            if step < self.season:
                response[step, step] = PATTERN
                continue
            change *= PHI
            change[step] = 1.0 if step > self.season else 1 / sqrt(1 - PHI**2)
            response[step] = response[step - self.season] + change
        return response

    @cached_property
    def level(self) -> np.ndarray:
        """The mean of the values that are read: [1]."""
        return self.mean[: self.length].mean(keepdims=True)

    @cached_property
    def deviation(self) -> np.ndarray:
        """The standard deviation of the values that are read: [1]."""
        read = slice(self.length)
        return np.sqrt([_mean_square(self.mean[read] - self.level, self.response[read])])

    @cached_property
    def unit(self) -> np.ndarray:
        """The mean of |x_{t+1} − x_t| where x_t is read, of folded normal distributions: [1]."""
        means = np.diff(self.mean)[: self.length]
        spreads = np.linalg.norm(np.diff(self.response, axis=0), axis=1)[: self.length]
        changes = [_folded(mean, spread) for mean, spread in zip(means, spreads, strict=True)]
        return np.mean(changes, keepdims=True)

    def mean_square(self, targets: np.ndarray, forecasts: np.ndarray | None) -> float:
        """Return the mean squared error of forecasting steps by the values of others."""
        means, responses = self.mean[targets] - self.level, self.response[targets]
        if forecasts is not None:
            means = self.mean[targets] - self.mean[forecasts]
            responses = responses - self.response[forecasts]
        return _mean_square(means, responses) / float(self.unit[0]) ** 2

    @property
    def innovations(self) -> float:
        """The root mean squared error of knowing all but the shocks to come."""
        unknown = [
            self.response[step + ahead, step + 1 :]
            for step in self.origins("test")
            for ahead in range(1, self.horizon + 1)
        ]
        return sqrt(float(np.mean([row @ row for row in unknown]))) / float(self.unit[0])

    def expected(self, values: Tensor, ahead: int) -> Tensor:
        """Return what is expected `ahead` steps after each of these values: [length, batch]."""
        length = len(values)
        mean, response = _like(values, self.mean[:, None]), _like(values, self.response)
        shocks = torch.linalg.solve_triangular(
            response[:length, :length], values - mean[:length], upper=False
        )
        known = response[ahead : ahead + length, :length].tril()
        return mean[ahead : ahead + length] + known @ shocks


def _like(tensor: Tensor, array: np.ndarray) -> Tensor:
    return torch.from_numpy(array).to(tensor)


def _mean_square(means: np.ndarray, responses: np.ndarray) -> float:
    """Of normal variables with these means [n] and responses to shocks [n, steps]."""
    return float(np.mean(means**2 + np.sum(responses**2, axis=1)))


def _folded(mean: float, spread: float) -> float:
    """Return the mean of |N(mean, spread²)|."""
    ratio = mean / spread
    return spread * sqrt(2 / pi) * exp(-(ratio**2) / 2) + mean * erf(ratio / sqrt(2))
