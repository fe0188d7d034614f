"""Pictures that questions are about, by name: their pixels, features made of them, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import rnnbench
from rnnbench_tasks import pictures as files


@dataclass(frozen=True)
class Gallery:
    """Pictures in memory.

    rows      the number of each by its name: that of an image file without its ending, or the
              number itself, written out
    pixels    [count, channels, height, width] uint8
    features  [count, places, depth]
    """

    rows: Mapping[str, int]
    pixels: Tensor | None
    features: Tensor | None

    def seen(self, rows: Tensor) -> Tensor:
        """Return what a network sees of these, float32: the features if there are any."""
        given = self.pixels if self.features is None else self.features
        if given is None:
            raise TypeError("a gallery has pixels or features")
        chosen = given[rows.cpu()].to(rows.device).float()
        return chosen / 255 if self.features is None else chosen

    def shown(self, rows: Tensor) -> Tensor | None:
        """Return the pixels of these from 0 to 1, where a network does not see them itself."""
        if self.features is None or self.pixels is None:
            return None
        return self.pixels[rows.cpu()].float() / 255


def hang(pictures: str, features: str, side: int, wanted: Sequence[str], asking: str) -> Gallery:
    """Read the pictures of these names, or features of them, or both.

    pictures  a folder of image files, or an array of pictures; "": none
    features  an array with a row for each picture, in the order of the array or of the names of
              the folder's files; "": none
    asking    the file that names them

    Raises:
        DataError: what readers of pictures say; one of these names is not there, two files have
            one name, or there are not as many features as pictures.
    """
    made = torch.from_numpy(files.read_features(Path(features))) if features else None
    if not pictures:
        if made is None:
            raise rnnbench.DataError(f"{asking}: no pictures; set `pictures` or `features`")
        return Gallery(_found(_numbered(len(made)), wanted, features, asking), None, made)
    folder = Path(pictures)
    if not folder.is_dir():
        pixels = torch.from_numpy(files.read_array(folder, side))
        _check_count(made, len(pixels), features, pictures)
        return Gallery(_found(_numbered(len(pixels)), wanted, pictures, asking), pixels, made)
    names = files.names_in(folder)
    _check_count(made, len(names), features, pictures)
    places = {Path(name).stem: place for place, name in enumerate(names)}
    if len(places) < len(names):
        twice = next(name for place, name in enumerate(names) if places[Path(name).stem] != place)
        raise rnnbench.DataError(
            f"{folder}: two image files are called `{Path(twice).stem}`; expected one of a name"
        )
    found = _found(places, wanted, pictures, asking)
    read = files.read_folder(folder, [names[place] for place in found.values()], side)
    rows = {name: row for row, name in enumerate(found)}
    kept = None if made is None else made[list(found.values())]
    return Gallery(rows, torch.from_numpy(read), kept)


def _numbered(count: int) -> dict[str, int]:
    return {str(number): number for number in range(count)}


def _found(
    places: Mapping[str, int], wanted: Sequence[str], where: str, asking: str
) -> dict[str, int]:
    """Return the places of the names that are asked for."""
    for name in wanted:
        if name not in places:
            known = list(places)
            raise rnnbench.DataError(
                f"{asking}: a question is about picture `{name}`, which {where} does not have; it "
                f"has {len(known):,}, `{known[0]}` … `{known[-1]}`"
            )
    return {name: places[name] for name in dict.fromkeys(wanted)}


def _check_count(features: Tensor | None, count: int, path: str, pictures: str) -> None:
    if features is not None and len(features) != count:
        raise rnnbench.DataError(
            f"{path}: features of {len(features):,} pictures, but {pictures} has {count:,}; "
            "expected one row a picture"
        )
