"""What is kept of a network: answers from all over a part, and where it looked."""

from dataclasses import replace

import pytest
import torch
from groups import member

from rnnbench import showing
from rnnbench.assessing import assess
from rnnbench.group.building import network_of
from rnnbench.registry import load_registry
from rnnbench.showing import alignments, samples

REGISTRY = load_registry()
CELL = REGISTRY.cells["gru"].cls


@pytest.fixture(scope="module")
def task():
    return REGISTRY.tasks["reverse"].cls(shortest=3, longest=6)


def made(task, attention="dot"):
    one = member(CELL, task, attention=attention)
    network = network_of(one, CELL, task)
    with torch.no_grad():
        network.readout.weight.mul_(20)
    return one, network, task.held_out("valid", torch.Generator().manual_seed(1))


def test_answers_stand_beside_what_was_read_and_what_is_right(task):
    one, network, batch = made(task)
    kept = samples(one, network, assess(network, batch, task), 40)
    assert len(kept) == 10
    assert {sample.update for sample in kept} == {40}
    said = network.say(batch, task.target_length)
    places = torch.linspace(0, len(batch) - 1, 10).round().long().tolist()
    for sample, place in zip(kept, places, strict=True):
        read, right = sample.title.split(" → ")
        assert right == read[::-1]
        assert len(read) == batch.lengths[place]
        assert sample.text == task.targets.text(said[:, place].tolist())


def test_right_answers_are_those_of_the_batch_where_it_has_them(task):
    one, network, batch = made(task)
    given = replace(batch, references=tuple((f"right {n}", "other") for n in range(len(batch))))
    kept = samples(one, network, assess(network, given, task), 1)
    assert kept[0].title.endswith("→ right 0")
    assert kept[-1].title.endswith(f"→ right {len(batch) - 1}")


def test_attention_is_kept_over_real_symbols_and_up_to_the_end(task):
    _, network, batch = made(task)
    assessed = assess(network, batch, task)
    kept = alignments(network, assessed)
    assert len(kept) == 4
    weights = network.looked(batch, assessed.predictions)
    last = len(batch) - 1
    one, length = kept[-1], int(batch.lengths[last])
    assert len(one.read) == length
    assert one.weights[0] == tuple(round(w, 4) for w in weights[0, last, :length].tolist())
    said = assessed.predictions[:, last].tolist()
    assert list(one.said) == [task.targets.symbols[n] for n in said[: len(one.said)]]
    assert one.said[-1] == "<END>" or len(one.said) == len(said)
    assert "<END>" not in one.said[:-1]
    for each in kept:
        assert all(abs(sum(row) - 1) < 1e-3 for row in each.weights)
        assert all(len(row) == len(each.read) for row in each.weights)


def test_without_attention_there_is_nothing_to_keep(task):
    _, network, batch = made(task, "none")
    assert alignments(network, assess(network, batch, task)) == ()


def test_pictures_are_of_sequences_that_fit_into_one(task, monkeypatch):
    _, network, batch = made(task)
    monkeypatch.setattr(showing, "LONGEST", 4)
    kept = alignments(network, assess(network, batch, task))
    assert {len(one.read) for one in kept} <= {3, 4}
    assert max(len(one.said) for one in kept) <= 4
    monkeypatch.setattr(showing, "LONGEST", 1)
    assert alignments(network, assess(network, batch, task)) == ()
