"""Losses and gradients of members: as one program, and one after another."""

from dataclasses import replace

import pytest
import torch
from groups import Follow, Guess, batches, group, member, trained
from kernel_cells import ContinuousTime, NoisyProduct

from rnnbench.contests import Contest
from rnnbench.group.building import network_of
from rnnbench.group.rows import Rows, buffers_of
from rnnbench.group.steps import InTurn, Programs, Together
from rnnbench.nn.loss import loss
from rnnbench.recurrence.engine import Engine
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM

TASKS = [Guess(width=3), Guess(width=1), Follow(width=4)]


def given(cell, task, count=3, **options):
    """Networks of some members, their rows, buffers and batches."""
    members = [member(cell, task, index=index, **options) for index in range(count)]
    networks = [network_of(one, cell, task) for one in members]
    rows = Rows(networks[0])
    return networks, rows, rows.of(networks), buffers_of(networks), batches(task, members, 1)


@pytest.mark.parametrize("options", [{}, {"layers": 2, "bidirectional": True, "dropout": 0.4}])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.name}-{task.width}")
@pytest.mark.parametrize("cell", [LSTM, NoisyProduct, ContinuousTime], ids=lambda cell: cell.name)
def test_both_ways_give_each_member_its_own_loss_and_gradient(cell, task, options):
    networks, rows, data, buffers, drawn = given(cell, task, **options)
    for step in (Together(networks[0], task, rows), InTurn(networks[0], task, rows)):
        losses, gradient, _ = step(data, buffers, drawn)
        found = rows.tree(gradient)
        for place, (network, batch) in enumerate(zip(networks, drawn, strict=True)):
            network.zero_grad()
            expected = loss(network(batch), batch, task)
            expected.backward()
            torch.testing.assert_close(losses[place], expected.detach())
            for name, weight in network.named_parameters():
                torch.testing.assert_close(found[name][place], weight.grad, rtol=1e-4, atol=1e-6)


def test_what_is_replayed_reads_the_weights_options_and_batches_of_now():
    cell, task = LSTM, Guess(width=3)
    networks, rows, data, buffers, drawn = given(cell, task)
    step = Together(networks[0], task, rows)
    first, _, _ = step(data, buffers, drawn)
    for changed in (
        (data + 0.1, buffers, drawn),
        (data, {name: tensor + 1 for name, tensor in buffers.items()}, drawn),
        (data, buffers, [*drawn[1:], drawn[0]]),
    ):
        made = step(*changed)
        assert not torch.isclose(made[0], first).any()
        expected = InTurn(networks[0], task, rows)(*changed)
        torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-6)


def test_rows_beyond_the_batches_repeat_the_first_member():
    cell, task = GRU, Guess(width=3)
    networks, rows, data, buffers, drawn = given(cell, task, count=1)
    twice = data.expand(2, -1).clone()
    pairs = {name: torch.cat([tensor, tensor]) for name, tensor in buffers.items()}
    for step in (Together(networks[0], task, rows), InTurn(networks[0], task, rows)):
        losses, gradient, _ = step(twice, pairs, drawn)
        assert losses[0] == losses[1]
        assert torch.equal(gradient[0], gradient[1])


def test_random_numbers_without_a_key_are_an_error_inside_a_program():
    cell, task = GRU, Guess(width=3)
    networks, rows, data, buffers, drawn = given(cell, task)
    read = networks[0].readout.forward
    networks[0].readout.forward = lambda outputs, lengths: read(outputs, lengths) * torch.rand(3)
    with pytest.raises(RuntimeError, match="random"):
        Together(networks[0], task, rows)(data, buffers, drawn)


def test_after_a_trace_a_network_runs_one_member_as_before():
    cell, task = GRU, Guess(width=3)
    networks, rows, data, buffers, drawn = given(cell, task)
    before = networks[0](drawn[0])
    Together(networks[0], task, rows)(data, buffers, drawn)
    assert torch.equal(networks[0](drawn[0]), before)


def test_a_shape_is_traced_once_and_the_shapes_used_last_are_remembered():
    cell, task = GRU, Guess(width=3)
    programs = Programs(most=2)
    members = [member(cell, task, hidden=hidden) for hidden in (3, 4, 5)]
    networks = [network_of(one, cell, task) for one in members]
    first, second = (
        programs.step(one, network, task)
        for one, network in zip(members[:2], networks[:2], strict=True)
    )
    other_values = replace(members[0], recipe=replace(members[0].recipe, learning_rate=0.5))
    assert programs.step(other_values, networks[0], task) is first
    in_contest = replace(members[0], contest=Contest((2,), 3, "x"))
    assert programs.step(in_contest, networks[0], task) is first
    programs.step(members[2], networks[2], task)
    assert programs.step(members[0], networks[0], task) is first
    assert programs.step(members[1], networks[1], task) is not second


def test_a_group_of_one_that_is_left_goes_on():
    cell, task = GRU, Guess(width=3)
    members = [member(cell, task, index=index) for index in range(3)]
    training = group(cell, task, members)
    training.update(1, batches(task, members, 1))
    training.keep([2])
    assert training.members == members[2:]
    assert len(training.update(2, batches(task, members[2:], 2))) == 1
    training.keep([])
    assert training.members == []


def test_a_batch_without_lengths_beside_one_with_them_is_an_error_and_not_taken_for_it():
    task = Guess(width=3)
    networks, rows, data, buffers, (first, *rest) = given(LSTM, task, count=2)
    for drawn in ([replace(first, lengths=None), *rest], [first, replace(rest[0], lengths=None)]):
        with pytest.raises(TypeError):
            Together(networks[0], task, rows)(data, buffers, drawn)


def test_a_program_of_fused_steps_gives_each_member_its_own_loss_and_gradient():
    task = Follow(width=4)
    networks, rows, data, buffers, drawn = given(NoisyProduct, task, count=2, backend="fused")
    together = Together(networks[0], task, rows)(data, buffers, drawn)
    again = Together(networks[0], task, rows)
    again(data, buffers, drawn)
    expected = InTurn(networks[0], task, rows)(data, buffers, drawn)
    loops = given(NoisyProduct, task, count=2, backend="loop")
    looped = InTurn(loops[0][0], task, loops[1])(data, buffers, drawn)
    for found in (together, again(data, buffers, drawn), expected):
        for one, other in zip(found, looped, strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("members", [1, 3])
def test_a_lone_member_is_run_once_though_it_stands_in_two_rows(members, monkeypatch):
    seen = []
    for name in ("forward", "backward"):
        real = getattr(Engine, name)

        def counted(self, call, real=real):
            seen.append(call.members)
            real(self, call)

        monkeypatch.setattr(Engine, name, counted)
    task = Guess()
    trained(LSTM, task, [member(LSTM, task, index=index) for index in range(members)])
    assert set(seen) == {members}
