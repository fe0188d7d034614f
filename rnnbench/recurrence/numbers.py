"""A plan as the numbers that `Plan` in plan.hpp reads, in its order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rnnbench.recurrence.emit import spare_rows
from rnnbench.recurrence.expressions import Buffer, Leaf
from rnnbench.recurrence.gradients import Backward, differentiable
from rnnbench.recurrence.operands import View
from rnnbench.recurrence.plan import Block, Plan
from rnnbench.recurrence.segments import Segment


def numbers(plan: Plan, backward: Backward, output: int) -> list[int]:
    """Return a plan as numbers; each list begins with its length.

    `output` is which of the states is the cell's output.
    """
    places = _Places(plan)
    return [
        *_counted([width] for width in places.inputs),
        *_counted([width] for width in plan.shapes.states.values()),
        output,
        *_counted([width] for width in plan.levels),
        *_counted([width] for width in plan.extras),
        *_counted([width, *_view(view)] for view, width in plan.vectors),
        *_counted(_block(block, places) for block in plan.blocks),
        *_counted(
            [bias.level, bias.start, bias.width, *_view(bias.vector)] for bias in plan.biases
        ),
        *_counted(_segment(segment, places) for segment in plan.segments),
        *_counted(
            [
                item.level,
                *places.of(item.target),
                item.target.width,
                item.adds,
                *_counted(item.blocks),
            ]
            for item in backward.returns
        ),
        *_counted([places.number(buffer)] for buffer in backward.zeroed),
    ]


class _Places:
    """Numbers the buffers: inputs, old states, new states, gates, extras, vectors."""

    def __init__(self, plan: Plan) -> None:
        self.inputs = [plan.shapes.inputs, *plan.shapes.noise.values()]
        states = len(plan.shapes.states)
        counts = {
            "input": len(self.inputs),
            "state": states,
            "new": states,
            "gates": len(plan.levels),
            "extra": len(plan.extras),
            "vector": len(plan.vectors),
        }
        self._first: dict[str, int] = {}
        total = 0
        for kind, count in counts.items():
            self._first[kind] = total
            total += count

    def number(self, buffer: Buffer) -> int:
        return self._first[buffer.kind] + buffer.index

    def of(self, leaf: Leaf) -> list[int]:
        return [self.number(leaf.buffer), leaf.start]


def _block(block: Block, places: _Places) -> list[int]:
    sources = _counted(
        [
            *places.of(source.data),
            source.data.width,
            *_counted([term.start, term.width, *_view(term.weight)] for term in source.terms),
        ]
        for source in block.sources
    )
    return [block.level, block.start, block.width, *sources]


def _segment(segment: Segment, places: _Places) -> list[int]:
    return [
        segment.stage,
        segment.width,
        spare_rows(segment),
        *_counted(places.of(leaf) for leaf in segment.inputs),
        *_counted(places.of(leaf) for leaf in segment.outputs),
        *_counted(places.of(leaf) for leaf in differentiable(segment)),
    ]


def _view(view: View) -> list[int]:
    return [view.root, view.offset, view.row_stride, view.column_stride]


def _counted(items: Iterable[Iterable[int]]) -> Iterator[int]:
    listed = [list(item) for item in items]
    yield len(listed)
    for item in listed:
        yield from map(int, item)
