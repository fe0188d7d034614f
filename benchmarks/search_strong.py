"""The search as a careful user writes it: a single-threaded process a core, sharing one study."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from user_model import Counter, Deadline, Problem, train

from rnnbench import allocator


def worker(asked: dict, number: int, journal: str, results: multiprocessing.Queue) -> None:
    """Search in one process."""
    allocator.tune()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    problem, counter = Problem(**asked["problem"]), Counter(asked["seconds"])
    study = optuna.load_study(
        study_name="search",
        storage=JournalStorage(JournalFileBackend(journal)),
        sampler=optuna.samplers.TPESampler(seed=number, multivariate=True, constant_liar=True),
    )

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("learning_rate", 1e-3, 3e-2, log=True)
        limit = trial.suggest_float("clip", 0.5, 5)
        return train(problem, rate, limit, trial.number, fused=True, update=counter)

    with suppress(Deadline):
        study.optimize(objective, n_trials=asked["trials"] // asked["workers"])
    results.put((counter.updates, counter.began, counter.ended))


def main() -> None:
    """Search for the seconds that are asked for and print what was done."""
    started = time.perf_counter()
    asked = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        journal = str(Path(folder) / "journal")
        storage = JournalStorage(JournalFileBackend(journal))
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(study_name="search", storage=storage)
        results: multiprocessing.Queue = multiprocessing.Queue()
        workers = [
            multiprocessing.Process(target=worker, args=(asked, number, journal, results))
            for number in range(asked["workers"])
        ]
        for each in workers:
            each.start()
        counted = [results.get() for _ in workers]
        for each in workers:
            each.join()
        done = [trial.value for trial in study.trials if trial.value is not None]
    began = min(first for _, first, _ in counted)
    print(
        json.dumps(
            {
                "updates": sum(updates for updates, _, _ in counted),
                "seconds": max(last for _, _, last in counted) - began,
                "start": began - started,
                "losses": sorted(done),
            }
        )
    )


if __name__ == "__main__":
    main()
