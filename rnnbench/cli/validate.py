"""`rnnbench validate`: read a suite and say what is wrong with it, without training."""

from __future__ import annotations

import typer

from rnnbench.cli.building import Building, fetching
from rnnbench.cli.environment import data_files, disabled_plugins, forced_backend
from rnnbench.cli.options import Budget, Only, Set, SuiteFile


def command(suite: SuiteFile, budget: Budget = None, only: Only = None, sets: Set = None) -> None:
    """Check a suite: its syntax, its names and options, its sizes."""
    from rnnbench.suite import read_suite

    wanted = read_suite(suite, budget=budget, sets=sets or (), only=only or ())

    from rnnbench.findings.wording import counted
    from rnnbench.plan import plan
    from rnnbench.registry import load_registry

    registry = load_registry(disabled_plugins())
    with Building() as building:
        planned = plan(
            wanted,
            registry,
            backend=forced_backend(),
            files=data_files(fetching),
            compiling=building,
        )
    studies = counted(len(planned.trained), "study", "studies")
    typer.echo(f"{suite}: fine; {studies} with budget {wanted.chosen.name}")
    for skip in planned.skips:
        typer.echo(f"skipped: {skip}")
    for line in (*planned.notes, *(f"note: {warning}" for warning in planned.warnings)):
        typer.echo(line)
