"""Finished work as plain tables: what statistics, plots and the report start from."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from pandas import DataFrame

from rnnbench.files import write_atomically


@dataclass(frozen=True)
class Results:
    """The tidy tables of a suite and the manifest of how they came about.

    `results/README.md` explains every column.
    """

    manifest: dict[str, Any]
    trials: DataFrame
    runs: DataFrame
    scores: DataFrame
    curves: DataFrame
    samples: DataFrame


def write_tables(results: Results, folder: Path) -> None:
    """Write trials, runs, scores, curves and samples into `folder`."""
    for name in ("trials", "runs", "scores", "curves", "samples"):
        write_table(getattr(results, name), folder / name)


def write_table(table: DataFrame, stem: Path) -> None:
    """Write one table as `<stem>.csv` and `<stem>.parquet`."""
    write_atomically(stem.with_suffix(".csv"), table.to_csv(index=False, lineterminator="\n"))
    buffer = BytesIO()
    table.to_parquet(buffer, index=False)
    write_atomically(stem.with_suffix(".parquet"), buffer.getvalue())
