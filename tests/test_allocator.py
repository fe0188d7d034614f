"""Counts of page faults, not times: each in a process of its own, since settings are for good."""

import os
import platform
import subprocess
import sys

import pytest

from rnnbench.allocator import tune

GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is tuned")

FAULTS = """
import resource
import sys
from concurrent.futures import ThreadPoolExecutor

import torch

from rnnbench.allocator import tune

def count():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def faults(mebibytes):
    for _ in range(20):  # the heap grows until small blocks have found their places
        torch.ones(mebibytes * 2**18)
    before = count()
    for _ in range(20):
        torch.ones(mebibytes * 2**18)
    return count() - before

torch.set_num_threads(1)
tuned, where = sys.argv[1:]
if tuned == "tuned":
    assert tune()
if where == "main":
    print(faults(32), faults(100))
else:
    with ThreadPoolExecutor(1) as pool:
        print(*pool.submit(lambda: (faults(32), faults(100))).result())
"""


def faults(tuned: str, where: str, **environment: str) -> list[int]:
    """Count page faults of 20 tensors of 32 MiB, then of 20 of 100, each filled and freed."""
    untuned = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, tuned, where],
        env=untuned | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(word) for word in done.stdout.split()]


@GLIBC
def test_buffers_that_are_freed_leave_their_pages_to_the_next():
    for default, tuned in zip(faults("default", "main"), faults("tuned", "main"), strict=True):
        assert default > 5 * tuned


@GLIBC
def test_a_thread_shares_in_it_where_there_is_one_heap():
    one_heap = {"MALLOC_ARENA_MAX": "1"}
    default, tuned = faults("default", "thread", **one_heap), faults("tuned", "thread", **one_heap)
    for before, after in zip(default, tuned, strict=True):
        assert before > 5 * after


def test_another_allocator_is_left_alone(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    monkeypatch.delattr("ctypes.CDLL")
    assert tune() is False
