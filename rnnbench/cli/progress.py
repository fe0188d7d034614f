"""Show a run under way: a live view on a terminal, plain lines with times elsewhere; on stderr."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from statistics import fmean
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from rnnbench.campaign import Campaign, Count
from rnnbench.member import FAILURES
from rnnbench.protocol import Ask
from rnnbench.runner import Ended, Event, Launched, Noted, Returned

HEARTBEAT_SECONDS = 60.0
"""Without a terminal, how long a run may be silent."""


class Display(Protocol):
    """Shows events; used as a context manager around a run."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def show(self, event: Event) -> None:
        """Take in one event."""

    def tick(self) -> None:
        """Let time pass: called about once a second."""


class Clock:
    """Estimates what is left from the time that members of each study took."""

    def __init__(
        self, workers: int, count: Count, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._workers = max(workers, 1)
        self._now = now
        self._started = now()
        self.count = count
        self._running: dict[str, tuple[Ask, float]] = {}
        self._took: dict[tuple[str, str], list[float]] = defaultdict(list)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._now() - self._started

    @property
    def running(self) -> list[tuple[Ask, float]]:
        """The members being trained and for how many seconds they have been."""
        return [(ask, self._now() - since) for ask, since in self._running.values()]

    def take(self, event: Launched | Returned | Ended) -> float | None:
        """Take in an event; for an end, return how many seconds the member took.

        A member of a group took its share of the time: all of them were under way for all of it.
        """
        key = event.ask.member.key
        if isinstance(event, Launched):
            self._running[key] = (event.ask, self._now())
            return None
        _, since = self._running.pop(key, (event.ask, self._now()))
        if isinstance(event, Returned):
            return None
        spent = event.finished.seconds
        took = sum(spent.get(part, 0.0) for part in ("train", "evaluate")) or self._now() - since
        self._took[event.ask.study.architecture, event.ask.study.setting].append(took)
        self.count = event.count
        return took

    @property
    def left(self) -> float | None:
        """Seconds until the end, going by what members of each study took; None: unknown yet."""
        if not self._took:
            return None
        means = {study: fmean(took) for study, took in self._took.items()}
        usual = fmean(means.values())
        work = sum(n * means.get(study, usual) for study, n in self.count.left.items())
        return work / self._workers


def place(ask: Ask) -> str:
    """Name a member as a reader would: architecture, setting, and which trial or seed."""
    study = ask.study
    what = {
        "search": f"trial {ask.trial}",
        "confirm": f"trial {ask.trial} again, seed {ask.seed_index}",
        "evaluation": f"run, seed {ask.seed_index}",
    }[ask.phase]
    return f"{study.architecture} · {study.setting} · {what}"


def outcome(event: Ended) -> str:
    """Say how a member ended; its score only if it is no test score, which the report shows."""
    finished = event.finished
    if finished.status != "ok":
        return f"{finished.status}: {finished.reason}"
    return "ok"


def span(seconds: float | None) -> str:
    """Write a time span: `0:01:25`; unknown is a dash."""
    return "–" if seconds is None else str(timedelta(seconds=round(seconds)))


class Lines:
    """One plain line an event, with the time of day; a heartbeat when nothing happens."""

    def __init__(self, clock: Clock, out: Console) -> None:
        self._clock = clock
        self._out = out
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        count = self._clock.count
        self._print(f"start  {count.done} of {count.expected} members are done")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        count = self._clock.count
        self._print(
            f"end    {count.done} of {count.expected} members are done, {count.failed} failed"
        )

    def show(self, event: Event) -> None:
        """Print an end; launches would only double the lines."""
        if isinstance(event, Noted):
            self._print(f"note   {event.text}")
            return
        took = self._clock.take(event)
        if isinstance(event, Ended) and took is not None:
            count = event.count
            word = "FAIL  " if event.finished.status in FAILURES else "done  "
            text = "" if event.finished.status == "ok" else f"  {outcome(event)}"
            self._print(
                f"{word} [{count.done:>4}/{count.expected}] {place(event.ask)}  "
                f"{took:.1f} s  left {span(self._clock.left)}{text}"
            )

    def tick(self) -> None:
        """Print a sign of life after a minute of silence."""
        if time.monotonic() - self._last >= HEARTBEAT_SECONDS:
            count = self._clock.count
            left = span(self._clock.left)
            running = "; ".join(place(ask) for ask, _ in self._clock.running)
            self._print(f"alive  [{count.done:>4}/{count.expected}] left {left}  {running}")

    def _print(self, text: str) -> None:
        self._out.print(f"{time.strftime('%H:%M:%S')} {text}", soft_wrap=True)
        self._last = time.monotonic()


class View:
    """A live view: the studies, what is running, a bar with the time left."""

    def __init__(self, clock: Clock, out: Console, campaign: Campaign) -> None:
        self._clock = clock
        self._campaign = campaign
        self._latest = ""
        self._bar = Progress(
            TextColumn("members"),
            BarColumn(bar_width=None),
            TaskProgressColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[failed]}"),
            TextColumn("{task.fields[times]}"),
            console=out,
        )
        self._task = self._bar.add_task("", total=None, failed="", times="")
        self._live = Live(console=out, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        self.tick()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, event: Event) -> None:
        """Redraw with the event taken in."""
        if isinstance(event, Noted):
            self._live.console.print(f"note: {event.text}", soft_wrap=True)
            return
        self._clock.take(event)
        if isinstance(event, Ended) and event.finished.status in FAILURES:
            self._latest = f"✕ {place(event.ask)}  {outcome(event)}"
        self.tick()

    def tick(self) -> None:
        """Redraw."""
        count = self._clock.count
        self._bar.update(
            self._task,
            total=count.expected,
            completed=count.done,
            failed=f"{count.failed} failed" if count.failed else "",
            times=f"{span(self._clock.elapsed)} gone, about {span(self._clock.left)} left",
        )
        running = Table.grid(padding=(0, 2))
        for ask, seconds in self._clock.running:
            running.add_row("running", place(ask), span(seconds))
        parts: list[RenderableType] = [self._studies(), running, self._bar]
        if self._latest:
            parts.insert(2, Text(self._latest, style="red", no_wrap=True))
        self._live.update(Group(*parts), refresh=True)

    def _studies(self) -> Table:
        """Return the matrix of architectures and settings: members done of those known so far."""
        known: dict[tuple[str, str], list[str]] = defaultdict(list)
        running = {ask.member.key for ask, _ in self._clock.running}
        for ask in self._campaign.asks:
            key, study = ask.member.key, ask.study
            finished = self._campaign.finished.get(key)
            state = "running" if key in running else finished.status if finished else ""
            known[study.architecture, study.setting].append("skipped" if ask.skipped else state)
        settings = dict.fromkeys(setting for _, setting in known)
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("")
        for setting in settings:
            table.add_column(setting, overflow="ellipsis", no_wrap=True)
        for architecture in dict.fromkeys(name for name, _ in known):
            row = [_cell(known.get((architecture, setting), [])) for setting in settings]
            table.add_row(architecture, *row)
        return table


def _cell(states: list[str]) -> Text:
    """Sum a study up: a dash if skipped, else its phase's members done, failed and running."""
    if all(state == "skipped" for state in states):
        return Text("–", style="dim")
    done = sum(bool(state) and state != "running" for state in states)
    failed = sum(state in FAILURES for state in states)
    text = Text(f"{done}/{len(states)}", style="bold" if "running" in states else "")
    if failed:
        text.append(f" ✕{failed}", style="red")
    return text


def display(clock: Clock, campaign: Campaign) -> Display:
    """Return the live view where stderr is a terminal, plain lines elsewhere."""
    # FORCE_COLOR makes rich call a pipe a terminal; the system knows better
    terminal = sys.stderr.isatty()
    out = Console(stderr=True, markup=False, highlight=False, emoji=False, force_terminal=terminal)
    return View(clock, out, campaign) if terminal else Lines(clock, out)
