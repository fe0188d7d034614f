"""A plan and the machine to the manifest: what was run, on what, by which code."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rnnbench.machine import git, hardware, versions
from rnnbench.options import Space
from rnnbench.plan import Plan
from rnnbench.registry import Registry
from rnnbench.worker import ENVIRONMENT


@dataclass(frozen=True)
class Session:
    """How the command was started: its words, its workers and the GPUs they use."""

    command: str
    workers: int
    gpus: tuple[str, ...]
    started_at: str


def manifest_of(plan: Plan, registry: Registry, session: Session) -> dict[str, Any]:
    """Describe a run before it starts; `finished` completes it."""
    suite, budget = plan.suite, plan.suite.chosen
    sizes: dict[str, dict[str, Any]] = defaultdict(dict)
    for study in plan.trained:
        sizes[study.architecture][study.setting] = study.size
    own = {study.architecture: _spaces(study.search.own) for study in plan.studies}
    trials: dict[str, dict[str, int]] = defaultdict(dict)
    for study in plan.trained:
        count = 0 if study.search.fixed else study.budget.trials
        trials[study.architecture][study.setting] = count
    return {
        "suite": suite.name,
        "question": suite.question,
        "run_id": hashlib.sha256(f"{suite.text}{session.started_at}".encode()).hexdigest()[:8],
        "budget": {
            "name": budget.name,
            "updates": budget.updates if isinstance(budget.updates, int) else dict(budget.updates),
            "trials": budget.trials,
            "confirm": budget.confirm,
            "confirm_seeds": suite.search.confirm_seeds,
            "seeds": budget.seeds,
            "time_limit": budget.time_limit,
        },
        "quick": budget.name == "quick",
        "reference": plan.reference,
        "primary_contrasts": [list(pair) for pair in plan.contrasts],
        "architectures": dict(plan.architectures),
        "settings": dict(plan.settings),
        "match": budget.match.model_dump(exclude_none=True),
        "sizes": sizes,
        "search": {
            "sampler": suite.search.sampler,
            "generation": suite.search.generation,
            "pruner": suite.search.pruner and suite.search.pruner.model_dump(),
            "replicates": suite.search.replicates,
            "space": _spaces(suite.search.space),
            "own": {label: space for label, space in own.items() if space},
            "trials": trials,
        },
        "training": suite.training.model_dump(),
        "evaluation": suite.evaluation.model_dump(),
        "versions": versions(),
        "compiler": next((study.compiler for study in plan.studies if study.compiler), None),
        "plugins": _plugins(registry),
        "git": git(Path(__file__).parent),
        "hardware": {**hardware(), "gpus": list(session.gpus)},
        "flags": {"threads_per_worker": 1, "tf32": False, "deterministic": True, **ENVIRONMENT},
        "workers": session.workers,
        "started_at": session.started_at,
        "finished_at": None,
        "command": session.command,
        "members": {"asked": 0, "present": 0, "failed": 0},
        "interrupted": True,
        "warnings": list(plan.warnings),
    }


def _plugins(registry: Registry) -> Sequence[dict[str, str]]:
    """Return the loaded plugins with their packages and the hashes of what they provide."""
    return [
        {
            "name": one.title,
            "distribution": one.distribution,
            "version": one.distribution_version,
            "source": one.source,
        }
        for one in registry.components
    ]


def _spaces(spaces: Mapping[str, Space]) -> dict[str, dict[str, Any]]:
    return {name: asdict(space) for name, space in spaces.items()}
