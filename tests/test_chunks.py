"""Truncated backpropagation through time: the state goes on, the gradient is cut."""

from dataclasses import replace

import pytest
import torch
from groups import Follow, Guess, batches, group, member, same, trained
from torch import Generator

from rnnbench.contracts import Batch, Tensors
from rnnbench.errors import PluginError
from rnnbench.group.building import network_of
from rnnbench.group.chunks import Chunks, chunks
from rnnbench.group.data import Data
from rnnbench.nn.loss import loss
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM
from rnnbench_layers.bag_of_words import BagOfWords

BACKENDS = ("kernel", "torch", "loop")


def test_chunks_follow_each_other_and_then_comes_the_next_batch():
    cut = Chunks(7, 3)
    batch = Batch(
        torch.arange(14).view(7, 2),
        torch.arange(14).view(7, 2) + 100,
        torch.tensor([7, 2]),
        torch.ones(7, 2, dtype=torch.bool),
    )
    seen = [cut.of(batch, update) for update in (1, 2, 3)]
    assert [cut.batch(update) for update in (1, 2, 3, 4)] == [1, 1, 1, 2]
    assert [cut.begins(update) for update in (1, 2, 3, 4)] == [True, False, False, True]
    assert [len(part.inputs) for part in seen] == [3, 3, 1]
    assert torch.equal(torch.cat([part.inputs for part in seen]), batch.inputs)
    assert torch.equal(torch.cat([part.targets for part in seen]), batch.targets)
    assert [part.lengths.tolist() for part in seen] == [[3, 2], [3, 0], [1, 0]]
    assert torch.equal(torch.cat([part.mask for part in seen]), batch.mask)


def test_a_chunk_that_covers_the_sequence_leaves_batches_whole():
    batch = Follow().batch(4, Generator().manual_seed(0))
    for one in (member(LSTM, Follow()), member(LSTM, Follow(), chunk=9)):
        cut = chunks(one, Follow())
        assert cut.count == 1
        assert cut.of(batch, 5) is batch


def test_one_target_needs_the_whole_sequence_in_one_update():
    assert chunks(member(LSTM, Guess(), chunk=2), Guess()).count == 1


def test_members_draw_a_batch_once_for_all_of_its_chunks():
    task, drawn = Follow(), []
    batch = task.batch
    task.batch = lambda size, generator: (
        drawn.append(generator.initial_seed()) or batch(size, generator)
    )
    one = member(LSTM, task, chunk=2)
    data = Data(task, "cpu")
    parts = [data.batches([one], update)[0] for update in range(1, 5)]
    assert drawn == [one.batch_seeds().of(1), one.batch_seeds().of(2)]
    whole = batch(32, Generator().manual_seed(drawn[0]))
    assert torch.equal(torch.cat([part.inputs for part in parts[:3]]), whole.inputs)


@pytest.mark.parametrize("cell", [LSTM, GRU], ids=lambda cell: cell.name)
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_next_chunk_begins_where_the_last_one_ended(cell, backend):
    task = Follow(width=3)
    one = member(cell, task, backend=backend, way="in turn", chunk=2, learning_rate=0.0, layers=2)
    whole = batches(task, [one], 1)[0]
    training, cut = group(cell, task, [one]), chunks(one, task)
    losses = [
        training.update(update, [cut.of(whole, update)]).item()
        for update in range(1, cut.count + 1)
    ]
    network = network_of(one, cell, task)
    predictions = network(whole)
    for update, measured in enumerate(losses, 1):
        start = (update - 1) * 2
        part = cut.of(whole, update)
        expected = loss(predictions[start : start + 2], part, task).item()
        assert measured == pytest.approx(expected, rel=1e-5)
    # a new batch begins anew
    again = training.update(cut.count + 1, [cut.of(whole, 1)]).item()
    assert again == pytest.approx(losses[0], rel=1e-6)


