"""What a report needs of a cell and a task, as plain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from torch import Generator

from rnnbench.contracts import Metric, OfPredictions
from rnnbench.nn.loss import valid_mask
from rnnbench.resolving import ResolvedTask, ResolvedUnit


def unit_card(unit: ResolvedUnit) -> dict[str, Any]:
    """Return what a report says of an architecture; `bounds` is what its options can be at all."""
    entry = unit.entry
    return {
        "cell": entry.cell,
        "kind": entry.kind,
        "version": unit.component.version,
        "options": dict(unit.unit.chosen),
        "bounds": {name: (option.low, option.high) for name, option in unit.unit.options.items()},
        "layers": entry.layers,
        "bidirectional": entry.bidirectional,
        "attention": entry.attention,
        "conditioning": entry.conditioning,
        "fusion": entry.fusion,
        "without": entry.without,
        "dropout": entry.dropout,
        "equations": unit.unit.equations,
        "reference": unit.unit.reference,
        "summary": unit.component.summary,
        "card": dict(unit.unit.card),
    }


def task_card(task: ResolvedTask) -> dict[str, Any]:
    """Return what a report says of a setting: its notes, metric and anchors."""
    one = task.task
    return {
        "task": task.entry.task,
        "version": task.component.version,
        "options": dict(task.setting.options),
        "stated": dict(task.entry.options),
        "files": dict(task.setting.files),
        "notes": list(one.notes),
        "leaks": list(one.leaks),
        "test": _test_part(task),
        "metric": task.metrics[0].name,
        "direction": task.metrics[0].cls.direction,
        "metrics": [metric.name for metric in task.metrics],
        **asdict(one.anchors),
        "best": _best(one.anchors.oracle, task.metrics[0].cls),
        "causal": one.causal,
        "pattern": one.pattern,
        "sequence_length": one.sequence_length,
        "summary": task.component.summary,
        "reference": one.reference,
        "path": {"forward": one.shortest_path(False), "bidirectional": one.shortest_path(True)},
    }


def _test_part(task: ResolvedTask) -> dict[str, Any]:
    """Count what a test score is the mean of, and what one of them is worth, if that is known."""
    one, metric = task.task, task.metrics[0].cls
    batch = one.held_out("test", Generator().manual_seed(0))
    mask, count, noun = valid_mask(batch, one), len(batch), "sequence"
    if one.pattern == "many-to-many":
        every = batch.targets.shape[:2].numel()
        count, noun = (every if mask is None else int(mask.sum())), "target"
    low, high = metric.low, metric.high
    mean = None not in (low, high) and issubclass(metric, Metric)
    return {
        "count": count,
        "of": noun,
        "worth": (high - low) / count if mean and count else None,
    }


def _best(oracle: float | None, metric: type[OfPredictions]) -> float | None:
    """Return the score that nothing can beat: the oracle's, else the metric's bound, if any."""
    if oracle is not None:
        return oracle
    return metric.high if metric.direction == "max" else metric.low
