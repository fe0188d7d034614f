"""What runs an architecture's recurrences on a setting."""

from __future__ import annotations

from rnnbench.contracts import Layer
from rnnbench.initial import Initial
from rnnbench.nn.sizes import layer_inputs
from rnnbench.plan.sizing import stacking
from rnnbench.recurrence import Backend, Chooser
from rnnbench.registry import asked
from rnnbench.resolving import ResolvedTask, ResolvedUnit, located
from rnnbench.suite import Suite


def backend_of(
    suite: Suite, unit: ResolvedUnit, task: ResolvedTask, hidden: int, chooser: Chooser
) -> Backend:
    """Choose what runs a cell; a layer runs itself."""
    entry = unit.entry
    cell = unit.unit
    if isinstance(cell, Layer):
        kept = sum(sum(weight.shape) for weight in _layer_weights(unit, task, hidden))
        return Backend("torch", "a layer is torch's own operations", history=kept)

    inputs = asked(
        unit.component, lambda: layer_inputs(cell, task.task, hidden=hidden, **stacking(entry))
    )
    if not inputs:
        return Backend("loop", "the network reads no sequence")

    def choose() -> Backend:
        return chooser.choose(cell, inputs, hidden)

    if chooser.forced == suite.training.backend:
        return located(suite, ("training", "backend"), lambda: asked(unit.component, choose))
    return asked(unit.component, choose)


def _layer_weights(unit: ResolvedUnit, task: ResolvedTask, hidden: int) -> list[Initial]:
    """Return what a layer's stack declares: each matrix reads its columns and makes its rows."""
    layer, entry = unit.unit, unit.entry
    assert isinstance(layer, Layer)  # noqa: S101  a cell has a history of its own
    widths = layer_inputs(layer, task.task, hidden=hidden, **stacking(entry))
    steps = task.task.sequence_length
    return [weight for width in widths for weight in layer.weights(width, hidden, steps).values()]
