"""The loops over elements of a step, and which of their values are written down for later.

Forward, the sigmoid of a gate is computed once; backward, its derivative follows from it. So it is
written where the gate stood, if nothing else reads the gate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch

from rnnbench.recurrence.expressions import Call, Expression, Leaf, parts, walk


@dataclass(frozen=True)
class Segment:
    """A loop over `width` columns that fills `outputs` from `inputs`.

    stage     how many levels of products come before it
    in_place  values that take the place of an input once they are computed
    """

    stage: int
    width: int
    outputs: tuple[Leaf, ...]
    expressions: tuple[Expression, ...]
    inputs: tuple[Leaf, ...]
    in_place: Mapping[Call, Leaf] = field(default_factory=dict)


def in_place(segments: Iterable[Segment], multiplied: set[Leaf]) -> tuple[Segment, ...]:
    """Return segments that write what is dear to compute in the place of a gate read only for it.

    The gate must be a plain addend of the argument, and none that a product reads (`multiplied`):
    then its value is not needed again.
    """
    segments = tuple(segments)
    readers = sum((_readers(segment.expressions) for segment in segments), Counter[Expression]())
    return tuple(
        replace(
            segment,
            in_place={
                call: place
                for call in walk(segment.expressions)
                if isinstance(call, Call)
                and _slope_from_value(call)
                and (place := _free(call, readers, multiplied)) is not None
            },
        )
        for segment in segments
    )


_FROM_VALUE = (torch.ops.aten.sigmoid.default, torch.ops.aten.tanh.default)


def _slope_from_value(call: Call) -> bool:
    """Whether a function's derivative is computed from its value alone."""
    # softplus at its defaults; emit sees to it that its derivative is
    softplus = call.target is torch.ops.aten.softplus.default and len(call.args) == 1
    return softplus or call.target in _FROM_VALUE


def _free(call: Call, readers: Counter[Expression], multiplied: set[Leaf]) -> Leaf | None:
    """Return a gate whose place a call's value may take, if there is one."""
    for leaf in _addends(call.args[0], readers):
        if leaf.buffer.kind == "gates" and leaf not in multiplied:
            return leaf
    return None


def _readers(expressions: tuple[Expression, ...]) -> Counter[Expression]:
    """Count how many operations and results read each expression."""
    readers = Counter(expressions)
    for expression in walk(expressions):
        readers.update(parts(expression))
    return readers


def _addends(expression: Expression, readers: Counter[Expression]) -> Iterator[Leaf]:
    """Yield the leaves that a sum adds, itself if it is one, that nothing else reads."""
    if readers[expression] != 1:
        return
    if isinstance(expression, Leaf):
        yield expression
    elif (
        isinstance(expression, Call)
        and expression.target is torch.ops.aten.add.Tensor
        and not expression.options
    ):
        for part in parts(expression):
            yield from _addends(part, readers)
