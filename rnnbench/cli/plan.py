"""`rnnbench plan`: what a run would do, before it does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnbench.cli.building import Building, fetching
from rnnbench.cli.environment import (
    data_files,
    disabled_plugins,
    forced_backend,
    visible_gpus,
)
from rnnbench.cli.options import Budget, Devices, Only, ResultsFolder, Set, SuiteFile, Workers

if TYPE_CHECKING:
    from rnnbench.study import Study

WEIGHT_BYTES = 4


def command(
    suite: SuiteFile,
    results: ResultsFolder = Path("results"),
    budget: Budget = None,
    only: Only = None,
    sets: Set = None,
    workers: Workers = None,
    devices: Devices = "auto",
    probe: Annotated[
        bool, typer.Option(help="Measure a few updates of each study to estimate the time.")
    ] = True,
) -> None:
    """Show what a run would train: studies, sizes, what is done and to do, time and disk."""
    from rnnbench.campaign import Campaign
    from rnnbench.cli.console import console, table
    from rnnbench.cli.progress import span
    from rnnbench.devices import gpus_for
    from rnnbench.estimate import known, measured
    from rnnbench.machine import cores
    from rnnbench.plan import plan
    from rnnbench.registry import load_registry
    from rnnbench.store import read_members
    from rnnbench.suite import read_suite
    from rnnbench.tasks import Tasks

    wanted = read_suite(suite, budget=budget, sets=sets or (), only=only or ())
    registry = load_registry(disabled_plugins())
    gpus = gpus_for(devices, visible_gpus())
    device = "cuda" if gpus else "cpu"
    files = data_files(fetching)
    with Building() as building:
        planned = plan(
            wanted,
            registry,
            device=device,
            backend=forced_backend(),
            files=files,
            compiling=building,
        )
    tasks = Tasks(registry, files)
    folder = results / wanted.name
    stored = read_members(folder) if (folder / "store.sqlite").is_file() else {}
    rows, seconds, to_do, unknown = [], 0.0, 0, 0
    for study in planned.studies:
        campaign = Campaign((study,), stored)
        count = campaign.count
        left = sum(count.left.values())
        took = known(study, campaign)
        if took is None and probe and left:
            took = measured(study, registry, tasks)
        to_do += left
        if left and took is None:
            unknown += left
        seconds += left * (took or 0.0)
        net = study.template.architecture
        rows.append(
            (
                study.architecture,
                study.setting + (f" #{study.replicate}" if wanted.search.replicates > 1 else ""),
                str(net.hidden),
                f"{study.parameters:,}",
                f"{study.mismatch:+.1%}",
                study.template.backend,
                f"{study.template.recipe.updates:,}",
                "–" if study.skipped else f"{count.done}/{count.expected}",
                f"{took:.1f}" if took else "–",
            )
        )
    headings = ("architecture", "setting", "hidden", "parameters", "off", "backend", "updates")
    out = console()
    out.print(table((*headings, "done", "seconds"), rows))
    for reason in dict.fromkeys(study.skipped for study in planned.studies if study.skipped):
        out.print(f"skipped: {reason}")
    spent = wanted.chosen
    confirmed = f"{'up to ' if wanted.search.pruner else ''}{min(spent.confirm, spent.trials)}"
    out.print(
        f"\nA study is {spent.trials} trials, {confirmed} of them confirmed on "
        f"{wanted.search.confirm_seeds} more seeds, and {spent.seeds} runs of the frozen choice."
    )
    for note in (*planned.notes, *planned.warnings):
        out.print(f"note: {note}")
    for text in _ways(planned.studies):
        out.print(text)
    number = len(gpus) or workers or cores()
    runs = spent.seeds * sum(not study.skipped for study in planned.studies)
    disk = runs * WEIGHT_BYTES * max(study.parameters for study in planned.studies)
    time = "unknown" if unknown == to_do and to_do else span(seconds / number)
    out.print(
        f"{to_do} members to train; about {time} on {number} workers; "
        f"about {disk / 1e6:.1f} MB of weights in {folder}"
    )


def _ways(studies: Sequence[Study]) -> Iterator[str]:
    """Say how the members of how many studies train, and why."""
    counts = Counter(
        (one.template.way, one.way_reason)
        for study in studies
        for one in (study, *study.variants)
        if not study.skipped
    )
    for (way, reason), count in counts.items():
        yield f"{count} of {counts.total()} studies train their members {way}: {reason}"
