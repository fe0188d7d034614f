"""Pictures with captions, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import rnnbench
from rnnbench_tasks import pictures
from rnnbench_tasks.caption_files import Words, read_captions


@dataclass(frozen=True)
class Album:
    """Pictures with their captions, in one order.

    captions  the captions of each picture, in words
    images    [count, channels, height, width] uint8; None: there are only features
    features  [count, places, depth] floating point, what a network is given instead of images
    """

    captions: Sequence[tuple[Words, ...]]
    images: np.ndarray | None
    features: np.ndarray | None = None

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.captions)

    @property
    def given(self) -> np.ndarray:
        """What a network is given: the features if there are any, else the images."""
        return self.images if self.features is None else self.features

    def choose(self, rows: Sequence[int]) -> Album:
        """Return the pictures of these numbers."""
        return Album(
            [self.captions[row] for row in rows],
            None if self.images is None else self.images[rows],
            None if self.features is None else self.features[rows],
        )


@dataclass(frozen=True)
class AlbumFiles:
    """Where an album lies: a file of captions, and images or features or both.

    images  a folder, in which the captions name files, or a file with an array, in whose order the
            captions are; so are the features
    """

    captions: Path
    images: Path | None
    features: Path | None

    def read(self, side: int) -> Album:
        """Return the album, its images squeezed to `side` × `side` pixels; 0: none is.

        Raises:
            DataError: a file is wrong, there are neither images nor features, or not as many as
                the captions describe.
        """
        described = read_captions(self.captions)
        if self.images is None and self.features is None:
            raise rnnbench.DataError(
                f"{self.captions}: captions without pictures; give images (a folder or an array) "
                "or features of them"
            )
        images, features = None, None
        if self.features is not None:
            features = pictures.read_features(self.features)
            self._check("features", self.features, len(features), len(described))
        if self.images is not None and self.images.is_dir():
            names = [each.picture for each in described]
            images = pictures.read_folder(self.images, names, side)
        elif self.images is not None:
            images = pictures.read_array(self.images, side)
            self._check("images", self.images, len(images), len(described))
        return Album([each.captions for each in described], images, features)

    def _check(self, noun: str, path: Path, count: int, expected: int) -> None:
        if count != expected:
            raise rnnbench.DataError(
                f"{path}: {noun} of {count:,} pictures, but {self.captions} describes "
                f"{expected:,}; expected as many, in the same order"
            )
