"""What every metric says, where a task has more than one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pandas import DataFrame

from rnnbench.findings.standings import replicated
from rnnbench.findings.wording import GAP, estimate
from rnnbench.results import Results
from rnnbench.statistics import mean_interval


@dataclass(frozen=True)
class Measured:
    """The metrics of one setting, and for each architecture their means with intervals."""

    setting: str
    metrics: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def mean(scores: DataFrame, unit: Sequence[str]) -> str:
    """Write the mean of scores with its 95 % t interval over units; a gap where there are none."""
    values = scores.groupby(list(unit))["value"].mean()
    return estimate(mean_interval(np.asarray(values, dtype=float))) if len(values) else GAP


def measured(results: Results) -> list[Measured]:
    """Return the test scores of the finished runs by every metric, with 95 % t intervals."""
    unit = ["replicate"] if replicated(results) else ["replicate", "seed_index"]
    scores = results.scores
    if scores.empty:
        return []
    # what scores a run, such as the updates it took, has no validation score
    validated = scores[scores["split"] == "valid"]
    found = []
    for name, setting in results.manifest["settings"].items():
        known = set(validated[validated["setting"] == name]["metric"])
        metrics = [str(metric) for metric in setting["metrics"] if metric in known]
        if len(metrics) < 2:
            continue
        mine = scores[(scores["setting"] == name) & (scores["split"] == "test")]
        rows = []
        for architecture in results.manifest["architectures"]:
            one = mine[mine["architecture"] == architecture]
            said = [mean(one[one["metric"] == metric], unit) for metric in metrics]
            rows.append((str(architecture), said))
        found.append(Measured(name, metrics, rows))
    return found
