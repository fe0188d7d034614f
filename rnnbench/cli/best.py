"""`rnnbench best`: a frozen configuration and its trained weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def command(
    folder: Annotated[
        Path, typer.Argument(help="A results folder: results/<suite>.", show_default=False)
    ],
    architecture: Annotated[
        str | None, typer.Option(help="An architecture's label; may be left out where it is alone.")
    ] = None,
    setting: Annotated[
        str | None, typer.Option(help="A setting's name, as the report has it; likewise.")
    ] = None,
    replicate: Annotated[int, typer.Option(min=0, help="Which of several searches.")] = 0,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Which run. [default: best on validation data]")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Where to write the weights, a .safetensors file.")
    ] = None,
) -> None:
    """Print a frozen configuration as JSON, and write the weights of one of its runs."""
    from rnnbench import artifacts
    from rnnbench.best import best_run
    from rnnbench.cli.kept import tell
    from rnnbench.errors import StoreError
    from rnnbench.files import write_atomically
    from rnnbench.folder import read_studies
    from rnnbench.store import read_members

    best = best_run(
        read_studies(folder), read_members(folder, tell), architecture, setting, replicate, seed
    )
    typer.echo(json.dumps(best.configuration, indent=1, ensure_ascii=False))
    if weights is not None:
        name = str(best.finished.weights)
        if fault := artifacts.fault(folder, name):
            raise StoreError(
                f"{folder / artifacts.FOLDER / name} is {fault}; `rnnbench run` trains it again"
            )
        write_atomically(weights, (folder / artifacts.FOLDER / name).read_bytes())
        typer.echo(f"weights  {weights}", err=True)
