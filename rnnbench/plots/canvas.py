"""What all figures share: panels, series with intervals, names at line ends, files."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.font_manager import findfont, get_font
from matplotlib.lines import Line2D
from scipy.optimize import isotonic_regression

from rnnbench.files import write_atomically
from rnnbench.findings.floors import best_floor
from rnnbench.findings.standings import ceiling
from rnnbench.plots.palette import look

COLUMNS = ["setting", "architecture", "x", "mean", "low", "high", "n"]
"""Columns of the data behind every figure, one row a point."""

MARKERS = {"circle": "o", "square": "s", "up": "^", "diamond": "D", "down": "v", "cross": "X"}

_LABELLED_PANELS = 3
_LABELLED_NAMES = 6
_LONGEST_NAME = 22

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so bytes do not depend on the machine
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e6e9",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "legend.frameon": False,
    "svg.hashsalt": "rnnbench",
    "text.parse_math": False,  # names are the user's, not TeX
}


@dataclass(frozen=True)
class Drawing:
    """A figure about to be drawn: its words, its data, and the function that fills a panel.

    data   columns `COLUMNS`; what is drawn and what the CSV holds
    panel  draws the rows of one panel on an axes
    """

    id: str
    title: str
    caption: str
    data: pd.DataFrame
    panels: Mapping[str, pd.DataFrame]
    panel: Callable[[Axes, str, pd.DataFrame], None]
    architectures: Sequence[str]


@dataclass(frozen=True)
class Figure:
    """A figure in files; `columns` panels stand side by side."""

    id: str
    title: str
    caption: str
    svg_path: Path
    png_path: Path
    csv_path: Path
    columns: int


@dataclass(frozen=True)
class Omitted:
    """A figure that is not drawn, and why."""

    id: str
    title: str
    reason: str


def save(drawing: Drawing | Omitted, folder: Path) -> Figure | Omitted:
    """Write a drawing as SVG, PNG and CSV; remove the files of one that is omitted."""
    svg, png, csv = (folder / f"{drawing.id}.{kind}" for kind in ("svg", "png", "csv"))
    if isinstance(drawing, Omitted):
        for path in (svg, png, csv):
            path.unlink(missing_ok=True)
        return drawing
    style: Any = {**seaborn.axes_style("ticks"), **_STYLE}
    with mpl.rc_context(style):
        canvas = _draw(drawing)
        write_atomically(svg, _bytes(canvas, "svg", {"Date": None}))
        # The layout is found; finding it again would take as long as drawing.
        canvas.set_layout_engine("none")
        write_atomically(png, _bytes(canvas, "png", {"Software": None}))
    write_atomically(csv, drawing.data.to_csv(index=False, lineterminator="\n"))
    return Figure(drawing.id, drawing.title, drawing.caption, svg, png, csv, _columns(drawing))


def plain(text: str, longest: int = _LONGEST_NAME) -> str:
    """Shorten a user's name to what a figure can hold, with boxes for letters its font lacks."""
    known = get_font(findfont("DejaVu Sans")).get_charmap()
    text = "".join(c if ord(c) in known and c.isprintable() else "□" for c in text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def draw_series(axes: Axes, rows: pd.DataFrame, index: int) -> None:
    """Draw one architecture's means as a line, with its interval as a band."""
    style = look(index)
    dashes = (0, tuple(map(float, style.dashes.split()))) if style.dashes else "-"
    seaborn.lineplot(
        x=rows["x"].to_numpy(),
        y=rows["mean"].to_numpy(),
        ax=axes,
        color=style.colour,
        linestyle=dashes,
        marker=MARKERS[style.shape],
        markevery=max(1, len(rows) // 6),
        markerfacecolor="white" if style.hollow else style.colour,
        markeredgecolor=style.colour if style.hollow else "white",
        estimator=None,
        errorbar=None,
        legend=False,
    )
    axes.fill_between(
        rows["x"].to_numpy(float),
        rows["low"].to_numpy(float),
        rows["high"].to_numpy(float),
        color=style.colour,
        alpha=0.15,
        linewidth=0,
    )


def draw_anchors(
    axes: Axes,
    setting: Mapping[str, Any],
    values: pd.DataFrame,
    trivial_at: Mapping[float, float] | None = None,
) -> None:
    """Draw what needs no network, and open the y axis from it to the best score, if known.

    That is the best naive predictor where the setting has some, else the trivial one.

    trivial_at   the trivial predictor's score by x, where it depends on x
    """
    name, level = best_floor(setting) or ("trivial predictor", float(setting["trivial"]))
    if trivial_at:
        name = "trivial predictor"
    levels = list(trivial_at.values()) if trivial_at else [level]
    best = ceiling(setting)
    dashes: dict[str, Any] = {"color": "#6b7178", "linewidth": 1, "linestyle": (0, (4, 3))}
    if trivial_at:
        axes.plot(list(trivial_at), levels, zorder=1, **dashes)
    else:
        axes.axhline(levels[0], zorder=1, **dashes)
    axes.annotate(
        plain(name, 40),
        (1, levels[-1]),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 2 if setting["direction"] == "max" else -2),
        textcoords="offset points",
        ha="right",
        va="bottom" if setting["direction"] == "max" else "top",
        fontsize=7,
        color="#5a5f66",
    )
    seen = values[["mean", "low", "high"]].to_numpy(float)
    known = levels if best is None else [*levels, best]
    low = min(*known, float(pd.Series(seen.ravel()).min()))
    high = max(*known, float(pd.Series(seen.ravel()).max()))
    # where all scores are one, the axis still has a height
    margin = 0.05 * ((high - low) or abs(high) or 1.0)
    axes.set_ylim(low - margin, high + margin)
    axes.set_ylabel(f"{plain(setting['metric'].replace('_', ' '))} ({arrow(setting)})")


def arrow(setting: Mapping[str, Any]) -> str:
    """Say which way is better."""
    return "higher is better" if setting["direction"] == "max" else "lower is better"


def _columns(drawing: Drawing) -> int:
    return min(3, len(drawing.panels))


def _draw(drawing: Drawing) -> Canvas:
    count = len(drawing.panels)
    columns = _columns(drawing)
    rows = math.ceil(count / columns)
    size = (3.5 * columns + 0.4, 2.6 * rows + 0.5) if count > 1 else (6.4, 3.7)
    canvas = Canvas(figsize=size, layout="constrained")
    FigureCanvasAgg(canvas)
    grid = canvas.subplots(rows, columns, squeeze=False)
    labelled = count <= _LABELLED_PANELS and len(drawing.architectures) <= _LABELLED_NAMES
    for axes in grid.flat[count:]:
        axes.remove()
    for axes, (title, data) in zip(grid.flat, drawing.panels.items(), strict=False):
        axes.set_title(plain(title, 40))
        drawing.panel(axes, title, data)
        if labelled:
            _label_ends(axes, data, drawing.architectures)
    if not labelled:
        _legend(canvas, drawing.architectures)
    return canvas


def _legend(canvas: Canvas, architectures: Sequence[str]) -> None:
    handles = []
    for index, name in enumerate(architectures):
        style = look(index)
        handles.append(
            Line2D(
                [],
                [],
                color=style.colour,
                linestyle=(0, tuple(map(float, style.dashes.split()))) if style.dashes else "-",
                marker=MARKERS[style.shape],
                markerfacecolor="white" if style.hollow else style.colour,
                # A label that starts with _ is one that matplotlib leaves out.
                label=f"\u200b{plain(name)}" if name.startswith("_") else plain(name),
            )
        )
    canvas.legend(handles=handles, loc="outside upper left", ncols=min(6, len(handles)))


def _label_ends(axes: Axes, data: pd.DataFrame, architectures: Sequence[str]) -> None:
    """Write each name beside its last point, far enough apart to be read."""
    ends = [
        (float(rows["mean"].iloc[-1]), index, name)
        for index, name in enumerate(architectures)
        for rows in [data[data["architecture"] == name].dropna(subset=["mean"])]
        if not rows.empty
    ]
    ends.sort()
    heights = _spread([value for value, _, _ in ends], *axes.get_ylim())
    for height, (_, index, name) in zip(heights, ends, strict=True):
        axes.annotate(
            plain(name),
            (1, height),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=look(index).colour,
            fontweight="bold",
            fontsize=8,
            annotation_clip=False,
        )


def _spread(values: Sequence[float], low: float, high: float) -> list[float]:
    """Move sorted heights as little as possible so that names do not touch, within the panel."""
    # Nine points of text on a panel of about 150 points height.
    step = (high - low) * 0.075
    offsets = np.arange(len(values)) * step
    if not len(values):
        return []
    nearest = isotonic_regression(np.asarray(values) - offsets).x
    return [float(height) for height in np.clip(nearest, low, high - offsets[-1]) + offsets]


def _bytes(canvas: Canvas, kind: str, metadata: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    canvas.savefig(buffer, format=kind, metadata=metadata, dpi=144, facecolor="white")
    return buffer.getvalue()
