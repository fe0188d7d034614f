"""Scores by kind: questions of a type, pictures with so many objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rnnbench.findings.standings import replicated
from rnnbench.findings.wording import GAP
from rnnbench.report.metrics import mean
from rnnbench.results import Results


@dataclass(frozen=True)
class ByKind:
    """The score of each kind on one setting: a kind and its count a column.

    rows  an architecture, and for each kind the mean with its interval
    """

    setting: str
    metric: str
    kinds: Sequence[tuple[str, int]]
    rows: Sequence[tuple[str, Sequence[str]]]


def by_kind(results: Results) -> list[ByKind]:
    """Return the first metric of the finished runs by kind, with 95 % t intervals."""
    table = results.kinds
    if table.empty:
        return []
    unit = ["replicate"] if replicated(results) else ["replicate", "seed_index"]
    found = []
    for name, setting in results.manifest["settings"].items():
        mine = table[(table["setting"] == name) & (table["metric"] == setting["metric"])]
        if mine.empty:
            continue
        counts = mine.drop_duplicates("kind")
        kinds = list(zip(counts["kind"].astype(str), counts["sequences"].astype(int), strict=True))
        rows = []
        for architecture in results.manifest["architectures"]:
            one = mine[mine["architecture"] == architecture]
            said = [mean(one[one["kind"] == kind], unit) for kind, _ in kinds]
            if set(said) != {GAP}:
                rows.append((str(architecture), said))
        found.append(ByKind(name, str(setting["metric"]).replace("_", " "), kinds, rows))
    return found
