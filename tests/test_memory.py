"""What a group takes of memory is what the plan expects of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from rnnbench.memory import STATUS, peak_bytes

MEASURE = """
import sys
sys.path[:0] = {path!r}
import torch
torch.set_num_threads(1)
from dataclasses import replace
from pathlib import Path
from rnnbench.allocator import tune
from rnnbench.group.steps import Programs
from rnnbench.memory import peak_bytes
from rnnbench.plan import plan
from rnnbench.registry import load_registry
from rnnbench.suite import read_suite
from rnnbench.training import train_group
tune()
registry = load_registry()
study = plan(read_suite(Path({suite!r})), registry).studies[0]
assert study.template.way == "together"
recipe = replace(study.template.recipe, updates=2, points=1)
def train(count):
    members = [
        replace(study.template, recipe=recipe, seed=replace(study.template.seed, index=index))
        for index in range(count)
    ]
    train_group(members, registry, Programs())
    return peak_bytes()
few = train(2)
print(train(8) - few, study.member_bytes)
"""

SUITE = """
suite: memory
question: How much does a member take?
architectures: {{one: {{cell: {cell}}}}}
settings: [{{task: {task}, length: 200}}]
match: {{hidden: 40}}
training: {{optimizer: adam, batch: 512, learning_rate: 0.001}}
search: {{space: {{learning_rate: {{log: [0.001, 0.01]}}}}}}
budget: {{standard: {{updates: 2, trials: 1, confirm: 0, seeds: 1}}}}
"""


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells it so")
def test_the_peak_is_this_process_s_and_not_that_of_the_one_that_started_it():
    held = bytearray(2**29)
    held[::4096] = b"x" * len(held[::4096])
    code = "from rnnbench.memory import peak_bytes; print(peak_bytes())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 2**28
    assert peak_bytes() > 2**29


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a peak")
@pytest.mark.parametrize("task", ["adding_halves", "temporal_order"])
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_six_members_more_take_about_what_six_are_expected_to(cell, task, tmp_path):
    path = tmp_path / "memory.yaml"
    path.write_text(SUITE.format(cell=cell, task=task))
    code = MEASURE.format(path=[str(Path(__file__).parent)], suite=str(path))
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    more, expected = (int(number) for number in done.stdout.split())
    assert expected > 2**20
    assert 0.5 * expected < more / 6 < 1.1 * expected
