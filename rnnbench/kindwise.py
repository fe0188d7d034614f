"""Scores by kind: of questions of a type, of pictures with so many objects."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rnnbench.assessing import Assessed
from rnnbench.contracts import OfPredictions
from rnnbench.member import KindScore


def by_kind(assessed: Assessed, metrics: Sequence[OfPredictions]) -> tuple[KindScore, ...]:
    """Score the sequences of each kind apart, in the order in which kinds occur."""
    kinds = assessed.batch.kinds
    if kinds is None:
        return ()
    found = []
    for kind in dict.fromkeys(kind for each in kinds for kind in each):
        rows = torch.tensor([row for row, each in enumerate(kinds) if kind in each])
        chosen = assessed.unseen.choose(rows.to(assessed.predictions.device))
        found += [
            KindScore(metric.name, kind, len(rows), chosen.measure(metric)) for metric in metrics
        ]
    return tuple(found)
