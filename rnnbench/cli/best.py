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
    from rnnbench.folder import read_artifact, read_studies, replaying
    from rnnbench.store import read_members

    studies, stored = read_studies(folder), read_members(folder, tell)
    with replaying(folder):
        best = best_run(studies, stored, architecture, setting, replicate, seed)
        configuration = best.configuration
    typer.echo(_json(configuration))
    name = str(best.finished.weights)
    artifact = folder / artifacts.FOLDER / name
    if weights is None:
        if fault := artifacts.fault(folder, name):
            tell(f"{artifact} is {fault}; `rnnbench run` trains it again")
    else:
        content = read_artifact(folder, name)
        if content is None:
            raise StoreError(f"{artifact} is missing; `rnnbench run` trains it again")
        write_atomically(weights, content)
        typer.echo(f"weights  {weights}", err=True)


def _json(value: object) -> str:
    """Write JSON that a reader can read, but for letters that a terminal would obey."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c).strip('"') for c in text)
