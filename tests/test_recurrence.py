"""Both ways to run a cell over a sequence agree, with each other and with torch's own layers."""

import pytest
import torch

from rnnbench import Cell, Tensors, zeros
from rnnbench.errors import InputError, PluginError
from rnnbench.recurrence import reverse, runner, within
from rnnbench.recurrence.loop import loop
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM
from rnnbench_cells.peephole_lstm import PeepholeLSTM
from rnnbench_cells.rnn import RNN

T, B, X, H = 6, 4, 2, 5
LENGTHS = torch.tensor([3, 5, 1, 5])  # none fills the batch

EQUALS = {
    "lstm": (LSTM(forget_bias=1.5), torch.nn.LSTM),
    "gru": (GRU(), torch.nn.GRU),
    "rnn tanh": (RNN(), torch.nn.RNN),
    "rnn relu": (
        RNN(nonlinearity="relu"),
        lambda *sizes: torch.nn.RNN(*sizes, nonlinearity="relu"),
    ),
}

RUNS = [(name, backend) for name in EQUALS for backend in ("loop", "torch", "kernel")]


def drawn(cell):
    """Return inputs, states and weights of a cell in float32 that record gradients."""
    draw = torch.Generator().manual_seed(3)

    def normal(*shape):
        return (0.5 * torch.randn(*shape, generator=draw)).requires_grad_()

    state = Tensors({name: normal(B, *first.shape) for name, first in cell.state(H).items()})
    weights = {name: normal(*weight.shape) for name, weight in cell.weights(X, H).items()}
    options = {
        name: torch.tensor(cell.chosen[name], requires_grad=True)
        for name, option in cell.options.items()
        if option.numeric
    }
    return normal(T, B, X), state, Tensors(weights | options)


def gradients(outputs, after, tensors):
    """Differentiate a sum that weighs every output and final state differently."""
    total = (outputs * torch.linspace(-1, 1, outputs.numel()).view_as(outputs)).sum()
    for k, state in enumerate(after.values()):
        total = total + (state * torch.linspace(k, 2, state.numel()).view_as(state)).sum()
    return torch.autograd.grad(total, list(tensors))


@pytest.mark.parametrize(("name", "backend"), RUNS)
def test_a_cell_that_says_it_equals_a_layer_of_torch_does(name, backend):
    cell, layer = EQUALS[name]
    x, state, weights = drawn(cell)
    module = layer(X, H)
    theirs = dict(zip(module._flat_weights_names, module._flat_weights, strict=True))
    with torch.no_grad():
        for parameter, ours in zip(
            theirs.values(), cell.torch_layer().weights(weights), strict=True
        ):
            parameter.copy_(ours)
    first = [s.unsqueeze(0) for s in state.values()]
    expected, last = module(x, tuple(first) if len(first) > 1 else first[0])
    last = [s.squeeze(0) for s in (last if len(first) > 1 else [last])]

    outputs, after = runner(backend, cell)(x, state, weights, None)

    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(list(after.values()), last)
    wanted = gradients(
        expected, dict(zip(state, last, strict=True)), [x, *state.values(), *theirs.values()]
    )
    got = gradients(outputs, after, [x, *state.values(), weights.W, weights.U, weights.b])
    torch.testing.assert_close(got, wanted[:-1])
    if name == "gru":
        (bias,) = gradients(*runner(backend, cell)(x, state, weights, None), [weights.d])
        torch.testing.assert_close(bias, wanted[-1][2 * H :])


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["equal", "varying"])
def test_the_forget_bias_has_the_same_gradient_on_all_backends(lengths):
    cell = LSTM()
    x, state, weights = drawn(cell)
    by_loop, *others = (
        gradients(*runner(name, cell)(x, state, weights, lengths), [weights.forget_bias])
        for name in ("loop", "torch", "kernel")
    )
    assert by_loop[0].abs() > 0.01
    for other in others:
        torch.testing.assert_close(other, by_loop)


PADDED = [*RUNS, ("peephole", "loop"), ("peephole", "kernel")]


@pytest.mark.parametrize(("name", "backend"), PADDED)
@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e30])
def test_padding_changes_no_output_state_or_gradient(name, backend, garbage):
    cell = PeepholeLSTM() if name == "peephole" else EQUALS[name][0]
    x, state, weights = drawn(cell)
    real = within(LENGTHS, T).unsqueeze(-1)
    clean = x.detach().masked_fill(~real, 0).requires_grad_()
    dirty = x.detach().masked_fill(~real, garbage).requires_grad_()

    runs = [runner(backend, cell)(given, state, weights, LENGTHS) for given in (clean, dirty)]
    slopes = [
        gradients(*run, [given, *state.values(), *weights.values()])
        for run, given in zip(runs, (clean, dirty), strict=True)
    ]

    torch.testing.assert_close(runs[1], runs[0], rtol=0, atol=0)
    torch.testing.assert_close(slopes[1], slopes[0], rtol=0, atol=0)
    assert not runs[1][0].masked_select(~real).any()
    assert not slopes[1][0].masked_select(~real).any()


