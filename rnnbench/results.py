"""Finished work as plain tables: what statistics, plots and the report start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from io import BytesIO
from pathlib import Path
from typing import Any

from pandas import DataFrame

from rnnbench.files import write_atomically


@dataclass(frozen=True)
class Results:
    """The tidy tables of a suite and the manifest of how they came about.

    `results/README.md` explains every column. `tracebacks` are texts, by the files that the tables
    name.
    """

    manifest: dict[str, Any]
    trials: DataFrame
    runs: DataFrame
    scores: DataFrame
    curves: DataFrame
    samples: DataFrame
    lengths: DataFrame = field(default_factory=DataFrame)
    kinds: DataFrame = field(default_factory=DataFrame)
    alignments: DataFrame = field(default_factory=DataFrame)
    pictures: DataFrame = field(default_factory=DataFrame)
    looks: DataFrame = field(default_factory=DataFrame)
    tracebacks: Mapping[str, str] = field(default_factory=dict)


def write_tables(results: Results, folder: Path) -> None:
    """Write every table, and the tracebacks that they name, into `folder`."""
    for name in (one.name for one in fields(results)):
        if isinstance(table := getattr(results, name), DataFrame):
            write_table(table, folder / name)
    for file, text in results.tracebacks.items():
        write_atomically(folder / file, text)


def write_table(table: DataFrame, stem: Path) -> None:
    """Write one table as `<stem>.csv` and `<stem>.parquet`."""
    write_atomically(stem.with_suffix(".csv"), table.to_csv(index=False, lineterminator="\n"))
    buffer = BytesIO()
    table.to_parquet(buffer, index=False)
    write_atomically(stem.with_suffix(".parquet"), buffer.getvalue())
