"""The trials and runs that failed, as a reader would look for them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from rnnbench.findings.standings import asked, searched
from rnnbench.findings.wording import GAP
from rnnbench.results import Results

MOST_FAILURES = 200
"""More failures than this are left to the tables beside the report."""


@dataclass(frozen=True)
class Failure:
    """One failed trial or run, as a reader would look for it."""

    what: str
    architecture: str
    setting: str
    status: str
    update: str
    reason: str


def failures(results: Results) -> list[Failure]:
    """Return every failed run, then every failed trial."""
    found = []
    tried = searched(results)
    for table, kind in ((results.runs, "run"), (results.trials, "trial")):
        for record in table.to_dict("records"):
            row = {str(name): value for name, value in record.items()}
            if row["status"] == "ok" or not asked(row, tried):
                continue
            where = f"trial {row['trial']} ({row['phase']})" if kind == "trial" else "evaluation"
            seed = f", seed {row['seed_index']}" if kind == "run" else ""
            replicate = f", search {row['replicate']}" if row["replicate"] else ""
            update = row["failed_update"]
            found.append(
                Failure(
                    what=where + seed + replicate,
                    architecture=str(row["architecture"]),
                    setting=str(row["setting"]),
                    status=str(row["status"]).replace("_", " "),
                    update=GAP if pd.isna(update) else f"{int(update):,}",
                    reason=GAP if pd.isna(row["reason"]) else str(row["reason"]) or GAP,
                )
            )
    return found
