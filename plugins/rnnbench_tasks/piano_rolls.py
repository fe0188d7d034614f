"""Read pieces of music as piano rolls: which of a piano's 88 keys sound in each frame."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import rnnbench
from rnnbench_tasks.parts import PARTS

KEYS = 88
LOWEST = 21
"""The MIDI number of the lowest key; the highest is 108."""

REST = -1
"""What some files write where a voice rests."""

Pieces = list[np.ndarray]
"""Rolls [frames, 88] bool, one a piece."""


def read_rolls(path: Path) -> dict[str, Pieces]:
    """Read the pieces of each part, by what the file is.

    .npz   arrays {part}_roll_packed [frames of all pieces, 11] uint8, as `np.packbits` packs 88
           keys, and {part}_len [pieces], the frames of each piece
    .mat   MATLAB arrays {part}data of pieces [frames, 88], as Boulanger-Lewandowski's sets are
           passed on
    .json  {"train": [piece, …], "valid": …, "test": …}; a piece is a list of frames, a frame a list
           of MIDI numbers, 21 … 108, in which −1 is a rest

    Raises:
        DataError: the file is damaged, none of these, lacks a part, or has a key that no piano has.
    """
    content = rnnbench.read_bytes(path)
    if content.startswith(b"PK"):
        return _from_npz(path, content)
    if content.startswith(b"MATLAB 5.0"):
        return _from_mat(path, content)
    return _from_json(path, content)


_DAMAGED = (zipfile.BadZipFile, zlib.error)


def _from_npz(path: Path, content: bytes) -> dict[str, Pieces]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError, EOFError, NotImplementedError, *_DAMAGED) as error:
        raise rnnbench.DataError(f"{path}: a damaged .npz file ({error}); fetch it again") from None
    parts = {}
    for part in PARTS:
        packed, lengths = (
            _named(path, arrays, f"{part}_{what}") for what in ("roll_packed", "len")
        )
        if packed.dtype != np.uint8 or packed.shape[1:] != (KEYS // 8,):
            raise rnnbench.DataError(
                f"{path}: `{part}_roll_packed` is {packed.dtype} {list(packed.shape)}; expected "
                "uint8 [frames, 11]: 88 keys, packed by np.packbits"
            )
        whole = lengths.ndim == 1 and lengths.dtype.kind in "iu" and (lengths >= 0).all()
        if not whole or lengths.sum() != len(packed):
            raise rnnbench.DataError(
                f"{path}: `{part}_len` does not cut the {len(packed)} frames of "
                f"`{part}_roll_packed` into pieces"
            )
        rolls = np.unpackbits(packed, axis=1).astype(bool)
        parts[part] = np.split(rolls, np.cumsum(lengths)[:-1]) if len(lengths) else []
    return parts


def _from_mat(path: Path, content: bytes) -> dict[str, Pieces]:
    # Importing it takes most of a second, which every listing of tasks would pay.
    from scipy.io import loadmat

    try:
        arrays = loadmat(io.BytesIO(content))
    except Exception as error:  # noqa: BLE001  the reader raises whatever a damaged file provokes
        raise rnnbench.DataError(f"{path}: a damaged .mat file ({error}); fetch it again") from None
    parts = {}
    for part in PARTS:
        pieces = list(_named(path, arrays, f"{part}data").flat)
        for number, piece in enumerate(pieces):
            if np.shape(piece)[1:] != (KEYS,) or not np.isin(piece, (0, 1)).all():
                raise rnnbench.DataError(
                    f"{path}: piece {number} of `{part}data` is no array of 0 and 1, "
                    f"[frames, {KEYS}]"
                )
        parts[part] = [np.asarray(piece, dtype=bool) for piece in pieces]
    return parts


def _named(path: Path, arrays: dict[str, Any], name: str) -> np.ndarray:
    if name not in arrays:
        raise rnnbench.DataError(
            f"{path}: no array `{name}`; there are {', '.join(arrays) or 'none'}"
        )
    return np.asarray(arrays[name])


def _from_json(path: Path, content: bytes) -> dict[str, Pieces]:
    try:
        parts = json.loads(content)
    except (ValueError, RecursionError) as error:
        # an error in the text knows its line; one in its encoding or depth does not
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise rnnbench.DataError(
            f"{path}{line}: neither .npz nor .mat nor JSON ({error}); expected piano rolls in one "
            "of them"
        ) from None
    if not isinstance(parts, dict) or any(not isinstance(parts.get(part), list) for part in PARTS):
        raise rnnbench.DataError(
            f'{path}: expected {{"train": [piece, …], "valid": […], "test": […]}}, each a list of '
            "pieces"
        )
    return {
        part: [_roll(path, part, number, piece) for number, piece in enumerate(parts[part])]
        for part in PARTS
    }


def _roll(path: Path, part: str, number: int, piece: object) -> np.ndarray:
    """Return a piece [frames, 88] out of lists of MIDI numbers."""
    if not isinstance(piece, list) or any(not isinstance(frame, list) for frame in piece):
        raise rnnbench.DataError(
            f"{path}: piece {number} of {part} is no list of frames, each a list of MIDI numbers"
        )
    roll = np.zeros((len(piece), KEYS), dtype=bool)
    for place, frame in enumerate(piece):
        roll[place, [_key(path, part, number, place, note) for note in _sounding(frame)]] = True
    return roll


def _sounding(frame: Sequence[object]) -> list[object]:
    return [note for note in frame if note != REST]


def _key(path: Path, part: str, number: int, place: int, note: object) -> int:
    if type(note) is int and LOWEST <= note < LOWEST + KEYS:
        return note - LOWEST
    raise rnnbench.DataError(
        f"{path}: frame {place} of piece {number} of {part} has the note {note!r}; expected MIDI "
        f"numbers, {LOWEST} … {LOWEST + KEYS - 1}, or {REST} for a rest"
    )
