"""Lay images out as sequences: at a lower resolution, by pixel or row, or in a fixed disorder."""

from __future__ import annotations

import hashlib
from math import gcd

import numpy as np

ORDERS = ("pixels", "rows", "permuted")
"""Line by line one pixel a step; one line a step; one pixel a step, in an order made by chance."""


def pooled(values: np.ndarray, side: int) -> np.ndarray:
    """Return images [count, height, width, colours] as the means of squares, `side` lines high.

    Raises:
        ValueError: no squares of one size make so many lines.
    """
    count, height, width, colours = values.shape
    common = gcd(height, width)
    possible = [height // size for size in range(common, 0, -1) if common % size == 0]
    if side not in possible:
        raise ValueError(
            f"images of {height} × {width} pixels cannot become {side} lines high by averaging "
            f"squares; `side` is one of {', '.join(map(str, possible))}, or 0: as they are"
        )
    square = height // side
    squares = values.reshape(count, side, square, width // square, square, colours)
    return squares.mean((2, 4), dtype=np.float64)


def laid_out(values: np.ndarray, order: str, permutation: int) -> np.ndarray:
    """Return images [count, height, width, colours] as steps [count, steps, values of a step]."""
    count, height, width, colours = values.shape
    if order == "rows":
        return values.reshape(count, height, width * colours)
    pixels = values.reshape(count, height * width, colours)
    return pixels[:, permuted(height * width, permutation)] if order == "permuted" else pixels


def permuted(count: int, permutation: int) -> list[int]:
    """Return 0 … count − 1 in the order of the SHA-256 of "`permutation` number".

    It needs no random numbers, so that it is the same for ever and in every language.
    """
    digests = (hashlib.sha256(b"%d %d" % (permutation, pixel)).digest() for pixel in range(count))
    return [pixel for _, pixel in sorted(zip(digests, range(count), strict=True))]
