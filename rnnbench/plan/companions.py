"""Baselines that run beside every comparison of answers to questions about pictures.

Much of what a network says of a picture can be said without looking at it (Antol et al. 2015, table
2: 48.8 % without the picture, 53.7 % with it), so that no score says anything before both baselines
stand beside it.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

from rnnbench.contracts import Cell
from rnnbench.hyperparameters import Without
from rnnbench.registry import Registry
from rnnbench.resolving import ResolvedTask, ResolvedUnit, resolve_unit
from rnnbench.suite import Suite

BLIND: dict[Without, str] = {"image": "question_only", "question": "image_only"}
"""What each baseline is called by what it is not shown."""


def companions(
    suite: Suite,
    units: Sequence[ResolvedUnit],
    tasks: Sequence[ResolvedTask],
    registry: Registry,
) -> list[ResolvedUnit]:
    """Return the baselines that are not among `units`: the suite's own, else made of its reference.

    There are none where no task has an image beside its questions.
    """
    if all(task.task.image is None for task in tasks):
        return []
    cells = [unit for unit in units if isinstance(unit.unit, Cell)]
    preferred = [unit for unit in cells if unit.entry.label == suite.reference]
    base = next(iter((*preferred, *cells, *units)))
    listed = {unit.entry.without for unit in units}
    found = []
    for without, name in BLIND.items():
        if without in listed:
            continue
        own = [entry for entry in suite.architectures.values() if entry.without == without]
        if own:
            one = resolve_unit(suite, own[0], registry)
        else:
            label = _free(base.entry.label, name, suite.architectures)
            # a base may look at pictures in a way that does not apply to questions
            plain = replace(base.entry, label=label, without=without, attention="none")
            plain = replace(plain, conditioning="state", fusion="concatenation")
            one = replace(base, entry=plain)
        found.append(replace(one, companion=True))
    return found


def _free(label: str, name: str, taken: Container[str]) -> str:
    """Return a label that no architecture has."""
    found = f"{label}_{name}"
    while found in taken:
        found += "_"
    return found
