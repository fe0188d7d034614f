"""Images read as sequences, by pixel or row or in a fixed disorder: MNIST and files like it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

import rnnbench
from rnnbench_tasks import scans
from rnnbench_tasks.image_files import Images, read_images
from rnnbench_tasks.labelled import BESIDE_TEST, dealt
from rnnbench_tasks.nearest import share
from rnnbench_tasks.nearest_image import nearest_image
from rnnbench_tasks.parts import PARTS, SHARES, TITLES, Part, overlaps
from rnnbench_tasks.reading_order import ORDERS, laid_out, pooled

BESIDE_VALID: Mapping[Part, float] = {"train": 0.9, "test": 0.1}
"""What each part gets of training images that have a validation part beside them, and no test."""

MOST_VALID = 5000
"""About how many training images at most become the validation part, which is read many times."""

NEIGHBOURS = 5000
"""Among how many training images at most the nearest neighbour is sought."""


class Sequences(NamedTuple):
    """Images as steps [count, steps, values of a step], as the file has them, and their classes."""

    values: np.ndarray
    targets: Tensor


class SequentialImages(rnnbench.Task):
    """Name what an image shows that is read pixel by pixel, row by row, or in a fixed disorder.

    By default the images are the 1797 scans of `sequential_digits`, 8 × 8 pixels of ten digits, in
    its parts. With `data`, they are those of MNIST, Fashion-MNIST, KMNIST, EMNIST or any file like
    theirs: idx files of images and `labels`, plain or .gz, and such files for the `test`; or an
    .npz file with x_train and y_train, and where there are such parts x_val, y_val, x_test and
    y_test. Parts keep their names. What is missing is dealt from the training images, label by
    label: 20 % for validation, but no more than about 5000, where only a test part is there; 10 %
    for the test where only a validation part is there; else 10 % for each.

    `side: 14` makes images of 28 × 28 pixels 14 lines high: each pixel is the mean of a square.
    With `order: pixels` a step is a pixel, line after line from the left; with `order: rows` it is
    a line. `order: permuted` reads pixels too, in the order of the SHA-256 of the text "P n", in
    which P is `permutation` and n the pixel's number from 0 on: neighbours are then far apart, the
    same in every image. A colour image has 3 values a pixel. Values are scaled so that the least of
    the training images is 0 and the largest 1. The first scan with `side: 4`, in sixty-fourths:

        input     0 46 35  5
                  7 29 19 16
                  9 19 22 15
                  2 38 32  0
        target    0

    Not causal: the answer is due after the last step, so reading backwards is fair.
    """

    name = "sequential_images"
    reference = (
        "Le, Jaitly & Hinton 2015, arXiv:1504.00941; files: LeCun et al. 1998, "
        "doi:10.1109/5.726791; scans: Alpaydin & Kaynak 1998, doi:10.24432/C50P49"
    )
    options = {
        "data": rnnbench.Option(
            "", file=True, help="training images, .npz or idx; none: scans of scikit-learn"
        ),
        "labels": rnnbench.Option("", file=True, help="the labels of idx images"),
        "test": rnnbench.Option(
            "", file=True, help="test images, .npz or idx; none: those in `data`, or a tenth of it"
        ),
        "test_labels": rnnbench.Option("", file=True, help="the labels of idx test images"),
        "order": rnnbench.Option(
            "pixels", choices=ORDERS, help="a step is a pixel, a row, or a pixel of a permutation"
        ),
        "permutation": rnnbench.Option(0, low=0, help="which order `permuted` is"),
        "side": rnnbench.Option(
            0, low=0, help="lines of an image after averaging squares; 0: as many as it has"
        ),
    }
    pattern = "many-to-one"
    causal = False
    metrics = ("accuracy", "cross_entropy")

    data: str
    labels: str
    test: str
    test_labels: str
    order: str
    permutation: int
    side: int

    @property
    def sequence_length(self) -> int:
        """The pixels or rows of an image."""
        return self._parts["train"].values.shape[1]

    @property
    def inputs(self) -> rnnbench.Reals:
        """A pixel or a row."""
        return rnnbench.Reals(self._parts["train"].values.shape[2])

    @property
    def targets(self) -> rnnbench.Classes:
        """The labels of training, and one class for all labels that only held-out images have."""
        return rnnbench.Classes(len(self._classes) + bool(self._unseen))

    @property
    def anchors(self) -> rnnbench.Anchors:
        """A guess, the most frequent class, and what distances between whole images tell.

        Images are compared as they are read, after averaging; the nearest neighbour is sought among
        5000 training images at most, evenly spaced in their file. Solved is what the nearest of the
        classes' mean images reaches.
        """
        return self._anchors

    @property
    def notes(self) -> tuple[str, ...]:
        """The size of the parts, where they are from, and what was averaged, capped or unnamed."""
        return self._notes if self.data else ()

    @property
    def leaks(self) -> tuple[str, ...]:
        """How many held-out images training has too, as they are read."""
        contents = {
            part: [hashlib.sha256(image.tobytes()).digest() for image in sequences.values]
            for part, sequences in self._parts.items()
        }
        return tuple(overlaps(contents, "images"))

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farthest step is from its read-out: all of them count.

        With two directions that is a step in the middle.
        """
        last = self.sequence_length - 1
        return float(last // 2 if bidirectional else last)

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw training images, all different unless there are fewer than `size`.

        inputs [steps, size, values of a step], targets [size]
        """
        count, device = len(self._parts["train"].targets), generator.device
        if size > count:
            rows = torch.randint(count, (size,), generator=generator, device=device)
        else:
            rows = torch.randperm(count, generator=generator, device=device)[:size]
        return self._batch("train", rows.cpu()).to(device)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return the images for validation or the test."""
        every = torch.arange(len(self._parts[split].targets))
        return self._batch(split, every).to(generator.device)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the class that is most frequent in training: logits [batch, classes]."""
        frequent = self._parts["train"].targets.bincount().argmax()
        every = frequent.to(batch.inputs.device).expand(len(batch))
        return one_hot(every, self.targets.count).float()

    def _batch(self, part: Part, rows: Tensor) -> rnnbench.Batch:
        values, targets = self._parts[part]
        steps = self._scaled(values[rows.numpy()])
        return rnnbench.Batch(steps.transpose(0, 1).contiguous(), targets[rows])

    def _scaled(self, values: np.ndarray) -> Tensor:
        low, high = self._range
        exact = values.astype(np.float32 if values.dtype.itemsize < 4 else np.float64)
        return torch.from_numpy(((exact - low) / (high - low)).astype(np.float32))

    @cached_property
    def _range(self) -> tuple[float, float]:
        """The least and the largest pixel of the training images as they are in the file."""
        values = self._images["train"].values
        low, high = float(values.min()), float(values.max())
        if low == high:
            raise rnnbench.DataError(
                f"{self.data}: every pixel of the training images is {low:g}, so that there is "
                "nothing to see; give images that differ"
            )
        return low, high

    @cached_property
    def _images(self) -> dict[Part, Images]:
        if self.data:
            return self._dealt[0]
        for name in ("labels", "test", "test_labels"):
            if path := getattr(self, name):
                raise rnnbench.DataError(
                    f"{path}: `{name}` without `data`; name the training images"
                )
        return {
            part: Images(values.view(-1, scans.SIDE, scans.SIDE, 1).numpy(), digits.numpy())
            for part, (values, digits) in scans.parts().items()
        }

    @cached_property
    def _dealt(self) -> tuple[dict[Part, Images], Mapping[Part, float]]:
        """The images of files in three parts, and what share of the training images each got."""
        parts = self._read()
        labels = parts["train"].labels
        if len(np.unique(labels)) < 2:
            raise rnnbench.DataError(
                f"{self.labels or self.data}: all training images are labelled {labels[0]}; two "
                "classes are needed at least"
            )
        shares = _shares(parts)
        try:
            rows = dealt([str(label) for label in labels], range(len(labels)), shares)
        except ValueError as error:
            raise rnnbench.DataError(f"{self.data}: {error}; give more images") from None
        train = parts["train"]
        chosen = {part: Images(*(array[rows[part]] for array in train)) for part in rows}
        return {part: chosen.get(part) or parts[part] for part in PARTS}, shares

    def _read(self) -> dict[Part, Images]:
        """Read the parts that the files have."""
        parts = read_images(Path(self.data), _path(self.labels), "train")
        if self.test_labels and not self.test:
            raise rnnbench.DataError(
                f"{self.test_labels}: `test_labels` without `test`; name the test images"
            )
        if self.test:
            if "test" in parts:
                raise rnnbench.DataError(
                    f"{self.test}: a test part beside that of {self.data}; leave `test` away"
                )
            test = read_images(Path(self.test), _path(self.test_labels), "test")
            parts["test"] = test["test"]
        train = parts["train"].values
        for part, (values, _) in parts.items():
            if values.shape[1:] != train.shape[1:] or values.dtype != train.dtype:
                raise rnnbench.DataError(
                    f"{(part == 'test' and self.test) or self.data}: the {TITLES[part]} images are "
                    f"{_kind(values)} of {values.dtype}, but those for training {_kind(train)} of "
                    f"{train.dtype}; both need the same"
                )
        return parts

    @cached_property
    def _classes(self) -> np.ndarray:
        """The labels of training, in order."""
        return np.unique(self._images["train"].labels)

    @cached_property
    def _unseen(self) -> int:
        """How many held-out images have a label that training has not."""
        labels = np.concatenate([self._images[part].labels for part in ("valid", "test")])
        return int((~np.isin(labels, self._classes)).sum())

    @cached_property
    def _parts(self) -> dict[Part, Sequences]:
        parts = {}
        for part, (images, labels) in self._images.items():
            targets = np.searchsorted(self._classes, labels)
            targets[~np.isin(labels, self._classes)] = len(self._classes)
            try:
                values = pooled(images, self.side) if self.side else images
            except ValueError as error:
                raise rnnbench.DataError(f"{self.data or 'the scans'}: {error}") from None
            steps = laid_out(values, self.order, self.permutation)
            parts[part] = Sequences(steps, torch.from_numpy(targets))
        return parts

    @cached_property
    def _notes(self) -> tuple[str, ...]:
        shares, images = self._dealt[1], self._images
        count = {part: len(images[part].labels) for part in PARTS}
        notes = [
            f"{count['train']:,} images for training, {count['valid']:,} for validation, "
            f"{count['test']:,} for the test, {_kind(images['train'].values)}, of "
            f"{len(self._classes)} classes"
        ]
        notes += [
            f"the files have no {TITLES[part]} part: it is {shares[part]:.0%} of their training "
            "images, dealt label by label"
            for part in shares
            if part != "train"
        ]
        if self.side:
            square = images["train"].values.shape[1] // self.side
            notes.append(f"a pixel is the mean of {square} × {square} pixels of the file")
        if count["train"] > NEIGHBOURS:
            notes.append(f"the nearest neighbour is sought among {NEIGHBOURS:,} training images")
        if self._unseen:
            notes.append(
                f"{self._unseen} held-out images have a label that training has not; they count as "
                "wrong"
            )
        return tuple(notes)

    @cached_property
    def _anchors(self) -> rnnbench.Anchors:
        values, targets = self._parts["train"]
        test, named = self._parts["test"]
        asked = self._scaled(test).flatten(1)
        rows = [(targets == one).numpy() for one in range(len(self._classes))]
        means = np.stack([values[same].mean(0, dtype=np.float64) for same in rows])
        few = np.linspace(0, len(values) - 1, min(len(values), NEIGHBOURS)).astype(int)
        floors = {
            "nearest mean image": nearest_image(
                asked, self._scaled(means).flatten(1), torch.arange(len(means))
            ),
            "1-NN": nearest_image(asked, self._scaled(values[few]).flatten(1), targets[few]),
        }
        reached = {name: share(answers == named) for name, answers in floors.items()}
        trivial = share(named == targets.bincount().argmax())
        return rnnbench.Anchors(
            chance=1 / len(self._classes),
            trivial=trivial,
            oracle=None,
            solved=max(trivial, reached["nearest mean image"]),
            floors=reached,
        )


def _path(name: str) -> Path | None:
    return Path(name) if name else None


def _shares(parts: Mapping[Part, Images]) -> Mapping[Part, float]:
    """Return what share of the training images each part gets that files lack, and training."""
    if "valid" in parts:
        return {"train": 1.0} if "test" in parts else BESIDE_VALID
    if "test" not in parts:
        return SHARES
    valid = min(BESIDE_TEST["valid"], MOST_VALID / len(parts["train"].labels))
    return {"train": 1 - valid, "valid": valid}


def _kind(values: np.ndarray) -> str:
    """Say what images [count, height, width, colours] are."""
    _, height, width, colours = values.shape
    return f"{height} × {width} pixels" + (f" in {colours} colours" if colours > 1 else "")


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide sequential images."""
    return [SequentialImages]
