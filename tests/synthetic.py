"""Results that no network was trained for: every case that a report must survive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rnnbench.results import Results

Scores = Callable[[str, str, int, int], float]
"""(architecture, setting, replicate, seed_index) -> test score."""

HOSTILE = "</script><img src=x onerror=alert(1)>$\\frac|*_`<b>"

_TASKS: dict[str, dict[str, Any]] = {
    "adding_uniform": {
        "metric": "mean_squared_error",
        "direction": "min",
        "chance": 1 / 3,
        "trivial": 1 / 6,
        "oracle": 0.0,
        "solved": 0.001,
    },
    "copy_memory": {
        "metric": "accuracy",
        "direction": "max",
        "chance": 0.125,
        "trivial": 0.125,
        "oracle": 1.0,
        "solved": 0.99,
    },
    "temporal_order": {
        "metric": "accuracy",
        "direction": "max",
        "chance": 0.25,
        "trivial": 0.25,
        "oracle": 1.0,
        "solved": 0.99,
    },
    "sequential_digits": {
        "metric": "accuracy",
        "direction": "max",
        "chance": 0.1,
        "trivial": 0.1,
        "oracle": None,
        "solved": 0.95,
    },
}


def setting(task: str, length: int) -> tuple[str, dict[str, Any]]:
    """Return a setting's name and its entry in the manifest."""
    entry = {
        "task": task,
        "options": {"length": length},
        "metrics": [_TASKS[task]["metric"]],
        "causal": task == "copy_memory",
        "pattern": "many-to-one",
        "sequence_length": length,
        "summary": f"Remember something for {length} steps.",
        "path": {"forward": float(length), "bidirectional": length / 2},
        **_TASKS[task],
    }
    bound = 1.0 if entry["direction"] == "max" else 0.0
    entry["best"] = bound if entry["oracle"] is None else entry["oracle"]
    return f"{task}(length={length})", entry


def results(
    architectures: tuple[str, ...] = ("gru", "lstm"),
    settings: tuple[tuple[str, int], ...] = (("copy_memory", 20),),
    seeds: int = 5,
    scores: Scores | None = None,
    *,
    failed: Mapping[tuple[str, str], int] | None = None,
    skipped: Mapping[tuple[str, str], str] | None = None,
    reference: str = "lstm",
    replicates: int = 1,
    trials: int = 9,
    sampler: str = "tpe",
    keep: int | None = None,
    interrupted: bool = False,
    quick: bool = False,
    parameters: Mapping[str, int] | None = None,
    samples: Sequence[tuple[str, str, int, str, str]] = (),
    spoken: bool = False,
) -> Results:
    """Build results; `failed` counts how many first seeds of a pair diverged, `keep` cuts rows.

    samples  (architecture, setting, update, title, text) of runs with the first seed
    spoken   whether targets are sequences: scores by length, and where the first run looked
    """
    manifest_settings = dict(setting(*each) for each in settings)
    score = scores or _noisy(architectures, manifest_settings)
    failed, skipped = failed or {}, skipped or {}
    sizes = parameters or {name: 5000 + 13 * i for i, name in enumerate(architectures)}
    trial_rows: list[dict[str, Any]] = []
    run_rows: list[dict[str, Any]] = []
    curve_rows: list[dict[str, Any]] = []
    for architecture in architectures:
        for name, entry in manifest_settings.items():
            reason = skipped.get((architecture, name), "")
            for replicate in range(replicates):
                where = {
                    "architecture": architecture,
                    "setting": name,
                    "task": entry["task"],
                    "cell": "gru",
                    "replicate": replicate,
                }
                if not reason:
                    trial_rows += _trials(where, entry, trials, sampler, sizes[architecture])
                for seed in range(seeds):
                    bad = seed < failed.get((architecture, name), 0)
                    value = float("nan")
                    if not reason and not bad:
                        value = score(architecture, name, replicate, seed)
                    status = "skipped" if reason else "diverged" if bad else "ok"
                    run_rows.append(
                        _row(where, entry, sizes[architecture])
                        | {
                            "seed_index": seed,
                            "status": status,
                            "reason": reason or ("loss is nan" if bad else ""),
                            "score": value,
                            "valid_score": value,
                            "solved": pd.NA if status != "ok" else _solved(value, entry),
                            "failed_update": 812 if bad else pd.NA,
                            "traceback": "tracebacks/0.txt" if bad and seed else pd.NA,
                        }
                    )
                    if status == "ok":
                        curve_rows += _curve(where | {"seed_index": seed}, entry, value)
    asked = len(run_rows) + len(trial_rows)
    run_rows = run_rows[:keep]
    manifest = _manifest(architectures, manifest_settings, sizes) | {
        "reference": reference,
        "primary_contrasts": [[name, reference] for name in architectures if name != reference],
        "quick": quick,
        "interrupted": interrupted,
        "members": {
            "asked": asked,
            "present": len(run_rows) + len(trial_rows),
            "failed": sum(row["status"] == "diverged" for row in run_rows),
        },
        "search": {
            "sampler": sampler,
            "generation": 8,
            "replicates": replicates,
            "space": {
                "learning_rate": {"kind": "log", "low": 1e-4, "high": 3e-2},
                "clip": {"kind": "choice", "values": [0.5, 1.0, 5.0]},
            },
            "own": {},
            "trials": {
                architecture: {
                    name: trials
                    for name in manifest_settings
                    if (architecture, name) not in skipped
                }
                for architecture in architectures
            },
        },
        "budget": {
            "name": "quick" if quick else "standard",
            "updates": 2000,
            "trials": trials,
            "confirm": 3,
            "seeds": seeds,
        },
    }
    curves = pd.DataFrame(curve_rows, columns=_CURVE_COLUMNS)
    trials_, runs = pd.DataFrame(trial_rows), pd.DataFrame(run_rows)
    scores = runs.assign(metric="", split="")
    tables = map(_typed, (trials_, runs, scores, curves))
    if not spoken:
        return Results(manifest, *tables, _written(samples))
    lengths, alignments = _lengths(run_rows, manifest_settings), _alignments(run_rows)
    return Results(manifest, *tables, _written(samples), lengths, alignments=alignments)


