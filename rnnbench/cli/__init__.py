"""The commands, one a file: the only place that prints or reads the environment.

A command is a function `command` in a module of its own, entered in the table below. It imports
what it needs when it runs, so that `rnnbench --help` need not wait for torch. Errors that rnnbench
raises on purpose, and options that no command takes, end on one line and with exit code 2; anything
else keeps its traceback.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from rnnbench.cli import (
    best,
    clean,
    describe,
    list_names,
    merge,
    plan,
    plugins,
    report,
    run,
    validate,
    work,
)
from rnnbench.cli.console import harmless
from rnnbench.cli.environment import compute_as_workers_do
from rnnbench.errors import RnnbenchError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help reads the same in a terminal, a pipe and a log
    pretty_exceptions_enable=False,
)
for name, module in {
    "run": run,
    "plan": plan,
    "validate": validate,
    "report": report,
    "best": best,
    "clean": clean,
    "merge": merge,
    "list": list_names,
    "describe": describe,
    "plugins": plugins,
}.items():
    app.command(name)(module.command)
app.command("work", hidden=True)(work.command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rnnbench {version('rnnbench')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Compare recurrent cells: equal tuning, matched size, fresh seeds, honest statistics."""


def main() -> None:
    """Run the command line."""
    compute_as_workers_do()
    try:
        sys.exit(app(standalone_mode=False))
    except RnnbenchError as error:
        said = str(error)
    except typer.TyperException as error:
        said = error.format_message()
        if "\n" in said:  # the help, where nothing was asked for
            typer.echo(said, err=True)
            sys.exit(2)
    typer.echo(f"error: {harmless(said)}", err=True)
    sys.exit(2)
