"""Choose how a cell is run over a sequence, and say why."""

from __future__ import annotations

import ctypes
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from rnnbench.caches import KERNELS, cache_folder
from rnnbench.contracts import Cell, Tensors, TorchLayer
from rnnbench.errors import BuildError, InputError, UnknownNameError, UnsupportedError
from rnnbench.options import Value
from rnnbench.recurrence.build import Compiler, find_compiler, library, silently
from rnnbench.recurrence.engine import Library
from rnnbench.recurrence.fused import Fused, on_device
from rnnbench.recurrence.kernel import Kernel
from rnnbench.recurrence.loop import Runner, loop
from rnnbench.recurrence.members import Back
from rnnbench.recurrence.torch_layer import torch_layer
from rnnbench.recurrence.trace import Shapes, Traced, trace
from rnnbench.recurrence.verify import mismatch, reference

Name = Literal["kernel", "torch", "fused", "loop"]
"""How a cell may be run: as generated code, as torch's own layer, by Inductor, or step by step."""

NAMES: tuple[Name, ...] = ("kernel", "torch", "fused", "loop")


@dataclass(frozen=True)
class Backend:
    """How a cell is run, and why that way; all of it goes into result rows.

    compiler  what a kernel was compiled with; "" for other backends
    history   how many numbers all layers keep for each sequence and step, where that is known
    """

    name: Name
    reason: str
    compiler: str = ""
    history: int = 0


class Chooser:
    """Chooses backends, and checks each kernel once.

    device     "cpu" or "cuda"; kernels are for the CPU
    forced     a backend's name; None takes a kernel where there is one, else torch's layer, else
               on a GPU what Inductor makes of the step, else the loop
    library    compiles and loads C++; None takes the system's compiler
    compiling  called before each compilation by the system's compiler

    Raises:
        UnknownNameError: no backend is called `forced`.
    """

    def __init__(
        self,
        device: str = "cpu",
        forced: str | None = None,
        library: Library | None = None,
        compiling: Callable[[], None] = silently,
    ) -> None:
        self.forced = None if forced is None else _named(forced)
        self._device = device
        self._library = library
        self._compiling = compiling
        self._refusals: dict[tuple[object, ...], str] = {}
        self._histories: dict[tuple[object, ...], int] = {}

    def choose(self, cell: Cell, inputs: Sequence[int], hidden: int) -> Backend:
        """Choose for a cell at a hidden size; `inputs` are the widths that its layers read.

        Raises:
            InputError: the forced backend cannot run this cell.
            PluginError: the step hides something: random numbers, a memory, what it detaches.
        """
        reasons = [self._refusal(cell, width, hidden) for width in inputs]
        refused = next(filter(None, reasons), "")
        if self.forced == "kernel" and refused:
            raise InputError(f"backend `kernel` cannot run cell `{cell.name}`: {refused}")
        if self.forced == "torch":
            _require_layer(cell)
        if self.forced == "fused" and (reason := self._unfused(cell, inputs, hidden)):
            raise InputError(f"backend `fused` cannot run cell `{cell.name}`: {reason}")
        if self.forced == "kernel" or (self.forced is None and not refused):
            agrees = "its step became a kernel that agrees with the loop"
            return Backend(
                "kernel",
                "asked for" if self.forced else agrees,
                "" if self._library else str(system_compiler()),
                sum(self._histories[_key(cell, width, hidden)] for width in inputs),
            )
        if self.forced is not None:
            kept = len(inputs) * _state(cell, hidden) if self.forced == "fused" else 0
            return Backend(self.forced, "asked for", history=kept)
        layer = _layer(cell)
        if layer is not None:
            return Backend("torch", f"equals torch's {layer.kind}; no kernel, since {refused}")
        if self._device == "cpu":
            return Backend("loop", f"no kernel, since {refused}")
        if reason := self._unfused(cell, inputs, hidden):
            return Backend("loop", f"no kernel, since {refused}; not fused, since {reason}")
        agrees = f"its fused step agrees with the loop; no kernel, since {refused}"
        return Backend("fused", agrees, history=len(inputs) * _state(cell, hidden))

    def _unfused(self, cell: Cell, inputs: Sequence[int], hidden: int) -> str:
        """Return why Inductor cannot fuse a cell's step, or nothing if it can."""
        key = ("fused", *_key(cell, inputs[0], hidden))
        if key not in self._refusals:
            shapes = shapes_of(cell, inputs[0], hidden)
            try:
                run = on_device(Fused(cell), self._device)
                self._refusals[key] = mismatch(run, reference(cell, shapes))
            except Exception as error:  # noqa: BLE001  whatever a compiler fails with
                said = str(error).strip().partition("\n")[0]
                self._refusals[key] = f"{type(error).__name__}: {said[:200]}"
        return self._refusals[key]

    def _refusal(self, cell: Cell, inputs: int, hidden: int) -> str:
        """Return why there is no kernel for a cell at these widths, or nothing if there is."""
        key = _key(cell, inputs, hidden)
        if key not in self._refusals:
            try:
                self._refusals[key] = self._checked(cell, inputs, hidden)
            except (UnsupportedError, BuildError) as error:
                self._refusals[key] = str(error)
        return self._refusals[key]

    def _checked(self, cell: Cell, inputs: int, hidden: int) -> str:
        """Find what a step hides, whatever will run it; make a kernel and compare it."""
        shapes = shapes_of(cell, inputs, hidden)
        try:
            traced = trace(cell, shapes)
        except UnsupportedError as error:
            with suppress(UnsupportedError):
                reference(cell, shapes)
            raise error from None
        expected = reference(cell, shapes)
        if self.forced not in (None, "kernel"):
            return "another backend is asked for"
        if self._device != "cpu":
            return f"kernels are for the CPU and this runs on {self._device}"
        kernel = self._kernel(cell, traced)
        self._histories[_key(cell, shapes.inputs, hidden)] = kernel.history
        return mismatch(kernel, expected)

    def _kernel(self, cell: Cell, traced: Traced) -> Kernel:
        try:
            library = self._library or system_library(compiling=self._compiling)
            return Kernel(cell, traced, library)
        except (UnsupportedError, BuildError):
            raise
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            raise UnsupportedError(
                f"rnnbench fails to make one: {type(error).__name__}: {error}, at "
                f"{Path(place.filename).name}:{place.lineno}, which is a fault of rnnbench's"
            ) from error


