"""What a run spends outside of training: planning, Optuna, Dask, writing.

    python benchmarks/overhead.py                        runs suites/long_dependency.yaml (standard)
    python benchmarks/overhead.py results/long_dependency   reads a finished run of any suite
    python benchmarks/overhead.py --proposals            times ask and tell as a study grows

The share is what is left of the workers' time, from the start of the command to its end, once
training and evaluation are taken out. An idle worker at the end of a run counts as overhead.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from rnnbench.options import Between, Choice, LogBetween
from rnnbench.search import Scored, propose
from rnnbench.study import SearchSpace

SUITE = Path(__file__).parents[1] / "suites" / "long_dependency.yaml"


def share(folder: Path) -> str:
    """Return a sentence on a finished run."""
    manifest = json.loads((folder / "manifest.json").read_text())
    began, ended = (
        datetime.fromisoformat(manifest[f"{what}_at"]) for what in ("started", "finished")
    )
    tables = [pd.read_csv(folder / f"{name}.csv") for name in ("trials", "runs")]
    training = sum(float(table["train_seconds"].sum()) for table in tables)
    evaluating = sum(float(table["evaluate_seconds"].sum()) for table in tables)
    updates = sum(int(table["updates"].sum()) for table in tables)
    wall = (ended - began).total_seconds()
    spent = wall * manifest["workers"]
    return (
        f"{manifest['members']['present']:,} members, {updates:,} updates, {wall / 60:.1f} minutes "
        f"on {manifest['workers']} workers: training {training / spent:.1%}, evaluation "
        f"{evaluating / spent:.1%}, all else {1 - (training + evaluating) / spent:.1%}"
    )


def proposals() -> None:
    """Time the proposal of a generation of eight as the history grows."""
    space = {
        "learning_rate": LogBetween(1e-3, 3e-2),
        "clip": Choice((0.5, 1.0, 5.0)),
        "weight_decay": Between(0.0, 0.1),
    }
    search = SearchSpace("tpe", 8, space, {"forget_bias": Between(0.0, 5.0)})
    names: dict[str, Sequence[object]] = {"study": ["x"], "setting": ["y"]}
    defaults = {"learning_rate": 5e-3, "clip": 1.0, "weight_decay": 0.0, "forget_bias": 1.0}
    history: list[Scored] = []
    for start in range(0, 1001, 8):
        began = time.perf_counter()
        trials = propose(search, names, defaults, "max", history, range(start, start + 8))
        took = time.perf_counter() - began
        if start in (0, 96, 200, 496, 1000):
            print(f"{start:5} trials before: {1000 * took:6.1f} ms for the next 8")
        history += [Scored(trial, float(trial.values["learning_rate"])) for trial in trials]


def main() -> None:
    """Print the share, or the times of proposals."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--proposals", action="store_true")
    asked = parser.parse_args()
    if asked.proposals:
        proposals()
    elif asked.folder:
        print(share(asked.folder))
    else:
        with tempfile.TemporaryDirectory() as place:
            run = [sys.executable, "-m", "rnnbench", "run", str(SUITE), "--results", place]
            subprocess.run(run, check=True)  # noqa: S603  this package's own command
            print(share(Path(place) / "long_dependency"))


if __name__ == "__main__":
    main()
