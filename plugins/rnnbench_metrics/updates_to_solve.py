"""Updates to solve: how long a run trained before it first reached its task's threshold."""

from __future__ import annotations

import rnnbench


class UpdatesToSolve(rnnbench.OutcomeMetric):
    """The first update whose validation score reaches the task's solved threshold.

    A run that never does is censored at its last validated update: it would have taken longer.
    So these values belong in a survival estimate, and a mean of the solved ones alone misleads.
    """

    name = "updates_to_solve"
    direction = "min"
    low = 0.0

    def measure(self, outcome: rnnbench.Outcome) -> rnnbench.Measured:
        """Walk the validation curve; an empty one is censored at 0."""
        for update, score in outcome.curve:
            if outcome.reached(score):
                return rnnbench.Measured(float(update))
        last = outcome.curve[-1][0] if outcome.curve else 0
        return rnnbench.Measured(float(last), censored=True)


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.OutcomeMetric]]:
    """Provide updates to solve."""
    return [UpdatesToSolve]