def runner(name: str, cell: Cell, library: Library | None = None) -> Runner:
    """Return what runs `cell` on the named backend.

    library  compiles and loads C++ for a kernel; None takes the system's compiler

    Raises:
        UnknownNameError: no backend has this name.
        InputError: the cell equals no layer of torch.
    """
    match _named(name):
        case "kernel":
            return _Kernels(cell, library)
        case "torch":
            _require_layer(cell)
            return partial(torch_layer, cell)
        case "fused":
            return Fused(cell)
        case "loop":
            return partial(loop, cell)


class _Kernels:
    """The kernels of one cell, each looked up when its widths are first met."""

    def __init__(self, cell: Cell, library: Library | None) -> None:
        self._cell, self._library = cell, library
        self._known: dict[tuple[object, ...], Kernel] = {}

    def __call__(
        self,
        x: Tensor,
        state: Tensors,
        weights: Tensors,
        lengths: Tensor | None,
        noise: Tensors | None = None,
    ) -> tuple[Tensor, Tensors]:
        """Run the cell; see `Kernel`.

        Raises:
            InputError: the cell cannot become a kernel, or there is no compiler.
        """
        return self._at(x, state, weights, noise)(x, state, weights, lengths, noise)

    def taped(
        self,
        x: Tensor,
        state: Tensors,
        weights: Tensors,
        lengths: Tensor | None,
        noise: Tensors,
        needed: Sequence[bool],
    ) -> tuple[Tensor, Tensors, Back] | None:
        """Run the cell with its derivative; see `Kernel.taped`."""
        kernel = self._at(x, state, weights, noise)
        return kernel.taped(x, state, weights, lengths, noise, needed)

    def _at(self, x: Tensor, state: Tensors, weights: Tensors, noise: Tensors | None) -> Kernel:
        lead = x.dim() - 3
        key = (x.shape[-1], *[weight.shape[lead:] for weight in weights.values()])
        if key not in self._known:
            self._known[key] = self._kernel(x, state, weights, noise or Tensors())
        return self._known[key]

    def _kernel(self, x: Tensor, state: Tensors, weights: Tensors, noise: Tensors) -> Kernel:
        lead = x.dim() - 3
        try:
            return _kernel(
                type(self._cell),
                _structure(self._cell),
                x.shape[-1],
                tuple((name, tensor.shape[-1]) for name, tensor in noise.items()),
                tuple((name, tensor.shape[-1]) for name, tensor in state.items()),
                tuple((name, tuple(tensor.shape[lead:])) for name, tensor in weights.items()),
                self._library or system_library(),
            )
        except (UnsupportedError, BuildError) as error:
            raise InputError(
                f"backend `kernel` cannot run cell `{self._cell.name}`: {error}"
            ) from error


