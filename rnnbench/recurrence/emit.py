"""The segments of a plan as C++, each with its derivative."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

import torch
import torch.fx.traceback as fx_traceback
from torch import Tensor, fx
from torch._decomp import core_aten_decompositions, get_decompositions
from torch.func import functionalize, vjp
from torch.fx.experimental.proxy_tensor import make_fx

from rnnbench.errors import UnsupportedError
from rnnbench.recurrence.elementwise import code, number
from rnnbench.recurrence.expressions import Call, Constant, Expression, Leaf
from rnnbench.recurrence.gradients import Backward, differentiable
from rnnbench.recurrence.plan import Plan
from rnnbench.recurrence.segments import Segment
from rnnbench.recurrence.trace import line_of, operation
from rnnbench.recurrence.watch import at


def emit(plan: Plan, backward: Backward) -> str:
    """Return the C++ source of a plan's segments; widths are not part of it.

    Raises:
        UnsupportedError: an operation, or one of its derivative, has no rule in C++.
    """
    functions = [
        _forward(f"forward_{index}", segment) + _backward(f"backward_{index}", segment, adds)
        for index, (segment, adds) in enumerate(zip(plan.segments, backward.adds, strict=True))
    ]
    table = ", ".join(f"{{forward_{i}, backward_{i}}}" for i in range(len(functions)))
    return "\n".join(
        [
            _text("segment.hpp"),
            *functions,
            'extern "C" __attribute__((visibility("default"))) const Code rnnbench_code[] = '
            f"{{{table}}};\n",
        ]
    )


def engine() -> str:
    """Return the C++ source of what all kernels share."""
    return "".join(
        _text(name) for name in ("segment.hpp", "products.hpp", "plan.hpp", "kernel.cpp")
    )


def _text(name: str) -> str:
    return files("rnnbench.recurrence").joinpath(name).read_text("utf-8")


def spare_rows(segment: Segment) -> int:
    """Count the rows that a segment needs aside: one for each input that overlaps another."""
    return len(_overlapping(segment))


def _forward(name: str, segment: Segment) -> str:
    graph = _traced(_function(segment, segment.in_place), len(segment.inputs))
    body, results = _statements(
        graph, [f"i{k}[j]" for k in range(len(segment.inputs))], written=False
    )
    taken = [segment.inputs.index(leaf) for leaf in segment.in_place.values()]
    made = len(segment.outputs)
    pointers = [
        _Pointer(f"i{k}", _row("in", k), reads=True, writes=k in taken)
        for k in range(len(segment.inputs))
    ]
    pointers += [_Pointer(f"o{k}", _row("out", k), writes=True) for k in range(made)]
    body += [f"o{k}[j] = {result};" for k, result in enumerate(results[:made])]
    body += [f"i{k}[j] = {result};" for k, result in zip(taken, results[made:], strict=True)]
    return _loop(name, "const Rows* in, const Rows* out", pointers, body, [])


def _backward(name: str, segment: Segment, adds: Sequence[bool]) -> str:
    wanted = differentiable(segment)
    takes = "const Rows* in, const Rows* out, const Rows* to, float* spare"
    if not wanted:
        return _loop(name, takes, [], [], [])
    function, inputs = _function(segment, ()), len(segment.inputs)
    places = [segment.inputs.index(leaf) for leaf in wanted]

    def derivative(*given: Tensor) -> tuple[Tensor, ...]:
        values = list(given[:inputs])

        def of(*chosen: Tensor) -> tuple[Tensor, ...]:
            for place, tensor in zip(places, chosen, strict=True):
                values[place] = tensor
            return function(*values)

        back = vjp(of, *(values[place] for place in places))[1]
        return tuple(back(tuple(given[inputs:])))

    graph = _traced(functionalize(derivative), inputs + len(segment.outputs))
    names = [f"i{k}[j]" for k in range(inputs)]
    names += [f"y{k}[j]" for k in range(len(segment.outputs))]
    body, results = _statements(graph, names, written=True)
    pointers = [_Pointer(f"i{k}", _row("in", k), reads=True) for k in range(inputs)]
    pointers += [_Pointer(f"y{k}", _row("out", k), reads=True) for k in range(len(segment.outputs))]
    aside = _overlapping(segment)
    after = []
    for k, (leaf, result) in enumerate(zip(wanted, results, strict=True)):
        sign = "+=" if adds[k] else "="
        if leaf in aside:
            row = f"spare + {aside.index(leaf)} * width"
            pointers.append(_Pointer(f"s{k}", row, writes=True))
            body.append(f"s{k}[j] = {result};")
            to = f"({_row('to', k)})[j]"
            after.append(f"for (long j = 0; j < width; j++) {to} {sign} s{k}[j];")
        else:
            pointers.append(_Pointer(f"g{k}", _row("to", k), reads=adds[k], writes=True))
            body.append(f"g{k}[j] {sign} {result};")
    return _loop(name, takes, pointers, body, after)


def _overlapping(segment: Segment) -> list[Leaf]:
    """Return the inputs whose columns another input reads too: their gradients add up later."""
    leaves = differentiable(segment)
    return [
        leaf
        for leaf in leaves
        if any(
            other is not leaf
            and other.buffer == leaf.buffer
            and other.start < leaf.start + leaf.width
            and leaf.start < other.start + other.width
            for other in leaves
        )
    ]


def _function(segment: Segment, also: Iterable[Expression]) -> Callable[..., tuple[Tensor, ...]]:
    """Return a segment as a function of its inputs, each a vector, to its outputs and `also`."""

    def function(*inputs: Tensor) -> tuple[Tensor, ...]:
        known: dict[Expression, Any] = dict(zip(segment.inputs, inputs, strict=True))
        marks = {call: segment.inputs.index(leaf) for call, leaf in segment.in_place.items()}
        return _values([*segment.expressions, *also], known, marks)

    return function


def _values(
    expressions: Iterable[Expression], known: dict[Expression, Any], marks: Mapping[Call, int]
) -> tuple[Any, ...]:
    """Compute expressions; `marks` go with the operations into the graph that is recorded."""
    like = next(iter(known.values()), None)
    like = torch.zeros(_EXAMPLE) if like is None else like

    def value(expression: Expression) -> Any:
        if expression not in known:
            if isinstance(expression, Call):
                args = [
                    value(arg) if isinstance(arg, Expression) else arg for arg in expression.args
                ]
                fx_traceback.current_meta["stack_trace"] = expression.line
                fx_traceback.current_meta["custom"] = {_MARK: marks.get(expression)}
                known[expression] = expression.target(*args, **dict(expression.options))
                fx_traceback.current_meta["custom"] = {}
                fx_traceback.current_meta["stack_trace"] = ""
            elif isinstance(expression, Constant):
                known[expression] = torch.full_like(like, expression.value)
        return known[expression]

    return tuple(value(expression).to(torch.float32) for expression in expressions)


_MARK = "in the place of input"
_EXAMPLE = 4


def _traced(function: Callable[..., Any], inputs: int) -> fx.GraphModule:
    draw = torch.Generator().manual_seed(0)
    examples = [torch.rand(_EXAMPLE, generator=draw) for _ in range(inputs)]
    with fx_traceback.preserve_node_meta():
        graph = make_fx(function, decomposition_table=_DECOMPOSITIONS)(*examples)
    _slopes_of_softplus(graph.graph)
    graph.graph.eliminate_dead_code()
    return graph


def _slopes_of_softplus(graph: fx.Graph) -> None:
    """Read the derivative off the value, 1 - e^-y, as those of sigmoid and tanh are."""
    aten = torch.ops.aten
    for node in graph.find_nodes(op="call_function", target=aten.softplus_backward.default):
        gradient, x, *_ = node.args
        value = next(user for user in x.users if user.target is aten.softplus.default)
        with graph.inserting_before(node):
            made = value
            for target in (aten.neg, aten.expm1, aten.neg):
                made = graph.call_function(target.default, (made,))
                made.meta = node.meta
            slope = graph.call_function(aten.mul.Tensor, (gradient, made))
            slope.meta = node.meta
        node.replace_all_uses_with(slope)


def _statements(
    graph: fx.GraphModule, inputs: Sequence[str], *, written: bool
) -> tuple[list[str], list[str]]:
    """Return a pointwise graph as C++ statements and the names of its results.

    written  whether marked values stand in the place of an input already
    """
    names: dict[fx.Node, str] = {}
    known: dict[str, str] = {}
    made: dict[str, str] = {}
    given = iter(inputs)
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            names[node] = next(given)
        elif node.op == "get_attr":
            names[node] = number(float(getattr(graph, str(node.target)).flatten()[0]))
        elif node.op == "call_function":
            place = node.meta.get("custom", {}).get(_MARK) if written else None
            text = inputs[place] if place is not None else _expression(node, names)
            if text not in known:
                known[text] = text
                if text[-1] == ")":
                    known[text] = f"v{len(made)}"
                    made[known[text]] = (
                        f"const {'bool' if node.meta['val'].dtype == torch.bool else 'float'} "
                        f"v{len(made)} = {text};"
                    )
            names[node] = known[text]
    (results,) = next(node for node in graph.graph.nodes if node.op == "output").args
    wanted = [names[result] if isinstance(result, fx.Node) else "0.f" for result in results]
    return _needed(made, wanted), wanted


def _needed(made: Mapping[str, str], wanted: Sequence[str]) -> list[str]:
    """Return the statements that results depend on."""
    needed, left = set(wanted), []
    for name, statement in reversed(list(made.items())):
        if name in needed:
            left.append(statement)
            needed.update(re.findall(r"\bv\d+\b", statement))
    return left[::-1]


_FILLS = {
    "zeros": 0.0, "zeros_like": 0.0, "new_zeros": 0.0, "_efficientzerotensor": 0.0,
    "ones": 1.0, "ones_like": 1.0, "new_ones": 1.0,
    # filled by what comes next
    "empty": 0.0, "empty_like": 0.0, "empty_permuted": 0.0, "new_empty": 0.0,
}  # fmt: skip


def _expression(node: fx.Node, names: dict[fx.Node, str]) -> str:
    name = operation(node)
    if node.target is operator.getitem:
        name = "alias"
    if name in _FILLS:
        return number(_FILLS[name])
    if name in ("full", "full_like", "new_full", "scalar_tensor"):
        return number(node.args[0 if name == "scalar_tensor" else -1])  # type: ignore[arg-type]  # a number
    args = [names[arg] if isinstance(arg, fx.Node) else arg for arg in node.args]
    try:
        return code(name, args, node.kwargs)
    except UnsupportedError as error:
        raise UnsupportedError(f"{error}{at(line_of(node))}") from None


@dataclass(frozen=True)
class _Pointer:
    """A row that a segment reads or writes: its name, and where the row begins."""

    name: str
    begins: str
    reads: bool = False
    writes: bool = False

    @property
    def declared(self) -> str:
        """The declaration without a value."""
        return f"{'' if self.writes else 'const '}float* __restrict {self.name}"


def _row(array: str, number: int) -> str:
    return f"{array}[{number}].at + row * {array}[{number}].stride"


def _loop(
    name: str,
    takes: str,
    pointers: Sequence[_Pointer],
    body: Sequence[str],
    after: Sequence[str],
) -> str:
    """Return a function that does `body` for all elements: whole vectors, then the rest as one."""
    whole = ", ".join([*(pointer.name for pointer in pointers), "j"])
    rest = ", ".join([*(f"{pointer.name}_rest.at" for pointer in pointers), "j"])
    lines = [
        "ALWAYS_INLINE static void "
        f"{name}_element({', '.join([*(pointer.declared for pointer in pointers), 'long j'])}) {{",
        *(f"  {line}" for line in body),
        "}",
        f"static void {name}(long rows, long width, {takes}) {{",
        "  const long end = width / LANES * LANES, rest = width - end;",
        "  for (long row = 0; row < rows; row++) {",
        *(f"    {pointer.declared} = {pointer.begins};" for pointer in pointers),
        "    VECTORIZE",
        f"    for (long j = 0; j < end; j++) {name}_element({whole});",
        "    if (rest > 0) {",
        *(f"      Lanes {pointer.name}_rest;" for pointer in pointers),
        *(
            f"      load({pointer.name}_rest, {pointer.name} + end, rest);"
            for pointer in pointers
            if pointer.reads
        ),
        "      VECTORIZE",
        f"      for (long j = 0; j < LANES; j++) {name}_element({rest});",
        *(
            f"      store({pointer.name} + end, {pointer.name}_rest, rest);"
            for pointer in pointers
            if pointer.writes
        ),
        "    }",
        *(f"    {line}" for line in after),
        "  }",
        "}",
        "",
    ]
    return "\n".join(lines)


_TAKEN_APART = (
    "addcdiv", "addcmul", "celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish",
    "hardtanh", "huber_loss", "leaky_relu", "lerp", "log_sigmoid", "logaddexp", "logit", "mish",
    "nan_to_num", "prelu", "relu6", "rsub", "selu", "sigmoid_backward", "silu", "sinc", "softplus",
    "square", "tanh_backward", "threshold", "xlogy",
)  # fmt: skip
"""Pointwise operations that torch has rules for taking apart, beside those of its core set."""


def _decompositions() -> dict[Any, Any]:
    """Return torch's rules for taking pointwise operations and their derivatives apart."""
    aten = torch.ops.aten
    packets = [
        getattr(aten, name + ending)
        for name in _TAKEN_APART
        for ending in ("", "_forward", "_backward")
        if hasattr(aten, name + ending)
    ]
    rules = {**core_aten_decompositions(), **get_decompositions(packets)}
    # taken apart, it would turn NaN into zero
    del rules[aten.softshrink.default]
    # at their defaults they have rules of their own
    for whole in (aten.softplus.default, aten.softplus_backward.default):
        rules[whole] = partial(_unless_softplus, rules[whole])
    return rules


def _unless_softplus(apart: Callable[..., Tensor], *args: Any) -> Any:
    """Take softplus or its derivative apart, unless beta and threshold are the usual ones."""
    beta_threshold = [arg for arg in args if not isinstance(arg, Tensor)]
    return NotImplemented if beta_threshold in ([], [1], [1, 20]) else apart(*args)


_DECOMPOSITIONS = _decompositions()
