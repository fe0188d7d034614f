"""A member's numbers are the same to the last bit alone and in any group."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from groups import Follow, Guess, five, member, numbers, same, trained
from kernel_cells import ContinuousTime, NoisyProduct, Timescales

from rnnbench.group.steps import Programs
from rnnbench.group.way import Ways
from rnnbench.registry import load_registry
from rnnbench.training import train_group

REGISTRY = load_registry()
STRUCTURES = [
    (name, dict(zip(structural, values, strict=True)))
    for name, component in REGISTRY.cells.items()
    for structural in [
        [n for n, o in component.cls.options.items() if not o.numeric and n != "init"]
    ]
    for values in product(*(component.cls.options[n].choices for n in structural))
]
WIDTHS, BATCHES = (1, 2, 7), (32, 64)
CASES = [
    pytest.param(
        name, structure, hidden, WIDTHS[number % 3], BATCHES[number % 2], id=f"{name}-{hidden}"
    )
    for number, ((name, structure), hidden) in enumerate(product(STRUCTURES, (17, 33, 64, 128)))
]
"""Every cell at every hidden size; widths of read-outs and batches take turns."""


def require_same_everywhere(cell, task, members):
    """Each member alone, at any place of groups of any size, and after the others were dropped."""
    programs = Programs()
    alone = {one.key: trained(cell, task, [one], programs=programs)[one.key] for one in members}
    a, b, c, d, e = members
    for together in ([a, b], [b, d, a], [e, d, c, b, a]):
        found = trained(cell, task, together, programs=programs)
        for one in together:
            if one is not d:
                assert same(found[one.key], alone[one.key])
    for kept in ([4], [0, 2]):
        left = trained(cell, task, members, programs=programs, drop={2: kept}.get)
        assert len(left) == len(kept)
        for key, found in left.items():
            assert same(found, alone[key])
    assert not same(alone[a.key], alone[c.key])
    assert not all(torch.isfinite(torch.tensor(alone[d.key][1])))


@pytest.mark.parametrize(("name", "structure", "hidden", "width", "batch"), CASES)
def test_every_cell_is_the_same_in_any_group(name, structure, hidden, width, batch):
    cell, task = REGISTRY.cells[name].cls, Guess(width=width)
    chosen = Ways().choose(
        member(cell, task, hidden=hidden, batch=batch, structure=structure), cell, task
    )
    assert chosen.way == ("together" if hidden < 128 else "in turn")
    for way in {"together", chosen.way}:
        options = {"hidden": hidden, "batch": batch, "structure": structure, "way": way}
        require_same_everywhere(cell, task, five(cell, task, **options))


@pytest.mark.parametrize("name", REGISTRY.tasks)
def test_every_task_is_the_same_in_any_group(name):
    cell = REGISTRY.cells["gru"].cls
    component = REGISTRY.tasks[name].cls
    length = component.options.get("length")
    task = component(**({} if length is None else {"length": int(max(16, length.low or 0))}))
    members = five(cell, task)
    assert Ways().choose(members[0], cell, task).way == "together"
    require_same_everywhere(cell, task, members)


@pytest.mark.parametrize("task", [Guess(width=7), Follow(width=2)], ids=lambda task: task.name)
@pytest.mark.parametrize(
    "cell", [NoisyProduct, Timescales, ContinuousTime], ids=lambda cell: cell.name
)
def test_directions_layers_dropout_and_noise_are_the_same_in_any_group(cell, task):
    options = {"layers": 2, "bidirectional": True, "dropout": 0.3, "hidden": 9}
    require_same_everywhere(cell, task, five(cell, task, **options))


@pytest.mark.parametrize("attention", ["none", "dot", "general", "additive"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_encoders_and_decoders_are_the_same_in_any_group(cell, attention):
    cell, task = REGISTRY.cells[cell].cls, REGISTRY.tasks["reverse"].cls(shortest=3, longest=6)
    both = attention in ("general", "additive")
    options = {"attention": attention, "bidirectional": both, "layers": 1 + both, "dropout": 0.2}
    members = five(cell, task, **options)
    assert Ways().choose(members[0], cell, task).way == "together"
    require_same_everywhere(cell, task, members)


def test_decoders_that_are_told_some_symbols_are_the_same_in_any_group():
    cell, task = REGISTRY.cells["gru"].cls, REGISTRY.tasks["reverse"].cls(shortest=3, longest=6)
    how = {"attention": "dot", "teacher_forcing": 0.5, "teacher_schedule": "linear"}
    members = five(cell, task, **how)
    assert Ways().choose(members[0], cell, task).way == "together"
    require_same_everywhere(cell, task, members)


@pytest.mark.parametrize(
    "how",
    [
        {"conditioning": "step"},
        {"attention": "general"},
        {"attention": "additive", "layers": 2, "dropout": 0.2},
        {"attention": "hard"},
        {"attention": "hard", "teacher_forcing": 0.5},
        {"without": "image"},
    ],
    ids=lambda how: " ".join(map(str, how.values())),
)
def test_captions_are_the_same_in_any_group(how):
    cell, task = REGISTRY.cells["lstm"].cls, REGISTRY.tasks["captioning"].cls(objects=1)
    members = five(cell, task, **how)
    assert Ways().choose(members[0], cell, task).way == "together"
    require_same_everywhere(cell, task, members)


@pytest.mark.parametrize("way", ["together", "in turn"])
def test_a_whole_training_leaves_the_same_in_any_group(way):
    cell, task = REGISTRY.cells["lstm"].cls, REGISTRY.tasks["temporal_order"].cls(length=20)
    options = {"layers": 2, "bidirectional": True, "dropout": 0.2, "way": way, "updates": 12}
    metrics = (("accuracy", "1"), ("solved", "1"))
    members = [replace(one, metrics=metrics) for one in five(cell, task, **options)]
    alone = [numbers(train_group([one], REGISTRY, Programs())[0]) for one in members]
    assert [left[0].status for left in alone] == ["ok", "ok", "ok", "diverged", "ok"]
    assert alone[3][0].failed_update == alone[3][0].updates
    order = (3, 1, 4, 0, 2)
    group = train_group([members[place] for place in order], REGISTRY, Programs())
    assert [numbers(left) for left in group] == [alone[place] for place in order]


PLACES = """
import sys
sys.path[:0] = {path!r}
import torch
torch.set_num_threads(1)
from groups import Guess, member, same, trained
from rnnbench.registry import load_registry
cell, task = load_registry().cells["lstm"].cls, Guess(width=10)
members = [member(cell, task, hidden=33, index=index) for index in range(5)]
alone = trained(cell, task, members[:1])[members[0].key]
places = [members[1:place] + members[:1] + members[place:] for place in range(1, 6)]
print([same(trained(cell, task, group)[members[0].key], alone) for group in places])
"""


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="torch multiplies without MKL")
def test_bits_depend_on_the_group_where_mkl_is_left_to_choose_by_alignment():
    def places(environment):
        code = PLACES.format(path=[str(Path(__file__).parent)])
        run = [sys.executable, "-c", code]
        done = subprocess.run(run, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    free = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}
    assert places(free | {"MKL_CBWR": "AUTO"}) == str([True] * 5)
    assert "False" in places(free)
