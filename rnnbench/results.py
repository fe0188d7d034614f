"""Finished work as plain tables: what statistics, plots and the report start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pandas import DataFrame


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
