"""A summary and its figures to the words of a report, the same for page and Markdown."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rnnbench.findings.comparisons import OVERALL, Comparison
from rnnbench.findings.floors import beaten, floors, threshold
from rnnbench.findings.frozen import Edge, edges
from rnnbench.findings.overfitting import overfitting
from rnnbench.findings.standings import counted_units, replicated, unscaled
from rnnbench.findings.summary import Entry, Summary
from rnnbench.findings.tuning import amount, tuned
from rnnbench.findings.wording import (
    GAP,
    counted,
    estimate,
    finished,
    p_value,
    percent,
    signed,
    span,
)
from rnnbench.plots import Figure, Omitted
from rnnbench.report.configurations import MOST_FROZEN, configurations
from rnnbench.report.described import card, moment, provenance, search, setting
from rnnbench.report.failures import MOST_FAILURES, Failure, failures, how_many
from rnnbench.report.kinds import ByKind, by_kind
from rnnbench.report.looked import Looked, looked
from rnnbench.report.method import method
from rnnbench.report.metrics import Measured, measured
from rnnbench.report.pictured import Pictured, pictured
from rnnbench.report.written import Written, written, written_caption
from rnnbench.results import Results


@dataclass(frozen=True)
class Mark:
    """What a cell of the score table says.

    solved  `4/5 solved`, shown before the mean where a task is of the solved-or-not kind; or
            `4/5 reach naive_bayes`, where the best naive predictor is the threshold
    failed  `✕ 4/5 ok`; the mean is then one over survivors
    order   the number to sort by
    """

    score: str
    solved: str
    solved_first: bool
    failed: str
    among_best: bool
    skipped: str
    order: str


@dataclass(frozen=True)
class Content:
    """All that a report says; templates only arrange it."""

    results: Results
    summary: Summary
    headline: str
    subtitle: str
    figures: Mapping[str, Figure | Omitted]
    marks: Mapping[tuple[str, str], Mark]
    solve_rates: Mapping[tuple[str, str], str]
    pairs: Sequence[Mapping[str, str]]
    failures: Sequence[Failure]
    failures_left_out: int
    failed: str
    frozen: Sequence[Mapping[str, str]]
    frozen_left_out: int
    edges: Sequence[Edge]
    floors: Sequence[tuple[str, Mapping[str, str]]]
    beaten: Sequence[str]
    measured: Sequence[Measured]
    written: Sequence[Written]
    looked: Sequence[Looked]
    overfitting: Sequence[str]
    pictured: Sequence[Pictured]
    by_kind: Sequence[ByKind]
    written_caption: str
    settings: Sequence[Mapping[str, str]]
    sizes: Mapping[tuple[str, str], str]
    search: Sequence[tuple[str, str]]
    cards: Mapping[str, Sequence[tuple[str, str]]]
    provenance: Sequence[tuple[str, str]]
    method: Sequence[str]
    forest_caption: str
    table_caption: str
    solve_title: str
    solve_caption: str
    quick: str

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest of the results."""
        return self.results.manifest

    @property
    def spoken(self) -> bool:
        """Whether anything was scored by the length of its answers."""
        return not self.results.lengths.empty

    def drawn(self, figure: str) -> bool:
        """Whether a figure says something."""
        return isinstance(self.figures[figure], Figure)

    @property
    def tuned(self) -> bool:
        """Whether anything was searched."""
        return tuned(self.manifest)


def gather(results: Results, summary: Summary, figures: Sequence[Figure | Omitted]) -> Content:
    """Put every number of a report into words, once."""
    manifest = results.manifest
    failed, chosen = failures(results), configurations(results)
    entries = [entry for row in summary.rows for entry in row.entries]
    described = manifest["settings"]
    oracles = {name for name, entry in described.items() if entry["oracle"] is not None}
    reached = {name: threshold(entry) for name, entry in described.items()}
    return Content(
        results=results,
        summary=summary,
        headline=f"rnnbench report: {summary.suite}",
        subtitle=_subtitle(manifest, summary),
        figures={figure.id: figure for figure in figures},
        marks={
            (entry.architecture, entry.setting): _mark(
                entry, entry.setting in oracles, reached[entry.setting]
            )
            for entry in entries
        },
        solve_rates={
            (entry.architecture, entry.setting): _solve_rate(entry)
            for entry in entries
            if entry.solved is not None
        },
        pairs=[_pair(row) for row in summary.comparisons],
        failures=failed[:MOST_FAILURES],
        failures_left_out=max(0, len(failed) - MOST_FAILURES),
        failed=how_many(results, summary.failed, summary.runs),
        frozen=chosen[:MOST_FROZEN],
        frozen_left_out=max(0, len(chosen) - MOST_FROZEN),
        edges=edges(results),
        floors=floors(manifest),
        beaten=beaten(manifest, entries),
        measured=measured(results),
        written=written(results),
        looked=looked(results),
        overfitting=overfitting(results),
        pictured=pictured(results),
        by_kind=by_kind(results),
        written_caption=written_caption(results),
        settings=[setting(name, entry) for name, entry in manifest["settings"].items()],
        sizes={
            (architecture, setting): f"{size['parameters']:,} "
            f"({signed_percent(float(size['mismatch']))}), {size['hidden']:,} hidden"
            for architecture, sizes in manifest["sizes"].items()
            for setting, size in sizes.items()
        },
        search=search(manifest),
        cards={
            name: card(entry, _searched(manifest, name))
            for name, entry in manifest["architectures"].items()
        },
        provenance=provenance(manifest),
        method=method(results, summary),
        forest_caption=_forest_caption(results, summary),
        table_caption=_table_caption(results, summary),
        solve_title=_solve_title(reached.values()),
        solve_caption=_solve_caption(results),
        quick="Quick budget: a try-out of the machinery, not evidence about architectures."
        if summary.quick
        else "",
    )


