"""The trials and runs that failed, as a reader would look for them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from rnnbench.findings.standings import asked, searched
from rnnbench.findings.wording import GAP, counted
from rnnbench.member import FAILURES
from rnnbench.results import Results

MOST_FAILURES = 200
"""More failures than this are left to the tables beside the report."""


@dataclass(frozen=True)
class Failure:
    """One failed trial or run, as a reader would look for it.

    traceback  the file that holds what was raised, below the results; "" where nothing was
    """

    what: str
    architecture: str
    setting: str
    status: str
    update: str
    seconds: str
    reason: str
    traceback: str


def failures(results: Results) -> list[Failure]:
    """Return every failed run, then every failed trial."""
    found = []
    tried = searched(results)
    for table, kind in ((results.runs, "run"), (results.trials, "trial")):
        for record in table.to_dict("records"):
            row = {str(name): value for name, value in record.items()}
            if row["status"] in ("ok", "pruned") or not asked(row, tried):
                continue
            where = f"trial {row['trial']} ({row['phase']})" if kind == "trial" else "evaluation"
            seed = f", seed {row['seed_index']}" if kind == "run" else ""
            replicate = f", search {row['replicate']}" if row["replicate"] else ""
            update, traceback = row["failed_update"], row["traceback"]
            spent = [row[f"{part}_seconds"] for part in ("train", "evaluate")]
            seconds = sum(float(one) for one in spent if not pd.isna(one))
            found.append(
                Failure(
                    what=where + seed + replicate,
                    architecture=str(row["architecture"]),
                    setting=str(row["setting"]),
                    status=str(row["status"]).replace("_", " "),
                    update=GAP if pd.isna(update) else f"{int(update):,}",
                    seconds=GAP if all(map(pd.isna, spent)) else f"{seconds:,.1f} s",
                    reason=GAP if pd.isna(row["reason"]) else str(row["reason"]) or GAP,
                    traceback="" if pd.isna(traceback) else str(traceback),
                )
            )
    return found


def how_many(results: Results, failed: int, runs: int) -> str:
    """Count the failed runs, and the failed trials among all that are present."""
    trials = results.trials
    lost = 0 if trials.empty else int(trials["status"].isin(FAILURES).sum())
    return (
        f"{failed:,} of {counted(runs, 'evaluation run')} and {lost:,} of "
        f"{counted(len(trials), 'trial')} failed."
    )
