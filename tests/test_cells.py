"""Every built-in cell does what its paper says."""

import numpy as np
import numpy_cells
import pytest
import torch

from rnnbench import Tensors
from rnnbench.errors import OptionError
from rnnbench.recurrence import runner
from rnnbench_cells import cifg_lstm, gru, lstm, peephole_lstm, rnn

T, B, X, H = 4, 3, 2, 3

VARIANTS = {
    "rnn": (rnn.RNN(), numpy_cells.rnn(np.tanh)),
    "rnn relu": (rnn.RNN(nonlinearity="relu"), numpy_cells.rnn(lambda z: np.maximum(z, 0))),
    "rnn identity": (rnn.RNN(nonlinearity="identity"), numpy_cells.rnn(lambda z: z)),
    "lstm": (lstm.LSTM(), numpy_cells.lstm),
    "gru": (gru.GRU(), numpy_cells.gru_after),
    "gru before": (gru.GRU(reset="before"), numpy_cells.gru_before),
    "peephole_lstm": (peephole_lstm.PeepholeLSTM(), numpy_cells.peephole_diagonal),
    "peephole_lstm full": (
        peephole_lstm.PeepholeLSTM(peepholes="full"),
        numpy_cells.peephole_full,
    ),
    "cifg_lstm": (cifg_lstm.CIFGLSTM(), numpy_cells.cifg),
}

MODULES = (cifg_lstm, gru, lstm, peephole_lstm, rnn)


@pytest.fixture(params=VARIANTS)
def variant(request):
    return VARIANTS[request.param]


def drawn(cell):
    """Return inputs, states and weights of a cell in float64, none of them zero."""
    draw = torch.Generator().manual_seed(3)

    def normal(*shape):
        return torch.randn(shape, generator=draw, dtype=torch.float64)

    state = {name: normal(B, *first.shape) for name, first in cell.state(H).items()}
    weights = {name: normal(*weight.shape) for name, weight in cell.weights(X, H).items()}
    options = {name: 0.5 + normal() for name, option in cell.options.items() if option.numeric}
    return normal(T, B, X), Tensors(state), Tensors(weights | options)


def test_a_cell_equals_its_paper(variant):
    cell, paper = variant
    x, state, weights = drawn(cell)

    outputs, after = runner("loop", cell)(x, state, weights, None)

    arrays = {name: tensor.numpy() for name, tensor in weights.items()}
    for b in range(B):
        expected = {name: tensor[b].numpy() for name, tensor in state.items()}
        for t in range(T):
            expected = paper(x[t, b].numpy(), expected, arrays)
            np.testing.assert_allclose(outputs[t, b], expected["h"], rtol=1e-12, atol=1e-14)
        for name, value in expected.items():
            np.testing.assert_allclose(after[name][b], value, rtol=1e-12, atol=1e-14)


def test_gradients_through_a_sequence_equal_finite_differences(variant):
    cell, _ = variant
    x, state, weights = drawn(cell)
    lengths = torch.tensor([T, 1, 2])

    def run(x, *values):
        states = Tensors(zip(state, values[: len(state)], strict=True))
        rest = Tensors(zip(weights, values[len(state) :], strict=True))
        outputs, after = runner("loop", cell)(x, states, rest, lengths)
        return outputs, *after.values()

    given = (x, *state.values(), *weights.values())
    assert torch.autograd.gradcheck(run, [tensor.requires_grad_() for tensor in given])


def test_the_linear_recurrence_can_be_followed_by_hand():
    cell = rnn.RNN(nonlinearity="identity")
    weights = Tensors(W=torch.tensor([[2.0]]), U=torch.tensor([[0.5]]), b=torch.tensor([1.0]))
    x = torch.tensor([1.0, 0.0, 3.0]).view(3, 1, 1)

    outputs, _ = runner("loop", cell)(x, Tensors(h=torch.tensor([[4.0]])), weights, None)

    assert outputs.flatten().tolist() == [5.0, 3.5, 8.75]


def test_a_forget_bias_of_one_opens_the_forget_gate_at_the_start():
    for cell in (lstm.LSTM(), peephole_lstm.PeepholeLSTM(), cifg_lstm.CIFGLSTM()):
        assert cell.chosen["forget_bias"] == 1.0
        weights = {name: torch.zeros(w.shape) for name, w in cell.weights(1, 1).items()}
        weights |= {"forget_bias": torch.tensor(1.0)}
        state = Tensors(h=torch.zeros(1, 1), c=torch.ones(1, 1))

        after = cell.step(torch.zeros(1, 1), state, Tensors(weights))

        assert after["c"].item() == pytest.approx(1 / (1 + np.exp(-1)))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_module_provides_one_cell_named_after_it_with_a_full_card(module):
    (cell,) = module.rnnbench_provide_cells()
    assert module.__name__ == f"rnnbench_cells.{cell.name}"
    assert {"variant", "biases", "initialisation"} <= cell.card.keys()
    assert cell.reference
    assert "h_t = " in cell.equations


def test_an_unknown_variant_is_an_error():
    with pytest.raises(OptionError, match="`reset` takes one of after, before, not 'between'"):
        gru.GRU(reset="between")


@pytest.mark.parametrize(
    "cell",
    [rnn.RNN, lstm.LSTM, gru.GRU, peephole_lstm.PeepholeLSTM, cifg_lstm.CIFGLSTM],
    ids=lambda cell: cell.name,
)
def test_init_decides_the_recurrent_matrix_and_nothing_else(cell):
    drawn = {
        init: {
            key: initial.draw(torch.Generator().manual_seed(1))
            for key, initial in cell(init=init).weights(3, 16).items()
        }
        for init in ("uniform", "orthogonal")
    }
    for gate in drawn["orthogonal"]["U"].split(16):
        torch.testing.assert_close(gate @ gate.T, torch.eye(16))
    assert drawn["uniform"]["U"].abs().max() <= 0.25
    assert drawn["uniform"]["U"].std() == pytest.approx(0.25 / 3**0.5, rel=0.1)
    assert drawn["uniform"]["W"].equal(drawn["orthogonal"]["W"])
