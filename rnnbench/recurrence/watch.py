"""Run an author's step under watch: which line calls torch, and what no backend could train."""

from __future__ import annotations

import linecache
import random
import sys
import sysconfig
import traceback
import warnings
from abc import ABC
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import unwrap
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
import torch.fx.traceback as fx_traceback
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rnnbench.contracts import Cell, Tensors
from rnnbench.errors import PluginError
from rnnbench.recurrence.loop import loop


def rehearse(cell: Cell, x: Tensor, noise: Tensors, state: Tensors, weights: Tensors) -> Watch:
    """Run one step of a cell, watched, then two and their gradient as the loop does.

    x [batch, inputs], noise and states [batch, width]; returns what watched it

    Raises:
        PluginError: the step fails, returns other states than it is given, writes into what it
            is given, cuts the gradient, or draws random numbers.
    """
    x, state, weights = _trained(x), _each(state, _trained), _each(weights, _trained)
    watch = Watch(cell, [x, *noise.values(), *state.values(), *weights.values()])
    with torch.enable_grad(), warnings.catch_warnings():
        # whoever trains the cell sees them
        warnings.simplefilter("ignore")
        try:
            with watch, _NoRandomNumbers(watch):
                new = cell.step(x, state, Tensors(noise | weights))
            if not isinstance(new, Mapping):
                raise PluginError(
                    f"cell `{cell.name}`: its step returns {type(new).__name__}, not the new "
                    "states by name, {'h': …}"
                )
            # what is made once and stays, such as a cached constant, is no memory
            held = _held(cell)
            drawn = _each(noise, _twice)
            _, after = loop(cell, _twice(x), state, weights, None, drawn)
            _same(cell, held, _held(cell))
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(
                f"cell `{cell.name}`: its step fails with {said(error)}{at(watch.failed(error))}"
            ) from error
    for name, tensor in after.items():
        if tensor.dtype != state[name].dtype:
            raise PluginError(
                f"cell `{cell.name}`: its step returns `{name}` as {tensor.dtype}, given "
                f"{state[name].dtype}; the harness chooses the precision"
            )
    sums = [tensor.sum() for tensor in after.values() if tensor.requires_grad]
    try:
        torch.autograd.grad(sums, [x, *state.values(), *weights.values()], allow_unused=True)
    except RuntimeError as error:
        raise PluginError(
            f"cell `{cell.name}`: the gradient of its step fails with {said(error)}"
        ) from error
    return watch


def place(cell: Cell) -> str:
    """Return `file:line` of a cell's step."""
    code = unwrap(cell.step).__code__
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def _held(cell: Cell) -> dict[str, object]:
    """Return what a step could change unseen: attributes, and the generators that all share."""
    classes = [base for base in type(cell).__mro__[::-1] if base not in (object, ABC, Cell)]
    attributes = {
        name: (id(value), [id(each) for each in value] if isinstance(value, list) else ())
        for holder in (*classes, cell)
        for name, value in vars(holder).items()
    }
    numpy_state = np.random.get_state(legacy=False)["state"]
    return {
        **{f"self.{name}": value for name, value in attributes.items()},
        "random": random.getstate(),
        "numpy.random": (numpy_state["pos"], numpy_state["key"].tobytes()),
    }


