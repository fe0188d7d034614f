"""Evaluation runs to one standing per architecture and setting: what every comparison starts from.

Two rules make failures and useless models comparable. A failed run counts as the trivial
predictor; so does one that scores below it, since a user can always fall back on it. The
normalised score is (score − trivial) / (best − trivial): 0 is the trivial predictor, 1 the
oracle, or the best value the metric can take where there is no oracle. A setting that has neither,
or whose trivial predictor is as good, has no normalised score, and no part in what is averaged over
settings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rnnbench.findings import wording
from rnnbench.results import Results

Unit = tuple[int, ...]
"""What is paired: (replicate, seed), or (replicate,) where searches were repeated."""


@dataclass(frozen=True)
class Standing:
    """What one architecture reached on one setting.

    survivors   scores of the runs that finished (of each search, where searches were repeated)
    counted     score per unit with failures as trivial, in the metric's own units
    normalised  the same from 0 (trivial) to 1 (best); empty where nothing is known to be best
    learned     whether any run beats the trivial predictor
    runs        runs that are present, without skipped ones
    solved      runs that reached the task's threshold; None where none was asked to
    skipped     why the pair does not apply; "" where it does
    """

    architecture: str
    setting: str
    survivors: tuple[float, ...]
    counted: Mapping[Unit, float]
    normalised: Mapping[Unit, float]
    learned: bool
    runs: int
    failed: int
    solved: int | None
    skipped: str

    @property
    def ok(self) -> int:
        """How many runs finished."""
        return self.runs - self.failed


Standings = dict[tuple[str, str], Standing]
"""Standings by (architecture, setting), for every pair that the suite asks for."""


def sign(setting: Mapping[str, Any]) -> int:
    """Return 1 where a larger score is better, −1 where a smaller one is."""
    return 1 if setting["direction"] == "max" else -1


def ceiling(setting: Mapping[str, Any]) -> float | None:
    """Return the score that normalises to 1: the oracle's, else the metric's bound, if any."""
    return None if setting["best"] is None else float(setting["best"])


def perfect(setting: Mapping[str, Any]) -> bool:
    """Whether nothing can be better than the trivial predictor."""
    best = ceiling(setting)
    return best is not None and sign(setting) * (best - float(setting["trivial"])) <= 0


def unscaled(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return why settings have no normalised score, by their names."""
    return {name: why for name, entry in manifest["settings"].items() if (why := _unscaled(entry))}


def _unscaled(setting: Mapping[str, Any]) -> str:
    if ceiling(setting) is None:
        return "no oracle, and a metric without a best value"
    return "the trivial predictor is perfect there" if perfect(setting) else ""


def no_worse_than_trivial(score: float, setting: Mapping[str, Any]) -> float:
    """Return the score that counts: the trivial predictor's for NaN and for anything worse."""
    trivial = float(setting["trivial"])
    if math.isnan(score):
        return trivial
    return max(score, trivial) if setting["direction"] == "max" else min(score, trivial)


def normalise(score: float, setting: Mapping[str, Any], best: float) -> float:
    """Return (score − trivial) / (best − trivial), at least 0; `best` is better than trivial."""
    trivial = float(setting["trivial"])
    return (no_worse_than_trivial(score, setting) - trivial) / (best - trivial)


def replicated(results: Results) -> bool:
    """Whether searches were repeated, so that the search is the unit of the statistics."""
    return int(results.manifest["search"]["replicates"]) >= 2


def unit_name(results: Results) -> str:
    """Name what intervals are taken over."""
    return "search" if replicated(results) else "seed"


def counted_units(results: Results, count: int) -> str:
    """Count what intervals are taken over: `1 seed`, `5 seeds`, `3 searches`."""
    return wording.counted(
        count, unit_name(results), "searches" if replicated(results) else "seeds"
    )


def survivors(gathered: Standings) -> str:
    """Say in a sentence which means are over some of the runs alone; "" where none is."""
    some = [
        f"{one.architecture} on {one.setting} ({wording.finished(one.ok, one.runs)})"
        for one in gathered.values()
        if one.failed and one.ok
    ]
    return f" ✕ Over the survivors alone: {wording.listed(some)}." if some else ""


def standings(results: Results) -> Standings:
    """Gather the runs of every architecture on every setting that the manifest names."""
    manifest = results.manifest
    by_pair: dict[tuple[str, str], list[dict[str, Any]]] = {
        (architecture, setting): []
        for architecture in manifest["architectures"]
        for setting in manifest["settings"]
    }
    for row in results.runs.to_dict("records"):
        by_pair[str(row["architecture"]), str(row["setting"])].append(
            {str(name): value for name, value in row.items()}
        )
    repeated = replicated(results)
    tried = searched(results)
    return {
        (architecture, setting): _standing(
            architecture,
            setting,
            manifest["settings"][setting],
            [row | {"asked": asked(row, tried)} for row in rows],
            repeated,
        )
        for (architecture, setting), rows in by_pair.items()
    }


def searched(results: Results) -> frozenset[tuple[str, str, int]]:
    """Return which (architecture, setting, replicate) had trials that ran."""
    trials = results.trials
    if trials.empty:
        return frozenset()
    ran = trials[trials["status"] != "skipped"]
    return frozenset(zip(ran["architecture"], ran["setting"], ran["replicate"], strict=True))


def asked(row: Mapping[str, Any], tried: frozenset[tuple[str, str, int]]) -> bool:
    """Whether a run counts: not where the pair does not apply.

    A run skipped because no trial of its search succeeded is a failure, not an excuse.
    """
    pair = (row["architecture"], row["setting"], row["replicate"])
    return row["status"] != "skipped" or pair in tried


def _standing(
    architecture: str,
    name: str,
    setting: Mapping[str, Any],
    rows: list[dict[str, Any]],
    repeated: bool,
) -> Standing:
    present = [row for row in rows if row["asked"]]
    survivors: dict[Unit, list[float]] = {}
    counted: dict[Unit, list[float]] = {}
    normalised: dict[Unit, list[float]] = {}
    best, learned = None if perfect(setting) else ceiling(setting), False
    for row in sorted(present, key=lambda row: (row["replicate"], row["seed_index"])):
        unit = (row["replicate"],) if repeated else (row["replicate"], row["seed_index"])
        score = float(row["score"]) if row["status"] == "ok" else math.nan
        counts = no_worse_than_trivial(score, setting)
        counted.setdefault(unit, []).append(counts)
        learned = learned or counts != float(setting["trivial"])
        if best is not None:
            normalised.setdefault(unit, []).append(normalise(score, setting, best))
        if row["status"] == "ok":
            survivors.setdefault(unit, []).append(score)
    known = [row["solved"] for row in present if not pd.isna(row["solved"])]
    failed = sum(row["status"] != "ok" for row in present)
    return Standing(
        architecture=architecture,
        setting=name,
        survivors=tuple(_mean(scores) for scores in survivors.values()),
        counted={unit: _mean(scores) for unit, scores in counted.items()},
        normalised={unit: _mean(scores) for unit, scores in normalised.items()},
        learned=learned,
        runs=len(present),
        failed=failed,
        solved=sum(map(bool, known)) if known or failed else None,
        skipped=next((str(r["reason"]) for r in rows if not r["asked"]), ""),
    )


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
