"""Elementwise arithmetic on columns, as small trees in which equal parts are one object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

Kind = Literal["input", "state", "vector", "product", "gates", "new", "extra"]
"""What holds the numbers that a leaf reads.

input    x (index 0) and the noise         vector   one row of weights, the same for all rows
state    a state before the step           product  data @ weight, until columns are planned
new      a state after the step            gates    sums of products and vectors, by level
extra    what a later product reads and is neither input nor state
"""


@dataclass(frozen=True, order=True, slots=True)
class Buffer:
    """A tensor that a kernel reads or writes: [rows, width] at each step."""

    kind: Kind
    index: int


@dataclass(frozen=True, eq=False, slots=True)
class Leaf:
    """Columns `start` to `start + width` of a buffer."""

    buffer: Buffer
    start: int
    width: int


@dataclass(frozen=True, eq=False, slots=True)
class Constant:
    """One number in each column."""

    value: float
    width: int


@dataclass(frozen=True, eq=False, slots=True)
class Call:
    """A pointwise operation of torch; `args` are expressions, or plain Python values.

    `line` is the author's, the first of those that say the same.
    """

    target: Any
    args: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...]
    width: int
    line: str


Expression = Leaf | Constant | Call
Value = tuple[Expression, ...]
"""A tensor [rows, features]: runs of its columns from left to right."""


def parts(expression: Expression) -> tuple[Expression, ...]:
    """Return the expressions that an expression is made of."""
    if not isinstance(expression, Call):
        return ()
    return tuple(arg for arg in expression.args if isinstance(arg, Expression))


def walk(expressions: Iterable[Expression]) -> Iterator[Expression]:
    """Yield expressions and all their parts, each once, in the order of their first use."""
    seen: set[Expression] = set()
    stack = list(expressions)[::-1]
    while stack:
        expression = stack.pop()
        if expression not in seen:
            seen.add(expression)
            yield expression
            stack.extend(reversed(parts(expression)))


def width(value: Value) -> int:
    """Count a value's columns."""
    return sum(piece.width for piece in value)


@dataclass
class Pool:
    """Makes expressions; the same one twice is the same object, so that it is computed once."""

    _made: dict[tuple[Any, ...], Expression] = field(default_factory=dict)
    _cuts: dict[tuple[Expression, int, int], Expression] = field(default_factory=dict)

    def leaf(self, buffer: Buffer, start: int, width: int) -> Leaf:
        """Return the leaf that reads these columns."""
        made = self._made.setdefault(("leaf", buffer, start, width), Leaf(buffer, start, width))
        assert isinstance(made, Leaf)  # noqa: S101  tells mypy
        return made

    def constant(self, value: float, width: int) -> Expression:
        """Return one number as an expression; 0.0 and -0.0 are two."""
        return self._made.setdefault(("constant", repr(value), width), Constant(value, width))

    def call(
        self,
        target: Any,
        args: tuple[Any, ...],
        options: tuple[tuple[str, Any], ...],
        width: int,
        line: str = "",
    ) -> Expression:
        """Return an operation on expressions of one width; equal ones of two lines are one."""
        key = ("call", target, tuple(map(_plain, args)), options, width)
        return self._made.setdefault(key, Call(target, args, options, width, line))

    def cut(self, value: Value, start: int, width: int) -> Value:
        """Return columns `start` to `start + width` of a value."""
        kept, at = [], 0
        for piece in value:
            low, high = max(start, at), min(start + width, at + piece.width)
            if low < high:
                kept.append(self._shifted(piece, low - at, high - low))
            at += piece.width
        return tuple(kept)

    def aligned(self, values: list[Value]) -> list[Value]:
        """Cut values of one width at the same places."""
        ends: set[int] = set()
        for value in values:
            at = 0
            for piece in value:
                at += piece.width
                ends.add(at)
        starts = [0, *sorted(ends)]
        return [
            tuple(self.cut(value, low, high - low)[0] for low, high in pairwise(starts))
            for value in values
        ]

    def replaced(
        self, expression: Expression, table: dict[Expression, Leaf], memo: dict[Any, Expression]
    ) -> Expression:
        """Return an expression with the parts that `table` names read from there instead."""
        if expression in memo:
            return memo[expression]
        new: Expression
        if expression in table:
            new = table[expression]
        elif isinstance(expression, Call):
            args = tuple(
                self.replaced(arg, table, memo) if isinstance(arg, Expression) else arg
                for arg in expression.args
            )
            new = self.call(
                expression.target, args, expression.options, expression.width, expression.line
            )
        else:
            new = expression
        memo[expression] = new
        return new

    def _shifted(self, piece: Expression, start: int, width: int) -> Expression:
        key = (piece, start, width)
        if key not in self._cuts:
            self._cuts[key] = self._columns(piece, start, width)
        return self._cuts[key]

    def _columns(self, piece: Expression, start: int, width: int) -> Expression:
        if start == 0 and width == piece.width:
            return piece
        if isinstance(piece, Leaf):
            return self.leaf(piece.buffer, piece.start + start, width)
        if isinstance(piece, Constant):
            return self.constant(piece.value, width)
        args = tuple(
            self._shifted(arg, start, width) if isinstance(arg, Expression) else arg
            for arg in piece.args
        )
        return self.call(piece.target, args, piece.options, width, piece.line)


def _plain(arg: Any) -> Any:
    # 1, 1.0 and True are equal keys and not the same argument
    return arg if isinstance(arg, Expression) else (type(arg), repr(arg))
