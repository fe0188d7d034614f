"""What a kernel promises besides right numbers: groups, several calls, divergence."""

import subprocess
import sys
import weakref
from dataclasses import replace

import pytest
import torch
from kernel_cells import (
    ContinuousTime,
    DeepTransition,
    IndependentUnits,
    LowRank,
    MadeWeights,
    MinimalGated,
    NoisyProduct,
    OddGates,
    Rotation,
    Timescales,
)
from kernel_runs import (
    HALF_ULP,
    LENGTHS,
    SOME,
    TOLERATED,
    H,
    X,
    assert_same,
    by,
    drawn,
    error,
    in_loop,
    kernel,
    of_some_cells,
    recording,
    require_right,
    sequences,
    with_lengths,
)
from kernel_runs import results as results_of
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rnnbench.contracts import Tensors
from rnnbench.errors import InputError
from rnnbench.recurrence import reverse
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM
from rnnbench_cells.peephole_lstm import PeepholeLSTM


def results(cell, given, hidden=H, **options):
    return results_of(by(kernel(cell, hidden=hidden)), given, **options)


def total(outputs, after):
    """Weigh everything differently and sum it."""
    made = [outputs, *after.values()]
    return sum((t * torch.linspace(-1, 2, t.numel()).view_as(t)).sum() for t in made)


# Groups of members


@pytest.mark.parametrize("hidden", [5, H, 33])
@of_some_cells
def test_a_member_is_the_same_alone_and_anywhere_in_a_group_to_the_last_bit(cell, hidden):
    given = sequences(cell, members=5, hidden=hidden)
    group = results(cell, given, hidden)
    for number in range(5):
        own = {name: tensor[number] for name, tensor in group.items()}
        assert_same(results(cell, given.member(number), hidden), own)
        one = results(cell, given.of(lambda tensor, n=number: tensor[n : n + 1]), hidden)
        assert_same({name: tensor[0] for name, tensor in one.items()}, own)


@of_some_cells
def test_another_order_of_members_changes_no_bit(cell):
    given = sequences(cell, members=4)
    order = torch.tensor([2, 0, 3, 1])
    there = results(cell, given)
    shuffled = results(cell, given.of(lambda tensor: tensor[order]))
    assert_same(shuffled, {name: tensor[order] for name, tensor in there.items()})


# Several backward passes, and what happens between them


@of_some_cells
def test_a_second_backward_pass_gives_the_same_bits(cell):
    given = recording(sequences(cell))
    leaves = list(given.leaves().values())
    loss = total(*by(kernel(cell))(given))
    first = torch.autograd.grad(loss, leaves, retain_graph=True)
    second = torch.autograd.grad(loss, leaves, retain_graph=True)
    assert_same(enumerate(second), enumerate(first))


def test_a_second_backward_pass_that_was_not_announced_is_an_error():
    given = recording(sequences(LSTM()))
    loss = total(*by(kernel(LSTM()))(given))
    loss.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        loss.backward()


