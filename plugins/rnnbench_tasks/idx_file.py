"""Read the idx format, in which MNIST and its relatives are passed on."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

import rnnbench

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""What the third byte of a file says of its numbers, which stand with the high byte first."""

EXPECTED = (
    "expected an idx file, as train-images-idx3-ubyte is: two zero bytes, the code of a type, the "
    "number of dimensions, and each dimension in four bytes"
)


def parse_idx(path: Path, content: bytes) -> np.ndarray:
    """Return the array that a file of this content holds, in this machine's byte order.

    path  what errors call the file

    Raises:
        DataError: the content is not idx, or has more or fewer numbers than its header says.
    """
    magic, dimensions = content[:4], content[3:4]
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or dimensions == b"\0":
        raise rnnbench.DataError(f"{path}: the magic number is 0x{magic.hex()}; {EXPECTED}")
    start = 4 + 4 * magic[3]
    if len(content) < start:
        raise rnnbench.DataError(f"{path}: the file ends within its header; fetch it again")
    shape = [int(size) for size in np.frombuffer(content[4:start], ">u4")]
    kind = np.dtype(TYPES[magic[2]])
    announced, found = prod(shape) * kind.itemsize, len(content) - start
    if announced != found:
        raise rnnbench.DataError(
            f"{path}: {found:,} bytes follow the header, which announces {announced:,} "
            f"({' × '.join(map(str, shape))} of {kind.itemsize} bytes); fetch the file again"
        )
    numbers = np.frombuffer(content, kind, offset=start).reshape(shape)
    return numbers.astype(kind.newbyteorder("="), copy=False)
