"""Results folders that no network was trained for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import synthetic
from studies import play

from rnnbench.files import write_atomically
from rnnbench.folder import write_manifest, write_studies
from rnnbench.member import Alignment, Finished, Point, Sample, Score, Shown
from rnnbench.protocol import Ask
from rnnbench.store import Store
from rnnbench.study import Study

MADE_BY = {"rnnbench": "1", "torch": "2", "cell": "c", "task": "t"}

SUITE = {"lstm": {"cell": "lstm"}, "gru": {"cell": "gru"}, "tanh": {"cell": "rnn"}}
"""The architectures of the whole suite, of which a folder may hold a part."""

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
"""A picture of one pixel."""

Change = Callable[[Ask, Finished], Finished]


def manifest(studies: Sequence[Study]) -> dict[str, Any]:
    """What `run` would say of these studies on `adding_uniform(length=10)`."""
    architectures = tuple(dict.fromkeys(study.architecture for study in studies))
    reference = "lstm" if "lstm" in architectures else architectures[0]
    made = synthetic.results(architectures, (("adding_uniform", 10),), reference=reference).manifest
    budget = studies[0].budget
    made["settings"]["adding_uniform(length=10)"]["stated"] = {"length": 10}
    made["budget"] |= {"name": budget.name, "trials": budget.trials, "seeds": budget.seeds}
    return made


def write_folder(
    folder: Path,
    studies: Sequence[Study],
    *,
    change: Change = lambda _, finished: finished,
    started_at: str = "2026-11-20T13:02:00Z",
    made_by: dict[str, str] | None = None,
    **facts: Any,
) -> Path:
    """Write what a finished run of these studies leaves, each member with all there can be."""
    with Store(folder) as store:
        for one in studies:
            asks, finished = play(one)
            for ask in asks:
                if not ask.skipped:
                    left = change(ask, full(ask, finished[ask.member.key]))
                    weights = ask.member.key.encode() if ask.phase == "evaluation" else None
                    store.commit(ask.member, left, made_by or MADE_BY, weights)
    write_studies(folder, studies)
    write_manifest(folder, manifest(studies) | {"started_at": started_at} | facts)
    made = manifest(studies)
    suite = {
        "suite": made["suite"],
        "architectures": SUITE,
        "reference": "lstm",
        "settings": [{"task": "adding_uniform", "length": 10}],
        "budget": {
            made["budget"]["name"]: {"settings": [{"task": "adding_uniform", "length": 10}]}
        },
    }
    write_atomically(folder / "suite.resolved.json", json.dumps(suite))
    write_atomically(folder / "suite.yaml", "suite: long_dependency\n")
    return folder


def full(ask: Ask, finished: Finished) -> Finished:
    """Leave what a run may leave beside its scores."""
    finished = replace(
        finished,
        curve=(Point(5, "valid", "mean_squared_error", 0.3),),
        seconds={"train": 1.0, "update": 0.1, "evaluate": 0.1},
        worker_host="here",
        hardware_host="CPU of 2026",
        finished_at="2026-11-20T14:02:00Z",
    )
    if ask.phase != "evaluation":
        return finished
    value = 0.05 + 0.01 * ask.seed_index
    return replace(
        finished,
        scores=(
            Score("valid", "mean_squared_error", value, "min"),
            Score("test", "mean_squared_error", value, "min"),
            Score("test", "loss", value, "min"),
            Score("test", "solved", 0.0, "max"),
        ),
        samples=(Sample(5, "temperature 1", "some words"),),
        alignments=(Alignment(("ab", "cd"), ("ef",), ((0.25, 0.75),)),),
        shown=(Shown(3, PNG, "what?", ("red",), "blue", False, (1, 2), ("blue",), ((0.5, 0.5),)),),
    )
