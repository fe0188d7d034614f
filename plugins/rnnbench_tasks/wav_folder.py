"""Read a folder of WAV files, one sub-folder a class."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import rnnbench

LOWEST_RATE = 1000

# What `scipy.io.wavfile.read` raises for a file that it cannot make sense of; the last where the
# samples are absent.
UNREADABLE = (ValueError, struct.error, ZeroDivisionError, OverflowError, UnboundLocalError)


@dataclass(frozen=True)
class Clip:
    """A sound of one channel, [samples] float32 within −1 … 1, its samples a second and class."""

    samples: NDArray[np.float32]
    rate: int
    label: str


@dataclass(frozen=True)
class WavFile:
    """Where a sound lies, and its class."""

    path: Path
    label: str

    def read(self) -> Clip:
        """Return the sound.

        Raises:
            rnnbench.DataError: as `read_wav`.
        """
        rate, samples = read_wav(self.path)
        return Clip(samples, rate, self.label)


def list_folder(folder: Path) -> list[WavFile]:
    """Return `folder/CLASS/*.wav` in the order of their names; `.x` and `_x` are no classes.

    Raises:
        rnnbench.DataError: there are fewer than two classes, or one is empty.
    """
    if not folder.is_dir():
        raise rnnbench.DataError(f"{folder}: is no folder; expected one with a sub-folder a class")
    classes = sorted(
        each for each in folder.iterdir() if each.is_dir() and not each.name.startswith((".", "_"))
    )
    if len(classes) < 2:
        raise rnnbench.DataError(
            f"{folder}: found {len(classes)} sub-folders; expected at least two, one a class, "
            "with .wav files in each"
        )
    return [file for each in classes for file in _list_class(each)]


def _list_class(folder: Path) -> list[WavFile]:
    files = sorted(
        (
            path
            for path in folder.iterdir()
            if path.suffix.lower() == ".wav" and not path.name.startswith((".", "_"))
        ),
        key=lambda path: path.name,
    )
    if not files:
        raise rnnbench.DataError(
            f"{folder}: no .wav file for this class; add some, or remove the folder"
        )
    return [WavFile(path, folder.name) for path in files]


def read_wav(path: Path) -> tuple[int, NDArray[np.float32]]:
    """Return a file's samples a second, and its samples: channels averaged, full scale 1.

    Raises:
        rnnbench.DataError: it is no WAV file, of an encoding that SciPy does not read, cut off,
            without samples, or has samples that are no numbers.
    """
    # Importing it takes half a second, which every listing of tasks would pay.
    from scipy.io import wavfile

    content = rnnbench.read_bytes(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            rate, samples = wavfile.read(io.BytesIO(content))
        except UNREADABLE as error:
            said = " ".join(str(error).split())
            raise rnnbench.DataError(
                f"{path}: is no WAV file that can be read ({said}); "
                "expected PCM of 8 to 32 bits, or floating point"
            ) from None
    if any("EOF" in str(each.message) for each in caught):
        raise rnnbench.DataError(
            f"{path}: the WAV file is cut off: its header promises more; fetch or write it again"
        )
    if not samples.size:
        raise rnnbench.DataError(f"{path}: the WAV file has no samples; remove it")
    if rate < LOWEST_RATE:
        raise rnnbench.DataError(f"{path}: {rate} samples a second; expected {LOWEST_RATE} or more")
    scaled = _scaled(samples)
    if not np.isfinite(scaled).all():
        raise rnnbench.DataError(f"{path}: a sample is NaN or infinite; expected finite ones")
    return rate, scaled.mean(1) if scaled.ndim > 1 else scaled


def _scaled(samples: NDArray) -> NDArray[np.float32]:
    """Divide integers by their full scale; 8 bits are unsigned, 24 stand at the top of 32."""
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if np.issubdtype(samples.dtype, np.integer):
        return (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32)
    return samples.astype(np.float32)
