"""Why an architecture does not apply to a setting."""

from __future__ import annotations

from rnnbench.contracts import Layer
from rnnbench.nn.applying import why_not
from rnnbench.plan.sizing import stacking
from rnnbench.resolving import ResolvedTask, ResolvedUnit


def why_skipped(unit: ResolvedUnit, task: ResolvedTask, chunk: int | None) -> str:
    """Return why an architecture does not apply to a setting; nothing where it does."""
    entry, one = unit.entry, task.task
    if entry.bidirectional and one.causal:
        return f"{entry.label} is bidirectional and {task.entry.task} is causal"
    if entry.bidirectional and chunk is not None and one.pattern == "many-to-many":
        return f"{entry.label} is bidirectional, and chunks of a sequence are read in order"
    if unit.companion and one.image is None:
        return f"it stands beside questions about pictures, and {task.entry.task} asks none"
    if against := why_not(unit.unit, one, **stacking(entry)):
        return against
    if isinstance(unit.unit, Layer) and one.causal and not unit.unit.causal:
        return f"{entry.cell} sees the whole sequence and {task.entry.task} is causal"
    return ""
