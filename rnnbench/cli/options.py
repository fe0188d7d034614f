"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SuiteFile = Annotated[Path, typer.Argument(help="A suite file.", show_default=False)]
ResultsFolder = Annotated[Path, typer.Option(help="The folder that receives <suite>/.")]
Budget = Annotated[str | None, typer.Option(help="One of the suite's budgets. [default: standard]")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="architecture=…,task=…,setting=…: run this part of the suite."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value: override the suite, e.g. budget.quick.seeds=5."),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Worker processes on the CPU. [default: one a core]")
]
Slots = Annotated[
    int, typer.Option("--slots", min=1, help="Worker processes on each GPU, which share it.")
]
Devices = Annotated[
    str, typer.Option(help="auto, cpu, or GPUs as torch numbers them: 0,1. auto: GPUs if any.")
]
