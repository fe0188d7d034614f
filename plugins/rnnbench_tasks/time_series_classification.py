"""Time series classification: waves that pass three sensors, or a file of the UCR archive."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks.labelled import BESIDE_TEST, Labelled, dealt
from rnnbench_tasks.nearest import nearest, share, summaries
from rnnbench_tasks.parts import SHARES
from rnnbench_tasks.ts_file import MISSING, TimeSeries, read_ts
from rnnbench_tasks.waves import Waves

# From this many steps on a note says what the series cost.
LONG = 5000


class TimeSeriesClassification(rnnbench.Task):
    """Name the class of a time series; of a drawn one, the directions in which two waves passed.

    Drawn by default: two waves pass three sensors in a row, each upwards (sensor 1 sees it first)
    or downwards. Class 0 is two upward waves, 1 down then up, 2 up then down, 3 two downward ones.
    Every value of a sensor taken alone looks alike in all classes: which sensor leads tells the
    direction, and the order of the two has to be remembered. A series with `noise: 0`, in tenths:

        sensor_1    0  3  5  5  0 -7 -9 -5  0  2  1 -1 -3 -2  2  8 10  6  0 -3
        sensor_2    0  0  0  2  5  5 0 -7 -10 -7 -4  0  4  9 10  5 -1 -3 -2 -1
        sensor_3    0  0  0  0  0  2  4  4 -2 -7 -5  3  8  5  0 -3 -2 -1  0  0
        target      2

    With `data`, cases of a `.ts` file, each column standardised by the training part's mean and
    deviation. Classes are those of training, dealt class by class: 80 % for training and 20 % for
    validation where `test` names a test file, else 80, 10 and 10 %. Cases longer than `limit` lose
    their end.

    Not causal: the answer is due after the last step, so reading backwards is fair.
    """

    name = "time_series_classification"
    reference = "files: Dau et al. 2019, arXiv:1810.07758; Bagnall et al. 2018, arXiv:1811.00075"
    options = {
        "data": rnnbench.Option("", file=True, help="a .ts file for training; none: drawn waves"),
        "test": rnnbench.Option("", file=True, help="a .ts file for the test; none: a tenth"),
        "limit": rnnbench.Option(
            0, low=0, help="the most steps of a case in a file; 0: those of the longest in training"
        ),
        "missing": rnnbench.Option(
            "error", choices=MISSING, help="what missing values in a file are, or become"
        ),
        "encoding": rnnbench.Option("utf-8", help="the encoding of the files"),
        # from 40 on, even the waves of the shortest series hardly overlap
        "length": rnnbench.Option(80, low=40, help="steps of the longest drawn series"),
        "noise": rnnbench.Option(
            0.3, low=0.0, help="deviation of the noise on drawn waves, whose height is 1"
        ),
    }
    pattern = "many-to-one"
    causal = False
    metrics = ("accuracy", "cross_entropy")

    data: str
    test: str
    limit: int
    missing: str
    encoding: str
    length: int
    noise: float

    @property
    def sequence_length(self) -> int:
        """The longest series."""
        return self._source.steps

    @property
    def inputs(self) -> rnnbench.Reals:
        """One value a dimension."""
        return rnnbench.Reals(self._source.width)

    @property
    def targets(self) -> rnnbench.Classes:
        """The classes of training, and one for all labels that only held-out cases have."""
        return self._source.targets

    @property
    def anchors(self) -> rnnbench.Anchors:
        """A guess, the most frequent class, and the nearest neighbour in a summary of each series.

        The summary is the mean, deviation, first and last value of each dimension; neighbours are
        cases of the training part alone, as a network learns from no others. Solved is 0.9 for
        drawn waves: who tells directions but not their order reaches 0.75. For files it is the best
        floor.
        """
        return self._anchors

    @property
    def notes(self) -> tuple[str, ...]:
        """The size of the parts, and what was cut, interpolated, unnamed or is long."""
        if not self.data:
            return ()
        cases, filled = self._recorded
        notes = list(cases.notes("cases"))
        if filled:
            notes.append(f"{filled} missing values were interpolated")
        if self.sequence_length >= LONG:
            notes.append(
                f"series of {self.sequence_length} steps are long to train on; `limit` cuts them"
            )
        return tuple(notes)

    @property
    def leaks(self) -> tuple[str, ...]:
        """How many held-out cases training has too."""
        return self._recorded[0].leaks("cases") if self.data else ()

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farther wave is from its read-out; in a file, the first step.

        With two directions the farthest step of a case is the one in its middle.
        """
        return self._source.path(bidirectional)

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw series: inputs [steps, size, dimensions], targets [size], lengths [size]."""
        return self._source.batch(size, generator)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return the cases for validation or the test; of waves, 512 or 2048 drawn ones."""
        return self._source.held_out(split, generator)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the class most frequent in training: logits [batch, classes]."""
        return self._source.most_frequent(batch)

    @cached_property
    def _source(self) -> Labelled | Waves:
        if self.test and not self.data:
            raise rnnbench.DataError(f"{self.test}: `test` without `data`; name the training file")
        return self._recorded[0] if self.data else Waves(self.length, self.noise)

    @cached_property
    def _recorded(self) -> tuple[Labelled, int]:
        """The cases of the files, and how many of their values were interpolated."""
        train, filled = self._read(self.data), 0
        labels = [case.label for case in train.cases]
        if len(set(labels)) < 2:
            raise rnnbench.DataError(
                f"{self.data}: all cases are of class `{labels[0]}`; two are needed at least"
            )
        try:
            parts = dealt(labels, train.cases, BESIDE_TEST if self.test else SHARES)
        except ValueError as error:
            raise rnnbench.DataError(f"{self.data}: {error}; give more cases") from None
        if self.test:
            test = self._read(self.test)
            if test.dimensions != train.dimensions:
                raise rnnbench.DataError(
                    f"{self.test}: {test.dimensions} dimensions, but {self.data} has "
                    f"{train.dimensions}; both files need the same"
                )
            parts["test"], filled = list(test.cases), test.filled
        return Labelled.of(parts, self.limit), train.filled + filled

    def _read(self, path: str) -> TimeSeries:
        return read_ts(Path(path), self.missing, self.encoding)

    @cached_property
    def _anchors(self) -> rnnbench.Anchors:
        source = self._source
        test = source.held_out("test", Generator().manual_seed(0))
        near = nearest(summaries(test), summaries(source.known), source.known.targets)
        neighbour = share(near == test.targets)
        trivial = share(self.trivial(test).argmax(-1) == test.targets)
        return rnnbench.Anchors(
            chance=1 / len(source.classes),
            trivial=trivial,
            oracle=None,
            solved=max(trivial, neighbour) if self.data else 0.9,
            floors={"1-NN on mean, deviation, first and last": neighbour},
        )


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide time series classification."""
    return [TimeSeriesClassification]
