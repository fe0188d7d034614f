"""What a forecasting task needs of its series, and how naive forecasts of them err."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import sqrt
from statistics import fmean

import numpy as np
from torch import Generator, Tensor

import rnnbench

PERSISTENCE, SEASONAL, MEAN = "persistence", "seasonal naive", "training mean"


class Series(ABC):
    """Series of which some are to be forecast `horizon` steps ahead, cut into windows.

    A window is `length` steps and the `horizon` after them. Forecasts are made at its last
    `counted` steps, and count where what they forecast is known. Errors are in units: `unit` of the
    series' own.

    names    of the series that are forecast
    places   where these are among all series
    season   steps after which the series repeat themselves; 0: never
    """

    names: tuple[str, ...]
    places: tuple[int, ...]
    season: int
    horizon: int

    @property
    @abstractmethod
    def level(self) -> np.ndarray:
        """The mean of each series in training: [series]."""

    @property
    @abstractmethod
    def deviation(self) -> np.ndarray:
        """The standard deviation of each series in training: [series]."""

    @property
    @abstractmethod
    def unit(self) -> np.ndarray:
        """The mean absolute change in training of each series that is forecast: [forecast]."""

    @abstractmethod
    def draw(self, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw windows for training, and the steps that count; shaped as held-out ones."""

    @abstractmethod
    def held_out(self, split: rnnbench.Split, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return windows of a part, and the steps that count.

        The windows are [length + horizon, count, series] float64, the steps [length, count] bool.
        """

    @abstractmethod
    def origins(self, part: str) -> np.ndarray:
        """Return the steps at which a part's forecasts are made that count."""

    @abstractmethod
    def mean_square(self, targets: np.ndarray, forecasts: np.ndarray | None) -> float:
        """Return the mean squared error of forecasting steps by the values of others.

        targets    the steps that are forecast
        forecasts  the steps whose values are the forecasts; None: `level`
        """

    def floors(self, part: str) -> dict[str, float]:
        """Return the root mean squared errors of naive forecasts by their names."""
        origins, season = self.origins(part), self.season
        errors: dict[str, list[float]] = {}
        for ahead in range(1, self.horizon + 1):
            forecasts: dict[str, np.ndarray | None] = {PERSISTENCE: origins}
            if season:
                forecasts[SEASONAL] = origins + ahead - season * -(-ahead // season)
            forecasts[MEAN] = None
            for name, steps in forecasts.items():
                errors.setdefault(name, []).append(self.mean_square(origins + ahead, steps))
        return {name: sqrt(fmean(squares)) for name, squares in errors.items()}

    def chance(self, part: str) -> float:
        """Return the root mean squared error of forecasting any value of the training part."""
        spread = self.deviation[[*self.places]] / self.unit
        return sqrt(self.floors(part)[MEAN] ** 2 + float(np.mean(spread**2)))
