import os
import platform
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from studies import template

from rnnbench.cluster import Local, slots_for
from rnnbench.errors import ClusterError
from rnnbench.executor import Done, Executor
from rnnbench.member import Member, Seed
from rnnbench.worker import Terms


@pytest.fixture(scope="module")
def executor():
    with Executor(Local(slots_for(2, ()), os.environ), Terms()) as running:
        while running.free < 2:
            assert running.wait(timeout=1.0) == []
        yield running


def test_workers_listen_on_loopback_only_and_have_one_thread_each(executor: Executor) -> None:
    me = psutil.Process()
    workers = [
        child
        for child in me.children(recursive=True)
        if "CUBLAS_WORKSPACE_CONFIG" in child.environ()
    ]
    assert len(workers) == 2
    for worker in workers:
        assert worker.environ()["OMP_NUM_THREADS"] == "1"
    addresses = {
        listening.laddr.ip
        for process in (me, *workers)
        for listening in process.net_connections()
        if listening.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_members_come_back_with_their_keys_and_slots_are_freed(executor: Executor) -> None:
    members = [template(backend="loop"), template(backend="torch")]
    for member in members:
        executor.submit([member])
    assert executor.free == 0
    back = {}
    while executor.free < 2:
        back |= {done.key: done for done in executor.wait(timeout=30)}
    assert set(back) == {member.key for member in members}
    assert {done.finished.status for done in back.values()} == {"ok"}
    assert executor.free == 2


def test_waiting_for_nothing_ends_at_the_timeout(executor: Executor) -> None:
    assert executor.wait(timeout=0.01) == []


def test_new_tensors_are_not_filled_although_algorithms_are_deterministic(
    executor: Executor,
) -> None:
    def settings() -> tuple[bool, bool]:
        import torch

        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,
        )

    assert executor._client.submit(settings).result() == (True, False)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is tuned")
def test_the_thread_that_trains_finds_the_pages_it_has_freed(executor: Executor) -> None:
    def faults() -> int:
        import torch

        def count() -> int:
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

        for _ in range(20):  # the heap grows until small blocks have found their places
            torch.ones(100 * 2**18)
        before = count()
        for _ in range(20):
            torch.ones(100 * 2**18)
        return count() - before

    pages = 20 * 100 * 2**20 // resource.getpagesize()
    assert executor._client.submit(faults, pure=False).result() < pages / 5


def test_the_members_of_a_group_come_back_together_each_with_its_own(executor: Executor) -> None:
    members = [template(seed=Seed("tuning", 0, index)) for index in range(3)]
    executor.submit(members)
    assert executor.free == 1
    back = []
    while executor.free < 2:
        back += executor.wait(timeout=30)
    assert [done.key for done in back] == [member.key for member in members]
    assert {done.group for done in back} == {3}
    assert len({done.finished.valid_score for done in back}) == 3
    assert all(done.finished.peak_bytes > 2**26 for done in back)


def test_a_member_that_is_submitted_again_is_another_task(executor: Executor) -> None:
    tasks = set()
    for _ in range(2):
        executor.submit([template(backend="loop")])
        tasks |= executor._flights.keys()
        while executor.free < 2:
            executor.wait(timeout=30)
    assert len(tasks) == 2


CELLS = """\
import ctypes, os, signal, torch, rnnbench

class Base(rnnbench.Cell):
    reference = equations = "none"
    def weights(self, inputs, hidden):
        return {"W": rnnbench.uniform(hidden, inputs)}
    def state(self, hidden):
        return {"h": rnnbench.zeros(hidden)}
    def step(self, x, s, w):
        self.act()
        return {"h": torch.tanh(x @ w.W.T)}

class Faulty(Base):
    '''Reads what is not there.'''
    name = "faulty"
    def act(self):
        ctypes.string_at(0)

class Exiting(Base):
    '''Ends its process.'''
    name = "exiting"
    def act(self):
        os._exit(3)

class Hanging(Base):
    '''Hangs in C and holds the interpreter.'''
    name = "hanging"
    def act(self):
        ctypes.PyDLL(None).sleep(1000)

class Stopping(Base):
    '''Stops its process.'''
    name = "stopping"
    def act(self):
        os.kill(os.getpid(), signal.SIGSTOP)

@rnnbench.hookimpl
def rnnbench_provide_cells():
    return [Faulty, Exiting, Hanging, Stopping]
"""


