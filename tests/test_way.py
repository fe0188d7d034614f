"""Which studies train together, and what is said of those that do not."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from groups import Guess, member
from kernel_cells import OddGates

from rnnbench.group.way import Ways
from rnnbench.options import Option
from rnnbench.registry import load_registry

REGISTRY = load_registry()
CELLS = {name: component.cls for name, component in REGISTRY.cells.items()}
TASKS = {name: component.cls for name, component in REGISTRY.tasks.items()}


def chosen(cell, task=None, **options):
    task = task or Guess()
    device = options.pop("device", "cpu")
    one = member(cell, task, **options)
    return Ways().choose(
        one if device == "cpu" else type(one)(**vars(one) | {"device": device}), cell, task
    )


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_the_built_in_cells_train_together_while_they_are_small(name, bidirectional):
    assert chosen(CELLS[name], bidirectional=bidirectional, layers=2, dropout=0.1).way == "together"
    assert chosen(CELLS[name], hidden=128).way == "in turn"


IN_TURN: list[tuple[str, str]] = []
"""The built-in cells and tasks that train in turn although they are small."""


def test_the_built_ins_that_train_in_turn_are_these():
    ways, found = Ways(), []
    for (cell_name, cell), (task_name, component) in product(CELLS.items(), TASKS.items()):
        length = component.options.get("length")
        task = component(**({} if length is None else {"length": int(max(16, length.low or 0))}))
        if ways.choose(member(cell, task), cell, task).way == "in turn":
            found.append((cell_name, task_name))
    assert found == IN_TURN


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"hidden": 128}, "from 128 hidden units on a processor gains nothing"),
        ({"batch": 33}, "a batch of 33 is no multiple of 32"),
        ({"backend": "loop"}, "backend loop runs one member at a time"),
        ({"backend": "torch"}, "backend torch runs one member at a time"),
        ({"backend": "fused"}, "backend fused runs one member at a time"),
        ({"backend": "torch", "device": "cuda"}, "backend torch runs one member at a time"),
        ({"backend": "loop", "device": "cuda"}, "backend loop runs one member at a time"),
    ],
)
def test_a_rule_is_named(options, reason):
    found = chosen(CELLS["gru"], **options)
    assert (found.way, found.reason) == ("in turn", reason)


def test_what_cannot_be_batched_trains_in_turn_and_says_what_torch_says(monkeypatch):
    def reading(predictions, batch, task):
        return predictions.sum() * float(predictions.detach().sum())

    monkeypatch.setattr("rnnbench.nn.network.loss", reading)
    found = chosen(CELLS["gru"])
    assert found.way == "in turn"
    assert found.reason.startswith("it cannot be batched: ")
    assert "\n" not in found.reason


def test_what_computes_something_else_inside_vmap_trains_in_turn(monkeypatch):
    from rnnbench.nn import network

    real = network.loss

    def other(predictions, batch, task):
        inside = torch._C._functorch.is_batchedtensor(predictions)
        return real(predictions, batch, task) * (2 if inside else 1)

    monkeypatch.setattr(network, "loss", other)
    found = chosen(CELLS["gru"])
    assert (found.way, found.reason) == ("in turn", "it computes something else inside vmap")


def test_what_depends_on_the_neighbours_trains_in_turn(monkeypatch):
    from rnnbench.group import steps

    real = steps.Together.__call__

    def leaking(self, data, buffers, batches):
        losses, gradient, states = real(self, data, buffers, batches)
        return losses, gradient + 1e-7 * torch.arange(len(data)).unsqueeze(1), states

    monkeypatch.setattr(steps.Together, "__call__", leaking)
    found = chosen(CELLS["gru"])
    assert (found.way, found.reason) == ("in turn", "a member's last bits depend on its neighbours")


def test_a_network_is_tried_once_whatever_the_length(monkeypatch):
    from rnnbench.group import way

    tried = []
    real = way._tried
    monkeypatch.setattr(way, "_tried", lambda *given: tried.append(given) or real(*given))
    ways, cell = Ways(), CELLS["gru"]
    for task in (Guess(steps=5), Guess(steps=9), Guess(width=3)):
        ways.choose(member(cell, task), cell, task)
    assert len(tried) == 2


def test_a_strangers_cell_trains_together_too():
    assert chosen(OddGates).way == "together"


def test_what_diverges_at_once_trains_together_all_the_same():
    assert chosen(CELLS["gru"], learning_rate=1e38, clip=None).way == "together"


class Ragged(Guess):
    """The same kind of data, of one length or of lengths that differ from batch to batch."""

    name = "ragged"
    options = Guess.options | {"ragged": Option(False)}

    def batch(self, size, generator):
        made = super().batch(size, generator)
        if not self.ragged:
            return made
        inputs = made.inputs[: 3 + generator.initial_seed() % 2]
        return replace(made, inputs=inputs, lengths=made.lengths.clamp(max=len(inputs)))


def test_kinds_of_batches_are_tried_each_by_itself():
    ways = Ways()
    cell = CELLS["gru"]
    found = [
        ways.choose(member(cell, task), cell, task) for task in (Ragged(), Ragged(ragged=True))
    ]
    assert [one.way for one in found] == ["together", "in turn"]
    assert "cannot be batched" in found[1].reason
