"""Tables to figures: every figure as SVG, PNG and the CSV of exactly what it shows."""

from __future__ import annotations

from pathlib import Path

from rnnbench.findings.standings import standings
from rnnbench.plots.best_so_far import best_so_far
from rnnbench.plots.canvas import Drawing, Figure, Omitted, save
from rnnbench.plots.learning_curves import learning_curves
from rnnbench.plots.score_by_length import score_by_length
from rnnbench.plots.score_by_parameters import score_by_parameters
from rnnbench.plots.score_by_target_length import score_by_target_length
from rnnbench.results import Results

__all__ = ["Drawing", "Figure", "Omitted", "draw_all"]


def draw_all(results: Results, folder: Path) -> tuple[Figure | Omitted, ...]:
    """Draw every figure that the results can fill into `folder`, the same bytes each time.

    A figure that would say nothing comes back as `Omitted` with the reason, and its files from an
    earlier report are removed.
    """
    gathered = standings(results)
    drawings = (
        score_by_length(results, gathered),
        score_by_target_length(results, gathered),
        learning_curves(results),
        best_so_far(results),
        score_by_parameters(results, gathered),
    )
    return tuple(save(drawing, folder) for drawing in drawings)
