"""`rnnbench run`: a suite to tables, figures and a report; started again, it continues."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnnbench.cli.building import Building, fetching
from rnnbench.cli.environment import (
    data_files,
    disabled_plugins,
    forced_backend,
)
from rnnbench.cli.interrupts import interrupts
from rnnbench.cli.kept import in_bytes, kept_on_failure, tell
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
    from rnnbench.plan import Plan
    from rnnbench.staleness import Selector
    from rnnbench.store import Store
    from rnnbench.study import Study

UNKNOWN_MEMORY = 2**32
"""Bytes that a worker is taken to have where nothing says."""


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
    checkpoint: Annotated[
        float,
        typer.Option(min=0, help="Seconds between two checkpoints of what trains."),
    ] = 60.0,
    retry: Annotated[
        list[str] | None,
        typer.Option(
            "--retry",
            help="failed, or what of it (timeout,crashed): train that again, and what follows "
            "from it, and nothing else.",
        ),
    ] = None,
    refresh: Annotated[
        list[str] | None,
        typer.Option(
            "--refresh",
            help="all, or architecture=…,task=…,setting=…: train this again where other code made "
            "it; say it again to name more.",
        ),
    ] = None,
    accept_stale: Annotated[
        bool,
        typer.Option("--accept-stale", help="Keep what else other code made, as it is."),
    ] = False,
) -> None:
    """Run a suite, or continue it.

    Ctrl-C once finishes what is under way and writes the report; twice stops at once. Exit codes:
    0 done, 1 too many members failed, 2 bad input or no cluster and nothing kept yet, 130
    interrupted, or its cluster lost and finished members kept.
    """
    from rnnbench.checkpoints import Checkpoints
    from rnnbench.cli.progress import Clock, display
    from rnnbench.cli.where import where
    from rnnbench.errors import ClusterError
    from rnnbench.executor import Executor
    from rnnbench.files import size_of
    from rnnbench.folder import budget_before, write_manifest, write_studies
    from rnnbench.machine import versions
    from rnnbench.manifest import Session, manifest_of
    from rnnbench.plan import plan
    from rnnbench.registry import load_registry
    from rnnbench.runner import carry_out
    from rnnbench.settling import settle, statuses
    from rnnbench.staleness import Stale
    from rnnbench.store import Store
    from rnnbench.suite import read_suite
    from rnnbench.worker import terms_of

    retried = statuses(retry or ())
    wanted = read_suite(suite, budget=budget, sets=sets or (), only=only or ())
    disabled = disabled_plugins()
    registry = load_registry(disabled)
    place = where(
        wanted.executor.slurm,
        cluster=cluster,
        tls=(tls_ca, tls_cert, tls_key),
        workers=workers,
        per_gpu=per_gpu,
        devices=devices,
    )
    found = place.cluster.found()
    with Building() as building:
        planned = plan(
            wanted,
            registry,
            device=place.device,
            backend=forced_backend(),
            files=data_files(fetching),
            compiling=building,
        )
    stale_rows = Stale(_selectors(refresh or (), planned.studies), accept_stale)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    words = shlex.join(["rnnbench", *sys.argv[1:]])
    manifest = manifest_of(planned, registry, Session(words, found.workers, place.gpus, started))
    _print_head(planned, place.counted(found.workers))
    before, now = budget_before(results / wanted.name), wanted.chosen.name
    asked = terms_of(planned.trained)
    terms = replace(
        asked,
        disabled=tuple(sorted(disabled)),
        # this process has just read them
        settings=() if place.here else asked.settings,
        files=data_files(),
        limit=wanted.chosen.time_limit,
        checkpoints=Checkpoints((results / wanted.name / "checkpoints").absolute(), checkpoint),
    )
    executor = Executor(place.cluster, terms)
    lost: ClusterError | None = None
    with (
        Store(results / wanted.name) as store,
        interrupts() as interrupted,
        kept_on_failure(store, words),
    ):
        for line in store.mended:
            tell(line)
        campaign = settle(
            planned.studies,
            store,
            versions(),
            retry=retried,
            stale_rows=stale_rows,
            say=partial(typer.echo, err=True),
        )
        if before not in ("", now):
            typer.echo(
                f"note: the tables and report in {store.folder} were of budget {before} and "
                f"become those of {now}; what was trained stays in the store",
                err=True,
            )
        _write_suite(store.folder, planned)
        write_studies(store.folder, planned.studies)
        write_manifest(store.folder, manifest)
        clock = Clock(found.workers, campaign.count)
        try:
            with display(clock, campaign) as shown:
                carry_out(
                    campaign,
                    store,
                    executor,
                    versions(),
                    memory=(found.memory or UNKNOWN_MEMORY) * 3 // 4,
                    stale_rows=stale_rows,
                    notify=shown.show,
                    tick=shown.tick,
                    stopping=interrupted.stopping,
                )
        except ClusterError as error:
            if campaign.count.done == 0:
                raise
            lost = error
        report = _finish(store, planned, manifest)
    count = campaign.count
    if lost is not None:
        typer.echo(f"error: {lost}", err=True)
    if any(count.left.values()):
        typer.echo(f"interrupted; all finished members are kept. Continue: {words}", err=True)
        raise typer.Exit(130)
    typer.echo(f"\nreport  {report}\nfolder  {store.folder}, {in_bytes(size_of(store.folder))}")
    if count.untouched:
        typer.echo(
            f"{count.untouched} other members are missing and were left so; `rnnbench run` without "
            "--retry trains them",
            err=True,
        )
    if not wanted.allows(count.failed, count.done):
        typer.echo(
            f"{count.failed} of {count.done} members failed, more than the suite allows; "
            "the report lists them",
            err=True,
        )
        raise typer.Exit(1)


def _selectors(refresh: Sequence[str], studies: Sequence[Study]) -> tuple[Selector, ...]:
    from rnnbench.staleness import Selector
    from rnnbench.suite.selection import read_selection

    known = {
        "architecture": list(dict.fromkeys(study.architecture for study in studies)),
        "task": list(dict.fromkeys(study.template.setting.task for study in studies)),
        "setting": list(dict.fromkeys(study.setting for study in studies)),
    }
    return tuple(
        Selector(text, {} if text == "all" else read_selection([text], known, "--refresh"))
        for text in refresh
    )


def _print_head(planned: Plan, workers: str) -> None:
    from rnnbench.findings.wording import counted

    suite = planned.suite
    typer.echo(
        f"{suite.name}: {counted(len(planned.architectures), 'architecture')} on "
        f"{counted(len(planned.settings), 'setting')}, budget {suite.chosen.name}, {workers}",
        err=True,
    )
    for skip in planned.skips:
        typer.echo(f"skipped: {skip}", err=True)
    for line in (*planned.notes, *(f"note: {warning}" for warning in planned.warnings)):
        typer.echo(line, err=True)


def _write_suite(folder: Path, planned: Plan) -> None:
    from rnnbench.files import write_atomically
    from rnnbench.suite import resolved

    write_atomically(folder / "suite.yaml", planned.suite.text)
    text = json.dumps(resolved(planned.suite), indent=1, ensure_ascii=False)
    write_atomically(folder / "suite.resolved.json", text + "\n")


def _finish(store: Store, planned: Plan, manifest: dict[str, Any]) -> Path:
    """Write tables, manifest and report of what has finished; return the report's path."""
    from rnnbench.campaign import Campaign
    from rnnbench.cli.summary import print_summary
    from rnnbench.folder import write_manifest
    from rnnbench.report import write_report
    from rnnbench.results import write_tables
    from rnnbench.tables import tabulate

    now = datetime.now(UTC).isoformat(timespec="seconds")
    # of all that is stored, whatever of it was to be trained
    facts = Campaign(planned.studies, stored := store.read()).count.facts
    done = manifest | facts | {"finished_at": now}
    write_manifest(store.folder, done)
    results = tabulate(done, planned.studies, stored)
    write_tables(results, store.folder)
    report = write_report(results, store.folder)
    print_summary(report.summary)
    return report.path
