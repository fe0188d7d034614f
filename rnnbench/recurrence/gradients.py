"""The order in which the gradients of one step are computed, last stage first."""

from __future__ import annotations

from dataclasses import dataclass

from rnnbench.recurrence.expressions import Buffer, Leaf
from rnnbench.recurrence.plan import Plan
from rnnbench.recurrence.segments import Segment


@dataclass(frozen=True)
class Return:
    """Gradients of a level's columns, times transposed weights, to what the columns came from.

    `blocks` are (block, source) numbers in the plan; `adds` whether the target holds a part.
    Levels count from 0.
    """

    level: int
    target: Leaf
    blocks: tuple[tuple[int, int], ...]
    adds: bool


@dataclass(frozen=True)
class Backward:
    """How gradients flow within a step.

    adds     for each segment and each of its differentiable inputs: add to the gradient, or
             write it because nothing has before
    returns  level by level
    zeroed   gradients that start each step at zero, because no first writer covers them
    """

    adds: tuple[tuple[bool, ...], ...]
    returns: tuple[Return, ...]
    zeroed: tuple[Buffer, ...]


def differentiable(segment: Segment) -> tuple[Leaf, ...]:
    """Return the inputs of a segment that have a gradient: all but noise."""
    return tuple(leaf for leaf in segment.inputs if not _is_noise(leaf.buffer))


def backward(plan: Plan) -> Backward:
    """Order the gradients of a plan's step."""
    widths: dict[Buffer, int] = {
        Buffer("state", i): width for i, width in enumerate(plan.shapes.states.values())
    }
    widths |= {Buffer("extra", i): width for i, width in enumerate(plan.extras)}
    touched: set[Buffer | Leaf] = set()
    zeroed: list[Buffer] = []

    def adds(leaf: Leaf) -> bool:
        """Whether a gradient is added, not written; notes that it now holds something."""
        kind = leaf.buffer.kind
        if kind in ("input", "new", "vector"):
            return True
        # columns are read whole or not at all
        where = leaf if kind == "gates" else leaf.buffer
        if where in touched:
            return True
        touched.add(where)
        if kind == "gates" or leaf.width == widths[leaf.buffer]:
            return False
        zeroed.append(leaf.buffer)
        return True

    by_segment: dict[int, tuple[bool, ...]] = {}
    returns = []
    for stage in range(len(plan.levels), -1, -1):
        for number, segment in enumerate(plan.segments):
            if segment.stage == stage:
                by_segment[number] = tuple(adds(leaf) for leaf in differentiable(segment))
        for target, blocks in _sources(plan, stage - 1).items():
            returns.append(Return(stage - 1, target, blocks, adds(target)))
    untouched = [buffer for buffer in widths if buffer.kind == "state" and buffer not in touched]
    return Backward(
        tuple(by_segment[number] for number in range(len(plan.segments))),
        tuple(returns),
        tuple(zeroed + untouched),
    )


def _sources(plan: Plan, level: int) -> dict[Leaf, tuple[tuple[int, int], ...]]:
    """Return what the columns of a level come from and through which blocks."""
    sources: dict[Leaf, tuple[tuple[int, int], ...]] = {}
    for number, block in enumerate(plan.blocks):
        if block.level == level:
            for place, source in enumerate(block.sources):
                if not _is_noise(source.data.buffer):
                    sources[source.data] = (*sources.get(source.data, ()), (number, place))
    return sources


def _is_noise(buffer: Buffer) -> bool:
    return buffer.kind == "input" and buffer.index > 0
