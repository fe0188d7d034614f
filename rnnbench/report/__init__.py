"""Results to a folder that anyone can open: report.html, its Markdown twin, figures and tables."""

from __future__ import annotations

from pathlib import Path

from rnnbench.files import write_atomically
from rnnbench.findings.comparisons import compare
from rnnbench.findings.summary import summarise
from rnnbench.plots import draw_all
from rnnbench.report.content import gather
from rnnbench.report.markdown import markdown
from rnnbench.report.page import page
from rnnbench.results import Results, write_table

__all__ = ["write_report"]


def write_report(results: Results, folder: Path) -> Path:
    """Write figures, comparisons, report.md and report.html into `folder`; return the page's path.

    The same results give the same bytes. Any state of a run will do: partial, failed or empty.

    Raises:
        OSError: the folder cannot be written.
    """
    comparisons = compare(results)
    write_table(comparisons, folder / "comparisons")
    figures = draw_all(results, comparisons, folder / "figures")
    content = gather(results, summarise(results, comparisons), figures)
    write_atomically(folder / "report.md", markdown(content))
    return write_atomically(folder / "report.html", page(content))
