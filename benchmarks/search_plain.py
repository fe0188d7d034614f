"""The search as most write it: Optuna, one trial after the other, torch as it comes."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress

import optuna
from user_model import Counter, Deadline, Problem, train


def main() -> None:
    """Search for the seconds that are asked for and print what was done."""
    started = time.perf_counter()
    asked = json.loads(sys.argv[1])
    problem, counter = Problem(**asked["problem"]), Counter(asked["seconds"])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("learning_rate", 1e-3, 3e-2, log=True)
        limit = trial.suggest_float("clip", 0.5, 5)
        return train(problem, rate, limit, trial.number, fused=False, update=counter)

    with suppress(Deadline):
        study.optimize(objective, n_trials=asked["trials"])
    done = [trial.value for trial in study.trials if trial.value is not None]
    print(
        json.dumps(
            {
                "updates": counter.updates,
                "seconds": counter.ended - counter.began,
                "start": counter.began - started,
                "losses": sorted(done),
            }
        )
    )


if __name__ == "__main__":
    main()
