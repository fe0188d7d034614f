import os
import signal
import subprocess
import sys

import pytest

from rnnbench.cli.interrupts import interrupts


def test_the_first_signal_asks_to_stop_and_the_second_stops() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupts() as caught:
        assert not caught.stopping()
        signal.raise_signal(signal.SIGTERM)
        assert caught.stopping()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_in_the_middle_of_a_print_breaks_nothing() -> None:
    code = """
import io, signal, sys
from rnnbench.cli.interrupts import interrupts

class Raw(io.RawIOBase):
    def writable(self): return True
    def write(self, data):
        if not caught.stopping():
            signal.raise_signal(signal.SIGINT)
        return len(data)

with interrupts() as caught:
    sys.stderr = io.TextIOWrapper(io.BufferedWriter(Raw()))
    print("in the middle", file=sys.stderr, flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, b"stopping" in done.stderr) == (0, True), done.stderr
    assert os.linesep.encode() in done.stderr
