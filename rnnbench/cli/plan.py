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
)
from rnnbench.cli.kept import in_bytes, tell
from rnnbench.cli.options import (
    Budget,
    Devices,
    Only,
    ResultsFolder,
    Scheduler,
    Set,
    Slots,
    SuiteFile,
    TlsCa,
    TlsCert,
    TlsKey,
    Workers,
)

if TYPE_CHECKING:
    from rnnbench.study import Study

WEIGHT_BYTES, MINUTE = 4, 60


def command(
    suite: SuiteFile,
    results: ResultsFolder = Path("results"),
    budget: Budget = None,
    only: Only = None,
    sets: Set = None,
    workers: Workers = None,
    devices: Devices = "auto",
    per_gpu: Slots = None,
    cluster: Scheduler = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    probe: Annotated[
        bool, typer.Option(help="Measure a few updates of each study to estimate the time.")
    ] = True,
) -> None:
    """Show what a run would train: studies, sizes, what is done and to do, time and disk."""
    from rnnbench.campaign import Campaign
    from rnnbench.cli.console import console, grouped
    from rnnbench.cli.where import where
    from rnnbench.estimate import known, measured
    from rnnbench.findings.wording import GAP, counted
    from rnnbench.plan import plan
    from rnnbench.registry import load_registry
    from rnnbench.store import read_members
    from rnnbench.suite import read_suite
    from rnnbench.tasks import Tasks

    wanted = read_suite(suite, budget=budget, sets=sets or (), only=only or ())
    registry = load_registry(disabled_plugins())
    place = where(
        wanted.executor.slurm,
        cluster=cluster,
        tls=(tls_ca, tls_cert, tls_key),
        workers=workers,
        per_gpu=per_gpu,
        devices=devices,
    )
    slurm = wanted.executor.slurm
    # the machine that plans need not be the one that submits
    number = slurm.jobs * slurm.cores if slurm and place.script else place.cluster.found().workers
    files = data_files(fetching)
    with Building() as building:
        planned = plan(
            wanted,
            registry,
            device=place.device,
            backend=forced_backend(),
            files=files,
            compiling=building,
        )
    tasks = Tasks(registry, files)
    folder = results / wanted.name
    stored = read_members(folder, tell) if (folder / "store.sqlite").is_file() else {}
    rows: dict[str, list[Sequence[str]]] = {}
    seconds, to_do, unknown = 0.0, 0, 0
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
        at = study.setting + (f" #{study.replicate}" if wanted.search.replicates > 1 else "")
        sizes = (str(study.template.architecture.hidden), f"{study.parameters:,}")
        rows.setdefault(at, []).append(
            (study.architecture, *[GAP] * 5, "skipped", GAP)
            if study.skipped
            else (
                study.architecture,
                *sizes,
                f"{study.mismatch:+.1%}",
                study.template.backend,
                f"{study.template.recipe.updates:,}",
                f"{count.done}/{count.expected}",
                f"{took:.1f}" if took else GAP,
            )
        )
    headings = ("architecture", "hidden", "parameters", "off", "backend", "updates", "done")
    out = console()
    for line in grouped((*headings, "s a member"), rows):
        out.print(line)
    for skip in planned.skips:
        out.print(f"skipped: {skip}")
    spent = wanted.chosen
    confirmed = f"{'up to ' if wanted.search.pruner else ''}{min(spent.confirm, spent.trials)}"
    out.print(
        f"\nA study is {counted(spent.trials, 'trial')}, {confirmed} of them confirmed on "
        f"{counted(wanted.search.confirm_seeds, 'more seed')}, and "
        f"{counted(spent.seeds, 'run')} of the frozen choice."
    )
    for line in (*planned.notes, *(f"note: {warning}" for warning in planned.warnings)):
        out.print(line)
    for text in _ways(planned.trained):
        out.print(text)
    if place.script:
        typer.echo(f"\nthe script of each job:\n\n{place.script}")
    disk = WEIGHT_BYTES * sum(study.parameters * spent.seeds for study in planned.trained)
    time = _time(to_do, unknown, seconds / max(number, 1))
    out.print(
        f"{counted(to_do, 'member')} to train{time} on {place.counted(number)}; "
        f"about {in_bytes(disk)} of weights in {folder}"
    )


def _time(to_do: int, unknown: int, seconds: float) -> str:
    """Say how long the members to do take where `unknown` of them could not be measured."""
    from rnnbench.cli.progress import span

    if not to_do:
        return ""
    if unknown == to_do:
        return "; how long it takes is unknown"
    about = "less than a minute" if seconds < MINUTE else f"about {span(seconds)}"
    return f"; {about}" + (f" and what {unknown} unmeasured ones take" if unknown else "")


def _ways(studies: Sequence[Study]) -> Iterator[str]:
    """Say how the members of how many networks train, and why."""
    from rnnbench.findings.wording import counted

    networks = [one for study in studies for one in (study, *study.variants)]
    noun = ("study", "studies") if len(networks) == len(studies) else ("network", "networks")
    counts = Counter((one.template.way, one.way_reason) for one in networks)
    for (way, reason), count in counts.items():
        yield f"members train {way} in {count} of {counted(len(networks), *noun)}: {reason}"
