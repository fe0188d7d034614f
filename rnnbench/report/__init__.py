"""Results to a folder that anyone can open: report.html, its Markdown twin, figures and tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rnnbench.files import own_file, write_atomically
from rnnbench.findings.comparisons import compare
from rnnbench.findings.summary import Summary, summarise
from rnnbench.plots import draw_all
from rnnbench.report.content import gather
from rnnbench.report.markdown import markdown
from rnnbench.report.page import page
from rnnbench.results import Results, write_table

__all__ = ["Report", "write_report"]


@dataclass(frozen=True)
class Report:
    """A written report: the path of its page, and the summary that the page shows."""

    path: Path
    summary: Summary


def write_report(results: Results, folder: Path) -> Report:
    """Write figures, comparisons, report.md and report.html into `folder`.

    The same results give the same bytes. Any state of a run will do: partial, failed or empty.

    Raises:
        WriteError: the folder cannot be written.
        StoreError: its folder of figures is a link to another one.
    """
    figures = own_file(folder, "figures")
    comparisons = compare(results)
    write_table(comparisons, folder / "comparisons")
    summary = summarise(results, comparisons)
    content = gather(results, summary, draw_all(results, figures))
    write_atomically(folder / "report.md", markdown(content))
    return Report(write_atomically(folder / "report.html", page(content)), summary)