def _searched(manifest: Mapping[str, Any], architecture: str) -> set[str]:
    """Name what the search chose for an architecture."""
    search = manifest["search"]
    return {*search["space"], *search["own"].get(architecture, {})}


def signed_percent(share: float) -> str:
    """Write a relative difference with its sign."""
    return ("+" if share > 0 else "−" if share < 0 else "±") + percent(abs(share))


def _subtitle(manifest: Mapping[str, Any], summary: Summary) -> str:
    budget = manifest["budget"]
    updates = budget["updates"]
    training = "updates by task" if isinstance(updates, dict) else counted(updates, "update")
    parts = [
        " × ".join(
            (
                counted(len(summary.rows), "architecture"),
                counted(len(summary.settings), "setting"),
                counted(summary.seeds, "seed"),
            )
        ),
        f"{budget['name']} budget: {training}, {amount(manifest)}",
        *(f"{value:,} {name} each" for name, value in manifest["match"].items()),
        moment(str(manifest["finished_at"])),
        f"rnnbench {manifest['versions']['rnnbench']}",
        f"run {manifest['run_id']}",
    ]
    return " · ".join(parts)


def _mark(entry: Entry, solved_or_not: bool, naive: str) -> Mark:
    mean, word = entry.score.estimate, f"reach {naive}" if naive else "solved"
    return Mark(
        score=estimate(entry.score),
        solved=f"{entry.solved_count}/{entry.runs} {word}" if entry.solved is not None else "",
        solved_first=solved_or_not,
        failed=f"✕ {finished(entry.ok, entry.runs)}" if entry.failed else "",
        among_best=entry.among_best,
        skipped=entry.skipped,
        order="" if math.isnan(mean) else repr(mean),
    )


def _solve_rate(entry: Entry) -> str:
    share = entry.solved
    if share is None or not entry.runs:
        return GAP
    shown = f"{100 * share.estimate:.0f} %"
    if not math.isnan(share.low):
        shown = f"{100 * share.low:.0f} to {100 * share.high:.0f} %"
    return f"{entry.solved_count}/{entry.runs} ({shown})"


def _pair(row: Comparison) -> dict[str, str]:
    failed = [
        f"{name} ✕ {finished(runs - count, runs)}"
        for name, count, runs in (
            (row.architecture, row.failed, row.runs),
            (row.reference, row.failed_reference, row.runs_reference),
        )
        if count
    ]
    return {
        "setting": "overall (normalised)" if row.setting == OVERALL else row.setting,
        "architecture": row.architecture,
        "reference": row.reference,
        "n": str(row.n),
        "difference": signed(row.difference),
        "interval": span(row.interval, sign=True) if row.n else GAP,
        "raw": signed(row.raw),
        "p": p_value(row.p).removeprefix("p ").removeprefix("= ") if row.n else GAP,
        "p_holm": p_value(row.p_holm).removeprefix("p ").removeprefix("= ") if row.n else GAP,
        "smallest_p": f"{row.smallest_p:.3g}" if row.n else GAP,
        "verdict": row.verdict,
        "overall": "yes" if row.setting == OVERALL else "",
        "note": "; ".join([*failed, *([row.note] if row.note else [])]),
    }


def _forest_caption(results: Results, summary: Summary) -> str:
    ranking = summary.ranking
    settings = counted(len(ranking.settings), "setting")
    out = unscaled(results.manifest)
    scaled = len(summary.settings) - len(out)
    if len(ranking.settings) < scaled:
        settings = f"the {settings} out of {scaled} that all have"
    why = "; ".join(f"{name} ({reason})" for name, reason in out.items())
    left = f" Left out: {why}." if out else ""
    return (
        f"Mean normalised score over {settings}: 0 is the trivial "
        "predictor, 1 the oracle or a perfect score; failures count as 0, and ✕n says that n "
        "runs failed. Line and ±: 95 % t "
        f"interval over {counted_units(results, ranking.units)}. Band: a "
        f"tie, decided by {summary.separation}. Rank: the ranks that these decisions allow.{left}"
    )


def _table_caption(results: Results, summary: Summary) -> str:
    search = results.manifest["search"]
    most = search["replicates"] if replicated(results) else summary.seeds
    return (
        f"Mean test score ± half its 95 % t interval over {counted_units(results, most)} or what "
        "finished of them. ↑ higher is better, ↓ lower is better. Shaded: not separable from the "
        "best of the setting by the 95 % interval of the paired difference. ✕ n/m ok: only n of m "
        "runs finished; the mean is then over these survivors, while comparisons and the overall "
        "score count a failure as the trivial predictor. n.a.: does not apply."
    )


def _solve_title(thresholds: Collection[str]) -> str:
    """Ask what the thresholds are about: a task's own, or its best naive predictor's score."""
    if all(thresholds):
        return "How many runs reach the best naive predictor?"
    also = ", or reach the best naive predictor" if any(thresholds) else ""
    return f"How many runs solved the task{also}?"


def _solve_caption(results: Results) -> str:
    runs = (
        "Runs at or past the threshold of the setting, out of all runs, failures included; "
        "in brackets "
    )
    if replicated(results):
        return (
            f"{runs}their share. Without an interval: the search is the unit, and runs of one "
            "search share its configuration, so they are not the independent runs that Wilson's "
            "interval needs."
        )
    return (
        f"{runs}the 95 % Wilson interval of the share. No interval of a mean covers well where "
        "runs either solve a task or do not."
    )
