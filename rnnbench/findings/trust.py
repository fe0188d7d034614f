"""Results to the checks a careful reader makes before believing them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rnnbench.findings.ranking import Ranking
from rnnbench.findings.standings import Standings, counted_units
from rnnbench.findings.tuning import amount, trials
from rnnbench.findings.wording import counted, listed, percent, space
from rnnbench.hyperparameters import STACK
from rnnbench.results import Results

TOLERATED_MISMATCH = 0.05
"""Sizes further than this from the matched one are called unequal."""

EDGE = 0.05
"""An optimum within this share of a range's width from its end counts as at the edge."""


@dataclass(frozen=True)
class Check:
    """One thing that holds, or that a reader must know; `section` is where to read on."""

    ok: bool
    text: str
    section: str


@dataclass(frozen=True)
class Edge:
    """A frozen hyperparameter at an end of its space, in words: a better one may lie beyond."""

    architecture: str
    setting: str
    replicate: int
    name: str
    value: float
    space: str


def checks(results: Results, gathered: Standings, ranking: Ranking) -> tuple[Check, ...]:
    """Check fairness and soundness; what deserves doubt comes first."""
    found = (
        *_progress(results),
        _failures(gathered),
        *_seeds(results, ranking),
        _parameters(results),
        _tuning(results),
        *_edges(results),
        Check(True, "same data in the same order per seed", "method"),
        _code(results),
        *_versions(results),
    )
    return tuple(sorted(found, key=lambda check: check.ok))


def edges(results: Results) -> tuple[Edge, ...]:
    """Find the frozen configurations that lie at an end of what was searched."""
    if results.trials.empty:
        return ()
    frozen = results.trials[results.trials["frozen"] & (results.trials["phase"] == "search")]
    search = results.manifest["search"]
    made = trials(results.manifest)
    found = []
    for row in frozen.to_dict("records"):
        architecture, setting = str(row["architecture"]), str(row["setting"])
        if not made.get((architecture, setting)):
            continue
        spaces = [("hp", name, entry) for name, entry in search["space"].items()] + [
            ("option", name, entry) for name, entry in search["own"].get(architecture, {}).items()
        ]
        for kind, name, entry in spaces:
            value = row.get(name if name in STACK else f"{kind}_{name}")
            if _numeric(entry) and not pd.isna(value) and _at_edge(float(value), entry):
                where = (architecture, setting, int(row["replicate"]))
                found.append(Edge(*where, name, float(value), space(entry)))
    return tuple(found)


def _numeric(entry: Mapping[str, Any]) -> bool:
    """Whether a space has ends; a choice of words, or of true and false, has none."""
    return all(
        isinstance(value, int | float) and not isinstance(value, bool)
        for value in entry.get("values", ())
    )


def _at_edge(value: float, entry: Mapping[str, Any]) -> bool:
    if entry["kind"] == "choice":
        # of two values either is an end
        several = len(entry["values"]) > 2
        return several and value in (min(entry["values"]), max(entry["values"]))
    low, high = float(entry["low"]), float(entry["high"])
    if entry["kind"] == "log":
        value, low, high = math.log(value), math.log(low), math.log(high)
    margin = EDGE * (high - low)
    return value <= low + margin or value >= high - margin


def _progress(results: Results) -> Iterator[Check]:
    members: Mapping[str, int] = results.manifest["members"]
    if results.manifest["quick"]:
        yield Check(False, "quick budget: a try-out, not evidence", "settings")
    if members["present"] < members["asked"]:
        text = f"{members['present']:,} of {members['asked']:,} trials and runs present"
        yield Check(False, text, "provenance")


def _failures(gathered: Standings) -> Check:
    failed = sum(standing.failed for standing in gathered.values())
    runs = sum(standing.runs for standing in gathered.values())
    if not failed:
        return Check(True, f"none of {counted(runs, 'run')} failed", "failures")
    return Check(False, f"{failed:,} of {counted(runs, 'run')} failed, counted as 0", "failures")


def _seeds(results: Results, ranking: Ranking) -> Iterator[Check]:
    if not ranking.differences:
        return
    units = counted_units(results, ranking.units)
    if ranking.by_test:
        yield Check(True, f"{units}, enough to test every pair", "method")
    else:
        needed = f"{ranking.units_needed} needed to test every pair"
        yield Check(False, f"{units}; {needed}", "method")


def _parameters(results: Results) -> Check:
    match = results.manifest["match"]
    mismatch = max(
        (
            abs(float(size["mismatch"]))
            for sizes in results.manifest["sizes"].values()
            for size in sizes.values()
        ),
        default=0.0,
    )
    what = listed([f"{value:,} {name}" for name, value in match.items()])
    if mismatch > TOLERATED_MISMATCH:
        return Check(False, f"sizes differ from {what} by up to {percent(mismatch)}", "settings")
    return Check(True, f"same size: {what} (within {percent(mismatch)})", "settings")


def _tuning(results: Results) -> Check:
    numbers = set(trials(results.manifest).values())
    if len(numbers) > 1:
        return Check(False, f"unequal tuning: {amount(results.manifest)}", "tuning")
    if not any(numbers):
        return Check(True, "no search: fixed hyperparameters, said openly", "tuning")
    return Check(True, f"same tuning: {amount(results.manifest)} each", "tuning")


def _edges(results: Results) -> Iterator[Check]:
    found = edges(results)
    if found:
        pairs = sum(count > 0 for count in trials(results.manifest).values())
        studies = pairs * int(results.manifest["search"]["replicates"])
        at = len({(edge.architecture, edge.setting, edge.replicate) for edge in found})
        yield Check(
            False, f"optimum at an edge of the space in {at} of {studies} searches", "tuning"
        )


def _code(results: Results) -> Check:
    git = results.manifest["git"]
    if git is None:
        version = results.manifest["versions"]["rnnbench"]
        return Check(True, f"rnnbench {version} from a package", "provenance")
    commit = str(git["commit"])[:12]
    if git["dirty"]:
        return Check(False, f"uncommitted changes on top of {commit}", "provenance")
    return Check(True, f"code at commit {commit}", "provenance")


def _versions(results: Results) -> Iterator[Check]:
    for package in ("rnnbench", "torch"):
        column = f"{package}_version"
        used = {
            str(version)
            for table in (results.trials, results.runs)
            if not table.empty
            for version in table[column].dropna()
        }
        if len(used) > 1:
            yield Check(False, f"rows from {package} {listed(sorted(used))}", "provenance")
