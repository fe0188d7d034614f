"""What each search chose: its frozen hyperparameters, and those at an end of their space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rnnbench.findings.tuning import trials
from rnnbench.findings.wording import space
from rnnbench.hyperparameters import COUNTS, LIMITS, STACK
from rnnbench.results import Results

EDGE = 0.05
"""An optimum within this share of a range's width from its end counts as at the edge."""


@dataclass(frozen=True)
class Frozen:
    """What a search froze: `shared` hyperparameters, those of the cell's `own`, the hidden size."""

    architecture: str
    setting: str
    replicate: int
    shared: Mapping[str, Any]
    own: Mapping[str, Any]
    hidden: int


@dataclass(frozen=True)
class Edge:
    """A frozen hyperparameter at an end of its space, in words: a better one may lie beyond."""

    architecture: str
    setting: str
    replicate: int
    name: str
    value: float
    space: str


def frozen(results: Results) -> tuple[Frozen, ...]:
    """Return what was chosen where something was searched, in the order of the suite."""
    if results.trials.empty:
        return ()
    chosen = results.trials[results.trials["frozen"] & (results.trials["phase"] == "search")]
    search, made = results.manifest["search"], trials(results.manifest)
    found = []
    for row in chosen.to_dict("records"):
        architecture, setting = str(row["architecture"]), str(row["setting"])
        if not made.get((architecture, setting)):
            continue
        own = search["own"].get(architecture, {})
        values = {
            name: row.get(name if name in STACK else f"hp_{name}") for name in search["space"]
        }
        found.append(
            Frozen(
                architecture,
                setting,
                int(row["replicate"]),
                {name: value for name, value in values.items() if not pd.isna(value)},
                {name: row[f"option_{name}"] for name in own if f"option_{name}" in row},
                int(row["hidden"]),
            )
        )
    return tuple(found)


def edges(results: Results) -> tuple[Edge, ...]:
    """Find what lies at an end of what was searched, and not of what the number can be at all."""
    search, cards = results.manifest["search"], results.manifest["architectures"]
    found = []
    for one in frozen(results):
        bounds = cards[one.architecture].get("bounds", {})
        spaces = (
            *((n, v, search["space"][n], _limits(n)) for n, v in one.shared.items()),
            *(
                (n, v, search["own"][one.architecture][n], bounds.get(n, ()))
                for n, v in one.own.items()
            ),
        )
        for name, value, entry, natural in spaces:
            if _numeric(entry) and _at_edge(float(value), entry, natural):
                where = (one.architecture, one.setting, one.replicate)
                found.append(Edge(*where, name, float(value), space(entry)))
    return tuple(found)


def _limits(name: str) -> tuple[float, ...]:
    """Return the least and greatest value that a shared hyperparameter can have."""
    return (1.0,) if name in COUNTS else LIMITS[name][1:] if name in LIMITS else ()


def _numeric(entry: Mapping[str, Any]) -> bool:
    """Whether a space has ends; a choice of words, or of true and false, has none."""
    return all(
        isinstance(value, int | float) and not isinstance(value, bool)
        for value in entry.get("values", ())
    )


def _at_edge(value: float, entry: Mapping[str, Any], natural: tuple[float | None, ...]) -> bool:
    if entry["kind"] == "choice":
        # of two values either is an end
        ends = {min(entry["values"]), max(entry["values"])} - set(natural)
        return len(entry["values"]) > 2 and value in ends
    ends = {float(entry["low"]), float(entry["high"])} - set(natural)
    return any(_near(value, end, entry) for end in ends)


def _near(value: float, end: float, entry: Mapping[str, Any]) -> bool:
    scale = math.log if entry["kind"] == "log" else float
    width = scale(entry["high"]) - scale(entry["low"])
    return abs(scale(value) - scale(end)) <= EDGE * width
