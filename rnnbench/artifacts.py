"""Trained weights as files, each named by the hash of its content."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from rnnbench.files import write_atomically

FOLDER = "artifacts"

_NAME = re.compile(r"[0-9a-f]{20}\.safetensors")


def keep(folder: Path, weights: bytes) -> str:
    """Write weights into a results folder; return the file's name.

    Raises:
        WriteError: the file cannot be written.
    """
    name = _name(weights)
    write_atomically(folder / FOLDER / name, weights)
    return name


def is_artifact(name: str) -> bool:
    """Whether a file's name is one that `keep` gives."""
    return _NAME.fullmatch(name) is not None


def fault(folder: Path, name: str) -> str:
    """Say what is wrong with the weights of this name: "missing", "damaged", or "" for nothing."""
    path = folder / FOLDER / name
    # a damaged row may name anything, such as a file outside the folder
    if not is_artifact(name) or not path.is_file():
        return "missing"
    return "" if _name(path.read_bytes()) == name else "damaged"


def _name(weights: bytes) -> str:
    return f"{hashlib.sha256(weights).hexdigest()[:20]}.safetensors"
