"""Series out of a file: parted in time, cut into windows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks.csv_columns import Columns
from rnnbench_tasks.series import Series


@dataclass(frozen=True)
class RecordedSeries(Series):
    """Columns of a file, some of which (`places`) are to be forecast.

    The first 70 % of the rows are for training, the next 10 % for validation, the rest for the
    test. What is to be forecast in a part lies inside it; what a window reads may lie before.

    Raises:
        DataError: there are too few rows, or a series to be forecast never changes in training.
    """

    columns: Columns
    places: tuple[int, ...]
    length: int
    counted: int
    horizon: int
    season: int

    def __post_init__(self) -> None:
        """Check that each part holds a forecast, and that each series has a unit."""
        path, rows = self.columns.path, len(self.values)
        have = {part: end - start for part, (start, end) in self.parts.items()}
        need = {"train": max(self.length + self.horizon, self.season), "valid": self.horizon}
        for part, needed in need.items():
            if have[part] < needed:
                raise rnnbench.DataError(
                    f"{path}: {rows} rows are too few: {part} has {have[part]} of them and needs "
                    f"{needed}; set a smaller `length`, `horizon` or `season`"
                )
        for name, unit in zip(self.names, self.unit, strict=True):
            if unit == 0:
                raise rnnbench.DataError(
                    f"{path}: column `{name}` never changes in the training part, the first "
                    f"{have['train']} rows; leave it out of what is predicted"
                )

    @property
    def values(self) -> np.ndarray:
        """All series: [rows, series]."""
        return self.columns.values

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]  # read-only, as the record is
        """The series that are forecast."""
        return tuple(self.columns.names[place] for place in self.places)

    @cached_property
    def parts(self) -> dict[str, tuple[int, int]]:
        """The rows of each part, the end excluded."""
        rows = len(self.values)
        valid, test = rows * 7 // 10, rows * 8 // 10
        return {"train": (0, valid), "valid": (valid, test), "test": (test, rows)}

    @cached_property
    def level(self) -> np.ndarray:
        """The mean of each series in training: [series]."""
        return self._training.mean(0)

    @cached_property
    def deviation(self) -> np.ndarray:
        """The standard deviation of each series in training; 1 for one that never changes."""
        changes = np.ptp(self._training, axis=0) > 0
        return np.where(changes, self._training.std(0), 1.0)

    @cached_property
    def unit(self) -> np.ndarray:
        """The mean absolute change from row to row in training: [forecast]."""
        return np.abs(np.diff(self._training[:, self.places], axis=0)).mean(0)

    def draw(self, size: int, generator: Generator) -> Tensor:
        """Draw windows of the training part: [length + horizon, size, series] float64.

        They differ as long as there are enough.
        """
        device = generator.device
        count = self.parts["train"][1] - self.length - self.horizon + 1
        if size <= count:
            starts = torch.randperm(count, generator=generator, device=device)[:size]
        else:
            starts = torch.randint(count, (size,), generator=generator, device=device)
        return self._windows(starts)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> tuple[Tensor, Tensor]:
        """Cut a part into windows in which each forecast counts once.

        A window ends every `counted` steps, the last one with the part; of the first, fewer count.
        """
        origins = self.origins(split)
        first, last = int(origins[0]), int(origins[-1])
        ends = torch.arange(last, first - 1, -self.counted, device=generator.device).flip(0)
        starts = ends - (self.length - 1)
        steps = starts + torch.arange(self.length, device=generator.device).unsqueeze(1)
        return self._windows(starts), (steps >= first) & (steps > ends - self.counted)

    def origins(self, part: str) -> np.ndarray:
        """Return the rows after which the next `horizon` rows lie in a part."""
        start, end = self.parts[part]
        # in training, what lies before has been read: half a window, and for a season a season
        read = max(self.length - self.counted, self.season - 1) if part == "train" else start - 1
        return np.arange(read, end - self.horizon)

    def mean_square(self, targets: np.ndarray, forecasts: np.ndarray | None) -> float:
        """Return the mean squared error of forecasting rows by the values of others."""
        own = self.values[:, self.places]
        forecast = self.level[[*self.places]] if forecasts is None else own[forecasts]
        return float(np.mean(np.square((own[targets] - forecast) / self.unit)))

    @property
    def _training(self) -> np.ndarray:
        return self.values[slice(*self.parts["train"])]

    def _windows(self, starts: Tensor) -> Tensor:
        device = starts.device
        steps = torch.arange(self.length + self.horizon, device=device).unsqueeze(1)
        return torch.from_numpy(self.values).to(device)[steps + starts]
