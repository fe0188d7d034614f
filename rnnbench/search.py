"""Propose hyperparameters by generations: a pure function of a study's names and its history.

Optuna's samplers are asked in a study that is rebuilt from finished trials, so a search that was
killed and one that was not propose the same.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    GPSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import TrialState

from rnnbench.direction import Direction
from rnnbench.options import Choice, LogBetween, Space, Value
from rnnbench.seeds import seed_of

if TYPE_CHECKING:
    from rnnbench.study import SearchSpace

optuna.logging.set_verbosity(optuna.logging.ERROR)  # else each rebuilt study reports itself

RANDOM_EVERY = 3
"""Trials 3, 6, 9 … are random, and alike for all architectures in the shared dimensions."""

STATIC = ("random", "grid", "qmc")
"""Samplers that never look at results but count what they were asked: asked again from trial 0."""


@dataclass(frozen=True)
class Trial:
    """One choice of hyperparameters and where it came from."""

    number: int
    origin: str
    values: Mapping[str, Value]


@dataclass(frozen=True)
class Scored:
    """A finished trial: its score, None where it failed; `reached`, the update it was pruned at."""

    trial: Trial
    score: float | None
    reached: int | None = None


def propose(
    search: SearchSpace,
    names: Mapping[str, Sequence[object]],
    defaults: Mapping[str, Value],
    direction: Direction,
    history: Sequence[Scored],
    numbers: range,
) -> list[Trial]:
    """Propose the trials of one generation.

    names      "study" and "setting": the names that seed the sampler and the random trials
    defaults   the values of trial 0
    history    every trial of the earlier generations
    numbers    the generation's trial numbers, starting at a multiple of its size
    """
    static = search.sampler in STATIC
    study = _rebuilt(search, names["study"], direction, () if static else history, numbers)
    proposed = []
    for number in range(numbers.stop) if static else numbers:
        given = _given(search, names, defaults, number)
        if given is not None:
            study.enqueue_trial(dict(given.values))
        asked = study.ask(_distributions(search))
        proposed.append(given or Trial(number, search.sampler, dict(asked.params)))
        if static:
            study.tell(asked, 0.0)  # QMC learns its dimensions from a trial that has ended
    return proposed[-len(numbers) :]


def _given(
    search: SearchSpace,
    names: Mapping[str, Sequence[object]],
    defaults: Mapping[str, Value],
    number: int,
) -> Trial | None:
    """Return the trial that the protocol fixes at this number, if it fixes one."""
    if number == 0:
        return Trial(0, "defaults", dict(defaults))
    if number % RANDOM_EVERY:
        return _grid_point(search, number) if search.sampler == "grid" else None
    shared = {
        name: draw(space, *names["setting"], number, name) for name, space in search.shared.items()
    }
    own = {name: draw(space, *names["study"], number, name) for name, space in search.own.items()}
    return Trial(number, "random", shared | own)


def _grid_point(search: SearchSpace, number: int) -> Trial:
    """Return the grid's next point in the order of the suite; after the last comes the first."""
    space = {**search.shared, **search.own}
    axes = [dimension.values for dimension in space.values() if isinstance(dimension, Choice)]
    points = list(itertools.product(*axes))
    index = number - 1 - (number - 1) // RANDOM_EVERY
    return Trial(number, "grid", dict(zip(space, points[index % len(points)], strict=True)))


def draw(space: Space, *names: object) -> Value:
    """Draw one value at random; the same names give the same value."""
    study = optuna.create_study(sampler=RandomSampler(seed=_seed("random trial", *names)))
    value: Value = study.ask({"value": _distribution(space)}).params["value"]
    return value


def _rebuilt(
    search: SearchSpace,
    names: Sequence[object],
    direction: Direction,
    history: Sequence[Scored],
    numbers: range,
) -> optuna.Study:
    """Rebuild the study as it stood when `numbers` were about to be asked."""
    generation = 0 if search.sampler in STATIC else numbers.start // search.generation
    study = optuna.create_study(
        sampler=_sampler(search, _seed("sampler", *names, generation)),
        direction="maximize" if direction == "max" else "minimize",
    )
    for scored in history:
        study.add_trial(
            optuna.create_trial(
                params=dict(scored.trial.values),
                distributions=_distributions(search),
                value=scored.score if scored.reached is None else None,
                state=TrialState.COMPLETE
                if scored.score is not None and scored.reached is None
                else TrialState.PRUNED,
                intermediate_values={scored.reached: scored.score}
                if scored.score is not None and scored.reached is not None
                else {},
            )
        )
    return study


def _sampler(search: SearchSpace, seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        # multivariate TPE, constant_liar, QMC and GP carry Optuna's "experimental" mark
        warnings.simplefilter("ignore", ExperimentalWarning)
        match search.sampler:
            case "tpe":
                return TPESampler(
                    seed=seed, n_startup_trials=0, multivariate=True, constant_liar=True
                )
            case "gp":
                return GPSampler(seed=seed, n_startup_trials=0, warn_independent_sampling=False)
            case "qmc":
                return QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)
            case _:
                return RandomSampler(seed=seed)


def _distributions(search: SearchSpace) -> dict[str, BaseDistribution]:
    space = {**search.shared, **search.own}
    return {name: _distribution(space[name]) for name in sorted(space)}


def _distribution(space: Space) -> BaseDistribution:
    if isinstance(space, Choice):
        return CategoricalDistribution(space.values)
    return FloatDistribution(space.low, space.high, log=isinstance(space, LogBetween))


def _seed(*names: object) -> int:
    """Return a seed as NumPy's legacy generator takes it: below 2**32."""
    return seed_of(*names) % 2**32
