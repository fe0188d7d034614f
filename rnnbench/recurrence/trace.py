"""One call of a cell's step, recorded as a graph of torch operations with the author's lines."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.fx.traceback as fx_traceback
from torch import Tensor, fx
from torch._decomp import core_aten_decompositions
from torch.func import functionalize
from torch.fx.experimental.proxy_tensor import make_fx

from rnnbench.contracts import Cell, Tensors
from rnnbench.errors import PluginError, UnsupportedError
from rnnbench.options import Value
from rnnbench.recurrence.reductions import REDUCTIONS
from rnnbench.recurrence.watch import Watch, at, rehearse, said


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
        PluginError: the step fails, or hides something from its gradient or its caller:
            `.detach()`, `no_grad`, writing into what it is given, random numbers.
    """
    cell = _without_values(cell)
    rows = _telling(shapes)
    widths = [shapes.inputs, *shapes.noise.values(), *shapes.states.values()]
    draw = torch.Generator().manual_seed(0)
    examples = [torch.rand(rows, width, generator=draw) for width in widths]
    examples += [torch.rand(shape, generator=draw) for shape in shapes.weights.values()]
    names = [*shapes.noise, *shapes.states, *shapes.weights]
    watch = Watch(cell)

    def given(others: Sequence[Tensor]) -> tuple[Tensors, Tensors, Tensors]:
        """Return the noise, the states and the weights."""
        named = dict(zip(names, others, strict=True))
        noise, state, weights = (
            Tensors({name: named[name] for name in group})
            for group in (shapes.noise, shapes.states, shapes.weights)
        )
        return noise, state, weights

    def step(x: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        noise, state, weights = given(others)
        with watch:
            new = cell.step(x, state, Tensors(noise | weights))
        return tuple(new[name] for name in shapes.states)

    function = rehearse(cell, examples[0], *given(examples[1:])).function
    if function:
        raise UnsupportedError(
            f"its step calls a torch.autograd.Function, whose gradient is its own{at(function)}"
        )
    try:
        with (
            torch.enable_grad(),
            fx_traceback.preserve_node_meta(),
            warnings.catch_warnings(action="ignore"),
        ):
            graph = make_fx(functionalize(step), decomposition_table=_DECOMPOSITIONS)(*examples)
    except PluginError:
        raise
    except Exception as error:
        raise _untraceable(error, watch.line) from error
    _write_nothing(graph.graph)
    graph.graph.eliminate_dead_code()
    return Traced(shapes, rows, graph)


def _without_values(cell: Cell) -> Cell:
    """Return the cell with its structure alone: values come with the weights."""
    structure = {
        name: value for name, value in cell.chosen.items() if not cell.options[name].numeric
    }
    made = type(cell)(**structure)
    made.chosen = _Structure(structure)
    return made


class _Structure(dict[str, Value]):
    """The structural options of a cell; one trace serves all values of the others."""

    def __missing__(self, name: str) -> Value:
        raise PluginError(
            f"the step reads `self.chosen[{name!r}]`; a numeric option is read as `w.{name}`, "
            "which holds each member's own value"
        )


def line_of(node: fx.Node) -> str:
    """Return `file:line: code` of the author's line that made a node, or nothing."""
    return str(node.meta.get("stack_trace") or "")


def operation(node: fx.Node) -> str:
    """Return the name of the operation that a node calls, `sigmoid`."""
    target: Any = node.target
    return str(target.__name__).partition(".")[0]


# pointwise operations stay whole: torch's own rule for their derivative is applied later, and
# that of their parts, 0 · exp(x), is not a number where exp(x) overflows
_DECOMPOSITIONS = {
    target: rule
    for target, rule in {**core_aten_decompositions(), **REDUCTIONS}.items()
    if torch.Tag.pointwise not in getattr(target, "tags", ())
}


def _write_nothing(graph: fx.Graph) -> None:
    """Let what torch writes in place, inside an operation of its own, make a new tensor."""
    written: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        before = node.args[0] if node.args else None
        node.args = fx.node.map_arg(node.args, lambda need: written.get(need, need))
        target: Any = node.target
        if node.op == "call_function" and getattr(target, "_schema", None) is not None:
            name, overload = operation(node), target._overloadname
            if target._schema.is_mutable and isinstance(before, fx.Node):
                node.target = getattr(getattr(torch.ops.aten, name.removesuffix("_")), overload)
                written[before] = node


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


_READS = ("data-dependent", "tracing tensor", "item()", "_local_scalar", "tolist()", "allocated")
"""What torch says, in one version or another, where a tensor of a trace is asked for its value."""


def _untraceable(error: Exception, line: str) -> UnsupportedError:
    text = str(error)
    if any(sign in text for sign in _READS):
        return UnsupportedError(
            "its step reads a tensor's value into Python (if, while, float() or .item()); "
            f"use torch.where{at(line)}"
        )
    return UnsupportedError(f"its step cannot be traced: {said(error)}{at(line)}")
