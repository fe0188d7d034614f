"""One call of a cell's step, recorded as a graph of torch operations with the author's lines."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import unwrap
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
import torch.fx.traceback as fx_traceback
from torch import Tensor, fx
from torch._decomp import core_aten_decompositions
from torch.func import functionalize
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode

from rnnbench.contracts import Cell, Tensors
from rnnbench.errors import PluginError


class UnsupportedError(Exception):
    """A step that cannot become a kernel; says what, where and what to write instead."""


@dataclass(frozen=True)
class Shapes:
    """The widths that a trace, and whatever is made from it, holds for.

    Names stand in the order in which tensors are passed. Numeric options count as weights.
    """

    inputs: int
    noise: Mapping[str, int]
    states: Mapping[str, int]
    weights: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Traced:
    """A step as a graph whose inputs are x, the noise, the states and the weights, in this order.

    `rows` is the batch that it was traced with: a number that is no width of anything, so that
    it tells the batch from features.
    """

    shapes: Shapes
    rows: int
    graph: fx.GraphModule


def trace(cell: Cell, shapes: Shapes) -> Traced:
    """Record one call of `cell.step` in float32.

    Raises:
        UnsupportedError: the step reads a tensor's value into Python, or torch cannot trace it.
        PluginError: the step hides something from its gradient or its caller: `.detach()`,
            `no_grad`, random numbers.
    """
    rows = _telling(shapes)
    widths = [shapes.inputs, *shapes.noise.values(), *shapes.states.values()]
    draw = torch.Generator().manual_seed(0)
    examples = [torch.rand(rows, width, generator=draw) for width in widths]
    examples += [torch.rand(shape, generator=draw) for shape in shapes.weights.values()]
    names = [*shapes.noise, *shapes.states, *shapes.weights]
    watch = _Watch(cell)

    def step(x: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(names, others, strict=True))
        state = Tensors({name: given[name] for name in shapes.states})
        rest = Tensors({name: given[name] for name in [*shapes.noise, *shapes.weights]})
        with watch:
            new = cell.step(x, state, rest)
        return tuple(new[name] for name in shapes.states)

    try:
        with torch.enable_grad(), fx_traceback.preserve_node_meta():
            graph = make_fx(functionalize(step), decomposition_table=_DECOMPOSITIONS)(*examples)
    except PluginError:
        raise
    except Exception as error:
        raise _untraceable(error, watch.line) from error
    graph.graph.eliminate_dead_code()
    traced = Traced(shapes, rows, graph)
    _refuse_random(cell, traced)
    return traced


def line_of(node: fx.Node) -> str:
    """Return `file:line: code` of the author's line that made a node, or nothing."""
    return str(node.meta.get("stack_trace") or "")


def at(line: str) -> str:
    """Return the end of a message that names a line, if there is one."""
    return f", at {line}" if line else ""


def operation(node: fx.Node) -> str:
    """Return the name of the operation that a node calls, `sigmoid`."""
    target: Any = node.target
    return str(target.__name__).partition(".")[0]


# pointwise operations stay whole: torch's own rule for their derivative is applied later, and
# that of their parts, 0 · exp(x), is not a number where exp(x) overflows
_DECOMPOSITIONS = {
    target: rule
    for target, rule in dict(core_aten_decompositions()).items()
    if torch.Tag.pointwise not in getattr(target, "tags", ())
}

_PRIMES = (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)


def _telling(shapes: Shapes) -> int:
    widths = {shapes.inputs, *shapes.noise.values(), *shapes.states.values()}
    widths |= {size for shape in shapes.weights.values() for size in shape}
    for prime in _PRIMES:
        if prime not in widths:
            return prime
    raise UnsupportedError(
        "its tensors have so many sizes that a batch cannot be told from features"
    )


class _Watch(TorchFunctionMode):
    """Knows the author's line at every call into torch; refuses what a graph would lose."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self._name = cell.name
        self._code: CodeType | None = getattr(unwrap(cell.step), "__code__", None)
        self.line = ""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.line = _line(self._frame(sys._getframe(1))) or self.line
        fx_traceback.current_meta["stack_trace"] = self.line
        name = getattr(func, "__name__", "")
        if name not in _GRAD_SWITCHES and not torch.is_grad_enabled():
            raise PluginError(
                f"cell `{self._name}` switches gradients off inside `step`{at(self.line)}: "
                "what it computes there would train wrongly without a word"
            )
        if name in ("detach", "detach_") or func is Tensor.data.__get__:  # type: ignore[attr-defined]  # a getset descriptor
            raise PluginError(
                f"cell `{self._name}` detaches a tensor inside `step`{at(self.line)}: "
                "what depends on it would train wrongly without a word"
            )
        return func(*args, **(kwargs or {}))

    def _frame(self, frame: FrameType | None) -> FrameType | None:
        """Return the frame of the author's step, however deep torch was called below it."""
        while frame is not None and frame.f_code is not self._code:
            frame = frame.f_back
        return frame


_GRAD_SWITCHES = ("_set_grad_enabled", "set_grad_enabled")


def _line(frame: FrameType | None) -> str:
    if frame is None:
        return ""
    path = frame.f_code.co_filename
    code = linecache.getline(path, frame.f_lineno).strip()
    return f"{Path(path).name}:{frame.f_lineno}: {code}"


def _untraceable(error: Exception, line: str) -> UnsupportedError:
    text = str(error)
    if isinstance(error, UnsupportedError):
        return error
    if any(
        sign in text for sign in ("data-dependent", "tracing tensor", "item()", "_local_scalar")
    ):
        return UnsupportedError(
            "its step reads a tensor's value into Python (if, while, float() or .item()); "
            f"use torch.where{at(line)}"
        )
    said = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
    return UnsupportedError(f"its step cannot be traced: {said[:200]}{at(line)}")


def _refuse_random(cell: Cell, traced: Traced) -> None:
    for node in traced.graph.graph.nodes:
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise PluginError(
                f"cell `{cell.name}` draws random numbers inside `step`{at(line_of(node))}: "
                "declare them with `noise` instead, so that runs can be repeated"
            )
