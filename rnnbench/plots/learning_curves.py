"""How fast does each architecture learn? Validation score against updates, one panel a setting."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from rnnbench.findings.standings import counted_units, replicated
from rnnbench.plots.canvas import COLUMNS, Drawing, Omitted, draw_anchors, draw_series
from rnnbench.results import Results
from rnnbench.statistics import mean_interval

_ID, _TITLE = "learning_curves", "Learning curves"

_POINTS, _POINTS_IN_MANY = 150, 60
"""More points to a line than this cannot be told apart on a page, alone or in a small panel."""


def learning_curves(results: Results) -> Drawing | Omitted:
    """Draw the mean validation score of the evaluation runs, update by update."""
    settings = results.manifest["settings"]
    architectures = list(results.manifest["architectures"])
    curves = results.curves
    if not curves.empty:
        curves = curves[(curves["phase"] == "evaluation") & (curves["split"] == "valid")]
    if curves.empty:
        return Omitted(_ID, _TITLE, "no evaluation run has left a validation curve")
    unit = ["replicate"] if replicated(results) else ["replicate", "seed_index"]
    points = _POINTS if len(settings) <= 2 else _POINTS_IN_MANY
    panels = {}
    for name, entry in settings.items():
        mine = curves[(curves["setting"] == name) & (curves["metric"] == entry["metric"])]
        rows = []
        for architecture in architectures:
            one = mine[mine["architecture"] == architecture]
            wide = one.pivot_table(index="update", columns=unit, values="value", aggfunc="mean")
            updates = wide.index.to_numpy()
            keep = np.unique(np.linspace(0, len(updates) - 1, points).round().astype(int))
            for update in updates[keep] if len(updates) else ():
                interval = mean_interval(wide.loc[update].dropna().to_numpy(float))
                bounds = (interval.estimate, interval.low, interval.high, interval.n)
                rows.append((name, architecture, update, *bounds))
        if rows:
            panels[name] = pd.DataFrame(rows, columns=COLUMNS)
    if not panels:
        return Omitted(_ID, _TITLE, "no curve shows the first metric of its task")

    def panel(axes: Axes, title: str, data: pd.DataFrame) -> None:
        for index, architecture in enumerate(architectures):
            draw_series(axes, data[data["architecture"] == architecture], index)
        axes.set_xlabel("updates")
        draw_anchors(axes, settings[title], data)

    data = pd.concat(panels.values(), ignore_index=True)
    return Drawing(
        _ID,
        _TITLE,
        f"Mean validation score of the evaluation runs against updates; band: 95 % t interval over "
        f"up to {counted_units(results, int(data['n'].max()))}. A failed run "
        "is in the mean until it failed, as far as its curve is known. Not smoothed; at most "
        f"{points} points a line.",
        data,
        panels,
        panel,
        architectures,
    )
