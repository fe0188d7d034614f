"""Paired comparisons of architectures, setting by setting and overall, as one tidy table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from rnnbench.findings.standings import Standing, Standings, Unit, sign, standings
from rnnbench.results import Results
from rnnbench.statistics import (
    ALPHA,
    Interval,
    holm,
    mean_interval,
    sign_flip_test,
    smallest_p,
)

OVERALL = "overall"
"""Stands for a setting in rows that compare normalised scores averaged over settings."""


@dataclass(frozen=True)
class Comparison:
    """One architecture against another on one setting, or overall.

    `difference`, `low`, `high` are oriented: above zero the architecture is better than the
    reference. `raw` is architecture − reference in the metric's units.
    """

    setting: str
    architecture: str
    reference: str
    metric: str
    n: int
    difference: float
    low: float
    high: float
    raw: float
    p: float
    p_holm: float
    smallest_p: float
    exact: bool
    family: int
    verdict: str
    runs: int
    failed: int
    runs_reference: int
    failed_reference: int
    note: str

    @property
    def interval(self) -> Interval:
        """The paired difference with its bounds."""
        return Interval(self.difference, self.low, self.high, self.n)


def compare(results: Results) -> pd.DataFrame:
    """Compare the suite's primary contrasts: one row a setting and contrast, and overall.

    p values are adjusted by Holm over the contrasts of all settings; those of the overall rows,
    which summarise the same runs, over themselves.
    """
    gathered = standings(results)
    contrasts = [tuple(pair) for pair in results.manifest["primary_contrasts"]]
    settings: Mapping[str, Any] = results.manifest["settings"]
    single = [
        _on_setting(gathered[first, name], gathered[second, name], settings[name])
        for name in settings
        for first, second in contrasts
    ]
    overall = [_overall(gathered, first, second, settings) for first, second in contrasts]
    rows = [asdict(row) for row in (*adjust(single), *adjust(overall))]
    return pd.DataFrame(rows, columns=[field.name for field in fields(Comparison)])


def read(comparisons: pd.DataFrame) -> list[Comparison]:
    """Return the table's rows as records."""
    records = comparisons.to_dict("records")
    return [Comparison(**{str(name): value for name, value in row.items()}) for row in records]


def adjust(family: Sequence[Comparison]) -> list[Comparison]:
    """Correct the p values of a family for their number, and pass the verdicts.

    A verdict of better or worse needs the corrected test and the interval to agree. Where even
    the clearest outcome could not pass the corrected test, the verdict is `too few seeds`.
    """
    size = sum(row.n > 0 for row in family)
    adjusted = holm([row.p for row in family])
    return [
        replace(row, p_holm=float(p), family=size, verdict=_verdict(row, float(p), size))
        for row, p in zip(family, adjusted, strict=True)
    ]


def differences(
    first: Mapping[Unit, float], second: Mapping[Unit, float], orientation: int = 1
) -> list[float]:
    """Return first − second for every unit that both have, in the units' order."""
    return [orientation * (first[unit] - second[unit]) for unit in sorted(first.keys() & second)]


def overall_scores(mine: Iterable[Standing]) -> dict[Unit, float]:
    """Average one architecture's normalised scores over settings, for units that all have."""
    each = [standing.normalised for standing in mine]
    if not each:
        return {}
    units = set(each[0]).intersection(*each[1:])
    return {unit: math.fsum(scores[unit] for scores in each) / len(each) for unit in sorted(units)}


def _on_setting(first: Standing, second: Standing, setting: Mapping[str, Any]) -> Comparison:
    return _comparison(
        first.setting,
        str(setting["metric"]),
        [first],
        [second],
        # Two sides that finished nothing would tie at the trivial predictor.
        differences(first.counted, second.counted, sign(setting)) if first.ok + second.ok else [],
        orientation=sign(setting),
        note=first.skipped or second.skipped or _at_floor(first, second),
    )


def _at_floor(first: Standing, second: Standing) -> str:
    if first.ok + second.ok and not (first.learned or second.learned):
        return "neither beats the trivial predictor"
    return ""


def _overall(gathered: Standings, first: str, second: str, settings: Iterable[str]) -> Comparison:
    names = list(settings)
    common = [s for s in names if gathered[first, s].normalised and gathered[second, s].normalised]
    mine = [gathered[first, setting] for setting in common]
    other = [gathered[second, setting] for setting in common]
    found = _comparison(
        OVERALL,
        "normalised score",
        mine,
        other,
        differences(overall_scores(mine), overall_scores(other))
        if any(standing.ok for standing in (*mine, *other))
        else [],
        orientation=1,
        note="" if len(common) == len(names) else f"{len(common)} of {len(names)} settings",
    )
    return replace(found, architecture=first, reference=second)


def _comparison(
    setting: str,
    metric: str,
    first: Sequence[Standing],
    second: Sequence[Standing],
    oriented: Sequence[float],
    orientation: int,
    note: str,
) -> Comparison:
    interval = mean_interval(np.asarray(oriented))
    test = sign_flip_test(np.asarray(oriented))
    return Comparison(
        setting=setting,
        architecture=first[0].architecture if first else "",
        reference=second[0].architecture if second else "",
        metric=metric,
        n=interval.n,
        difference=interval.estimate,
        low=interval.low,
        high=interval.high,
        raw=orientation * interval.estimate,
        p=test.p,
        p_holm=math.nan,
        smallest_p=test.smallest if interval.n else math.nan,
        exact=test.exact,
        family=0,
        verdict="",
        runs=sum(standing.runs for standing in first),
        failed=sum(standing.failed for standing in first),
        runs_reference=sum(standing.runs for standing in second),
        failed_reference=sum(standing.failed for standing in second),
        note=note,
    )


def _verdict(row: Comparison, adjusted: float, family: int) -> str:
    if row.n == 0:
        return "no data"
    if smallest_p(row.n) * family > ALPHA:
        return "too few seeds"
    if adjusted > ALPHA or not row.interval.excludes_zero:
        return "not separated"
    return "better" if row.difference > 0 else "worse"
