"""Does a score hold as sequences grow? One panel a task that was run at several lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from rnnbench.findings.standings import Standings, counted_units
from rnnbench.findings.wording import finished
from rnnbench.plots.canvas import (
    COLUMNS,
    Drawing,
    Omitted,
    draw_anchors,
    draw_series,
    plain,
)
from rnnbench.plots.palette import look
from rnnbench.results import Results
from rnnbench.statistics import mean_interval

_ID, _TITLE = "score_by_length", "Score against length"


def score_by_length(results: Results, gathered: Standings) -> Drawing | Omitted:
    """Draw the mean test score of finished runs against sequence length."""
    settings = results.manifest["settings"]
    architectures = list(results.manifest["architectures"])
    families: dict[str, list[str]] = {}
    for name, entry in settings.items():
        others = {k: v for k, v in entry["options"].items() if k != "length"}
        title = entry["task"] + "".join(f", {k} {v}" for k, v in others.items())
        families.setdefault(title, []).append(name)
    families = {
        title: sorted(names, key=lambda name: settings[name]["sequence_length"])
        for title, names in families.items()
        if len({settings[name]["sequence_length"] for name in names}) > 1
    }
    if not families:
        return Omitted(_ID, _TITLE, "every task was run at one length only")
    panels = {}
    failures = {
        key: f"✕ {finished(standing.ok, standing.runs)}"
        for key, standing in gathered.items()
        if standing.failed
    }
    for title, names in families.items():
        rows = []
        for architecture in architectures:
            for name in names:
                standing = gathered[architecture, name]
                interval = mean_interval(np.asarray(standing.survivors))
                if interval.n:
                    length = settings[name]["sequence_length"]
                    bounds = (interval.estimate, interval.low, interval.high, interval.n)
                    rows.append((name, architecture, length, *bounds))
        if rows:
            panels[title] = pd.DataFrame(rows, columns=COLUMNS)
    if not panels:
        return Omitted(_ID, _TITLE, "no run on a task with several lengths has finished")

    def panel(axes: Axes, title: str, data: pd.DataFrame) -> None:
        names = families[title]
        for index, architecture in enumerate(architectures):
            draw_series(axes, data[data["architecture"] == architecture], index)
        _mark_failures(axes, names, data, settings, failures, architectures)
        lengths = [settings[name]["sequence_length"] for name in names]
        axes.set_xscale("log", base=2)
        axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("sequence length (steps)")
        trivial = {float(settings[n]["sequence_length"]): settings[n]["trivial"] for n in names}
        draw_anchors(axes, settings[names[0]], data, trivial)

    data = pd.concat(panels.values(), ignore_index=True)
    most = int(data["n"].max())
    return Drawing(
        _ID,
        _TITLE,
        f"Mean test score of the runs that finished; band: 95 % t interval over "
        f"up to {counted_units(results, most)}, none where fewer than three "
        "finished. ✕ n/m ok: only n of m runs finished, and the mean is over these. Dashed: the "
        "trivial predictor. Length on a logarithmic axis.",
        data,
        panels,
        panel,
        architectures,
    )


def _mark_failures(
    axes: Axes,
    names: list[str],
    data: pd.DataFrame,
    settings: dict[str, Any],
    failures: dict[tuple[str, str], str],
    architectures: list[str],
) -> None:
    """Write what failed above the mean of the survivors, or at the trivial level without any."""
    means = {
        (str(architecture), str(name)): float(mean)
        for architecture, name, mean in zip(
            data["architecture"], data["setting"], data["mean"], strict=True
        )
    }
    for index, architecture in enumerate(architectures):
        for name in names:
            mark = failures.get((architecture, name))
            if mark:
                trivial = float(settings[name]["trivial"])
                # Above the words that stand on the trivial predictor's line.
                lift = 5 if (architecture, name) in means else 13
                axes.annotate(
                    f"{plain(architecture)} {mark}",
                    (settings[name]["sequence_length"], means.get((architecture, name), trivial)),
                    xytext=(-4, lift),
                    textcoords="offset points",
                    ha="right",
                    fontsize=7,
                    color=look(index).colour,
                )
