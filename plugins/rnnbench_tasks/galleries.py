"""Pictures that questions are about, by name: their pixels, features made of them, or both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import rnnbench
from rnnbench_tasks import pictures


@dataclass(frozen=True)
class Gallery:
    """Pictures in memory.

    rows      the row of each by its name
    pixels    [count, channels, height, width] uint8; None: there are only features
    features  [count, places, depth] floating point, what a network is given instead of pixels
    """

    rows: Mapping[str, int]
    pixels: np.ndarray | None
    features: np.ndarray | None = None

    @property
    def given(self) -> np.ndarray:
        """What a network is given: the features if there are any, else the pixels."""
        return self.pixels if self.features is None else self.features

    def seen(self, rows: Tensor) -> Tensor:
        """Return what a network is given of these rows [n]: pixels from 0 to 1, or features."""
        return _floats(self.given[rows.cpu().numpy()]).to(rows.device)

    def shown(self, rows: Tensor) -> Tensor | None:
        """Return the pixels of these rows from 0 to 1, where a network is given something else."""
        if self.features is None or self.pixels is None:
            return None
        return _floats(self.pixels[rows.cpu().numpy()])

    def hashes(self, rows: Iterable[int]) -> list[bytes]:
        """Return what tells each of these pictures from every other one."""
        return [hashlib.sha256(self.given[row].tobytes()).digest() for row in rows]


@dataclass(frozen=True)
class GalleryFiles:
    """Where pictures lie.

    images    a folder of image files, whose names without their endings are those of the pictures,
              or an array, whose rows are counted from 0; None: there are only features
    features  an array with a row for each picture: in the order of the array, or of the names of
              all files of the folder
    """

    images: Path | None
    features: Path | None

    def read(self, names: Iterable[str], side: int, asking: Path) -> Gallery:
        """Return the pictures of these names, squeezed to `side` × `side` pixels; 0: none is.

        asking  the file that has these names

        Raises:
            DataError: a file is wrong, there are neither images nor features, or not alike many; a
                picture is not there, or two have one name.
        """
        wanted = list(dict.fromkeys(names))
        rows = {name: row for row, name in enumerate(wanted)}
        features = None if self.features is None else pictures.read_features(self.features)
        if self.images is None:
            if self.features is None or features is None:
                raise rnnbench.DataError(
                    f"{asking}: questions without pictures; give images (a folder or an array) or "
                    "features of them"
                )
            places = _places(wanted, _numbers(len(features)), self.features, asking)
            return Gallery(rows, None, features[places])
        if self.images.is_dir():
            files = pictures.names_in(self.images)
            places = _places(wanted, self._stems(files), self.images, asking)
            count = len(files)
            read = pictures.read_folder(self.images, [files[place] for place in places], side)
        else:
            array = pictures.read_array(self.images, side)
            count = len(array)
            places = _places(wanted, _numbers(count), self.images, asking)
            read = array[places]
        if features is None:
            return Gallery(rows, read)
        if len(features) != count:
            raise rnnbench.DataError(
                f"{self.features}: features of {len(features):,} pictures, but {self.images} has "
                f"{count:,}; expected as many, in the same order"
            )
        return Gallery(rows, read, features[places])

    def _stems(self, files: list[str]) -> dict[str, int]:
        """Return the place of each file of a folder by its name without ending."""
        found: dict[str, int] = {}
        for place, file in enumerate(files):
            stem = Path(file).stem
            if stem in found:
                raise rnnbench.DataError(
                    f"{self.images}: `{files[found[stem]]}` and `{file}` are both the picture "
                    f"`{stem}`; expected one file of a name"
                )
            found[stem] = place
        return found


def _numbers(count: int) -> dict[str, int]:
    return {str(number): number for number in range(count)}


def _places(
    wanted: Iterable[str], known: Mapping[str, int], where: Path, asking: Path
) -> list[int]:
    """Find the pictures that are asked about."""
    for name in wanted:
        if name not in known:
            first, *_, last = (*known, *known)
            raise rnnbench.DataError(
                f"{asking}: a question is about the picture `{name}`, but {where} has none of that "
                f"name; it has {len(known):,}, from `{first}` to `{last}`"
            )
    return [known[name] for name in wanted]


def _floats(array: np.ndarray) -> Tensor:
    values = torch.from_numpy(array).float()
    return values / 255 if array.dtype == np.uint8 else values
