"""Series out of a file: parted in time, cut into windows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks.csv_columns import Columns
from rnnbench_tasks.parts import PARTS
from rnnbench_tasks.series import Series


@dataclass(frozen=True)
class RecordedSeries(Series):
    """Columns of a file, some of which (`places`) are to be forecast.

    The first 70 % of the rows are for training, the next 10 % for validation, the rest for the
    test. What is to be forecast in a part lies inside it; what a window reads may lie before.

    A missing value is read as the last one before it, so that nothing tells of what comes after;
    before the first value, which is in training, stands that one. A forecast of a missing value,
    in any series or at any step ahead, does not count.

    Raises:
        DataError: there are too few rows or values, or a series to be forecast never changes in
            training.
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
        absent = np.isnan(self._training).all(0)
        if absent.any():
            raise rnnbench.DataError(
                f"{path}: column `{self.columns.names[absent.argmax()]}` has no value in the "
                f"training part, the first {have['train']} rows; leave it out"
            )
        for part in PARTS:
            if not len(self.origins(part)):
                raise rnnbench.DataError(
                    f"{path}: so many values are missing that no forecast in the part {part} "
                    "counts; fill some, or set a smaller `horizon` or fewer series as `target`"
                )
        for name, unit in zip(self.names, self.unit, strict=True):
            if unit == 0:
                raise rnnbench.DataError(
                    f"{path}: column `{name}` never changes from row to row in the training part, "
                    f"the first {have['train']} rows; leave it out of what is predicted"
                )

    @cached_property
    def values(self) -> np.ndarray:
        """All series as they are read, without gaps: [rows, series]."""
        known = ~np.isnan(self.columns.values)
        latest = np.where(known, np.arange(len(known))[:, None], known.argmax(0))
        return np.take_along_axis(self.columns.values, np.maximum.accumulate(latest), 0)

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
        return np.nanmean(self._training, 0)

    @cached_property
    def deviation(self) -> np.ndarray:
        """The standard deviation of each series in training; 1 for one that never changes."""
        known = self._training
        changes = np.nanmax(known, 0) > np.nanmin(known, 0)
        return np.where(changes, np.nanstd(known, 0), 1.0)

    @cached_property
    def unit(self) -> np.ndarray:
        """The mean absolute change from row to row in training; 0 for none: [forecast]."""
        changes = np.abs(np.diff(self._training[:, self.places], axis=0))
        return np.nansum(changes, 0) / np.maximum(np.sum(~np.isnan(changes), 0), 1)

    def draw(self, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw windows of the training part in which at least one step counts.

        They are [length + horizon, size, series] float64, and the steps [length, size] bool. They
        differ as long as there are enough.
        """
        device, count = generator.device, len(self._starts)
        if size <= count:
            chosen = torch.randperm(count, generator=generator, device=device)[:size]
        else:
            chosen = torch.randint(count, (size,), generator=generator, device=device)
        starts = torch.from_numpy(self._starts).to(device)[chosen]
        windows, steps = self._windows(starts)
        late = torch.arange(self.length, device=device) >= self.length - self.counted
        return windows, late.unsqueeze(1) & self._counts(steps)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> tuple[Tensor, Tensor]:
        """Cut a part into windows in which each forecast counts once.

        A window ends every `counted` steps, the last one with the part; of the first, fewer count.
        """
        start, end = self.parts[split]
        first, last = start - 1, end - self.horizon - 1
        ends = torch.arange(last, first - 1, -self.counted, device=generator.device).flip(0)
        windows, steps = self._windows(ends - (self.length - 1))
        return windows, (steps >= first) & (steps > ends - self.counted) & self._counts(steps)

    def origins(self, part: str) -> np.ndarray:
        """Return the rows after which the next `horizon` rows lie in a part and are known."""
        rows = self._origins(part)
        return rows[self._known[rows]]

    def unknown(self, part: str) -> int:
        """Count the forecasts in a part that do not count, as a value is missing."""
        return len(self._origins(part)) - len(self.origins(part))

    def mean_square(self, targets: np.ndarray, forecasts: np.ndarray | None) -> float:
        """Return the mean squared error of forecasting rows by the values of others."""
        own = self.values[:, self.places]
        forecast = self.level[[*self.places]] if forecasts is None else own[forecasts]
        return float(np.mean(np.square((own[targets] - forecast) / self.unit)))

    def _origins(self, part: str) -> np.ndarray:
        start, end = self.parts[part]
        # in training, what lies before has been read: half a window, and for a season a season
        read = max(self.length - self.counted, self.season - 1) if part == "train" else start - 1
        return np.arange(read, end - self.horizon)

    @property
    def _training(self) -> np.ndarray:
        """The values of the training part as they are in the file."""
        return self.columns.values[slice(*self.parts["train"])]

    @cached_property
    def _known(self) -> np.ndarray:
        """Whether all that is forecast after a row is in the file: [rows − horizon] bool."""
        there = ~np.isnan(self.columns.values[:, self.places]).any(1)
        return sliding_window_view(there[1:], self.horizon).all(1)

    @cached_property
    def _starts(self) -> np.ndarray:
        """Where windows of the training part begin in which a step counts."""
        count = self.parts["train"][1] - self.length - self.horizon + 1
        late = sliding_window_view(self._known[self.length - self.counted :], self.counted)
        return np.flatnonzero(late[:count].any(1))

    def _counts(self, steps: Tensor) -> Tensor:
        return torch.from_numpy(self._known).to(steps.device)[steps]

    def _windows(self, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Return windows that begin at these rows, and the rows of their first `length` steps."""
        device = starts.device
        steps = starts + torch.arange(self.length + self.horizon, device=device).unsqueeze(1)
        return torch.from_numpy(self.values).to(device)[steps], steps[: self.length]
