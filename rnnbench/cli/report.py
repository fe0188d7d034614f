"""`rnnbench report`: tables, figures and report from a results folder, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    folder: Annotated[
        Path, typer.Argument(help="A results folder: results/<suite>.", show_default=False)
    ],
) -> None:
    """Rebuild the tables, figures and report of a results folder."""
    from rnnbench.cli.console import say
    from rnnbench.cli.kept import tell
    from rnnbench.cli.summary import print_summary
    from rnnbench.folder import read_results
    from rnnbench.report import write_report
    from rnnbench.results import write_tables

    results = read_results(folder, tell)
    write_tables(results, folder)
    report = write_report(results, folder)
    print_summary(report.summary)
    typer.echo()
    say(f"report  {report.path}")
