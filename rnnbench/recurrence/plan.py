"""Equations put in order: what one step multiplies, and what it computes element by element.

A *column* is a sum of products and vectors, such as a gate before its nonlinearity. Its *level*
is how many products deep it lies: a product of x or of an old state is level 1, a product of
something computed from level 1 is level 2. The columns of a level stand side by side in one
buffer, so that one matrix product fills many of them. A *segment* is a loop over elements; the
segments of stage s run after the products of level s.

The GRU whose reset gate comes before the product shows all of it:

    r, z = σ(x @ W_rz + h @ U_rz + b_rz)           level 1: [r | z], a block with sources x and h
    g    = tanh(x @ W_g + (r ∘ h) @ U_g + b_g)     level 2: [g], since r ∘ h comes from level 1
    h'   = (1 − z) ∘ g + z ∘ h

    products of level 1 → segment of stage 1, writes r ∘ h to an extra
    products of level 2 → segment of stage 2, writes h' to the new state

The numbers of levels are counted from 0 where they are stored.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch

from rnnbench.recurrence.equations import Equations
from rnnbench.recurrence.expressions import Buffer, Call, Expression, Leaf, Pool, parts, walk
from rnnbench.recurrence.operands import Prelude, View
from rnnbench.recurrence.segments import Segment, in_place
from rnnbench.recurrence.trace import Shapes


@dataclass(frozen=True)
class Term:
    """A weight [k, width] that multiplies a source into columns from `start` of its block."""

    start: int
    width: int
    weight: View


@dataclass(frozen=True)
class Source:
    """What a block multiplies, and the weights it is multiplied with."""

    data: Leaf
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Block:
    """Neighbouring columns of a level that are sums over the same sources."""

    level: int
    start: int
    width: int
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Bias:
    """A vector that is added to columns of a level from `start` on."""

    level: int
    start: int
    width: int
    vector: View


@dataclass(frozen=True)
class Plan:
    """One step of a cell at fixed widths, in the order in which it is computed.

    levels   the width of each level's columns
    extras   the width of each intermediate value that a product reads
    vectors  rows of weights that segments read, with their widths
    """

    shapes: Shapes
    levels: tuple[int, ...]
    extras: tuple[int, ...]
    vectors: tuple[tuple[View, int], ...]
    blocks: tuple[Block, ...]
    biases: tuple[Bias, ...]
    segments: tuple[Segment, ...]
    prelude: Prelude


def plan(equations: Equations) -> Plan:
    """Order the equations of a step."""
    return _Planner(equations).plan()


@dataclass(frozen=True)
class _Column:
    """A sum of products and vectors, `width` wide, known by the leaf that stands for it."""

    width: int
    terms: tuple[tuple[Expression, View], ...]
    vectors: tuple[tuple[int, int], ...]


class _Planner:
    def __init__(self, equations: Equations) -> None:
        self._equations = equations
        self._pool: Pool = equations.pool
        self._uses = _uses(equations)
        self._columns: list[_Column] = []
        self._summed: dict[Expression, tuple[list[Leaf], list[Leaf]] | None] = {}
        self._planned: dict[Expression, Expression] = {}
        self._levels: dict[Expression, int] = {}

    def plan(self) -> Plan:
        states = [tuple(self._plan(piece) for piece in value) for value in self._equations.states]
        outputs = self._outputs(states)
        places, extras = self._places(outputs)
        gates, levels = self._layout(places)
        blocks, biases = self._blocks(places, gates)
        multiplied = {source.data for block in blocks for source in block.sources}
        segments = in_place(self._segments(outputs, extras, gates), multiplied)
        widths: dict[int, int] = {}
        for segment in segments:
            for leaf in segment.inputs:
                if leaf.buffer.kind == "vector":
                    widths[leaf.buffer.index] = max(
                        widths.get(leaf.buffer.index, 0), leaf.start + leaf.width
                    )
        return Plan(
            self._equations.shapes,
            levels,
            tuple(extra.width for extra in extras),
            tuple(
                (view, widths.get(index, 0)) for index, view in enumerate(self._equations.vectors)
            ),
            blocks,
            biases,
            segments,
            self._equations.prelude,
        )

    def _plan(self, expression: Expression) -> Expression:
        """Return an expression whose largest sums of products are columns."""
        if expression in self._planned:
            return self._planned[expression]
        sum_of = self._sum(expression)
        planned: Expression
        if sum_of is not None and sum_of[0]:
            planned = self._column(expression.width, *sum_of)
        elif isinstance(expression, Call):
            args = tuple(
                self._plan(arg) if isinstance(arg, Expression) else arg for arg in expression.args
            )
            planned = self._pool.call(
                expression.target, args, expression.options, expression.width, expression.line
            )
        else:
            planned = expression
        self._planned[expression] = planned
        return planned

    def _sum(self, expression: Expression) -> tuple[list[Leaf], list[Leaf]] | None:
        """Return the products and the vectors that an expression is the sum of, or None.

        A product that something else reads too stays a column of its own.
        """
        if expression not in self._summed:
            self._summed[expression] = self._parts_of_sum(expression)
        return self._summed[expression]

    def _parts_of_sum(self, expression: Expression) -> tuple[list[Leaf], list[Leaf]] | None:
        if isinstance(expression, Leaf):
            if expression.buffer.kind == "product":
                return [expression], []
            return ([], [expression]) if expression.buffer.kind == "vector" else None
        if not (
            isinstance(expression, Call)
            and expression.target is torch.ops.aten.add.Tensor
            and not expression.options
            and len(parts(expression)) == 2
        ):
            return None
        sums = [self._sum(part) for part in parts(expression)]
        left, right = sums
        if left is None or right is None or not (left[0] or right[0]):
            return None
        for part, (products, _) in zip(parts(expression), (left, right), strict=True):
            if products and self._uses[part] > 1:
                return None
        return left[0] + right[0], left[1] + right[1]

    def _column(self, width: int, products: list[Leaf], vectors: list[Leaf]) -> Leaf:
        terms: list[tuple[Expression, View]] = []
        for leaf in products:
            product = self._equations.products[leaf.buffer.index]
            row = 0
            for piece in product.data:
                terms.append((self._plan(piece), product.weight.at(row, leaf.start)))
                row += piece.width
        self._columns.append(
            _Column(width, tuple(terms), tuple((v.buffer.index, v.start) for v in vectors))
        )
        return self._pool.leaf(Buffer("product", -len(self._columns)), 0, width)

    def _column_of(self, leaf: Leaf) -> int | None:
        """Return the number of the column that a leaf stands for."""
        if leaf.buffer.kind == "product" and leaf.buffer.index < 0:
            return -leaf.buffer.index - 1
        return None

    def _level(self, expression: Expression) -> int:
        if expression not in self._levels:
            column = self._column_of(expression) if isinstance(expression, Leaf) else None
            below = (
                parts(expression)
                if column is None
                else [data for data, _ in self._columns[column].terms]
            )
            deepest = max((self._level(part) for part in below), default=0)
            self._levels[expression] = deepest + (column is not None)
        return self._levels[expression]

    def _outputs(self, states: list[tuple[Expression, ...]]) -> dict[Leaf, Expression]:
        """Return what is written where in the new states."""
        outputs: dict[Leaf, Expression] = {}
        for index, value in enumerate(states):
            start = 0
            for piece in value:
                outputs[self._pool.leaf(Buffer("new", index), start, piece.width)] = piece
                start += piece.width
        return outputs

    def _places(
        self, outputs: dict[Leaf, Expression]
    ) -> tuple[dict[Expression, Leaf], list[Expression]]:
        """Return where the data of each product stands, and what has to be kept for that."""
        new_states = {expression: leaf for leaf, expression in outputs.items()}
        places: dict[Expression, Leaf] = {}
        extras: list[Expression] = []
        for column in self._columns:
            for data, _ in column.terms:
                if data in places:
                    continue
                if isinstance(data, Leaf) and (
                    data.buffer.kind in ("input", "state") or self._column_of(data) is not None
                ):
                    places[data] = data
                elif data in new_states:
                    places[data] = new_states[data]
                else:
                    places[data] = self._pool.leaf(Buffer("extra", len(extras)), 0, data.width)
                    extras.append(data)
        return places, extras

    def _layout(
        self, places: dict[Expression, Leaf]
    ) -> tuple[dict[Expression, Leaf], tuple[int, ...]]:
        """Place the columns of each level side by side, those with the same sources together."""
        gates: dict[Expression, Leaf] = {}
        widths: list[int] = []
        by_level: dict[int, list[int]] = {}
        for index in range(len(self._columns)):
            by_level.setdefault(self._level(self._leaf(index)), []).append(index)
        for level in sorted(by_level):
            order: dict[tuple[Leaf, ...], list[int]] = {}
            for index in by_level[level]:
                order.setdefault(self._sources(index, places), []).append(index)
            start = 0
            # the sources of neighbours overlap, so that their gradients are one product
            for key in sorted(order, key=lambda key: [leaf.buffer for leaf in key]):
                for index in order[key]:
                    width = self._columns[index].width
                    gates[self._leaf(index)] = self._pool.leaf(
                        Buffer("gates", level - 1), start, width
                    )
                    start += width
            widths.append(start)
        return gates, tuple(widths)

    def _leaf(self, column: int) -> Leaf:
        return self._pool.leaf(Buffer("product", -column - 1), 0, self._columns[column].width)

    def _sources(self, column: int, places: dict[Expression, Leaf]) -> tuple[Leaf, ...]:
        sources = dict.fromkeys(places[data] for data, _ in self._columns[column].terms)
        return tuple(sorted(sources, key=lambda leaf: (leaf.buffer, leaf.start, leaf.width)))

    def _blocks(
        self, places: dict[Expression, Leaf], gates: dict[Expression, Leaf]
    ) -> tuple[tuple[Block, ...], tuple[Bias, ...]]:
        blocks: dict[tuple[int, tuple[Leaf, ...]], list[int]] = {}
        order = sorted(range(len(self._columns)), key=lambda i: _order(gates[self._leaf(i)]))
        for index in order:
            level = gates[self._leaf(index)].buffer.index
            blocks.setdefault((level, self._sources(index, places)), []).append(index)
        made, biases = [], []
        for (level, sources), columns in blocks.items():
            start = gates[self._leaf(columns[0])].start
            terms: dict[Leaf, list[Term]] = {source: [] for source in sources}
            for index in columns:
                at, column = gates[self._leaf(index)].start, self._columns[index]
                for data, weight in column.terms:
                    terms[places[data]].append(Term(at - start, column.width, weight))
                for vector, first in column.vectors:
                    view = self._equations.vectors[vector].at(0, first)
                    biases.append(Bias(level, at, column.width, view))
            made.append(
                Block(
                    level,
                    start,
                    sum(self._columns[index].width for index in columns),
                    tuple(
                        Source(gates.get(source, source), tuple(terms[source]))
                        for source in sources
                    ),
                )
            )
        return tuple(made), tuple(biases)

    def _segments(
        self,
        outputs: dict[Leaf, Expression],
        extras: list[Expression],
        gates: dict[Expression, Leaf],
    ) -> tuple[Segment, ...]:
        made = dict(outputs)
        for index, extra in enumerate(extras):
            made[self._pool.leaf(Buffer("extra", index), 0, extra.width)] = extra
        groups: dict[tuple[int, int], list[Leaf]] = {}
        for leaf, expression in made.items():
            groups.setdefault((self._level(expression), leaf.width), []).append(leaf)
        segments = []
        for stage, width in sorted(groups):
            # what earlier stages wrote down is read rather than computed again
            table: dict[Expression, Leaf] = dict(gates)
            for leaf, expression in made.items():
                if self._level(expression) < stage and isinstance(expression, Call):
                    table.setdefault(expression, leaf)
            memo: dict[Expression, Expression] = {}
            leaves = tuple(groups[stage, width])
            expressions = tuple(self._pool.replaced(made[leaf], table, memo) for leaf in leaves)
            inputs = tuple(one for one in walk(expressions) if isinstance(one, Leaf))
            segments.append(Segment(stage, width, leaves, expressions, inputs))
        return tuple(segments)


def _uses(equations: Equations) -> Counter[Expression]:
    """Count how often each expression is read."""
    uses: Counter[Expression] = Counter()

    def visit(expression: Expression) -> None:
        uses[expression] += 1
        if uses[expression] > 1:
            return
        for part in parts(expression):
            visit(part)
        if isinstance(expression, Leaf) and expression.buffer.kind == "product":
            product = equations.products[expression.buffer.index]
            for piece in product.data:
                visit(piece)

    for value in equations.states:
        for piece in value:
            visit(piece)
    return uses


def _order(leaf: Leaf) -> tuple[int, int]:
    return leaf.buffer.index, leaf.start
