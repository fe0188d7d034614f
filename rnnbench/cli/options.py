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
    int | None,
    typer.Option(
        "--slots", min=1, help="Worker processes on each GPU, which share it. [default: 1]"
    ),
]
Devices = Annotated[
    str,
    typer.Option(
        help="auto, cpu, or GPUs as torch numbers them: 0,1. auto: GPUs if any. On a cluster: "
        "cpu, or cuda for the GPU that each worker sees. [default: auto; cpu on a cluster]",
        show_default=False,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--cluster", help="tcp://host:port or tls://host:port of a running Dask scheduler."
    ),
]
TlsCa = Annotated[
    Path | None, typer.Option(help="TLS: certificates that the scheduler's is signed by, PEM.")
]
TlsCert = Annotated[Path | None, typer.Option(help="TLS: this side's certificate, PEM.")]
TlsKey = Annotated[Path | None, typer.Option(help="TLS: the key of --tls-cert, PEM.")]