def _key(cell: Cell, inputs: int, hidden: int) -> tuple[object, ...]:
    return (type(cell), _structure(cell), inputs, hidden)


def _structure(cell: Cell) -> tuple[tuple[str, Value], ...]:
    """Return the options that shape a step; the numeric ones are values that it is given."""
    return tuple(
        (name, value) for name, value in cell.chosen.items() if not cell.options[name].numeric
    )


# a worker trains many members of a study one after another, and all have the same kernel; the
# studies of a suite at hand at one time are fewer than these
@lru_cache(maxsize=64)
def _kernel(
    cell: type[Cell],
    structure: tuple[tuple[str, Value], ...],
    inputs: int,
    noise: tuple[tuple[str, int], ...],
    states: tuple[tuple[str, int], ...],
    weights: tuple[tuple[str, tuple[int, ...]], ...],
    library: Library,
) -> Kernel:
    made = cell(**dict(structure))
    shapes = Shapes(inputs, dict(noise), dict(states), dict(weights))
    with torch.enable_grad():  # wherever it is first needed: a step is derived as it is traced
        return Kernel(made, trace(made, shapes), library)


@cache
def system_compiler(target: str = "native", command: str | None = None) -> Compiler:
    """Find the system's compiler, once per process; see `find_compiler`."""
    return find_compiler(target, command)


@dataclass(frozen=True)
class SystemLibrary:
    """Compiles with a compiler of the system and keeps the result in a folder."""

    compiler: Compiler
    folder: Path
    compiling: Callable[[], None] = field(default=silently, compare=False)

    def __call__(self, source: str) -> ctypes.CDLL:
        """Load what a source compiles to.

        Raises:
            BuildError: the source does not compile, or its result cannot be kept safely.
        """
        return library(source, self.compiler, self.folder, self.compiling)


def system_library(
    target: str = "native", command: str | None = None, compiling: Callable[[], None] = silently
) -> Library:
    """Return what compiles with the system's compiler and keeps the result in the user's cache.

    target     "native", or a processor as `-march` names it
    command    a compiler; None takes the first of g++, clang++ and c++ that there is
    compiling  called before each compilation

    Raises:
        BuildError: there is no compiler.
    """
    return SystemLibrary(system_compiler(target, command), cache_folder(KERNELS), compiling)


def shapes_of(cell: Cell, inputs: int, hidden: int) -> Shapes:
    """Return the widths of a cell's tensors, weights before numeric options."""
    weights = {name: tuple(w.shape) for name, w in cell.weights(inputs, hidden).items()}
    options = {name: () for name, option in cell.options.items() if option.numeric}
    return Shapes(
        inputs,
        {name: noise.width for name, noise in cell.noise(hidden).items()},
        {name: first.shape[0] for name, first in cell.state(hidden).items()},
        weights | options,
    )


def _named(name: str) -> Name:
    for known in NAMES:
        if name == known:
            return known
    raise UnknownNameError("backend", name, NAMES)


def _state(cell: Cell, hidden: int) -> int:
    return sum(first.shape[0] for first in cell.state(hidden).values())


def _layer(cell: Cell) -> TorchLayer | None:
    # torch's layers know no noise
    return None if cell.noise(1) else cell.torch_layer()


def _require_layer(cell: Cell) -> None:
    if _layer(cell) is None:
        raise InputError(
            f"backend `torch` cannot run cell `{cell.name}`: with these options it equals no "
            "layer of torch. Use `kernel` or `loop`."
        )
