"""Results to one record of what they show, from which terminal, page and Markdown all speak."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from rnnbench.findings.comparisons import OVERALL, Comparison, differences, overall_scores, read
from rnnbench.findings.ranking import Ranking, rank
from rnnbench.findings.standings import (
    Standing,
    Standings,
    counted_units,
    replicated,
    sign,
    standings,
    unit_name,
)
from rnnbench.findings.trust import Check, checks
from rnnbench.findings.verdict import Kind, against_reference, banner, limits, verdict
from rnnbench.results import Results
from rnnbench.statistics import Interval, mean_interval, wilson_interval


@dataclass(frozen=True)
class Entry:
    """One architecture on one setting.

    score       mean over the runs that finished, with its interval
    solved      share of all runs that solved the task; None where unasked. With Wilson's interval
                where runs are independent: not where searches were repeated, whose runs share a
                configuration
    best        highest counted mean of the setting, failures counted as trivial
    among_best  not separable from it by the 95 % interval of the paired difference
    """

    architecture: str
    setting: str
    score: Interval
    ok: int
    runs: int
    solved: Interval | None
    solved_count: int
    best: bool
    among_best: bool
    skipped: str

    @property
    def failed(self) -> int:
        """How many runs failed."""
        return self.runs - self.ok


@dataclass(frozen=True)
class Row:
    """One architecture: place in the order, overall score, and an entry per setting.

    index      its place in the suite, which decides its colour and marker
    overall    mean normalised score, failures as 0, with its interval
    group      letter of its tie group; "" where it is not ranked
    note       why it is not ranked, or where it is, what it has no runs on; "" for nothing
    """

    architecture: str
    index: int
    overall: Interval
    group: str
    rank_low: int
    rank_high: int
    runs: int
    failed: int
    entries: tuple[Entry, ...]
    note: str

    @property
    def rank(self) -> str:
        """The interval of its rank, as `2` or `1–3`; `–` where it is not ranked."""
        if not self.group:
            return "–"
        if self.rank_low == self.rank_high:
            return str(self.rank_low)
        return f"{self.rank_low}–{self.rank_high}"


@dataclass(frozen=True)
class Summary:
    """What a run of a suite shows; `rows` are best first, those without a rank last."""

    suite: str
    question: str
    kind: Kind
    verdict: str
    limits: tuple[str, ...]
    against_reference: tuple[str, ...]
    checks: tuple[Check, ...]
    rows: tuple[Row, ...]
    settings: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    ranking: Ranking
    separation: str
    unit: str
    seeds: int
    reference: str
    quick: bool
    interrupted: bool
    banner: str

    @property
    def runs(self) -> int:
        """How many runs are present, without skipped ones."""
        return sum(row.runs for row in self.rows)

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return sum(row.failed for row in self.rows)


def summarise(results: Results, comparisons: pd.DataFrame) -> Summary:
    """Say what the results show, how sure it is, and what a reader must know to trust it."""
    manifest = results.manifest
    gathered = standings(results)
    ranking = rank(gathered)
    compared = tuple(read(comparisons))
    kind, sentence = verdict(results, gathered, ranking)
    overall = [row for row in compared if row.setting == OVERALL]
    return Summary(
        suite=str(manifest["suite"]),
        question=str(manifest["question"]),
        kind=kind,
        verdict=sentence,
        limits=limits(results, gathered, ranking, compared),
        against_reference=against_reference(results, overall),
        checks=checks(results, gathered, ranking),
        rows=_rows(results, gathered, ranking),
        settings=tuple(manifest["settings"]),
        comparisons=compared,
        ranking=ranking,
        separation=_separation(ranking, counted_units(results, ranking.units)),
        unit=unit_name(results),
        seeds=int(manifest["budget"]["seeds"]),
        reference=str(manifest["reference"]),
        quick=bool(manifest["quick"]),
        interrupted=bool(manifest["interrupted"]),
        banner=banner(manifest),
    )


def _rows(results: Results, gathered: Standings, ranking: Ranking) -> tuple[Row, ...]:
    manifest = results.manifest
    entries = {
        setting: _entries(
            [gathered[a, setting] for a in manifest["architectures"]], entry, replicated(results)
        )
        for setting, entry in manifest["settings"].items()
    }
    places = {place.architecture: place for place in ranking.places}
    order = [*places, *(a for a in manifest["architectures"] if a not in places)]
    rows = []
    for name in order:
        mine = [gathered[name, setting] for setting in manifest["settings"]]
        place = places.get(name)
        present = [standing for standing in mine if standing.runs]
        finished = present if any(standing.ok for standing in present) else []
        scaled = [standing for standing in finished if standing.normalised]
        rows.append(
            Row(
                architecture=name,
                index=list(manifest["architectures"]).index(name),
                overall=place.score
                if place
                else mean_interval(np.asarray(list(overall_scores(scaled).values()))),
                group=_letter(place.group) if place else "",
                rank_low=place.rank_low if place else 0,
                rank_high=place.rank_high if place else 0,
                runs=sum(standing.runs for standing in mine),
                failed=sum(standing.failed for standing in mine),
                entries=tuple(entries[setting][name] for setting in manifest["settings"]),
                note=_lacking(mine) if place else _note(mine),
            )
        )
    return tuple(rows)


def _entries(
    column: list[Standing], setting: Mapping[str, Any], repeated: bool
) -> dict[str, Entry]:
    orientation = sign(setting)
    means = {
        standing.architecture: math.fsum(standing.counted.values()) / len(standing.counted)
        for standing in column
        if standing.counted and standing.ok
    }
    by_name = {standing.architecture: standing for standing in column}
    best = max(means, key=lambda name: orientation * means[name], default=None)
    # Level with the trivial predictor, nobody has learned anything to be the best at.
    if best and not by_name[best].learned:
        best = None

    def among(standing: Standing) -> bool:
        if best is None or standing.architecture not in means:
            return False
        gap = differences(by_name[best].counted, standing.counted, orientation)
        return standing.architecture == best or not mean_interval(np.asarray(gap)).low > 0

    return {
        standing.architecture: Entry(
            architecture=standing.architecture,
            setting=standing.setting,
            score=mean_interval(np.asarray(standing.survivors)),
            ok=standing.ok,
            runs=standing.runs,
            solved=_share(standing, repeated),
            solved_count=standing.solved or 0,
            best=standing.architecture == best,
            among_best=among(standing),
            skipped=standing.skipped,
        )
        for standing in column
    }


def _share(standing: Standing, repeated: bool) -> Interval | None:
    if standing.solved is None:
        return None
    found = wilson_interval(standing.solved, standing.runs)
    return replace(found, low=math.nan, high=math.nan) if repeated else found


def _lacking(mine: list[Standing]) -> str:
    """Say what an architecture has no runs on, though it applies there; "" for nothing."""
    lacking = [one.setting for one in mine if not (one.runs or one.skipped)]
    several = f"{len(lacking)} of {len(mine)} settings"
    return f"no runs on {several if lacking[1:] else lacking[0]}" if lacking else ""


def _note(mine: list[Standing]) -> str:
    """Say why an architecture is not ranked."""
    present = sum(standing.runs > 0 for standing in mine)
    skipped = [standing for standing in mine if standing.skipped]
    if not present:
        return skipped[0].skipped if skipped else "no runs yet"
    if not any(standing.ok for standing in mine):
        return "no run finished"
    present = sum(bool(standing.normalised) for standing in mine)
    if not present:
        return "not ranked: no setting of its own has a normalised score"
    why = f" ({skipped[0].skipped})" if skipped else ""
    return f"not ranked: mean over its own {present} of {len(mine)} settings{why}"


def _letter(group: int) -> str:
    """Name groups A, B … Z, AA, AB and so on."""
    return (_letter(group // 26 - 1) if group >= 26 else "") + chr(ord("A") + group % 26)


def _separation(ranking: Ranking, units: str) -> str:
    if not ranking.differences:
        return "nothing, since no two architectures can be ranked"
    if ranking.by_test:
        return (
            "exact sign-flip tests of the paired differences, corrected by Holm over all pairs "
            "(α = 0.05), together with their 95 % intervals"
        )
    return (
        "the 95 % t interval of the paired difference, pair by pair and not corrected for their "
        f"number, because {units} are too few for a corrected test "
        f"({ranking.units_needed} are needed)"
    )