@pytest.mark.parametrize("way", ["together", "in turn"])
def test_no_gradient_passes_from_a_chunk_to_the_one_before(way):
    task = Follow(width=3)
    one = member(LSTM, task, way=way, chunk=2, optimizer="sgd", momentum=0.0, clip=None)
    whole = batches(task, [one], 1)[0]
    cut = chunks(one, task)
    training = group(LSTM, task, [one])
    network = network_of(one, LSTM, task)
    recurrence = network.stack.forwards[0]
    first = {name: getattr(recurrence, f"first_{name}").clone() for name in ("h", "c")}
    for update in (1, 2):
        part = cut.of(whole, update)
        training.update(update, [part])
        network.zero_grad()
        predictions, after = network.run(part)
        loss(predictions, part, task).backward()
        with torch.no_grad():
            for weight in network.parameters():
                weight -= one.recipe.learning_rate * weight.grad
        for name in first:
            setattr(recurrence, f"first_{name}", after[f"stack.forwards.0.first_{name}"].detach())
    expected = torch.cat([weight.detach().flatten() for weight in network.parameters()])
    torch.testing.assert_close(training.row(0)[: len(expected)], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_one_target_reaches_the_chunk_that_its_sequence_ends_in(backend, bidirectional):
    task = Guess(width=3, steps=7)
    one = member(LSTM, task, backend=backend, chunk=3, layers=2, bidirectional=bidirectional)
    batch = batches(task, [one], 1)[0]
    truncated = network_of(one, LSTM, task)
    full = network_of(replace(one, recipe=replace(one.recipe, chunk=None)), LSTM, task)

    def gradients(network):
        value = loss(network(batch), batch, task)
        return value, torch.autograd.grad(value, list(network.parameters()))

    (loss_truncated, cut), (loss_full, whole) = gradients(truncated), gradients(full)
    torch.testing.assert_close(loss_truncated, loss_full)
    assert not torch.allclose(cut[1], whole[1])
    # by hand: each chunk from a state that is detached, and the last outputs put together
    manual = network_of(replace(one, recipe=replace(one.recipe, chunk=None)), LSTM, task)
    for direction in (*manual.stack.forwards, *manual.stack.backwards):
        direction.run = by_hand(direction.run, 3)
    loss_manual, expected = gradients(manual)
    torch.testing.assert_close(loss_truncated, loss_manual)
    torch.testing.assert_close(cut, expected, rtol=1e-4, atol=1e-6)


def by_hand(run, chunk):
    """Run one sequence of the batch after another, so that no length is cut."""

    def each(x, state, weights, lengths, noise):
        outputs, finals = torch.zeros(len(x), x.shape[1], state.h.shape[-1]), []
        columns = []
        for row in range(x.shape[1]):
            length = int(lengths[row])
            now = Tensors({name: tensor[row : row + 1] for name, tensor in state.items()})
            made = []
            for start in range(0, length, chunk):
                part = x[start : min(start + chunk, length), row : row + 1]
                now = Tensors({name: tensor.detach() for name, tensor in now.items()})
                out, now = run(part, now, weights, None, noise)
                made.append(out[:, 0])
            column = torch.cat(made)
            pad = torch.zeros(len(x) - length, column.shape[-1])
            columns.append(torch.cat([column, pad]))
            finals.append(now)
        outputs = torch.stack(columns, 1)
        return outputs, Tensors({n: torch.cat([final[n] for final in finals]) for n in state})

    return each


@pytest.mark.parametrize("way", ["together", "in turn"])
@pytest.mark.parametrize("unit", [LSTM, BagOfWords], ids=lambda unit: unit.name)
@pytest.mark.parametrize("hidden", ["lengths", "mask"])
def test_a_chunk_in_which_nothing_counts_costs_nothing(way, unit, hidden):
    task = Follow(width=3)
    kind = {"kind": "layer", "backend": "torch"} if unit is BagOfWords else {}
    one = member(unit, task, way=way, chunk=2, optimizer="sgd", momentum=0.0, **kind)
    whole = batches(task, [one], 1)[0]
    if hidden == "lengths":
        whole = Batch(whole.inputs, whole.targets, torch.full((32,), 2))
    else:
        mask = torch.zeros_like(whole.targets, dtype=torch.bool)
        mask[:2] = True
        whole = Batch(whole.inputs, whole.targets, None, mask)
    cut, training = chunks(one, task), group(unit, task, [one])
    losses = []
    for update in (1, 2, 3):
        before = training.row(0).clone()
        losses.append(training.update(update, [cut.of(whole, update)]).item())
    assert losses[0] > 0
    assert losses[1:] == [0, 0]
    assert training.failed() == [0]
    assert torch.equal(training.row(0), before)


def test_a_layer_sees_what_stands_before_the_chunk():
    task = Follow(width=3)
    one = member(BagOfWords, task, chunk=2, kind="layer", backend="torch", learning_rate=0.0)
    whole, cut = batches(task, [one], 1)[0], chunks(one, task)
    network = network_of(one, BagOfWords, task)
    predictions = network(whole)
    training = group(BagOfWords, task, [one])
    for update in (1, 2, 3):
        start = (update - 1) * 2
        measured = training.update(update, [cut.of(whole, update)]).item()
        part = Chunks(5, 2).of(whole, update)
        expected = loss(predictions[start : start + 2], part, task).item()
        assert measured == pytest.approx(expected, rel=1e-5)


def test_a_task_that_draws_other_lengths_than_it_says_is_told():
    batch = Follow().batch(4, Generator().manual_seed(0))
    with pytest.raises(PluginError, match="has 5 steps and the task's sequence_length is 7"):
        Chunks(7, 2).of(batch, 1)


def test_members_leave_the_same_bits_alone_and_together_chunk_by_chunk():
    task = Follow(width=4)
    members = [member(LSTM, task, index=index, chunk=2) for index in range(3)]
    cut = chunks(members[0], task)

    def left(some):
        training = group(LSTM, task, some)
        losses = []
        for update in range(1, 6):
            parts = [cut.of(batch, update) for batch in batches(task, some, cut.batch(update))]
            losses.append(training.update(update, parts).tolist())
        return {
            one.key: (training.row(place), [each[place] for each in losses])
            for place, one in enumerate(some)
        }

    together = left(members)
    for one in members:
        assert same(left([one])[one.key], together[one.key])


def test_whom_a_group_loses_takes_its_state_along():
    task = Follow(width=4)
    members = [member(LSTM, task, index=index, chunk=2) for index in range(3)]
    alone = trained(LSTM, task, members[2:], updates=4)
    left = trained(LSTM, task, members, updates=4, drop=lambda u: [0, 2] if u == 2 else None)
    assert same(left[members[2].key], alone[members[2].key])
