"""Read labelled images from idx files, as MNIST's, or from an .npz file, as Keras'."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

import rnnbench
from rnnbench_tasks.idx_file import parse_idx
from rnnbench_tasks.largest import LARGEST
from rnnbench_tasks.parts import Part

KEYS: Mapping[Part, str] = {"train": "train", "valid": "val", "test": "test"}
"""What an .npz file calls the parts: x_train and y_train, x_val and y_val, x_test and y_test."""

COLOURS = 4
"""The most values of a pixel; a longer last axis is the width, and the colours stand elsewhere."""


class Images(NamedTuple):
    """Images [count, height, width, colours] of any numeric type, and their labels [count]."""

    values: np.ndarray
    labels: np.ndarray


def read_images(path: Path, labels: Path | None, part: Part) -> dict[Part, Images]:
    """Return the parts that an .npz file has, or idx images and their labels as the only part.

    labels  the idx file of the labels; None beside an .npz file, which holds its own
    part    what an .npz file has to have at least, and what idx images are

    Arrays of Python objects are never unpickled; arrays of other names are not looked at.

    Raises:
        DataError: a file is damaged, missing or of another kind, or holds no labelled images.
    """
    content = rnnbench.read_bytes(path)
    if content.startswith(b"PK"):
        if labels:
            raise rnnbench.DataError(
                f"{labels}: labels beside {path}, an .npz file, which holds its own; leave the "
                "labels away, or name an idx file of images"
            )
        return _from_npz(path, content, part)
    values = parse_idx(path, content)
    if labels is None:
        raise rnnbench.DataError(
            f"{path}: images without labels; name the idx file of their labels too, such as "
            "train-labels-idx1-ubyte, or an .npz file that holds both"
        )
    numbers = parse_idx(labels, rnnbench.read_bytes(labels))
    return {part: labelled(str(path), values, str(labels), numbers)}


def labelled(where: str, values: np.ndarray, there: str, labels: np.ndarray) -> Images:
    """Return images [count, height, width] or [count, height, width, colours] with their labels.

    where, there  what errors call the images and the labels

    Raises:
        DataError: they are no images or no labels, or not as many of one as of the other.
    """
    _check_values(where, values)
    _check_labels(there, labels)
    if len(labels) != len(values):
        raise rnnbench.DataError(
            f"{there}: {_counted(len(labels), 'label')}, but {where} has "
            f"{_counted(len(values), 'image')}; one label an image is expected"
        )
    return Images(values if values.ndim == 4 else values[..., np.newaxis], labels.reshape(-1))


_DAMAGED = (
    EOFError,
    MemoryError,
    OSError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and zipfile raise over damaged files: a header may even announce endless arrays."""


def _from_npz(path: Path, content: bytes, part: Part) -> dict[Part, Images]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            pairs = {each: (f"x_{key}", f"y_{key}") for each, key in KEYS.items()}
            arrays = {
                each: [_loaded(path, file, name) for name in pair]
                for each, pair in pairs.items()
                if each == part or set(pair) & set(file)
            }
    except _DAMAGED as error:
        raise rnnbench.DataError(f"{path}: a damaged .npz file ({error}); fetch it again") from None
    return {
        each: labelled(_at(path, pairs[each][0]), x, _at(path, pairs[each][1]), y)
        for each, (x, y) in arrays.items()
    }


def _at(path: Path, name: str) -> str:
    return f"{path}: `{name}`"


def _loaded(path: Path, file: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    if name not in file:
        raise rnnbench.DataError(
            f"{path}: no array `{name}`; there are {', '.join(file) or 'none'}; expected x_train, "
            "y_train, x_test and y_test, or x_val and y_val"
        )
    try:
        array = file[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise rnnbench.DataError(
            f"{_at(path, name)} holds Python objects, which are never unpickled, as that could run "
            "any code; save it as numbers"
        ) from None
    return np.asarray(array)


def _check_values(where: str, values: np.ndarray) -> None:
    shape = " × ".join(map(str, values.shape))
    if values.ndim == 1:
        raise rnnbench.DataError(
            f"{where} has one dimension, as labels have; expected images [count, height, width]: "
            "are images and labels swapped?"
        )
    if values.ndim not in (3, 4) or (values.ndim == 4 and values.shape[3] > COLOURS):
        raise rnnbench.DataError(
            f"{where} is {shape}; expected images [count, height, width], or with colours last "
            "[count, height, width, 3]"
        )
    if not values.size:
        raise rnnbench.DataError(f"{where} is {shape} and holds no pixel; give images")
    if values.dtype.kind not in "buif":
        raise rnnbench.DataError(f"{where} is of type {values.dtype}; expected numbers as pixels")
    if values.dtype.kind == "f":
        wrong = ~(np.abs(values) <= np.float64(LARGEST))  # written so that NaN is wrong too
        if wrong.any():
            place = np.unravel_index(wrong.argmax(), values.shape)
            raise rnnbench.DataError(
                f"{where}: image {place[0] + 1} has the pixel {values[place]}, in line "
                f"{place[1] + 1}, column {place[2] + 1}; expected finite numbers"
            )


def _check_labels(there: str, labels: np.ndarray) -> None:
    flat = labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1)
    if not flat or labels.dtype.kind not in "iu":
        hint = ": are images and labels swapped?" if labels.ndim > 2 else ""
        raise rnnbench.DataError(
            f"{there} is {labels.dtype}, {' × '.join(map(str, labels.shape)) or 'one number'}; "
            f"expected labels, one whole number an image{hint}"
        )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
