"""The benchmark that kills processes at random, shortly."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).parents[1] / "benchmarks" / "chaos.py"

SUITE = """\
suite: torn
question: What is left?
architectures:
  tanh: {cell: rnn}
  lstm: {cell: lstm, dropout: 0.2}
settings: [{task: temporal_order, length: 20}]
match: {parameters: 600}
search:
  generation: 2
  pruner: {kind: successive_halving, factor: 2, min_updates: 100}
  space: {learning_rate: {log: [1.0e-3, 3.0e-2]}}
budget:
  standard: {updates: 1000, trials: 4, confirm: 1, seeds: 3}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes as Linux has them")
def test_five_kills_lose_nothing_double_nothing_and_change_nothing(tmp_path: Path) -> None:
    suite = tmp_path / "torn.yaml"
    suite.write_text(SUITE)
    words = [sys.executable, str(CHAOS), "--kills", "5", "--pause", "12", "--suite", str(suite)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^5 kills \(.+\) in \d+ s$", done.stdout, re.MULTILINE)
    assert done.stdout.endswith("0 lost, 0 doubled, tables identical, no process left\n")
