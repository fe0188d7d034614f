"""Solved: whether a run reached its task's threshold on test data."""

from __future__ import annotations

import rnnbench


class Solved(rnnbench.OutcomeMetric):
    """1 where the test score reaches the task's solved threshold, else 0; its mean is a rate."""

    name = "solved"
    direction = "max"
    low = 0.0
    high = 1.0

    def measure(self, outcome: rnnbench.Outcome) -> rnnbench.Measured:
        """Compare the test score; one that is not a number has solved nothing."""
        return rnnbench.Measured(float(outcome.reached(outcome.score)))


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.OutcomeMetric]]:
    """Provide solved."""
    return [Solved]
