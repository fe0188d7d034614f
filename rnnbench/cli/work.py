"""`rnnbench work`: a worker process, as `run` starts it; not for users."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    scheduler: Annotated[str, typer.Argument(help="The address of the driver's scheduler.")],
    name: Annotated[str, typer.Argument(help="The worker's name there.")],
) -> None:
    """Train what a driver sends, until it is gone."""
    from rnnbench.process import serve

    serve(scheduler, name)
