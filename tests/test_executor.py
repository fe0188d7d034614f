import os
import platform
import resource

import psutil
import pytest
from studies import template

from rnnbench.cluster import Local, slots_for
from rnnbench.executor import Executor
from rnnbench.member import Seed
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
