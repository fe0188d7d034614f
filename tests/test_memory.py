"""How much memory a process has taken."""

import subprocess
import sys

import pytest

from rnnbench.memory import STATUS, peak_bytes


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells it so")
def test_the_peak_is_this_process_s_and_not_that_of_the_one_that_started_it():
    held = bytearray(2**29)
    held[::4096] = b"x" * len(held[::4096])
    code = "from rnnbench.memory import peak_bytes; print(peak_bytes())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 2**28
    assert peak_bytes() > 2**29