@with_lengths
@pytest.mark.parametrize(
    ("cell", "name"),
    [(LSTM(), "x"), (LSTM(), "W"), (LSTM(), "forget_bias"), (LowRank(), "A"), (LowRank(), "C")],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_change_in_place_before_the_backward_pass_is_an_error(cell, name, lengths):
    given = recording(sequences(cell, lengths=lengths))
    loss = total(*by(kernel(cell))(given))
    if name == "x" and lengths is not None:
        loss.backward()  # what is padded is a copy, so a change does no harm
        return
    with torch.no_grad():
        given.leaves()[name].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_change_of_the_outputs_in_place_before_the_backward_pass_is_an_error():
    given = recording(sequences(LSTM(), lengths=None))
    outputs, _ = by(kernel(LSTM()))(given)
    loss = outputs.sum()
    with torch.no_grad():
        outputs.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("name", ["x", "W", "first h"])
@pytest.mark.parametrize("cell", [LSTM(), MadeWeights()], ids=lambda cell: cell.name)
def test_a_gradient_of_a_gradient_is_refused_and_not_taken_for_zero(cell, name, power):
    given = recording(sequences(cell))
    wanted, w = given.leaves()[name], given.weights.W

    def slope(**options):
        outputs, _ = by(kernel(cell))(given)
        (found,) = torch.autograd.grad(outputs.pow(power).sum(), wanted, **options)
        return found

    assert_same({name: slope(create_graph=True).detach()}, {name: slope()})
    with pytest.raises(InputError, match="differentiated again"):
        torch.autograd.grad(slope(create_graph=True).sum(), w)
    with pytest.raises(InputError, match="differentiated again"):
        (slope(create_graph=True).sum() + w.sum()).backward()


# Several calls in flight


@with_lengths
def test_two_directions_below_another_cell_are_differentiated_through_as_in_the_loop(lengths):
    lower, upper = LSTM(), MinimalGated()
    forth, back = (drawn(lower, X, H, steps=5, batch=6, seed=seed) for seed in (1, 2))
    over = drawn(upper, 2 * H, H, steps=5, batch=6, seed=3)

    def run(below, above, dtype):
        ways = [
            given.of(lambda tensor: tensor.detach().to(dtype).requires_grad_())
            for given in (forth, back, over)
        ]
        x = ways[0].x
        first, _ = below(replace(ways[0], lengths=lengths))
        second, _ = below(replace(ways[1], x=reverse(x, lengths), lengths=lengths))
        both = torch.cat([first, reverse(second, lengths)], -1)
        outputs, after = above(replace(ways[2], x=both, lengths=lengths))
        names = [f"d {k} {name}" for k, way in enumerate(ways) for name in way.leaves()]
        leaves = [leaf for way in ways for leaf in way.leaves().values()]
        slopes = torch.autograd.grad(
            total(outputs, after), leaves, allow_unused=True, materialize_grads=True
        )
        return {"outputs": outputs.detach(), **dict(zip(names, slopes, strict=True))}

    exact = run(in_loop(lower), in_loop(upper), torch.float64)
    own = error(run(in_loop(lower), in_loop(upper), torch.float32), exact)
    wrong = error(run(by(kernel(lower)), by(kernel(upper, 2 * H, H)), torch.float32), exact)
    assert wrong <= TOLERATED * (own + HALF_ULP)


# Without gradients


@pytest.mark.parametrize("steps", [1, 2, 4, 5])
@pytest.mark.parametrize("members", [None, 3])
@of_some_cells
def test_inference_gives_the_bits_of_training(cell, members, steps):
    given = drawn(cell, X, H, steps=steps, batch=6, members=members)
    made = by(kernel(cell))
    for lengths in (None, LENGTHS.clamp(max=steps)):
        given = replace(given, lengths=lengths)
        trained, last = made(recording(given))
        with torch.no_grad():
            silent = made(recording(given))
        for outputs, after in (made(given), silent):
            assert not outputs.requires_grad
            assert_same({"outputs": outputs, **after}, {"outputs": trained.detach(), **last})


class Allocated(TorchDispatchMode):
    """Knows the memory of all tensors that are made while it is on."""

    def __init__(self):
        super().__init__()
        self.bytes = 0
        self._made = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        known = {storage.data_ptr() for storage in _storages(args)}
        for storage in _storages(made):
            if storage.data_ptr() not in known:
                self.bytes += storage.nbytes()
                self._made.append(weakref.ref(storage))
        return made

    def alive(self):
        """Count the bytes of what is still held by somebody."""
        return sum(storage.nbytes() for ref in self._made if (storage := ref()) is not None)


def _storages(values):
    tensors = (value for value in tree_leaves(values) if isinstance(value, torch.Tensor))
    return [tensor.untyped_storage() for tensor in tensors]


def bytes_a_step(run, cell):
    """Count what twenty more steps allocate, by step."""
    made, counts = by(kernel(cell)), []
    for steps in (10, 30):
        given = run(drawn(cell, X, H, steps=steps, batch=4))
        with Allocated() as allocated:
            made(given)
        counts.append(allocated.bytes)
    return (counts[1] - counts[0]) / 20


def test_inference_keeps_no_steps_but_the_outputs_and_training_those_of_all_states_and_gates():
    row = 4 * H * 4  # four sequences, H units, four bytes
    assert bytes_a_step(lambda given: given, LSTM()) == row
    assert bytes_a_step(recording, LSTM()) == (2 + 4) * row
    # two levels of gates, 2H and H wide, and what the second product reads
    assert bytes_a_step(lambda given: given, GRU(reset="before")) == row
    assert bytes_a_step(recording, GRU(reset="before")) == (1 + 3 + 1) * row


def test_after_the_backward_pass_only_the_outputs_are_held():
    steps, row = 50, 4 * H * 4
    made, given = by(kernel(LSTM())), recording(drawn(LSTM(), X, H, steps=steps, batch=4))
    with Allocated() as allocated:
        outputs = made(given)[0]
    assert allocated.alive() > (2 + 4) * steps * row
    outputs.sum().backward()
    assert allocated.alive() == (steps + 1) * row  # the first state stands before them


# Parts of what there is


@with_lengths
@of_some_cells
def test_what_is_frozen_changes_no_other_gradient(cell, lengths):
    given = recording(sequences(cell, lengths=lengths))
    made = by(kernel(cell))
    everything = dict(
        zip(
            given.leaves(),
            torch.autograd.grad(total(*made(given)), list(given.leaves().values())),
            strict=True,
        )
    )
    for name, leaf in given.leaves().items():
        leaf.requires_grad_(False)
        others = {other: there for other, there in given.leaves().items() if other != name}
        slopes = torch.autograd.grad(total(*made(given)), list(others.values()))
        leaf.requires_grad_(True)
        assert_same(zip(others, slopes, strict=True), {n: everything[n] for n in others})


@pytest.mark.parametrize("name", ["x", "first fast", "W", "slowness"])
def test_one_gradient_alone_is_the_one_among_all(name):
    cell = Timescales()
    given = recording(sequences(cell))
    made = by(kernel(cell))
    wanted = given.leaves()[name]
    (among,) = torch.autograd.grad(total(*made(given)), wanted)
    for leaf in given.leaves().values():
        leaf.requires_grad_(leaf is wanted)
    (alone,) = torch.autograd.grad(total(*made(given)), wanted)
    assert_same({name: alone}, {name: among})


@pytest.mark.parametrize(
    "loss", [["outputs"], ["last fast"], ["last slow"], ["last fast", "last clock"]], ids=", ".join
)
@with_lengths
def test_a_loss_of_some_results_is_right(loss, lengths):
    cell = Timescales()
    require_right(cell, kernel(cell), sequences(cell, lengths=lengths), loss)


# Sizes


@pytest.mark.parametrize("batch", [1, 300, 513])
@pytest.mark.parametrize("cell", [LSTM(), GRU(reset="before")], ids=lambda cell: cell.name)
def test_any_batch_is_right(cell, batch):
    given = drawn(cell, X, H, steps=3, batch=batch)
    require_right(cell, kernel(cell), given)
    lengths = torch.arange(batch) % 3 + 1
    require_right(cell, kernel(cell), replace(given, lengths=lengths))


@pytest.mark.parametrize(("steps", "batch"), [(6, 1), (1, 6), (1, 1)])
@pytest.mark.parametrize("cell", [LSTM(), NoisyProduct()], ids=lambda cell: cell.name)
def test_a_dimension_of_size_one_may_have_any_stride(cell, steps, batch):
    given = drawn(cell, X, H, steps=steps, batch=batch)

    def odd(t):
        strides = zip(t.shape, t.stride(), strict=True)
        return t.as_strided(t.shape, [999 if size == 1 else step for size, step in strides])

    given = replace(
        given,
        x=odd(given.x),
        noise=Tensors({name: odd(noise) for name, noise in given.noise.items()}),
    )
    require_right(cell, kernel(cell), given)


WITHOUT_MEMORY = """
import resource
from pathlib import Path

import torch

from rnnbench.contracts import Tensors
from rnnbench.recurrence import runner
from rnnbench_cells.lstm import LSTM

cell, hidden = LSTM(), 2**11
run, x = runner("kernel", cell), torch.ones(2, 1, 1)
drawn = {name: w.draw(torch.Generator()) for name, w in cell.weights(1, hidden).items()}
weights = Tensors(drawn | {"forget_bias": torch.tensor(1.0)})
state = Tensors({name: torch.zeros(1, hidden) for name in cell.state(hidden)})
expected, _ = run(x, state, weights, None)
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
# what is packed of these weights takes 64 MiB
resource.setrlimit(resource.RLIMIT_AS, (used + 2**24, hard))
try:
    run(x, state, weights, None)
except MemoryError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
assert torch.equal(run(x, state, weights, None)[0], expected)
"""


def test_without_enough_memory_a_run_fails_and_the_process_goes_on():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MEMORY], check=True, capture_output=True, text=True
    )
    assert done.stdout == "a kernel got no memory for its intermediate values\n"