@pytest.fixture(scope="module")
def deadly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A plugin whose cells take their process along, where workers find it."""
    folder = tmp_path_factory.mktemp("deadly")
    info = folder / "deadly-1.0.dist-info"
    info.mkdir()
    (folder / "deadly.py").write_text(CELLS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: deadly\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[rnnbench]\ndeadly = deadly\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(scope="module")
def hasty(deadly: Path) -> Iterator[Executor]:
    """One worker, whose members have seconds."""
    with Executor(local(1), Terms(limit=2.0), grace=4.0) as executor:
        yield executor


def member_of(cell: str) -> Member:
    net = replace(template().architecture, cell=cell, numeric={})
    return template(architecture=net, backend="loop")


def local(workers: int) -> Local:
    return Local(slots_for(workers, ()), os.environ)


def back_from(executor: Executor, members: list[Member]) -> list[Done]:
    """Train a group on the first worker that is free; wait until it is back."""
    while not executor.free:
        assert executor.wait(timeout=0.2) == []
    executor.submit(members)
    while not (back := executor.wait(timeout=0.2)):
        pass
    return back


@pytest.mark.parametrize(
    ("cell", "how", "said"), [("faulty", "SIGSEGV", "in step"), ("exiting", "exit status 3", "")]
)
def test_a_process_that_dies_is_replaced_and_says_how(hasty, cell, how, said) -> None:
    [alone] = back_from(hasty, [member_of(cell)])
    assert (alone.lost, alone.finished.status) == (True, "crashed")
    assert alone.finished.reason == f"its worker process died while training it ({how})"
    assert said in alone.finished.traceback


def test_a_group_whose_process_dies_is_lost_as_a_whole_and_another_trains(hasty) -> None:
    back = back_from(hasty, [member_of("exiting"), template(backend="loop")])
    assert [(done.lost, done.group) for done in back] == [(True, 2), (True, 2)]
    assert len({done.flight for done in back}) == 1
    [sound] = back_from(hasty, [template(backend="loop")])
    assert (sound.lost, sound.finished.status) == (False, "ok")


def test_an_error_outside_of_training_is_no_death_and_frees_the_worker(hasty) -> None:
    def unreadable() -> None:
        raise PermissionError("not yours")

    while not hasty.free:
        hasty.wait(timeout=0.2)
    [worker] = hasty._workers.values()
    worker.state = "busy"
    hasty._start("k", worker, unreadable, keys=("k",))
    while not (back := hasty.wait(timeout=0.2)):
        pass
    assert [(one.lost, one.finished.status) for one in back] == [(True, "error")]
    assert back[0].finished.reason == "PermissionError: not yours"
    assert hasty.free == 1


def test_a_step_that_hangs_in_c_is_ended_when_its_time_is_up(hasty) -> None:
    [done] = back_from(hasty, [member_of("hanging")])
    assert (done.lost, done.finished.status) == (True, "timeout")
    assert done.finished.reason == "hung, and was ended: the time limit is 2 s"


def test_a_process_that_stops_is_ended_and_none_outlives_the_executor(deadly) -> None:
    before = psutil.Process().children()
    with Executor(local(2), Terms(), patience=20.0) as executor:
        [done] = back_from(executor, [member_of("stopping")])
        assert (done.lost, done.finished.status) == (True, "crashed")
        assert done.finished.reason == "its worker process stopped answering"
        [note] = executor.news()
        assert re.fullmatch(r"worker cpu-[01]\.[01] gave no sign of life for \d+ s: ended", note)
        for cell in ("hanging", "stopping"):
            while not executor.free:
                assert executor.wait(timeout=0.2) == []
            executor.submit([member_of(cell)])
        executor.wait(timeout=1.0)
        workers = [one for one in psutil.Process().children() if one not in before]
    assert len(workers) >= 2
    assert not any(worker.is_running() for worker in workers)


DRIVER = """
import os, sys
sys.path[:0] = {path!r}
from test_executor import Executor, Terms, local, member_of
with Executor(local(2), Terms()) as executor:
    for cell in ("hanging", "stopping"):
        while not executor.free:
            executor.wait(timeout=0.2)
        executor.submit([member_of(cell)])
    executor.wait(timeout=2.0)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(platform.system() != "Linux", reason="only Linux tells children of a death")
def test_a_driver_that_is_killed_takes_along_what_hangs(deadly) -> None:
    code = DRIVER.format(path=[str(Path(__file__).parent), str(deadly)])
    driver = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    assert driver.wait(timeout=60) == -signal.SIGKILL
    until = time.monotonic() + 10
    while left := [pid for pid in psutil.pids() if session_of(pid) == driver.pid]:
        assert time.monotonic() < until, left
        time.sleep(0.1)


def session_of(pid: int) -> int:
    try:
        return os.getsid(pid) if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else -1
    except (psutil.Error, ProcessLookupError):
        return -1


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        # sources are asked of workers of the driver's versions alone
        (Terms(versions={"torch": "1.0"}, sources={"cell none": "x"}), "torch .*driver has 1.0$"),
        (
            Terms(sources={"cell lstm": "other", "cell none": "x"}),
            "cell lstm has another source; cell none is not installed",
        ),
    ],
)
def test_workers_that_are_not_as_the_driver_are_not_used(terms: Terms, said: str) -> None:
    with (
        Executor(local(1), terms) as executor,
        pytest.raises(ClusterError, match=f"no worker of this machine .*{said}"),
    ):
        while True:
            executor.wait(timeout=0.2)


def test_workers_that_die_as_they_start_are_given_up(tmp_path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('no such luck')\n")
    cluster = Local(slots_for(1, ()), {**os.environ, "PYTHONSTARTUP": ""})
    sys.path.insert(0, str(tmp_path))
    try:
        with (
            Executor(cluster, Terms()) as executor,
            pytest.raises(ClusterError, match=r"this machine die as they start: .*no such luck"),
        ):
            while True:
                executor.wait(timeout=0.2)
    finally:
        sys.path.remove(str(tmp_path))
