"""Naive predictors beside the scores: what they reach, and who is surely better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from rnnbench.findings.summary import Entry
from rnnbench.findings.wording import listed, number


def floors(manifest: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """Return each naive predictor's scores by setting, in words."""
    found: dict[str, dict[str, str]] = {}
    for setting, entry in manifest["settings"].items():
        for name, value in entry.get("floors", {}).items():
            found.setdefault(name, {})[setting] = number(float(value))
    return list(found.items())


def best_floor(setting: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return the best naive predictor of a setting and its score, where there is one."""
    values: Mapping[str, float] = setting.get("floors", {})
    if not values:
        return None
    best = max if setting["direction"] == "max" else min
    return best(values.items(), key=lambda item: item[1])


def threshold(setting: Mapping[str, Any]) -> str:
    """Name the naive predictor whose score counts as solved; "" where the task has its own."""
    solved = float(setting["solved"])
    best = best_floor(setting)
    if best and best[1] == solved:
        return best[0]
    return "trivial predictor" if float(setting["trivial"]) == solved else ""


def beaten(manifest: Mapping[str, Any], entries: Iterable[Entry]) -> list[str]:
    """Say for each setting with naive predictors who beats the best one with a whole interval.

    Whoever has failed runs does not: its interval is one over survivors.
    """
    each = list(entries)
    found = []
    for setting, described in manifest["settings"].items():
        best = best_floor(described)
        if best is None:
            continue
        larger, (name, floor) = described["direction"] == "max", best
        here = [entry for entry in each if entry.setting == setting]
        better = [
            entry.architecture
            for entry in here
            if not entry.failed
            and (entry.score.low > floor if larger else entry.score.high < floor)
        ]
        who = "nobody with the whole 95 % interval"
        if better:
            who = f"{listed(better)} with the whole 95 % interval"
        elif all(math.isnan(entry.score.low) for entry in here):
            who = "too few runs to say"
        found.append(f"{setting}: better than the best naive predictor ({name}): {who}.")
    return found
