"""Forecasting: predict the next values of one or several series from those before."""

from __future__ import annotations

from functools import cached_property
from math import sqrt
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks import delimited
from rnnbench_tasks.csv_columns import read_columns
from rnnbench_tasks.parts import PARTS, TITLES
from rnnbench_tasks.recorded_series import RecordedSeries
from rnnbench_tasks.seasonal_walk import SeasonalWalk
from rnnbench_tasks.series import MEAN, PERSISTENCE

# Of the squared error between the best naive forecast and the oracle: what is left when solved.
LEFT = 0.1


class Forecasting(rnnbench.Task):
    """Predict, after each value read, how far the next `horizon` values will lie from it.

    A sequence is `length` values of one or several series. Its first half is only read; after each
    value of the second half a forecast is due, so that every forecast has read at least half a
    sequence, whatever the architecture. The first row is what airline passengers of 1949 are, the
    second what is asked one step ahead, in passengers:

        read    112 118 132 129 121 135 148 148 136 119 104 118
        target                            0 −12 −17 −15  14  −3

    The target is a change, so that a network that says nothing (0) predicts that nothing changes:
    this is a good start for most series, and the same for all architectures. With `horizon: 2` it
    is the change to the next value and to the one after next.

    Inputs are scaled by their mean and standard deviation, targets by a unit, the mean absolute
    change from one step to the next: all of the training part. In this unit the mean absolute error
    is the mean absolute scaled error (`mase`), and `rmse` times the unit is the root mean squared
    error in the file's own units (of a single series; several weigh alike by their units). `notes`
    say what a unit is.

    Without `data` each sequence is a series of its own, from a seasonal random walk whose season
    has `lag` values: x_t = x_{t−lag} + 0.5 + d_t with d_t = 0.8 d_{t−1} + N(0, 1), and a first
    season drawn from N(0, 3²). A window of lag + 1 values predicts as well as can be; a shorter one
    is blind to the season.

    `data` is a CSV file with a header, a line a time step, in the order of time. The first 70 % of
    the lines are for training, the next 10 % for validation, the rest for the test. Columns without
    any number (dates) and without a name (row numbers) are left out. With `missing: last` what is
    missing is read as the last value before it, which tells nothing of what comes after, and is
    never asked for: a step that forecasts a missing value does not count, nor does a gap count for
    the scales.

    Causal: what is asked lies in the future.
    """

    name = "forecasting"
    reference = (
        "Box & Jenkins 1970, ISBN 0-8162-1094-3; scaled as in Hyndman & Koehler 2006, "
        "doi:10.1016/j.ijforecast.2006.03.001"
    )
    options = {
        "data": rnnbench.Option("", file=True, help="CSV file; none: generated series"),
        "columns": rnnbench.Option("", help="what is read, names with commas; none: all numbers"),
        "target": rnnbench.Option("", help="what of it is predicted, names with commas; none: all"),
        "separator": rnnbench.Option(
            "auto", choices=delimited.CHOICES, help="what stands between two values"
        ),
        "encoding": rnnbench.Option("utf-8", help="how the file writes its letters"),
        "missing": rnnbench.Option(
            "error",
            choices=("error", "last"),
            help="what a value is that is empty, ?, NaN or NA: an error, or the last before it",
        ),
        "season": rnnbench.Option(
            0,
            low=0,
            help="steps after which a file's series repeat themselves; 0: never",
        ),
        "lag": rnnbench.Option(8, low=1, help="steps of a season of the generated series"),
        "length": rnnbench.Option(48, low=2, help="number of time steps"),
        "horizon": rnnbench.Option(1, low=1, help="how many values are predicted"),
    }
    pattern = "many-to-many"
    causal = True
    metrics = ("rmse", "mase")

    data: str
    columns: str
    target: str
    separator: str
    encoding: str
    missing: str
    season: int
    lag: int
    length: int
    horizon: int

    @property
    def sequence_length(self) -> int:
        """The chosen length."""
        return self.length

    @property
    def inputs(self) -> rnnbench.Reals:
        """A value of each series that is read."""
        return rnnbench.Reals(len(self._series.level))

    @property
    def targets(self) -> rnnbench.Reals:
        """The changes of each predicted series: all series one step ahead, then two steps."""
        return rnnbench.Reals(self.horizon * len(self._series.places))

    @cached_property
    def anchors(self) -> rnnbench.Anchors:
        """What naive forecasts measure: on the test part, of generated series exactly.

        Chance is any value of the training part; trivial is persistence or the training part's
        mean, whichever is better in training. The oracle errs by the shocks to come alone, which
        one step ahead is their standard deviation. Solved is the best naive forecast; of generated
        series, a tenth of what lies between its squared error and the oracle's.
        """
        series, floors = self._series, self._series.floors("test")
        trivial = floors[PERSISTENCE if self._persists else MEAN]
        oracle, solved = None, min(floors.values())
        if isinstance(series, SeasonalWalk):
            oracle = series.innovations
            solved = sqrt(oracle**2 + LEFT * (solved**2 - oracle**2))
        return rnnbench.Anchors(series.chance("test"), trivial, oracle, solved, floors)

    @property
    def notes(self) -> tuple[str, ...]:
        """How the rows were parted, what a unit is, what was left out or filled."""
        series = self._series
        if isinstance(series, SeasonalWalk):
            return (f"an error of 1 is {series.unit[0]:.4g} standard deviations of a shock",)
        parts, columns = series.parts, series.columns
        sizes = ", ".join(f"{end - start} {part}" for part, (start, end) in parts.items())
        units = zip(series.names, series.unit, strict=True)
        gaps = zip(columns.names, np.isnan(columns.values).sum(0), strict=True)
        return (
            f"rows in the order of time: {sizes}",
            *(f"{name}: an error of 1 is {unit:.4g} in the file's units" for name, unit in units),
            *(
                f"{name}: {count} missing values are read as the last before them"
                for name, count in gaps
                if count
            ),
            *(
                f"{count} {TITLES[part]} forecasts of missing values do not count"
                for part in PARTS
                if (count := series.unknown(part))
            ),
            *(f"{name}: left out, as it holds no numbers" for name in columns.skipped),
        )

    def shortest_path(self, bidirectional: bool) -> float:  # noqa: ARG002  one answer for both
        """Return how far back the rule looks from the last value read; at most half a sequence.

        Generated series ask for the value `lag` steps back. Of a file, a season's forecast needs
        the one season − 1 steps back; where no season is given, nobody knows, and it is half a
        sequence: what every forecast may use.
        """
        if not self.data:
            return float(self.lag)
        half = self.length - self._counted
        return float(min(self.season - 1, half) if self.season else half)

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` windows: inputs [length, size, series], targets [length, size, changes]."""
        return self._laid_out(*self._series.draw(size, generator))

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return windows in which each forecast of the part counts once.

        Of generated series draw 512 for validation or 2048 for the test.
        """
        return self._laid_out(*self._series.held_out(split, generator))

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict that nothing changes, or the training part's mean: like the targets."""
        if self._persists:
            return torch.zeros_like(batch.targets)
        series, places = self._series, [*self._series.places]
        # an input says how many deviations a value lies above the mean
        deviation = torch.from_numpy(series.deviation[places] / series.unit).to(batch.inputs)
        return (-batch.inputs[..., places] * deviation).repeat(1, 1, self.horizon)

    def oracle(self, batch: rnnbench.Batch) -> Tensor | None:
        """Predict what a generated series expects, all shocks so far being known."""
        series = self._series
        if not isinstance(series, SeasonalWalk):
            return None
        values = batch.inputs.squeeze(-1).double() * series.deviation[0] + series.level[0]
        ahead = [series.expected(values, steps) - values for steps in range(1, self.horizon + 1)]
        return (torch.stack(ahead, -1) / series.unit[0]).float()

    @property
    def _counted(self) -> int:
        """The steps of a sequence after which forecasts are due: the last ones."""
        return self.length - self.length // 2

    @cached_property
    def _persists(self) -> bool:
        floors = self._series.floors("train")
        return floors[PERSISTENCE] <= floors[MEAN]

    @cached_property
    def _series(self) -> SeasonalWalk | RecordedSeries:
        return self._recorded() if self.data else self._generated()

    def _generated(self) -> SeasonalWalk:
        if self.columns or self.target or self.season:
            raise rnnbench.DataError(
                "`columns`, `target` and `season` describe a file; set `data`, or leave them out"
            )
        if self.lag > self.length // 2:
            raise rnnbench.DataError(
                f"a lag of {self.lag} lies before the {self.length // 2} values that every "
                f"forecast has read; set `length` to at least {2 * self.lag}"
            )
        return SeasonalWalk(self.lag, self.length, self._counted, self.horizon)

    def _recorded(self) -> RecordedSeries:
        path = Path(self.data)
        columns = read_columns(
            path,
            _names(self.columns),
            separator=self.separator,
            encoding=self.encoding,
            gaps=self.missing == "last",
        )
        asked = _names(self.target) or columns.names
        for name in asked:
            if name not in columns.names:
                raise rnnbench.DataError(
                    f"{path}:1: `target` names `{name}`, which is not among what is read: "
                    + ", ".join(columns.names)
                )
        places = tuple(columns.names.index(name) for name in asked)
        return RecordedSeries(
            columns, places, self.length, self._counted, self.horizon, self.season
        )

    def _laid_out(self, windows: Tensor, counts: Tensor) -> rnnbench.Batch:
        """Scale windows [length + horizon, size, series]; `counts` [length, size] is the mask."""
        series, steps = self._series, self.length
        level, deviation, unit = (
            torch.from_numpy(numbers).to(windows)
            for numbers in (series.level, series.deviation, series.unit)
        )
        own = windows[..., [*series.places]]
        ahead = range(1, self.horizon + 1)
        changes = torch.cat([(own[k : k + steps] - own[:steps]) / unit for k in ahead], -1)
        inputs = (windows[:steps] - level) / deviation
        return rnnbench.Batch(inputs.float(), changes.float(), mask=counts)


def _names(listed: str) -> tuple[str, ...]:
    """Cut names at their commas; none where nothing is listed."""
    return tuple(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip()))


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide forecasting."""
    return [Forecasting]