@pytest.mark.parametrize(("name", "backend"), PADDED)
def test_a_sequence_ends_in_the_state_that_it_ends_in_alone(name, backend):
    cell = PeepholeLSTM() if name == "peephole" else EQUALS[name][0]
    x, state, weights = drawn(cell)
    outputs, after = runner(backend, cell)(x, state, weights, LENGTHS)
    for b, length in enumerate(LENGTHS.tolist()):
        own = Tensors({name: s[b : b + 1] for name, s in state.items()})
        alone, last = runner("loop", cell)(x[:length, b : b + 1], own, weights, None)
        torch.testing.assert_close(outputs[:length, b : b + 1], alone)
        torch.testing.assert_close({k: v[b : b + 1] for k, v in after.items()}, dict(last))


class Adder(Cell):
    """Sums its inputs and its noise, weighted."""

    name = "adder"

    def weights(self, inputs, hidden):
        return {"a": zeros(1)}

    def state(self, hidden):
        return {"h": zeros(1)}

    def step(self, x, s, w):
        return {"h": s.h + x + w.a * w.more}


def add(noise, lengths=None):
    """Run two sequences of zeros over three steps with the weight 10."""
    first, a = Tensors(h=torch.zeros(2, 1)), Tensors(a=torch.tensor([10.0]))
    outputs, after = loop(Adder(), torch.zeros(3, 2, 1), first, a, lengths, Tensors(more=noise))
    return outputs.squeeze(-1), after.h.squeeze(-1)


def test_each_step_reads_its_own_noise():
    outputs, after = add(torch.tensor([[1.0, 4], [2, 5], [3, 6]]).unsqueeze(-1))
    assert outputs.tolist() == [[10, 40], [30, 90], [60, 150]]
    assert after.tolist() == [60, 150]


def test_noise_may_be_one_number_for_all_steps_and_sequences():
    outputs, _ = add(torch.tensor(2.0).expand(3, 2, 1))
    assert outputs.tolist() == [[20, 20], [40, 40], [60, 60]]


def test_noise_after_the_end_of_a_sequence_changes_nothing():
    noise = torch.tensor([[1.0, 4], [2, 5], [3, 6]]).unsqueeze(-1)
    outputs, after = add(noise, torch.tensor([3, 1]))
    assert outputs.tolist() == [[10, 40], [30, 0], [60, 0]]
    assert after.tolist() == [60, 40]


def test_noise_is_a_constant_for_gradients():
    outputs, after = add(torch.ones(3, 2, 1, requires_grad=True))
    assert not outputs.requires_grad
    assert not after.requires_grad


@pytest.mark.parametrize("steps", [2, 4])
def test_noise_for_another_number_of_steps_is_refused(steps):
    with pytest.raises(ValueError, match="zip"):
        add(torch.ones(steps, 2, 1))


def test_a_cell_that_reads_noise_equals_no_layer_of_torch():
    x, state, weights = drawn(LSTM())
    run = runner("torch", LSTM())
    with pytest.raises(InputError, match="`lstm` reads noise, so it equals no layer of torch"):
        run(x, state, weights, None, Tensors(keep=torch.ones(T, B, H)))
    without, empty = run(x, state, weights, None), run(x, state, weights, None, Tensors())
    assert torch.equal(without[0], empty[0])


def test_each_sequence_is_reversed_within_its_length():
    x = torch.tensor([[1, 5], [2, 6], [3, 7]]).unsqueeze(-1)
    lengths = torch.tensor([2, 3])
    assert reverse(x, lengths).squeeze(-1).tolist() == [[2, 7], [1, 6], [3, 5]]
    assert reverse(x, None).squeeze(-1).tolist() == [[3, 7], [2, 6], [1, 5]]
    assert torch.equal(reverse(reverse(x, lengths), lengths), x)


def test_a_step_is_real_until_its_sequence_ends():
    assert within(torch.tensor([1, 3]), 3).tolist() == [[True, True], [False, True], [False, True]]


class Counter(Cell):
    """Two states of different width; the output is the second."""

    name = "counter"
    output = "n"

    def weights(self, inputs, hidden):
        return {}

    def state(self, hidden):
        return {"sum": zeros(hidden), "n": zeros(1)}

    def step(self, x, s, w):
        return {"sum": s.sum + x, "n": s.n + 1}


def count(cell):
    state = Tensors({"sum": torch.zeros(2, 3), "n": torch.zeros(2, 1)})
    return runner("loop", cell)(torch.ones(3, 2, 3), state, Tensors(), torch.tensor([3, 1]))


def test_the_output_may_be_another_state_than_the_first():
    outputs, after = count(Counter())
    assert outputs.squeeze(-1).tolist() == [[1, 1], [2, 0], [3, 0]]
    assert after.n.flatten().tolist() == [3, 1]
    assert after["sum"].tolist() == [[3, 3, 3], [1, 1, 1]]


def test_an_output_that_is_no_state_is_an_error():
    class Lost(Counter):
        output = "h"

    with pytest.raises(PluginError, match="output `h`, but only the states sum, n"):
        count(Lost())


def test_a_step_that_forgets_a_state_is_an_error():
    class Forgetful(Counter):
        def step(self, x, s, w):
            return {"n": s.n + 1}

    with pytest.raises(PluginError, match="declares the states sum, n, but its step returns n"):
        count(Forgetful())


def test_a_step_that_changes_a_width_is_an_error():
    class Wide(Counter):
        def step(self, x, s, w):
            return {"sum": s["sum"], "n": s.n + x}

    with pytest.raises(PluginError, match=r"returns `n` as \[2, 3\], declared are \[2, 1\]"):
        count(Wide())
