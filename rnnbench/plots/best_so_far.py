"""What do more trials buy? Best validation score against trials, one panel a setting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from rnnbench import statistics
from rnnbench.findings.standings import no_worse_than_trivial, sign
from rnnbench.plots.canvas import COLUMNS, Drawing, Omitted, draw_anchors, draw_series
from rnnbench.results import Results
from rnnbench.statistics import Interval, mean_interval

_ID, _TITLE = "best_so_far", "Best so far against trials"

FEWEST_RANDOM = 5
"""With fewer random trials than this an expected best is too coarse to draw."""


def best_so_far(results: Results) -> Drawing | Omitted:
    """Draw the expected best of n random trials, or the best so far where those are too few."""
    settings = results.manifest["settings"]
    architectures = list(results.manifest["architectures"])
    trials = results.trials
    if not trials.empty:
        trials = trials[(trials["phase"] == "search") & (trials["status"] != "skipped")]
    if trials.empty:
        return Omitted(_ID, _TITLE, "there was no search")
    pairs = {
        (str(architecture), str(name)): rows.sort_values(["replicate", "trial"])
        for (architecture, name), rows in trials.groupby(["architecture", "setting"], sort=False)
    }
    if max(len(rows) for rows in pairs.values()) < 2:
        return Omitted(_ID, _TITLE, "each search made one trial only")
    expected = all((rows["origin"] == "random").sum() >= FEWEST_RANDOM for rows in pairs.values())
    panels = {}
    for name, entry in settings.items():
        rows = []
        for architecture in architectures:
            if (architecture, name) in pairs:
                for x, point in _curve(pairs[architecture, name], entry, expected):
                    bounds = (point.estimate, point.low, point.high, point.n)
                    rows.append((name, architecture, x, *bounds))
        if rows:
            panels[name] = pd.DataFrame(rows, columns=COLUMNS)

    def panel(axes: Axes, title: str, data: pd.DataFrame) -> None:
        for index, architecture in enumerate(architectures):
            draw_series(axes, data[data["architecture"] == architecture], index)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("random trials" if expected else "trials")
        draw_anchors(axes, settings[title], data)

    caption = (
        "Expected best validation score of n random trials (Dodge et al. 2019), no interval."
        if expected
        else "Best validation score up to each trial, in the order the search made them; band: "
        "95 % t interval over searches, none with fewer than three. The order is the sampler's, so "
        "a line shows one course of the search, not an expectation: fewer than "
        f"{FEWEST_RANDOM} trials were random."
    )
    return Drawing(
        _ID,
        _TITLE,
        caption + " Tuning data only; failed trials count as the trivial predictor, "
        "pruned ones as they stood when they were dropped.",
        pd.concat(panels.values(), ignore_index=True),
        panels,
        panel,
        architectures,
    )


def _curve(
    rows: pd.DataFrame, setting: dict[str, Any], expected: bool
) -> list[tuple[int, Interval]]:
    orientation = sign(setting)

    def oriented(some: pd.DataFrame) -> NDArray[np.float64]:
        scores = [
            float(score) if status in ("ok", "pruned") else float("nan")
            for score, status in zip(some["score"], some["status"], strict=True)
        ]
        return orientation * np.array([no_worse_than_trivial(s, setting) for s in scores])

    if expected:
        best = statistics.expected_best(oriented(rows[rows["origin"] == "random"]))
        nothing = float("nan")
        return [
            (n, Interval(orientation * float(value), nothing, nothing, best.size))
            for n, value in enumerate(best, start=1)
        ]
    courses = [
        orientation * statistics.best_so_far(oriented(one))
        for _, one in rows.groupby("replicate", sort=True)
    ]
    shortest = min(len(course) for course in courses)
    return [
        (n + 1, mean_interval(np.array([course[n] for course in courses]))) for n in range(shortest)
    ]
