"""What only a GPU can show."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from groups import Follow, Guess, member, trained

from rnnbench.group.steps import Programs
from rnnbench.group.way import Ways
from rnnbench.registry import load_registry
from rnnbench.training import train_group

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
REGISTRY = load_registry()
SMOKE = Path(__file__).parents[1] / "suites" / "smoke.yaml"


@pytest.fixture(autouse=True)
def deterministic(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def on_gpu(cell, task, **options):
    one = member(cell, task, **options)
    return replace(one, device="cuda")


@pytest.mark.parametrize(("name", "backend"), [("lstm", "torch"), ("peephole_lstm", "fused")])
def test_a_gpu_trains_as_a_processor_does_and_twice_the_same(name, backend):
    cell, task = REGISTRY.cells[name].cls, Guess(width=3)
    here = member(cell, task, backend="loop", way="in turn")
    there = on_gpu(cell, task, backend=backend, way="in turn")
    expected = trained(cell, task, [here])[here.key]
    first, second = (trained(cell, task, [there])[there.key] for _ in range(2))
    torch.testing.assert_close(first[0].cpu(), expected[0], rtol=1e-3, atol=1e-4)
    assert torch.equal(first[0], second[0])


def test_fused_members_train_together_as_they_do_in_turn():
    cell, task = REGISTRY.cells["peephole_lstm"].cls, Follow(width=3)
    options = {"backend": "fused", "hidden": 64}
    first = on_gpu(cell, task, **options)
    assert Ways().choose(first, cell, task).way == "together"
    members = [on_gpu(cell, task, index=index, **options) for index in range(8)]
    together = trained(cell, task, members)
    alone = trained(cell, task, [on_gpu(cell, task, index=0, way="in turn", **options)])
    torch.testing.assert_close(
        together[members[0].key][0], next(iter(alone.values()))[0], rtol=1e-3, atol=1e-4
    )


def test_a_member_that_does_not_fit_is_a_row_and_the_others_come_back():
    cell, task = REGISTRY.cells["lstm"].cls, REGISTRY.tasks["temporal_order"].cls(length=20)
    options = {"backend": "torch", "way": "in turn", "updates": 2}
    metrics = {"metrics": (("accuracy", "1"),)}
    members = [
        replace(one, **metrics)
        for one in (on_gpu(cell, task, index=index, **options) for index in range(2))
    ]
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-6)
    try:
        full = train_group(members, REGISTRY, Programs())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert [finished.status for finished, _ in full] == ["out_of_memory"] * 2
    assert [finished.status for finished, _ in train_group(members, REGISTRY, Programs())] == [
        "ok"
    ] * 2


def test_a_suite_runs_on_a_gpu_and_says_so(tmp_path):
    command = [sys.executable, "-m", "rnnbench", "run", str(SMOKE), "--devices", "0"]
    subprocess.run([*command, "--results", str(tmp_path)], check=True)
    (folder,) = tmp_path.iterdir()
    assert json.loads((folder / "manifest.json").read_text())["hardware"]["gpus"] == ["0"]
    runs = pd.read_csv(folder / "runs.csv")
    assert set(runs["device"]) == {"cuda"}
    assert set(runs["backend"]) <= {"torch", "fused"}


@pytest.mark.parametrize("attention", ["none", "general", "hard"])
def test_pictures_are_said_and_shown_as_they_are_on_a_processor(attention):
    cell, task = REGISTRY.cells["lstm"].cls, REGISTRY.tasks["captioning"].cls(objects=1)
    metrics = (("exact_match", "1"), ("mass_in_box", "1"))
    one = on_gpu(cell, task, attention=attention, backend="torch", way="in turn", updates=4)
    one = replace(one, metrics=metrics, seed=replace(one.seed, role="evaluation", index=0))
    ((finished, _),) = train_group([one], REGISTRY, Programs())
    assert (finished.status, finished.reason) == ("ok", "")
    assert finished.shown
    assert finished.kinds
    assert bool(finished.shown[0].weights) == (attention != "none")
