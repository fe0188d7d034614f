"""What the members of a contest leave when each of them trained by itself.

A group that dies, fails or takes too much memory is trained one by one. Alone, a member passes all
rungs; whom its contest would have dropped there is known once all are back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rnnbench.contests import Contest, stay
from rnnbench.direction import Direction
from rnnbench.member import Finished


def judged(
    finished: Sequence[Finished], contest: Contest, metric: str, direction: Direction
) -> list[Finished]:
    """Return what the contest would have left of members that passed its rungs alone.

    finished  of all members of the contest, in their order; what has been dropped stays so
    metric    the metric that decides
    """
    left = list(finished)
    for rung in contest.rungs:
        bests = [_best(one, rung, metric, direction) for one in left]
        # whoever is dropped has no curve beyond, and reaches no other rung
        reached = [(place, best) for place, best in enumerate(bests) if best is not None]
        on = stay([(score, loss) for _, (score, loss, _) in reached], contest.factor)
        for number, (place, (score, loss, update)) in enumerate(reached):
            if number in on:
                continue
            left[place] = replace(
                left[place],
                status="pruned",
                reason=f"{len(on)} of {len(reached)} trained on after update {rung}",
                exception="",
                traceback="",
                updates=rung,
                failed_update=None,
                best_update=update,
                valid_score=-score if direction == "max" else score,
                valid_loss=loss,
                curve=tuple(point for point in left[place].curve if point.update <= rung),
            )
    return left


def _best(
    finished: Finished, rung: int, metric: str, direction: Direction
) -> tuple[float, float, int] | None:
    """Return the best score up to a rung, small is good, its loss and update; None: not reached."""
    failed = finished.failed_update
    if failed is not None and failed <= rung:
        return None
    values = {
        name: {
            point.update: point.value
            for point in finished.curve
            if (point.split, point.metric) == ("valid", name) and point.update <= rung
        }
        for name in (metric, "loss")
    }
    if rung not in values[metric]:
        return None
    sign = -1.0 if direction == "max" else 1.0
    return min((sign * score, values["loss"][at], at) for at, score in values[metric].items())
