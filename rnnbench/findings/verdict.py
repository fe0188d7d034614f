"""A ranking to the sentences a reader may quote, by fixed templates and never by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, Literal

from rnnbench.findings.comparisons import OVERALL, Comparison
from rnnbench.findings.ranking import Ranking
from rnnbench.findings.standings import Standings, counted_units, replicated, unscaled
from rnnbench.findings.tuning import scope, short_scope
from rnnbench.findings.wording import counted, listed, p_value, signed, span
from rnnbench.results import Results
from rnnbench.statistics import FEWEST, Interval, seeds_needed, smallest_p

Kind = Literal[
    "SEPARATED", "AHEAD", "TIED", "UNDERPOWERED", "NOTHING_LEARNED", "FAILED", "UNRANKED"
]
"""Which template made the verdict; AHEAD leads by interval where seeds are too few for a test."""


_SCALE = " on the normalised score"


def verdict(results: Results, gathered: Standings, ranking: Ranking) -> tuple[Kind, str]:
    """Say who leads, by how much and how surely, for which configurations, or that none does."""
    runs = sum(standing.runs for standing in gathered.values())
    failed = sum(standing.failed for standing in gathered.values())
    if runs and runs == failed:
        return "FAILED", f"Nothing to compare: all {counted(runs, 'run')} failed."
    if len(ranking.places) < 2:
        return "UNRANKED", _unranked(runs, ranking, results)
    first, second = ranking.places[:2]
    if first.score.estimate <= 0:
        return (
            "NOTHING_LEARNED",
            "No architecture did better than the trivial predictor, so there is no order to give; "
            f"this is {scope(results)}.",
        )
    gap = ranking.differences[first.architecture, second.architecture]
    names = [place.architecture for place in ranking.leaders]
    if ranking.units < FEWEST:
        return (
            "UNDERPOWERED",
            f"Too few seeds to tell: {first.architecture} scores {signed(gap.estimate)}{_SCALE} "
            f"above {second.architecture} with {counted_units(results, ranking.units)}, "
            f"and an interval needs {FEWEST}; this is {scope(results)}.",
        )
    if first.rank_high > 1:
        last = ranking.differences[names[0], names[-1]]
        ends = "" if len(names) == 2 else f" from {names[0]} to {names[-1]}"
        return (
            "TIED",
            f"{_tie(names, ranking)} "
            f"(difference{ends} {signed(last.estimate)}{_SCALE}, {_bounds(last)}), "
            f"{scope(results)}.",
        )
    if ranking.by_test:
        p = ranking.p_holm[first.architecture, second.architecture]
        return (
            "SEPARATED",
            f"{first.architecture} leads, {_gap(gap, _SCALE)} above {second.architecture}, "
            f"the next, with {p_value(p)} after Holm's correction, {scope(results)}.",
        )
    return (
        "AHEAD",
        f"{first.architecture} is ahead of {second.architecture}, the next, "
        f"by {_gap(gap, _SCALE)}, {scope(results)}, but "
        f"{counted_units(results, ranking.units)} cannot make that significant.",
    )


def limits(
    results: Results, gathered: Standings, ranking: Ranking, contrasts: Sequence[Comparison]
) -> tuple[str, ...]:
    """Say what the verdict leaves out: few seeds, exceptions, the reference, how far it reaches."""
    manifest, out = results.manifest, unscaled(results.manifest)
    if len(ranking.places) < 2 or all(s.failed == s.runs for s in gathered.values()):
        return ()
    found = [*_few_seeds(results, ranking), *_exceptions(gathered, ranking, contrasts)]
    for reason in dict.fromkeys(out.values()):
        names = [name for name, why in out.items() if why == reason]
        found.append(
            f"{listed(names, at_most=3)} {'is' if len(names) == 1 else 'are'} left out of the "
            f"overall score and the order: {reason}."
        )
    size = listed([f"{value:,} {name}" for name, value in manifest["match"].items()])
    found.append(
        f"This holds {scope(results)}, "
        + (f"at {size}, " if size else "")
        + f"on {counted(len(ranking.settings), 'setting')}; nothing beyond."
    )
    return tuple(found)


def against_reference(results: Results, overall: Sequence[Comparison]) -> tuple[str, ...]:
    """Say for each primary contrast what the overall comparison shows."""
    return tuple(
        f"{row.architecture} against {row.reference}: {_outcome(row, short_scope(results))}"
        for row in overall
        if row.setting == OVERALL and row.reference
    ) or (f"No architecture to compare with {results.manifest['reference']}.",)


def too_few(results: Results, n: int, contrasts: int) -> str:
    """Say why no p value of so few pairs can count, and how many would be needed."""
    return (
        f"Too few {'searches' if replicated(results) else 'seeds'} for a significance claim: "
        f"{counted_units(results, n)} cannot give p below {smallest_p(n):.4g}; "
        f"{seeds_needed()} are needed before Holm's correction"
        + (f", {seeds_needed(contrasts)} after it" if contrasts > 1 else "")
        + "."
    )


def _tie(leaders: Sequence[str], ranking: Ranking) -> str:
    names = [place.architecture for place in ranking.places]
    if not any(ranking.separated(a, b) for a, b in combinations(names, 2)):
        return "All tie; these data cannot order them"
    return f"No single leader: these data cannot tell {leaders[0]} from {listed(leaders[1:])}"


def _few_seeds(results: Results, ranking: Ranking) -> list[str]:
    if ranking.by_test:
        return []
    pairs = len(ranking.places) * (len(ranking.places) - 1) // 2
    return [too_few(results, ranking.units, pairs)]


def _exceptions(
    gathered: Standings, ranking: Ranking, contrasts: Sequence[Comparison]
) -> list[str]:
    ranked = {place.architecture for place in ranking.places}
    unranked = [name for name in dict.fromkeys(name for name, _ in gathered) if name not in ranked]
    found = []
    if unranked:
        verb = "is" if len(unranked) == 1 else "are"
        found.append(
            f"{listed(unranked)} {verb} not ranked: some settings do not apply or have no runs."
        )
    leaders = {place.architecture for place in ranking.leaders}
    against = [
        row.setting
        for row in contrasts
        if row.setting != OVERALL
        and (
            (row.reference in leaders and row.architecture not in leaders and row.low > 0)
            or (row.architecture in leaders and row.reference not in leaders and row.high < 0)
        )
    ]
    if against:
        found.append(f"On {listed(list(dict.fromkeys(against)), at_most=3)} the order turns round.")
    return found


def _outcome(row: Comparison, reach: str) -> str:
    if row.n == 0:
        return f"no pairs to compare{f' ({row.note})' if row.note else ''}."
    seen = f"{_gap(row.interval)}, {counted(row.n, 'pair')}"
    judged = {
        "better": f"better ({p_value(row.p_holm)} after Holm)",
        "worse": f"worse ({p_value(row.p_holm)} after Holm)",
        "not separated": "not separated",
        "too few seeds": "too few seeds for a significance claim",
    }[row.verdict]
    note = f"; on {row.note}" if row.note else ""
    return f"{seen}: {judged}, {reach}{note}."


def _unranked(runs: int, ranking: Ranking, results: Results) -> str:
    if not runs:
        return "Nothing to compare: no run has finished."
    if ranking.places:
        only = ranking.places[0]
        return (
            f"{only.architecture} alone can be ranked: {signed(only.score.estimate)} normalised "
            f"score ({_bounds(only.score)})."
        )
    out = unscaled(results.manifest)
    if len(out) == len(results.manifest["settings"]):
        reasons = "; ".join(dict.fromkeys(out.values()))
        return f"No order to give: no setting counts for an overall score ({reasons})."
    return "No order to give: no setting has runs of every architecture."


def _gap(interval: Interval, scale: str = "") -> str:
    return f"{signed(interval.estimate)}{scale} ({_bounds(interval)})"


def _bounds(interval: Interval) -> str:
    if math.isnan(interval.low):
        return "no interval"
    return f"95 % interval {span(interval, sign=True)}"


def banner(manifest: dict[str, Any]) -> str:
    """Say what is missing from a partial run; "" where nothing is."""
    members = manifest["members"]
    if members["present"] >= members["asked"] and not manifest["interrupted"]:
        return ""
    left = f"{members['present']:,} of {members['asked']:,} trials and runs are present"
    if manifest["interrupted"]:
        why, again = "The run was interrupted", "continues it"
    else:
        why, again = "The run had finished, and some of it is lost", "trains that again"
    return f"Partial results. {why}: {left}. Running the same command again {again}."
