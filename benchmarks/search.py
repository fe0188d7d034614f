"""Whole searches through rnnbench and through two scripts that a competent user would write.

`search_plain.py` is Optuna and torch as they come, one trial after the other; `search_strong.py`
has a single-threaded process a core, a tuned allocator, fused Adam. All draw the adding problem,
train with Adam and clipping, and score 512 sequences five times a trial. Every side gets the same
seconds from its first update on; compared are the updates of all trials a second. What comes before
(imports, planning, starting workers) is printed apart.

    python benchmarks/search.py [--seconds 45] [--cells lstm gru] [--hidden 16] [--plain] [--json F]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from user_model import Problem

from rnnbench.machine import cores

HERE = Path(__file__).parent
AIMS = {
    "lstm": {16: 4.0, 32: 2.0, 64: 1.0},
    "gru": {16: 10.0, 32: 7.0, 64: 4.0},
    "peephole_lstm": {16: 20.0, 32: 8.0, 64: 4.0},
}
"""How many times as many updates as the strong script, by cell and hidden size, on two cores."""

MANY = 100_000
"""More trials than there is time for."""


def side(name: str, problem: Problem, seconds: float, workers: int, trials: int = MANY) -> Any:
    """Run one side in a process of its own."""
    asked = {"problem": asdict(problem), "seconds": seconds, "workers": workers, "trials": trials}
    done = subprocess.run(  # noqa: S603  this folder's own scripts
        [sys.executable, str(HERE / f"search_{name}.py"), json.dumps(asked)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout)


def rate(result: Any) -> float:
    """Return updates a second."""
    return float(result["updates"] / result["seconds"])


def compare(problem: Problem, seconds: float, workers: int, plain: bool) -> dict[str, Any]:
    """Run the sides one after another; return their records."""
    names = ["strong", "rnnbench"] + ["plain"] * plain
    return {name: side(name, problem, seconds, workers) for name in names}


def line(problem: Problem, results: dict[str, Any]) -> str:
    """Return a row of the table."""
    ours, strong = rate(results["rnnbench"]), rate(results["strong"])
    aim = AIMS[problem.cell][problem.hidden]
    reached = "yes" if ours / strong >= aim else "no"
    plain = f"{ours / rate(results['plain']):7.1f}" if "plain" in results else "      –"
    start = f"{results['rnnbench']['start']:5.1f} {results['strong']['start']:5.1f}"
    where = (
        f"{problem.cell:14} {problem.length:4} {problem.hidden:4}  {results['rnnbench']['way']:9}"
    )
    return (
        f"{where}{ours:9,.0f} {strong:9,.0f} {ours / strong:7.1f}  ≥ {aim:<4g} {reached:4} "
        f"{plain}   {start}"
    )


def same_losses(workers: int) -> str:
    """Search a small problem both ways and compare the errors that the trials reach."""
    problem = Problem("lstm", 16, 20, updates=1000)
    medians = {
        name: statistics.median(side(name, problem, 600, workers, trials=16)["losses"])
        for name in ("rnnbench", "strong")
    }
    ours, theirs = medians["rnnbench"], medians["strong"]
    verdict = "the same" if 0.5 < ours / theirs < 2 else "NOT the same"
    return (
        f"16 trials of an LSTM, adding at 20 steps: median error {ours:.4f} through rnnbench, "
        f"{theirs:.4f} through the strong script: {verdict} within a factor of two (0.167: nothing "
        "learnt)"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=45)
    parser.add_argument("--cells", nargs="+", choices=AIMS, default=list(AIMS))
    parser.add_argument("--hidden", nargs="+", type=int, choices=(16, 32, 64), default=[16, 32, 64])
    parser.add_argument("--lengths", nargs="+", type=int, default=[50, 100])
    parser.add_argument("--plain", action="store_true", help="run the plain script too")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    workers = cores()
    print(f"{workers} cores, {asked.seconds:g} s a side\n")
    print(
        "cell          steps  hid  members   updates/s  strong/s   ratio  aim    hit    plain×"
        "   start-up s"
    )
    records = []
    for length in asked.lengths:
        for cell in asked.cells:
            for hidden in asked.hidden:
                problem = Problem(cell, hidden, length)
                results = compare(problem, asked.seconds, workers, asked.plain)
                print(line(problem, results), flush=True)
                records.append({"problem": asdict(problem), **results})
    print(f"\n{same_losses(workers)}")
    if asked.json:
        asked.json.write_text(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
