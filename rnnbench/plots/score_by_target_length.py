"""How long an answer can be: test score against the length of what was to be said."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rnnbench.findings.standings import Standings, counted_units, replicated, survivors
from rnnbench.plots.canvas import COLUMNS, Drawing, Omitted, draw_anchors, draw_series
from rnnbench.results import Results
from rnnbench.statistics import mean_interval

_ID, _TITLE = "score_by_target_length", "Score against the length of the answer"


def score_by_target_length(results: Results, gathered: Standings) -> Drawing | Omitted:
    """Draw the mean test score of the targets of each length, where targets are sequences."""
    settings = results.manifest["settings"]
    architectures = list(results.manifest["architectures"])
    if results.lengths.empty:
        return Omitted(_ID, _TITLE, "no run was scored on targets that are sequences")
    unit = ["replicate"] if replicated(results) else ["replicate", "seed_index"]
    panels = {}
    for name, entry in settings.items():
        scores = results.lengths
        mine = scores[(scores["setting"] == name) & (scores["metric"] == entry["metric"])]
        rows = []
        for architecture in architectures:
            one = mine[mine["architecture"] == architecture]
            wide = one.pivot_table(
                index=["shortest", "longest"], columns=unit, values="value", aggfunc="mean"
            )
            for (shortest, longest), values in zip(wide.index, wide.to_numpy(float), strict=True):
                interval = mean_interval(values[~np.isnan(values)])
                bounds = (interval.estimate, interval.low, interval.high, interval.n)
                rows.append((name, architecture, (shortest + longest) / 2, *bounds))
        if len({row[2] for row in rows}) > 1:
            panels[name] = pd.DataFrame(rows, columns=COLUMNS)
    if not panels:
        return Omitted(_ID, _TITLE, "all targets are of one length")

    def panel(axes: Axes, title: str, data: pd.DataFrame) -> None:
        for index, architecture in enumerate(architectures):
            draw_series(axes, data[data["architecture"] == architecture], index)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("length of the right answer (symbols)")
        draw_anchors(axes, settings[title], data)

    data = pd.concat(panels.values(), ignore_index=True)
    return Drawing(
        _ID,
        _TITLE,
        "Mean score of the runs that finished on the test targets of each length, or span of "
        "lengths where there are many; band: 95 % t interval over up to "
        f"{counted_units(results, int(data['n'].max()))}. Dashed: what needs no network, over all "
        f"lengths.{survivors(gathered)}",
        data,
        panels,
        panel,
        architectures,
    )
