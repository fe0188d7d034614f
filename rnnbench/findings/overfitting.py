"""Who overfits: the loss on training data falls while that on validation data rises again."""

from __future__ import annotations

import numpy as np
from pandas import DataFrame

from rnnbench.findings.wording import number
from rnnbench.results import Results

RISE = 0.05
"""By how much of itself the validation loss has to rise above its least, in every run."""


def overfitting(results: Results) -> list[str]:
    """Say of each architecture whose every finished run overfits on a setting that it does.

    The weights that are scored are those of the best validation score, so that a run loses no score
    by it; it means that there is too little data, or too much training.
    """
    curves = results.curves
    if curves.empty or results.runs.empty:
        return []
    runs = results.runs[results.runs["status"] == "ok"]
    losses = curves[(curves["phase"] == "evaluation") & (curves["metric"] == "loss")]
    losses = losses[losses["key"].isin(runs["key"])]
    found = []
    for (setting, architecture), mine in losses.groupby(["setting", "architecture"], sort=False):
        risen = [_risen(one) for _, one in mine.groupby("key", sort=False)]
        if not risen or any(one is None for one in risen):
            continue
        best, low, high, before, after = np.mean([one for one in risen if one is not None], 0)
        found.append(
            f"{architecture} overfits on {setting}: from update {best:,.0f} on the validation loss "
            f"rose from {number(low)} to {number(high)}, while the training loss fell from "
            f"{number(before)} to {number(after)} (means of runs; the weights that are scored are "
            "those of the best validation score)."
        )
    return found


def _risen(run: DataFrame) -> tuple[float, float, float, float, float] | None:
    """Return where validation loss was least, it there and at the end, and training loss then."""
    table = run.pivot_table(index="update", columns="split", values="value")
    if not {"train", "valid"} <= set(table):
        return None
    table = table.dropna()
    if table.empty:
        return None
    valid, train = table["valid"].to_numpy(float), table["train"].to_numpy(float)
    best = int(valid.argmin())
    low, high, before, after = valid[best], valid[-1], train[best], train[-1]
    if not (high > low * (1 + RISE) and after < before):
        return None
    return float(table.index.to_numpy(float)[best]), low, high, before, after
