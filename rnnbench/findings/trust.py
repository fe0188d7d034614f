"""Results to the checks a careful reader makes before believing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rnnbench.findings.cut import cut
from rnnbench.findings.frozen import edges
from rnnbench.findings.ranking import Ranking
from rnnbench.findings.standings import Standings, counted_units
from rnnbench.findings.tuning import amount, trials
from rnnbench.findings.wording import counted, listed, number, percent
from rnnbench.results import Results

TOLERATED_MISMATCH = 0.05
"""Sizes further than this from the matched one are called unequal."""

FEW_TESTED = 100
"""A score of fewer held-out sequences (or targets, where each step has one) is coarse."""


@dataclass(frozen=True)
class Check:
    """One thing that holds, or that a reader must know; `section` is where to read on."""

    ok: bool
    text: str
    section: str


def checks(results: Results, gathered: Standings, ranking: Ranking) -> tuple[Check, ...]:
    """Check fairness and soundness; what deserves doubt comes first."""
    found = (
        *_progress(results),
        _failures(gathered),
        *_cut(results),
        *_seeds(results, ranking),
        _parameters(results),
        _tuning(results),
        *_edges(results),
        *_data(results),
        Check(True, "same data in the same order per seed", "method"),
        _code(results),
        *_versions(results),
        *_sources(results),
        *_hardware(results),
    )
    return tuple(sorted(found, key=lambda check: check.ok))


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


def _cut(results: Results) -> Iterator[Check]:
    alike, text = cut(results)
    if text:
        yield Check(alike, text, "failures")


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


def _data(results: Results) -> Iterator[Check]:
    """Doubt settings whose test part is small, or known before the test."""
    for name, setting in results.manifest["settings"].items():
        for leak in setting.get("leaks", ()):
            yield Check(False, f"{name}: {leak}", "settings")
        test = setting.get("test")
        if test and test["count"] < FEW_TESTED:
            part = f"{name}: the test part has {counted(test['count'], test['of'])}"
            metric = setting["metric"].replace("_", " ")
            worth = f": one is worth {number(test['worth'])} of {metric}" if test["worth"] else ""
            yield Check(False, part + worth, "settings")


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


def _sources(results: Results) -> Iterator[Check]:
    """Doubt rows of one cell or task that several states of its code made: some were accepted."""
    for kind in ("cell", "task"):
        found: dict[str, set[str]] = {}
        for table in (results.trials, results.runs):
            if not table.empty:
                rows = table[[kind, f"{kind}_source"]].dropna().drop_duplicates()
                for name, source in rows.itertuples(index=False):
                    found.setdefault(str(name), set()).add(str(source))
        mixed = [name for name, sources in found.items() if len(sources) > 1]
        if mixed:
            text = f"rows from several states of the code of {kind} {listed(mixed)}"
            yield Check(False, text, "provenance")


def _hardware(results: Results) -> Iterator[Check]:
    """Doubt times, which only rows of one device have in common."""
    used = {
        str(name) or "hardware that was not recorded"
        for table in (results.trials, results.runs)
        if not table.empty
        # of one that died with its worker nobody is left to say
        for name in table.loc[table["status"] == "ok", "hardware_host"].dropna()
    }
    if len(used) > 1:
        text = f"trained on {listed(sorted(used))}: times are not compared between them"
        yield Check(False, text, "provenance")
