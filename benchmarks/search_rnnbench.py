"""The same search through rnnbench: plan, workers, store, as `rnnbench run` does it."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["MKL_CBWR"] = "AUTO"

from rnnbench.cluster import Local, slots_for  # noqa: E402
from rnnbench.executor import Executor  # noqa: E402
from rnnbench.machine import memory, versions  # noqa: E402
from rnnbench.plan import plan  # noqa: E402
from rnnbench.registry import load_registry  # noqa: E402
from rnnbench.runner import Ended, Event, Launched, carry_out  # noqa: E402
from rnnbench.settling import settle  # noqa: E402
from rnnbench.store import Store  # noqa: E402
from rnnbench.suite import read_suite  # noqa: E402
from rnnbench.worker import Terms  # noqa: E402

SUITE = """\
suite: search
question: How quick is a search?
architectures: {{cell: {{cell: {cell}}}}}
settings: [{{task: adding_halves, length: {length}}}]
match: {{hidden: {hidden}}}
training: {{optimizer: adam, batch: {batch}, learning_rate: 5.0e-3, clip: 1}}
evaluation: {{points: 5}}
search:
  generation: {generation}
  space:
    learning_rate: {{log: [1.0e-3, 3.0e-2]}}
    clip: {{between: [0.5, 5]}}
budget:
  standard: {{updates: {updates}, trials: {trials}, confirm: 0, seeds: 1}}
"""


def main() -> None:
    """Search for the seconds that are asked for and print what was done."""
    started = time.perf_counter()
    asked = json.loads(sys.argv[1])
    workers, problem = asked["workers"], asked["problem"]
    registry = load_registry()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "search.yaml"
        trials, generation = asked["trials"], 8 * workers
        path.write_text(SUITE.format(**problem, trials=trials, generation=generation))
        planned = plan(read_suite(path), registry)
        times: dict[str, list[float]] = {"launched": [], "ended": []}
        spent = {"train": 0.0, "evaluate": 0.0}
        updates: list[int] = []
        losses: list[float] = []

        def notify(event: Event) -> None:
            match event:
                case Launched():
                    times["launched"].append(time.perf_counter())
                case Ended(ask, finished) if ask.phase == "search":
                    times["ended"].append(time.perf_counter())
                    updates.append(finished.updates)
                    for what in spent:
                        spent[what] += finished.seconds.get(what, 0.0)
                    if finished.valid_score is not None:
                        losses.append(finished.valid_score)

        def stopping() -> bool:
            first = times["launched"][:1]
            return bool(first) and time.perf_counter() - first[0] > asked["seconds"]

        with Store(Path(folder) / "results") as store:
            campaign = settle(planned.studies, store, versions())
            carry_out(
                campaign,
                store,
                Executor(Local(slots_for(workers, ()), os.environ), Terms()),
                versions(),
                memory=(memory() or 2**32) * 3 // 4 // workers,
                notify=notify,
                tick=lambda: None,
                stopping=stopping,
            )
    print(
        json.dumps(
            {
                "updates": sum(updates),
                "seconds": max(times["ended"]) - times["launched"][0],
                "start": times["launched"][0] - started,
                "losses": sorted(losses),
                "spent": spent,
                "way": planned.studies[0].template.way,
            }
        )
    )


if __name__ == "__main__":
    main()
