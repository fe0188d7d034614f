"""Kill a run's processes at random, and compare what it leaves with a run that nobody disturbed.

    python benchmarks/chaos.py --kills 50
    python benchmarks/chaos.py --kills 20 --cluster

Each kill is SIGKILL, after a random while, of the driver, of one of its workers, or of all of its
processes at once; where it was the driver, `rnnbench run` is started again. With `--signals` the
driver also gets SIGINT, once or twice, or SIGTERM, and a worker is stopped. With `--cluster` the
workers belong to a Dask scheduler that outlives the drivers; none of them is stopped. Exit code 1
unless nothing was lost, no member ended twice or was trained that nobody asked for, all tables are
the same but for times and hosts, and no process was left behind.

A member that is killed between its last update and its row in the store is trained again, and must
be: it has not ended. Once a driver's log says that it has, it may not be.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pandas as pd
import psutil

TABLES = ("trials", "runs", "scores", "curves", "samples", "comparisons")
FREE = ("_seconds", "_bytes", "_at", "_host")
LEFT_SECONDS = 10.0
AGAIN_SECONDS = 0.5
ENDED = re.compile(r"^[\d:]{8} (?:done|FAIL) +\[ *\d+/\d+\] (.+?)  [\d.]+ s  left ", re.MULTILINE)
"""What a driver's log says of a member once it is kept."""

VICTIMS = ("driver", "worker", "worker", "all")
SIGNALS = {
    "driver": (signal.SIGKILL,),
    "all": (signal.SIGKILL,),
    "driver by SIGINT": (signal.SIGINT,),
    "driver by SIGINT twice": (signal.SIGINT, signal.SIGINT),
    "driver by SIGTERM": (signal.SIGTERM,),
}
"""What drivers get."""

STOPPED = "worker by SIGSTOP"


def main() -> None:
    """Run, kill, run again, compare."""
    asked = _asked()
    draw = random.Random(asked.seed)  # noqa: S311  who is killed is no secret
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        whole, torn = folder / "whole", folder / "torn"
        command = [sys.executable, "-m", "rnnbench", "run", str(asked.suite), "--checkpoint", "1"]
        local = [*command, "--workers", str(asked.workers)]
        started = time.monotonic()
        logs = whole.with_suffix(".log"), torn.with_suffix(".log")
        _started([*local, "--results", str(whole)], logs[0]).wait()
        usual = time.monotonic() - started
        print(f"undisturbed: {usual:.0f} s", flush=True)
        victims = VICTIMS
        if asked.signals:
            victims = (*SIGNALS, "worker", *(() if asked.cluster else (STOPPED,)))
        started = time.monotonic()
        if asked.cluster:
            elsewhere = Elsewhere(folder, asked.workers)
            words = [*command, *elsewhere.options, "--results", str(torn)]
            try:
                killed = _torn(words, asked, draw, victims, elsewhere, logs[1])
            finally:
                elsewhere.end()
        else:
            words = [*local, "--results", str(torn)]
            killed = _torn(words, asked, draw, victims, None, logs[1])
        spent = time.monotonic() - started
        tally = ", ".join(f"{count} of {what}" for what, count in sorted(killed.items()))
        print(f"{sum(killed.values())} kills ({tally}) in {spent:.0f} s")
        (name,) = (path.name for path in whole.iterdir())
        faults = _compared(whole / name, torn / name)
        once, ended = (Counter(ENDED.findall(log.read_text())) for log in logs)
        if twice := ended - once:
            faults.append(f"{len(twice)} doubled: {', '.join(sorted(twice)[:5])}")
    print("\n".join(faults) or "0 lost, 0 doubled, tables identical, no process left")
    sys.exit(1 if faults or sum(killed.values()) < asked.kills else 0)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--suite", type=Path, default=Path(__file__).with_name("chaos.yaml"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pause", type=float, default=8.0, help="most seconds between kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cluster", action="store_true", help="workers of a scheduler elsewhere")
    parser.add_argument("--signals", action="store_true", help="also SIGINT, SIGTERM and SIGSTOP")
    return parser.parse_args()


