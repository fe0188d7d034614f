"""What long members have reached, each in a file of its own, for a killed run to go on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rnnbench.files import write_atomically

_MARK = "driver"


@dataclass(frozen=True)
class Checkpoint:
    """Where a member was after an update.

    tensors  by name
    facts    plain values
    """

    update: int
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoints:
    """Where and how often members leave checkpoints.

    folder   None: nowhere
    seconds  between two of them; members that take less leave none
    mark     what the driver has written into the folder: who does not find it there, on a machine
             that has another folder of this name, leaves none; "": not asked
    """

    folder: Path | None = None
    seconds: float = 60.0
    mark: str = ""

    def marked(self) -> Self:
        """Mark the folder, for workers on other machines.

        Raises:
            WriteError: it cannot be written.
        """
        if self.folder is None:
            return self
        mark = uuid4().hex
        write_atomically(self.folder / _MARK, mark)
        return replace(self, mark=mark)

    def tidy(self) -> None:
        """Leave no empty folder behind."""
        if self.folder is None:
            return
        if self.mark:
            (self.folder / _MARK).unlink(missing_ok=True)
        with suppress(OSError):  # something is in it, or it never was
            self.folder.rmdir()

    def read(self, key: str, code: Mapping[str, str]) -> Checkpoint | None:
        """Return a member's checkpoint; None where there is none, or it cannot be gone on from.

        That is one that other code made, or that is damaged: the member begins anew.
        """
        path = self._path(key)
        try:
            if path is None or not path.is_file():
                return None
            with safe_open(path, framework="pt") as file:
                text = file.metadata().get("checkpoint", "{}")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = json.loads(text)
            sound = facts.pop("digest", "") == _digest(tensors, facts)
        except (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError):
            return None
        if not sound or facts["code"] != dict(code):
            return None
        return Checkpoint(facts["update"], tensors, facts["facts"])

    def write(self, key: str, code: Mapping[str, str], checkpoint: Checkpoint) -> None:
        """Put a member's checkpoint in the place of the one before.

        Raises:
            WriteError: the folder cannot be written; the one before is still there.
        """
        path = self._path(key)
        if path is None:
            return
        tensors = {name: one.cpu().contiguous() for name, one in checkpoint.tensors.items()}
        facts = {"update": checkpoint.update, "facts": dict(checkpoint.facts), "code": dict(code)}
        text = json.dumps({**facts, "digest": _digest(tensors, facts)})
        write_atomically(path, save(tensors, metadata={"checkpoint": text}))

    def remove(self, key: str) -> None:
        """Drop the checkpoint of a member that is kept."""
        path = self._path(key)
        if path is not None:
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path | None:
        if self.folder is None:
            return None
        if self.mark:
            try:
                if (self.folder / _MARK).read_text() != self.mark:
                    return None
            except OSError:
                return None
        return self.folder / f"{key}.safetensors"


def _digest(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> str:
    """Return a hash of all that a checkpoint says."""
    whole = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(tensors):
        one = tensors[name]
        whole.update(f"{name} {one.dtype} {tuple(one.shape)} ".encode())
        whole.update(one.numpy().tobytes())
    return whole.hexdigest()
