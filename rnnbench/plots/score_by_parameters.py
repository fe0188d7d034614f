"""Is it only size? Test score against the number of parameters, one panel a setting."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from rnnbench.findings.standings import Standings, counted_units, survivors
from rnnbench.findings.wording import percent
from rnnbench.plots.canvas import COLUMNS, MARKERS, Drawing, Omitted, draw_anchors
from rnnbench.plots.palette import look
from rnnbench.results import Results
from rnnbench.statistics import mean_interval

_ID, _TITLE = "score_by_parameters", "Score against parameters"

_WIDE = 1.5


def score_by_parameters(results: Results, gathered: Standings) -> Drawing | Omitted:
    """Draw the mean test score of finished runs against the whole network's parameters."""
    manifest = results.manifest
    architectures = list(manifest["architectures"])
    panels = {}
    for name in manifest["settings"]:
        rows = []
        for architecture in architectures:
            interval = mean_interval(np.asarray(gathered[architecture, name].survivors))
            if interval.n:
                size = manifest["sizes"][architecture][name]["parameters"]
                bounds = (interval.estimate, interval.low, interval.high, interval.n)
                rows.append((name, architecture, size, *bounds))
        if rows:
            panels[name] = pd.DataFrame(rows, columns=COLUMNS)
    if not panels:
        return Omitted(_ID, _TITLE, "no run has finished")
    data = pd.concat(panels.values(), ignore_index=True)
    if data["x"].nunique() < 2:
        return Omitted(_ID, _TITLE, f"every network has {int(data['x'].iloc[0]):,} parameters")
    spread = float(data["x"].max() / data["x"].min())

    def panel(axes: Axes, title: str, rows: pd.DataFrame) -> None:
        for index, architecture in enumerate(architectures):
            style = look(index)
            one = rows[rows["architecture"] == architecture]
            error = np.nan_to_num(np.array([one["mean"] - one["low"], one["high"] - one["mean"]]))
            axes.errorbar(
                one["x"].to_numpy(),
                one["mean"].to_numpy(),
                yerr=error,
                color=style.colour,
                marker=MARKERS[style.shape],
                markerfacecolor="white" if style.hollow else style.colour,
                linestyle="",
            )
        axes.set_xlabel("parameters of the whole network")
        if spread >= _WIDE:
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        draw_anchors(axes, manifest["settings"][title], rows)

    return Drawing(
        _ID,
        _TITLE,
        "Mean test score of the runs that finished; bar: 95 % t interval over up to "
        f"{counted_units(results, int(data['n'].max()))}. "
        + (
            "Parameters on a logarithmic axis."
            if spread >= _WIDE
            else f"Sizes differ by {percent(spread - 1)} at most: the figure shows whether what is "
            "left of that could explain an order."
        )
        + survivors(gathered),
        data,
        panels,
        panel,
        architectures,
    )