def _torn(
    words: list[str],
    asked: argparse.Namespace,
    draw: random.Random,
    victims: tuple[str, ...],
    elsewhere: Elsewhere | None,
    log: Path,
) -> Counter[str]:
    """Run to the end with so many kills on the way; count them by victim."""
    killed: Counter[str] = Counter()
    driver = _started(words, log)
    while True:
        try:
            more = sum(killed.values()) < asked.kills
            code = driver.wait(draw.uniform(0, asked.pause) if more else None)
        except subprocess.TimeoutExpired:
            victim = draw.choice(victims)
            workers = elsewhere.alive() if elsewhere else _own(driver.pid)
            draw.shuffle(workers)
            if victim not in SIGNALS and not workers:
                continue
            print(f"{time.strftime('%H:%M:%S')} kill {victim}", flush=True)
            killed[victim] += 1
            if victim == STOPPED:
                workers[0].suspend()
                continue
            doomed = {"worker": workers[:1], "all": workers}.get(victim, [])
            for one in doomed:
                one.kill()
            if elsewhere:
                psutil.wait_procs(doomed)
                elsewhere.alive()
            if victim == "worker":
                continue
            for number in SIGNALS[victim]:
                driver.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    driver.wait(AGAIN_SECONDS)
            driver.wait()
            _require_gone(driver.pid)
            driver = _started(words, log)
        else:
            if code:
                raise SystemExit(f"the run ended with {code}:\n{log.read_text()[-2000:]}")
            _require_gone(driver.pid)
            return killed


def _started(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(  # noqa: S603  the words are this file's own
            words, stdout=file, stderr=file, start_new_session=True
        )


def _own(driver: int) -> list[psutil.Process]:
    """Return a driver's worker processes."""
    found = []
    for child in psutil.Process(driver).children():
        with suppress(psutil.Error):  # it has just ended
            if "work" in child.cmdline():
                found.append(child)
    return found


def _require_gone(session: int) -> None:
    """Wait until all processes of a session have ended; leave if they do not."""
    until = time.monotonic() + LEFT_SECONDS
    while left := [pid for pid in psutil.pids() if _session(pid) == session]:
        if time.monotonic() > until:
            raise SystemExit(f"processes {left} are left {LEFT_SECONDS:g} s after their driver")
        time.sleep(0.2)


def _session(pid: int) -> int:
    try:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return -1
        return os.getsid(pid)
    except (psutil.Error, ProcessLookupError):
        return -1


class Elsewhere:
    """A scheduler and workers in processes of their own on loopback, started again when killed."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder = folder
        self._known = folder / "scheduler.json"
        port = ["--port", "0"]
        self._scheduler = _started([*self._words("scheduler"), *port], folder / "scheduler.log")
        while not self._known.exists():
            time.sleep(0.2)
        self._workers = [self._worker() for _ in range(workers)]

    @property
    def options(self) -> list[str]:
        """What tells a run of it."""
        return ["--cluster", str(json.loads(self._known.read_text())["address"])]

    def alive(self) -> list[psutil.Process]:
        """Return the workers, with new ones in place of those that have ended."""
        ended = [worker for worker in self._workers if worker.poll() is not None]
        for worker in ended:
            self._workers.remove(worker)
            self._workers.append(self._worker())
        return [psutil.Process(worker.pid) for worker in self._workers]

    def end(self) -> None:
        """End all of them."""
        for process in (*self._workers, self._scheduler):
            process.terminate()
            process.wait()

    def _worker(self) -> subprocess.Popen[bytes]:
        own = ["--nthreads", "1", "--memory-limit", "0", "--no-nanny"]
        return _started([*self._words("worker"), *own], self._folder / "workers.log")

    def _words(self, kind: str) -> list[str]:
        here = ["--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
        dask = [sys.executable, "-m", f"distributed.cli.dask_{kind}"]
        return [*dask, *here, "--scheduler-file", str(self._known)]


def _compared(whole: Path, torn: Path) -> list[str]:
    """Say what a disturbed run lost, made beside or changed."""
    faults = []
    keys, left = (_keys(folder) for folder in (whole, torn))
    for what, found in (("lost", keys - left), ("that nobody asked for", left - keys)):
        if found:
            faults.append(f"{len(found)} {what}: {', '.join(sorted(found)[:5])}")
    for name in TABLES:
        one, other = (_table(folder / f"{name}.csv") for folder in (whole, torn))
        if one != other:
            faults.append(f"{name}.csv differs")
    return faults


def _keys(folder: Path) -> set[str]:
    with closing(sqlite3.connect(f"{(folder / 'store.sqlite').as_uri()}?mode=ro", uri=True)) as db:
        return {key for (key,) in db.execute("SELECT key FROM members")}


def _table(path: Path) -> str:
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return table[[name for name in table if not str(name).endswith(FREE)]].to_csv()


if __name__ == "__main__":
    main()