@pytest.mark.parametrize("cell", SOME, ids=lambda cell: cell.name)
def test_one_step_of_one_unit_and_one_sequence_is_right(cell):
    require_right(cell, kernel(cell, 1, 1), drawn(cell, 1, 1, steps=1, batch=1))


def test_two_thousand_steps_are_right():
    given = drawn(LSTM(), 2, 5, steps=2000, batch=2, lengths=torch.tensor([2000, 1500]))
    require_right(LSTM(), kernel(LSTM(), 2, 5), given)


def test_a_gradient_summed_over_very_many_rows_loses_nothing():
    cell, steps, batch = IndependentUnits(), 100, 300
    given = drawn(cell, 1, 2, steps=steps, batch=batch).of(torch.zeros_like)
    given.weights.b.fill_(1)  # so that each state but the first is 1, and each gradient 0.1
    outputs, _ = by(kernel(cell, 1, 2))(recorded := recording(given))
    outputs.backward(torch.full_like(outputs, 0.1))
    for name, rows in {"b": steps * batch, "u": (steps - 1) * batch}.items():
        torch.testing.assert_close(
            recorded.leaves()[name].grad,
            torch.full_like(given.leaves()[name], 0.1 * rows),
            rtol=1e-5,
            atol=0,
        )


# Divergence


DIVERGING = [
    LSTM(), GRU(reset="before"), PeepholeLSTM(), IndependentUnits(), OddGates(), ContinuousTime(),
    Rotation(), DeepTransition(),
]  # fmt: skip


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e30, -1e4])
@pytest.mark.parametrize("cell", DIVERGING, ids=lambda cell: cell.name)
def test_a_divergence_shows_where_it_shows_in_the_loop(cell, value):
    given = drawn(cell, X, 5, steps=4, batch=3)
    for leaf in given.leaves().values():
        # every fifth of a weight: each gate has its turn
        for entry in leaf.view(-1)[:: -(-leaf.numel() // 5)]:
            kept = entry.clone()
            entry.fill_(value)
            found = results(cell, given, 5)
            for name, expected in results_of(in_loop(cell), given).items():
                infinite = expected.isinf()
                assert torch.equal(found[name].isnan(), expected.isnan()), name
                assert torch.equal(found[name].isinf(), infinite), name
                assert torch.equal(found[name][infinite], expected[infinite]), name
            entry.copy_(kept)