def _same(cell: Cell, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    """Refuse a step that changed something.

    Raises:
        PluginError: it did.
    """
    for name, value in after.items():
        if before.get(name) == value:
            continue
        if name.startswith("self."):
            does, instead = f"changes `{name}`", "carry what must be kept as a state"
        else:
            does = f"draws random numbers from `{name}`"
            instead = "declare them with `noise`, so that runs can be repeated"
        raise PluginError(f"cell `{cell.name}` {does} inside `step`, at {place(cell)}: {instead}")


class Watch(TorchFunctionMode):
    """Knows the author's line at every call into torch; refuses what training would not see.

    given     tensors that a step may read and not write
    line      the last line, `file:line: code`
    function  the last line inside a `torch.autograd.Function`, if there was one

    Raises:
        PluginError: a call cuts the gradient, makes weights, or writes into what is given.
    """

    def __init__(self, cell: Cell, given: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self._name = cell.name
        self._packages = _packages(cell)
        self._versions = [(tensor, tensor._version) for tensor in given]
        self.line = self.function = ""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        frames = list(_frames(sys._getframe(1)))
        self.line = self._line(frames) or self.line
        fx_traceback.current_meta["stack_trace"] = self.line
        if any(_module(frame) == "torch.autograd.function" for frame in frames):
            # such a function says itself what its gradient is
            self.function = self.line
            return func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name not in _GRAD_SWITCHES and not torch.is_grad_enabled():
            raise self.refusal("switches gradients off", _UNTRAINED)
        if name in ("detach", "detach_") or func in _DATA:
            raise self.refusal("detaches a tensor", _UNTRAINED)
        if name in _READERS and args[0].requires_grad:
            raise self.refusal(
                "makes a Python number of a tensor and loses its gradient",
                "stay with tensors; to compare, write `if (h > 0).any():` or torch.where",
            )
        if getattr(func, "__module__", "") == "torch.nn.init":
            raise self.refusal("makes weights", "declare them with `weights`")
        made = func(*args, **(kwargs or {}))
        if name in _MAKERS and _cuts(name, args, kwargs or {}, made):
            raise self.refusal("detaches a tensor", _UNTRAINED)
        if any(tensor._version != version for tensor, version in self._versions):
            raise self.refusal("writes into x, a state or a weight", "make a new tensor")
        return made

    def refusal(self, does: str, why: str) -> PluginError:
        """Return what to raise about the last line."""
        return PluginError(f"cell `{self._name}` {does} inside `step`{at(self.line)}: {why}")

    def failed(self, error: Exception) -> str:
        """Return the author's line at which an error was raised, or nothing."""
        own = [at for at in traceback.walk_tb(error.__traceback__) if self._is_authors(at[0])]
        return _shown(*own[-1]) if own else ""

    def _line(self, frames: Iterable[FrameType]) -> str:
        """Return the author's innermost line, however deep torch was called below it."""
        own = (_shown(frame, frame.f_lineno) for frame in frames if self._is_authors(frame))
        return next(own, "")

    def _is_authors(self, frame: FrameType) -> bool:
        package, path = _package(_module(frame)), frame.f_code.co_filename
        own = Path(path).is_absolute() and not path.startswith(_LIBRARIES)
        return package in self._packages or (own and package != "rnnbench")


class _NoRandomNumbers(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    def __init__(self, watch: Watch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self._watch = watch

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise self._watch.refusal(
                "draws random numbers", "declare them with `noise`, so that runs can be repeated"
            )
        return func(*args, **(kwargs or {}))


def said(error: Exception) -> str:
    """Return an error in one short line, `ValueError: no such gate`."""
    return traceback.format_exception_only(error)[-1].strip().splitlines()[0][:160]


def at(line: str) -> str:
    """Return the end of a message that names a line, if there is one."""
    return f", at {line}" if line else ""


_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))

_UNTRAINED = (
    "what depends on it would train wrongly without a word; a gradient that is meant to be cut "
    "or replaced is a torch.autograd.Function"
)

_GRAD_SWITCHES = ("_set_grad_enabled", "set_grad_enabled")

_READERS = ("item", "tolist", "__float__", "__int__", "__index__", "__complex__")

_DATA = (Tensor.data.__get__, Tensor.data.__set__)  # type: ignore[attr-defined]  # a getset descriptor


_MAKERS = ("tensor", "new_tensor", "as_tensor", "asarray", "linspace", "logspace")
"""What makes a tensor out of numbers, and may take them from a tensor without its gradient.

They are named since not all that has no gradient lost one: `zeros_like` and `type_as` take only a
size or a type from a tensor, and inside `vmap` torch tells of no gradient at all.
"""


def _cuts(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], made: Tensor) -> bool:
    """Whether one of the makers left behind the gradient of what it was given."""
    data = args[1:] if name == "new_tensor" else args
    # what was computed from something with a gradient is no leaf
    return made.is_leaf and any(
        isinstance(each, Tensor) and each.requires_grad for each in tree_leaves((data, kwargs))
    )


def _packages(cell: Cell) -> set[str]:
    """Return the packages that a cell's author wrote, installed or not."""
    modules = {base.__module__ for base in type(cell).__mro__} | {unwrap(cell.step).__module__}
    return {_package(module) for module in modules} - {"rnnbench", "abc", "builtins"}


def _package(module: str) -> str:
    return module.partition(".")[0]


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames of a step, from the innermost out."""
    while frame is not None and not _module(frame).startswith("rnnbench.recurrence."):
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _shown(frame: FrameType, number: int) -> str:
    path = frame.f_code.co_filename
    return f"{Path(path).name}:{number}: {linecache.getline(path, number).strip()}"


def _trained(tensor: Tensor) -> Tensor:
    """Return a copy that takes part in the gradient, as what comes from a step before does."""
    return tensor.detach().requires_grad_().clone()


def _twice(tensor: Tensor) -> Tensor:
    """Return a step's numbers as those of two steps."""
    return torch.stack([tensor, tensor])


def _each(tensors: Tensors, change: Callable[[Tensor], Tensor]) -> Tensors:
    return Tensors({name: change(tensor) for name, tensor in tensors.items()})