def large() -> Results:
    """Six architectures on nine settings with failures, skipped pairs and a hostile name."""
    lengths = [(task, n) for task in ("adding_uniform", "copy_memory") for n in (50, 100, 200)]
    extra = [("temporal_order", 50), ("temporal_order", 100), ("sequential_digits", 64)]
    names = ("tanh", "lstm", "peephole", "gru", "cifg", "bilstm")
    return results(
        names,
        (*lengths, *extra),
        failed={
            ("tanh", "adding_uniform(length=200)"): 2,
            ("tanh", "copy_memory(length=200)"): 5,
            ("gru", "temporal_order(length=100)"): 1,
        },
        skipped={
            ("bilstm", f"copy_memory(length={n})"): "bilstm is bidirectional and copy_memory is "
            "causal"
            for n in (50, 100, 200)
        },
    )


_TYPES = {
    "solved": "boolean",
    "failed_update": "Int64",
    "trial": "Int64",
    "exception": "string",
    "traceback": "string",
}

_CURVE_COLUMNS = [
    "architecture", "setting", "task", "cell", "replicate", "phase", "trial", "seed_index",
    "update", "split", "metric", "value", "key",
]  # fmt: skip


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Give columns the nullable types that stored results have."""
    kinds = {"f": "Float64", "i": "Int64", "b": "boolean"}
    types = {name: kinds.get(kind.kind, "string") for name, kind in table.dtypes.items()}
    return table.astype(types | {n: k for n, k in _TYPES.items() if n in table})


def _noisy(architectures: tuple[str, ...], settings: Mapping[str, Any]) -> Scores:
    def score(architecture: str, name: str, replicate: int, seed: int) -> float:
        entry = settings[name]
        i, j = architectures.index(architecture), list(settings).index(name)
        noise = np.random.default_rng([i, j, replicate, seed]).normal(0, 0.04)
        share = min(1.0, max(0.0, 1.02 - 0.11 * abs(i - 1) - 0.06 * j / (1 + i) + noise))
        top = 1.0 if entry["oracle"] is None else entry["oracle"]
        return float(entry["trivial"] + share * (top - entry["trivial"]))

    return score


def _solved(value: float, entry: Mapping[str, Any]) -> bool:
    if entry["direction"] == "max":
        return bool(value >= entry["solved"])
    return bool(value <= entry["solved"])


def _row(where: dict[str, Any], entry: Mapping[str, Any], size: int) -> dict[str, Any]:
    return where | {
        "loss": 0.1,
        "exception": pd.NA,
        "traceback": pd.NA,
        "best_update": 1800,
        "updates": 2000,
        "updates_to_solve": float("nan"),
        "censored": True,
        "hp_learning_rate": 3e-3,
        "hp_clip": 1.0,
        "hidden": 30,
        "parameters": size,
        "recurrent_parameters": size - 400,
        "state_size": 30,
        "backend": "kernel",
        "backend_reason": "",
        "budget": "standard",
        "key": "0" * 12,
        "rnnbench_version": "0.1.0",
        "torch_version": "2.13.0",
        "cell_source": "a" * 12,
        "task_source": "b" * 12,
        "train_seconds": 12.5,
        "evaluate_seconds": 0.5,
        "update_seconds": 0.006,
        "finished_at": "2026-11-20T14:02:00Z",
        "worker_host": "example",
        "hardware_host": "CPU of 2026",
    }


def _trials(
    where: dict[str, Any], entry: Mapping[str, Any], count: int, sampler: str, size: int
) -> list[dict[str, Any]]:
    if not count:
        return []
    names = (where["architecture"], where["setting"], str(where["replicate"]))
    generator = np.random.default_rng([len("".join(names)), sum(map(ord, "".join(names)))])
    top = 1.0 if entry["oracle"] is None else entry["oracle"]
    scores = entry["trivial"] + generator.uniform(0, 1, count) * (top - entry["trivial"])
    chosen = int(np.argmax(scores) if entry["direction"] == "max" else np.argmin(scores))
    return [
        _row(where, entry, size)
        | {
            "trial": trial,
            "phase": "search",
            "seed_index": 0,
            "origin": "defaults"
            if trial == 0
            else "random"
            if sampler == "random" or trial % 3 == 0
            else sampler,
            "status": "ok",
            "reason": "",
            "score": float(scores[trial]),
            "frozen": trial == chosen,
            "failed_update": pd.NA,
            "hp_learning_rate": float(10 ** generator.uniform(-4, -1.53)),
        }
        for trial in range(count)
    ]


def _curve(where: dict[str, Any], entry: Mapping[str, Any], final: float) -> list[dict[str, Any]]:
    updates = range(0, 2001, 50)
    start = entry["chance"]
    return [
        where
        | {
            "phase": "evaluation",
            "trial": None,
            "update": update,
            "split": "valid",
            "metric": entry["metric"],
            "value": float(start + (final - start) * (1 - np.exp(-update / 500))),
            "key": "0" * 12,
        }
        for update in updates
    ]


def _manifest(
    architectures: tuple[str, ...], settings: Mapping[str, Any], sizes: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "suite": "long_dependency",
        "question": "How far back can each cell remember?",
        "run_id": "7f3c9a",
        "architectures": {
            name: {
                "cell": "gru",
                "version": "1",
                "options": {},
                "layers": 1,
                "bidirectional": name.startswith("bi"),
                "dropout": 0.0,
                "equations": "z = σ(W_z x + U_z h + b_z)\nh = (1 − z) h + z tanh(W x + U h + b)",
                "reference": "Cho et al. 2014",
                "summary": "Gated recurrent unit.",
                "card": {"biases": "one a gate", "initialisation": "orthogonal U"},
            }
            for name in architectures
        },
        "settings": dict(settings),
        "match": {"parameters": 5000},
        "sizes": {
            name: {
                setting: {
                    "hidden": 30,
                    "parameters": sizes[name],
                    "recurrent_parameters": sizes[name] - 400,
                    "state_size": 30,
                    "mismatch": sizes[name] / 5000 - 1,
                }
                for setting in settings
            }
            for name in architectures
        },
        "training": {"optimizer": "adam", "batch": 32, "learning_rate": 0.003, "clip": 1.0},
        "versions": {"python": "3.11.9", "torch": "2.13.0", "rnnbench": "0.1.0"},
        "plugins": [
            {
                "name": "gru",
                "distribution": "rnnbench",
                "version": "0.1.0",
                "source": "a1b2c3d4e5f6",
            }
        ],
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "hardware": {
            "cpu": "Example CPU",
            "cores": 2,
            "memory_bytes": 8_000_000_000,
            "gpus": [],
            "host": "example",
            "system": "Linux 6.1",
        },
        "flags": {"threads_per_worker": 1, "MKL_CBWR": "AUTO", "tf32": False},
        "workers": 2,
        "started_at": "2026-11-20T13:02:00Z",
        "finished_at": "2026-11-20T14:02:00Z",
        "command": "rnnbench run suites/long_dependency.yaml",
        "warnings": [],
    }


SPANS = ((1, 2), (3, 3), (4, 8))
"""Lengths of answers; a score falls by a tenth from one span to the next."""


def _lengths(runs: Sequence[dict[str, Any]], settings: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: run[name] for name in ("architecture", "setting", "replicate", "seed_index")}
        | {
            "metric": settings[run["setting"]]["metric"],
            "shortest": shortest,
            "longest": longest,
            "sequences": 20,
            "value": run["score"] - place / 10,
        }
        for run in runs
        if run["status"] == "ok"
        for place, (shortest, longest) in enumerate(SPANS)
    )


def _alignments(runs: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The first run of each pair reads `ab` and says `b<END>`, looking at the last letter first."""
    weights = {(0, 0): 0.1, (0, 1): 0.9, (1, 0): 1.0, (1, 1): 0.0}
    return pd.DataFrame(
        {name: run[name] for name in ("architecture", "setting", "replicate", "seed_index")}
        | {
            "sequence": 0,
            "said_step": said,
            "said": ("b", "<END>")[said],
            "read_step": read,
            "read": ("a", "bc")[read],
            "weight": weight,
        }
        for run in runs
        if run["status"] == "ok" and run["seed_index"] == 0
        for (said, read), weight in weights.items()
    )


def _written(samples: Sequence[tuple[str, str, int, str, str]]) -> pd.DataFrame:
    names = ["architecture", "setting", "update", "title", "text"]
    return pd.DataFrame(samples, columns=names).assign(replicate=0, seed_index=0)
