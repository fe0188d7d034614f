"""Studies and their finished members to tidy tables; `results/README.md` explains every column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rnnbench.hyperparameters import COUNTS, LIMITS, OF_ARCHITECTURE, STACK, WORDS
from rnnbench.member import Finished
from rnnbench.protocol import Progression
from rnnbench.results import Results
from rnnbench.store import Stored
from rnnbench.study import Study
from rnnbench.tables import evidence
from rnnbench.tables.rows import PLACE, Row, frame, place

_RECIPE_WORDS = tuple(name for name in WORDS if name not in STACK)

NUMBERS = tuple(n for n in (*LIMITS, *COUNTS) if n not in (*OF_ARCHITECTURE, *STACK))
"""The numbers of a recipe that can be searched; each is a column `hp_<name>`."""


def tabulate(
    manifest: dict[str, Any], studies: Sequence[Study], stored: Mapping[str, Stored]
) -> Results:
    """Build the tables of exactly what these studies ask for and has finished (or is skipped)."""
    finished = {key: one.finished for key, one in stored.items()}
    rows = [
        Row(ask, stored.get(ask.member.key))
        for study in studies
        for ask in Progression(study).asks(finished)
        if ask.skipped or ask.member.key in finished
    ]
    options = _options(studies)
    tuning = [row for row in rows if row.ask.phase != "evaluation"]
    runs = [row for row in rows if row.ask.phase == "evaluation"]
    return Results(
        _sized(manifest, runs),
        trials=frame(_TRIAL, [_trial(row, options) for row in tuning], options),
        runs=frame(_RUN, [_run(row, options) for row in runs], options),
        scores=frame(evidence.SCORES, evidence.scores(runs)),
        curves=frame(evidence.CURVES, evidence.curves(rows)),
        samples=frame(evidence.SAMPLES, evidence.samples(runs)),
        lengths=frame(evidence.LENGTHS, evidence.lengths(runs)),
        kinds=frame(evidence.KINDS, evidence.kinds(runs)),
        alignments=frame(evidence.ALIGNMENTS, evidence.alignments(runs)),
        pictures=frame(evidence.PICTURES, evidence.pictures(runs)),
        looks=frame(evidence.LOOKS, evidence.looks(runs)),
        tracebacks={file: row.finished.traceback for row in rows if (file := row.traceback)},
    )


def _options(studies: Sequence[Study]) -> dict[str, str]:
    """Return the options of cells and layers with their columns' types: numbers, or words."""
    nets = [study.template.architecture for study in studies]
    numeric = {name for net in nets for name in net.numeric}
    words = {name for net in nets for name in net.structure}
    return {name: "string" if name in words else "Float64" for name in sorted(numeric | words)}


def _sized(manifest: dict[str, Any], runs: Sequence[Row]) -> dict[str, Any]:
    """Say how large networks are where the search chose among several: as the frozen one is."""
    chosen = [
        ask
        for ask in (row.ask for row in runs)
        if ask.study.variants and not ask.study.skipped and ask.study.replicate == 0
    ]
    if not chosen:
        return manifest
    sizes = {architecture: dict(each) for architecture, each in manifest["sizes"].items()}
    for ask in chosen:
        sizes[ask.study.architecture][ask.study.setting] = ask.built.size
    return {**manifest, "sizes": sizes}


_IDENTITY = {
    "layers": "Int64",
    "bidirectional": "boolean",
    "attention": "string",
    "conditioning": "string",
    "fusion": "string",
    "without": "string",
    "beam": "Int64",
    "hidden": "Int64",
    "parameters": "Int64",
    "recurrent_parameters": "Int64",
    "state_size": "Int64",
    "mismatch": "Float64",
    "shortest_path": "Float64",
    "device": "string",
    "backend": "string",
    "backend_reason": "string",
    "way": "string",
    "way_reason": "string",
    "budget": "string",
    "key": "string",
    "rnnbench_version": "string",
    "torch_version": "string",
    "cell_source": "string",
    "task_source": "string",
    "metric_sources": "string",
    "compiler": "string",
    "train_seconds": "Float64",
    "evaluate_seconds": "Float64",
    "update_seconds": "Float64",
    "worker_peak_bytes": "Int64",
    "finished_at": "string",
    "worker_host": "string",
    "hardware_host": "string",
}
_TRIAL = {
    **PLACE,
    "trial": "Int64",
    "phase": "string",
    "seed_index": "Int64",
    "origin": "string",
    "status": "string",
    "reason": "string",
    "exception": "string",
    "traceback": "string",
    "score": "Float64",
    "loss": "Float64",
    "best_update": "Int64",
    "updates": "Int64",
    "failed_update": "Int64",
    "frozen": "boolean",
    **{f"hp_{name}": "Float64" for name in NUMBERS},
    **{f"hp_{name}": "Float64" for name in OF_ARCHITECTURE},
    **{f"hp_{name}": "string" for name in _RECIPE_WORDS},
    **_IDENTITY,
}
_RUN = {
    **PLACE,
    "trial": "Int64",
    "seed_index": "Int64",
    "status": "string",
    "reason": "string",
    "exception": "string",
    "traceback": "string",
    "score": "Float64",
    "valid_score": "Float64",
    "loss": "Float64",
    "solved": "boolean",
    "updates_to_solve": "Float64",
    "censored": "boolean",
    "best_update": "Int64",
    "updates": "Int64",
    "failed_update": "Int64",
    **{f"hp_{name}": "Float64" for name in NUMBERS},
    **{f"hp_{name}": "Float64" for name in OF_ARCHITECTURE},
    **{f"hp_{name}": "string" for name in _RECIPE_WORDS},
    **_IDENTITY,
}


