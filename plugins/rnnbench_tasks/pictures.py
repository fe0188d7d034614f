"""Read pictures, from a folder of image files or an array, and features made of pictures."""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import rnnbench

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""How the image files of a folder end, in whatever case."""

DEEP = ("I", "F")
"""How the names of Pillow's modes begin that have more than 8 bits a channel."""

COLOURS = 3

GZIP = b"\x1f\x8b"


def names_in(folder: Path) -> list[str]:
    """Return the names of a folder's image files in their order; `.x` and `_x` are none.

    Raises:
        DataError: it is no folder, or has no image file.
    """
    if not folder.is_dir():
        raise rnnbench.DataError(f"{folder}: is no folder; expected one with image files")
    names = sorted(
        path.name
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "_"))
    )
    if not names:
        raise rnnbench.DataError(f"{folder}: no image file; expected some, such as .jpg or .png")
    return names


def read_folder(folder: Path, names: Sequence[str], side: int = 0) -> np.ndarray:
    """Return these image files of a folder, in this order: [count, 3, height, width] uint8.

    Each is turned as its camera says, laid on white where it is transparent, and squeezed to `side`
    × `side` pixels; with 0 it is left as it is, and all must be of one size.

    Raises:
        DataError: there is no such folder or file, one does not decode, or sizes differ.
    """
    if not folder.is_dir():
        raise rnnbench.DataError(f"{folder}: is no folder; expected one with image files")
    if not names:
        raise rnnbench.DataError(f"{folder}: no picture of it is asked for; expected one at least")
    first = _read_file(folder / names[0], side)
    pictures = np.empty((len(names), *first.shape), dtype=np.uint8)
    for place, name in enumerate(names):
        picture = first if place == 0 else _read_file(folder / name, side)
        if picture.shape != first.shape:
            raise rnnbench.DataError(
                f"{folder / name}: {_size(picture)} pixels, but `{names[0]}` has {_size(first)}; "
                "expected one size: give the `side` to which all are brought"
            )
        pictures[place] = picture
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))


def read_array(path: Path, side: int = 0) -> np.ndarray:
    """Return the pictures of an .npy or .npz file: [count, 1 or 3, height, width] uint8.

    The array is [count, height, width] or [count, height, width, 1 or 3] uint8; where a .npz file
    has several, it is called `images`. Pictures are squeezed to `side` × `side` pixels; 0: none is.

    Raises:
        DataError: the file is missing or damaged, or its array is another one.
    """
    array = _load(path, "images")
    grey = array.ndim == 3
    whole = grey or (array.ndim == 4 and array.shape[-1] in (1, COLOURS))
    if array.dtype != np.uint8 or not whole or not array.size:
        raise rnnbench.DataError(
            f"{path}: pictures are {array.dtype} {list(array.shape)}; expected uint8, 0 … 255, "
            "[count, height, width] or [count, height, width, 3]"
        )
    if side and array.shape[1:3] != (side, side):
        array = np.stack([_squeezed(picture, side) for picture in array])
    if array.ndim == 3:
        array = array[..., np.newaxis]
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def read_features(path: Path) -> np.ndarray:
    """Return the features of an .npy or .npz file: [count, places, depth] float16 or float32.

    The array is [count, depth], which makes one place, or [count, places, depth]; where a .npz file
    has several, it is called `features`.

    Raises:
        DataError: the file is missing or damaged, its array is another one, or has a number that is
            NaN or infinite.
    """
    array = _load(path, "features")
    if array.dtype.kind != "f" or array.ndim not in (2, 3) or not array.size:
        raise rnnbench.DataError(
            f"{path}: features are {array.dtype} {list(array.shape)}; expected float16 or float32, "
            "[pictures, depth] or [pictures, places, depth]"
        )
    if array.dtype.itemsize > 4:
        array = array.astype(np.float32)
    # row by row: a mask of all is half as large as they are
    wrong = next((place for place, row in enumerate(array) if not np.isfinite(row).all()), None)
    if wrong is not None:
        raise rnnbench.DataError(
            f"{path}: the features of picture {wrong} (counted from 0) have a NaN or infinite "
            "number; expected finite ones: float16 ends at 65,504, float32 does not"
        )
    return array[:, np.newaxis] if array.ndim == 2 else array


def _load(path: Path, name: str) -> np.ndarray:
    """Return the only array of a file, or the one of this name."""
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == GZIP
            file.seek(0)
            loaded = np.load(
                io.BytesIO(rnnbench.read_bytes(path)) if zipped else file, allow_pickle=False
            )
            if isinstance(loaded, np.ndarray):
                return loaded
            names = loaded.files
            chosen = names[0] if len(names) == 1 else name
            if chosen in names:
                return loaded[chosen]
    except (ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise rnnbench.DataError(
            f"{path}: no .npy or .npz file that can be read ({_line(error)}); expected an array of "
            "numbers as `np.save` or `np.savez` writes it"
        ) from None
    except OSError as error:
        raise rnnbench.DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    raise rnnbench.DataError(
        f"{path}: no array `{name}`; there are {', '.join(names) or 'none'}; expected one, or "
        f"several of which one is called `{name}`"
    )


def _read_file(path: Path, side: int) -> np.ndarray:
    """Return an image file: [height, width, 3] uint8."""
    # Importing it takes a tenth of a second, which every listing of tasks would pay.
    from PIL import Image, ImageOps

    try:
        # its warning of a picture with very many pixels tells nobody which it is
        with warnings.catch_warnings(action="ignore"), Image.open(path) as file:
            if side:
                # a JPEG is decoded at an eighth of its size, or whatever is still large enough
                file.draft("RGB", (2 * side, 2 * side))
            picture = ImageOps.exif_transpose(file)
            mode = picture.mode
            if picture.has_transparency_data:
                over = picture.convert("RGBA")
                picture = Image.new("RGBA", over.size, "white")
                picture.alpha_composite(over)
            array = np.asarray(picture.convert("RGB"))
    except FileNotFoundError:
        raise rnnbench.DataError(f"{path}: no such file; expected a picture of this name") from None
    except Exception as error:  # noqa: BLE001  decoders raise whatever a damaged file provokes
        raise rnnbench.DataError(
            f"{path}: does not decode as a picture ({_line(error)}); expected an image file, such "
            "as JPEG or PNG: fetch it again"
        ) from None
    if mode.startswith(DEEP):
        raise rnnbench.DataError(
            f"{path}: a picture of more than 8 bits a channel; expected 8: convert it"
        )
    return _squeezed(array, side) if side else array


def _squeezed(picture: np.ndarray, side: int) -> np.ndarray:
    """Bring [height, width, …] uint8 to [side, side, …]: each pixel is the mean of what it covers.

    Enlarged, it is the pixel that it lies in.
    """
    from PIL import Image

    small = Image.fromarray(picture.squeeze()).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small).reshape(side, side, *picture.shape[2:])


def _size(picture: np.ndarray) -> str:
    height, width = picture.shape[:2]
    return f"{width} × {height}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
