"""Print what a run showed: the verdict, a row an architecture, the failures."""

from __future__ import annotations

from rich.table import Table

from rnnbench.cli.console import console, table
from rnnbench.findings.summary import Entry, Summary
from rnnbench.findings.wording import estimate, finished, number

UNBOUNDED = 10_000
"""Columns that no table needs."""


def print_summary(summary: Summary) -> None:
    """Print the verdict and the tables of a summary, as the report has them."""
    out = console()
    out.print()
    for line in (summary.banner, summary.verdict, *summary.limits):
        if line:
            out.print(line)
    for check in summary.checks:
        if not check.ok and check.section == "failures":
            out.print(f"! {check.text}")
    out.print(_table(summary))
    out.print()
    wide = _scores(summary)
    unbounded = out.options.update_width(UNBOUNDED)
    fits = out.measure(wide, options=unbounded).maximum <= out.width
    out.print(wide if fits else _long_scores(summary))
    out.print(
        "* not separable from the best of its setting; k/n: runs that solved the task, or on tasks "
        "without a threshold of their own reach the best naive predictor; "
        "✕ k/n ok: only k of n runs finished, and the mean is over these survivors",
        style="dim",
    )


def _table(summary: Summary) -> Table:
    """Return a row an architecture: rank, overall score with its interval, finished runs."""
    rows = (
        (
            row.architecture,
            row.rank,
            estimate(row.overall),
            finished(row.runs - row.failed, row.runs),
            row.note,
        )
        for row in summary.rows
    )
    return table(("architecture", "rank", "overall (0 trivial … 1 best)", "runs", ""), rows)


def _scores(summary: Summary) -> Table:
    """Return a row a setting and a column an architecture, in the suite's order."""
    by_index = sorted(summary.rows, key=lambda row: row.index)
    entries = {(e.architecture, e.setting): e for row in summary.rows for e in row.entries}
    rows = (
        (setting, *(_entry(entries.get((row.architecture, setting))) for row in by_index))
        for setting in summary.settings
    )
    return table(("mean score", *(row.architecture for row in by_index)), rows)


def _long_scores(summary: Summary) -> Table:
    """Return a row a setting and architecture, for where the table is wider than the terminal."""
    by_index = sorted(summary.rows, key=lambda row: row.index)
    entries = {(e.architecture, e.setting): e for row in summary.rows for e in row.entries}
    rows = (
        (row.architecture, _entry(entries.get((row.architecture, setting))), first)
        for setting in summary.settings
        for row, first in zip(by_index, [setting, *[""] * len(by_index)], strict=False)
    )
    return table(("architecture", "mean score", "setting"), rows)


def _entry(entry: Entry | None) -> str:
    if entry is None:
        return ""
    if entry.skipped:
        return "skipped"
    text = number(entry.score.estimate) + ("*" if entry.among_best else "")
    if entry.solved is not None:
        text += f" {entry.solved_count}/{entry.runs}"
    if entry.failed:
        text += f" ✕ {finished(entry.ok, entry.runs)}"
    return text
