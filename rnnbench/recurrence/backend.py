"""Choose how a cell is run over a sequence, and say why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from torch import Tensor

from rnnbench.contracts import Cell, Tensors
from rnnbench.errors import InputError, UnknownNameError
from rnnbench.recurrence.loop import loop
from rnnbench.recurrence.torch_layer import torch_layer

Name = Literal["loop", "torch"]
"""How a cell may be run."""


class Runner(Protocol):
    """Runs one cell over a sequence; `loop` defines what that means."""

    def __call__(
        self,
        x: Tensor,
        state: Tensors,
        weights: Tensors,
        lengths: Tensor | None,
        noise: Tensors | None = None,
    ) -> tuple[Tensor, Tensors]:
        """Return the outputs [time, batch, width] and the final state."""


@dataclass(frozen=True)
class Backend:
    """How a cell is run, and why that way; both go into result rows."""

    name: Name
    reason: str


_RUNNERS = {"loop": loop, "torch": torch_layer}


def choose(cell: Cell, forced: str | None) -> Backend:
    """Return torch's layer where the cell equals one, else the loop, or what is `forced`.

    Raises:
        UnknownNameError: no backend is called `forced`.
        InputError: the forced backend cannot run this cell.
    """
    layer = cell.torch_layer()
    if forced is None:
        if layer is None:
            return Backend("loop", f"`{cell.name}` with these options equals no layer of torch")
        return Backend("torch", f"`{cell.name}` with these options equals torch's {layer.kind}")
    if forced == "loop":
        return Backend("loop", "asked for")
    if forced == "torch":
        if layer is None:
            raise InputError(
                f"backend `torch` cannot run cell `{cell.name}`: with these options it equals no "
                "layer of torch. Use `loop`."
            )
        return Backend("torch", "asked for")
    raise UnknownNameError("backend", forced, _RUNNERS)


def runner(name: str, cell: Cell) -> Runner:
    """Return what runs `cell` on the named backend.

    Raises:
        UnknownNameError: no backend has this name.
    """
    if name not in _RUNNERS:
        raise UnknownNameError("backend", name, _RUNNERS)
    return partial(_RUNNERS[name], cell)
