"""Why an architecture does not apply to a setting."""

from __future__ import annotations

from rnnbench.contracts import Layer, Sequences
from rnnbench.resolving import ResolvedTask, ResolvedUnit


def why_skipped(unit: ResolvedUnit, task: ResolvedTask, chunk: int | None) -> str:
    """Return why an architecture does not apply to a setting; nothing where it does."""
    entry, one = unit.entry, task.task
    if entry.bidirectional and one.causal:
        return f"{entry.label} is bidirectional and {task.entry.task} is causal"
    if entry.bidirectional and chunk is not None and one.pattern == "many-to-many":
        return f"{entry.label} is bidirectional, and chunks of a sequence are read in order"
    if entry.attention != "none" and not isinstance(one.targets, Sequences):
        return f"{entry.label} has attention, which needs a decoder, and {task.entry.task} has none"
    if entry.attention == "dot" and entry.bidirectional:
        return (
            f"{entry.label} has attention `dot`, which compares vectors of one width, and its "
            "encoder of two directions says twice as much as its decoder; `general` takes both"
        )
    if not isinstance(unit.unit, Layer):
        return ""
    if one.pattern not in unit.unit.patterns:
        patterns = " and ".join(unit.unit.patterns)
        return f"{entry.cell} is for {patterns}, and {task.entry.task} is {one.pattern}"
    if one.causal and not unit.unit.causal:
        return f"{entry.cell} sees the whole sequence and {task.entry.task} is causal"
    return ""
