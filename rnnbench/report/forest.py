"""The ranking as a picture of the page's own: point, interval, tie band and rank of each row."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rnnbench.findings.summary import Row, Summary
from rnnbench.findings.wording import counted, estimate
from rnnbench.plots.palette import Look, look
from rnnbench.statistics import Interval

_Scale = Callable[[float], str]

_ROW = 30
_TOP = 22


@dataclass(frozen=True)
class _Layout:
    """Where columns lie, in pixels of a drawing that is shown at its own size or smaller."""

    width: int
    name: int
    left: int
    right: int
    letters: int


_WIDE = _Layout(width=600, name=34, left=160, right=452, letters=15)
_NARROW = _Layout(width=350, name=24, left=104, right=216, letters=10)


def forest(summary: Summary, narrow: bool) -> Markup:
    """Draw the ranking; two widths, since scaling one down makes its text unreadable."""
    layout = _NARROW if narrow else _WIDE
    id_ = "forest-narrow" if narrow else "forest-wide"
    rows = [row for row in summary.rows if not math.isnan(row.overall.estimate)]
    if not rows:
        return Markup("")
    low, high, step = axis([row.overall for row in rows])
    height = _TOP + _ROW * len(rows) + 24

    def x(value: float) -> str:
        share = (value - low) / (high - low)
        return f"{layout.left + share * (layout.right - layout.left):.1f}"

    parts = [
        Markup(
            '<svg class="forest {}" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-t {}-d">'
            '<title id="{}-t">{}</title><desc id="{}-d">{}</desc>'
        ).format(
            "narrow" if narrow else "wide", layout.width, height, id_, id_, id_,
            "Overall score of each architecture with 95 % interval and rank", id_, _finding(rows),
        )
    ]  # fmt: skip
    parts += _bands(rows, layout)
    for i in range(round((high - low) / step) + 1):
        at = low + i * step
        parts.append(
            Markup(
                '<line x1="{0}" x2="{0}" y1="{1}" y2="{2}" class="grid"/>'
                '<text x="{0}" y="{3}" class="tick" text-anchor="middle">{4}</text>'
            ).format(x(at), _TOP, height - 22, height - 6, _tick(at, step))
        )
    for i, row in enumerate(rows):
        parts.append(_line(row, _TOP + _ROW * i + _ROW / 2, x, layout))
    parts.append(
        Markup(
            '<text x="{}" y="13" class="tick">mean{}</text>'
            '<text x="{}" y="13" class="tick" text-anchor="end">rank</text></svg>'
        ).format(layout.right + 14, "" if narrow else " ± 95 %", layout.width - 8)
    )
    return Markup("").join(parts)


def glyph(style: Look, x: float, y: float, size: float = 5) -> Markup:
    """Draw an architecture's marker, by attributes only."""
    s = size
    outlines = {
        "square": f"M{x - s:g} {y - s:g}h{2 * s:g}v{2 * s:g}h{-2 * s:g}z",
        "up": f"M{x:g} {y - s:g}l{s:g} {2 * s:g}h{-2 * s:g}z",
        "down": f"M{x:g} {y + s:g}l{s:g} {-2 * s:g}h{-2 * s:g}z",
        "diamond": f"M{x:g} {y - 1.2 * s:g}l{1.2 * s:g} {1.2 * s:g}l{-1.2 * s:g} {1.2 * s:g}"
        f"l{-1.2 * s:g} {-1.2 * s:g}z",
        "cross": f"M{x - s:g} {y - s:g}l{2 * s:g} {2 * s:g}M{x + s:g} {y - s:g}"
        f"l{-2 * s:g} {2 * s:g}",
    }
    width = "3" if style.shape == "cross" else "1.5"
    fill = "none" if style.hollow or style.shape == "cross" else style.colour
    if style.shape == "circle":
        return Markup(
            '<circle cx="{:g}" cy="{:g}" r="{:g}" fill="{}" stroke="{}" stroke-width="{}"/>'
        ).format(x, y, s, fill, style.colour, width)
    return Markup('<path d="{}" fill="{}" stroke="{}" stroke-width="{}"/>').format(
        outlines[style.shape], fill, style.colour, width
    )


def axis(intervals: Sequence[Interval]) -> tuple[float, float, float]:
    """Choose an axis of three to six round steps that holds all points and bounds."""
    values = [v for i in intervals for v in (i.estimate, i.low, i.high) if not math.isnan(v)]
    low, high = min(values), max(values)
    span = max(high - low, 0.02)
    step = next(
        s
        for exponent in range(-3, 9)
        for s in (10.0**exponent, 2 * 10.0**exponent, 5 * 10.0**exponent)
        if span / s <= 4
    )
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return first * step, max(last, first + 1) * step, step


def _line(row: Row, y: float, x: _Scale, layout: _Layout) -> Markup:
    style, overall = look(row.index), row.overall
    interval = Markup("")
    if not math.isnan(overall.low):
        interval = Markup(
            '<line x1="{}" x2="{}" y1="{:g}" y2="{:g}" stroke="{}" stroke-width="3"/>'
        ).format(x(overall.low), x(overall.high), y, y, style.colour)
    failed = f" ✕{row.failed}" if row.failed else ""
    part = ""
    if not row.group:
        part = f" {sum(entry.runs > 0 for entry in row.entries)}/{len(row.entries)}"
    room = (layout.left - layout.name) // 8 - len(failed + part)
    name = row.architecture if len(row.architecture) <= room else row.architecture[: room - 1] + "…"
    mean = estimate(row.overall)
    if layout is _NARROW:
        mean = re.sub(r"\b0\.", ".", mean.replace("± ", "±"))
    return Markup(
        '<g data-a="{}"{}>{}{}<text x="{}" y="{:g}" class="name">{}<tspan class="failed">{}</tspan>'
        '<tspan class="part">{}</tspan>'
        '</text><text x="{}" y="{:g}">{}</text>'
        '<text x="{}" y="{:g}" text-anchor="end">{}</text></g>'
    ).format(
        row.architecture,
        Markup("") if row.group else Markup(' class="unranked"'),
        interval,
        glyph(style, float(x(overall.estimate)), y),
        layout.name,
        y + 4,
        name,
        failed,
        part,
        layout.right + 14,
        y + 4,
        mean,
        layout.width - 8,
        y + 4,
        row.rank,
    )


def _bands(rows: Sequence[Row], layout: _Layout) -> list[Markup]:
    bands = []
    start = 0
    for end in range(1, len(rows) + 1):
        if end < len(rows) and rows[end].group == rows[start].group:
            continue
        if rows[start].group:
            top = _TOP + _ROW * start + 2
            bands.append(
                Markup(
                    '<rect class="band" x="0" y="{}" width="{}" height="{}" rx="5"/>'
                    '<text x="{}" y="{:g}" class="group" text-anchor="middle">{}</text>'
                ).format(
                    top,
                    layout.width,
                    _ROW * (end - start) - 4,
                    layout.letters,
                    _TOP + _ROW * (start + end) / 2 + 5,
                    rows[start].group,
                )
            )
        start = end
    return bands


def _finding(rows: Sequence[Row]) -> str:
    said = [
        f"{row.architecture} {estimate(row.overall)}, "
        + (f"rank {row.rank}, group {row.group}" if row.group else "not ranked")
        + (f", {counted(row.failed, 'failed run')}" if row.failed else "")
        for row in rows
    ]
    return "; ".join(said) + "."


def _tick(value: float, step: float) -> str:
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:.{decimals}f}".replace("-0.0", "0.0")