def _trial(row: Row, options: Iterable[str]) -> dict[str, object]:
    ask, finished = row.ask, row.finished
    return {
        **place(ask),
        "trial": ask.trial,
        "phase": ask.phase,
        "seed_index": ask.seed_index,
        "origin": ask.origin,
        "score": finished.valid_score,
        "loss": finished.valid_loss,
        "frozen": ask.frozen,
        **_common(row, finished, options),
    }


def _run(row: Row, options: Iterable[str]) -> dict[str, object]:
    ask, finished = row.ask, row.finished
    first = ask.study.template.metrics[0][0]
    test = {score.metric: score for score in finished.scores if score.split == "test"}
    values = {name: score.value for name, score in test.items()}
    solved, needed = test.get("solved"), test.get("updates_to_solve")
    return {
        **place(ask),
        "trial": ask.trial,
        "seed_index": ask.seed_index,
        "score": values.get(first),
        "valid_score": finished.valid_score,
        "loss": values.get("loss"),
        "solved": None if solved is None else bool(solved.value),
        "updates_to_solve": None if needed is None else needed.value,
        "censored": None if needed is None else needed.censored,
        **_common(row, finished, options),
    }


def _common(row: Row, finished: Finished, options: Iterable[str]) -> dict[str, object]:
    study, member = row.ask.built, row.ask.member
    made_by = row.stored.made_by if row.stored else {}
    net = member.architecture
    chosen = {name: str(value) for name, value in net.structure.items()} | dict(net.numeric)
    return {
        "status": finished.status,
        "reason": finished.reason,
        "exception": finished.exception or None,
        "traceback": row.traceback,
        "best_update": finished.best_update,
        "updates": finished.updates,
        "failed_update": finished.failed_update,
        **{f"hp_{name}": getattr(member.recipe, name) for name in NUMBERS},
        **{f"hp_{name}": getattr(member.architecture, name) for name in OF_ARCHITECTURE},
        **{f"hp_{name}": getattr(member.recipe, name) for name in _RECIPE_WORDS},
        **{f"option_{name}": chosen.get(name) for name in options},
        "layers": member.architecture.layers,
        "bidirectional": member.architecture.bidirectional,
        "attention": member.architecture.attention,
        "conditioning": member.architecture.conditioning,
        "fusion": member.architecture.fusion,
        "without": member.architecture.without,
        "beam": member.recipe.beam,
        "hidden": member.architecture.hidden,
        "parameters": study.parameters,
        "recurrent_parameters": study.recurrent_parameters,
        "state_size": study.state_size,
        "mismatch": study.mismatch,
        "shortest_path": study.shortest_path,
        "device": member.device,
        "backend": member.backend,
        "backend_reason": study.backend_reason,
        "way": member.way,
        "way_reason": study.way_reason,
        "budget": study.budget.name,
        "key": member.key,
        "rnnbench_version": made_by.get("rnnbench"),
        "torch_version": made_by.get("torch"),
        "cell_source": made_by.get("cell"),
        "task_source": made_by.get("task"),
        "metric_sources": "; ".join(
            f"{name.removeprefix('metric ')} {made_by[name]}"
            for name in sorted(made_by)
            if name.startswith("metric ")
        ),
        "compiler": made_by.get("compiler"),
        "train_seconds": finished.seconds.get("train"),
        "evaluate_seconds": finished.seconds.get("evaluate"),
        "update_seconds": finished.seconds.get("update"),
        "worker_peak_bytes": finished.peak_bytes,
        "finished_at": finished.finished_at,
        "worker_host": finished.worker_host,
        "hardware_host": finished.hardware_host,
    }
