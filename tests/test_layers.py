"""The built-in layers: what each sees, and as part of a network."""

from types import SimpleNamespace

import pytest
import torch
from groups import Follow, Guess, member, same, trained
from torch import Generator

from rnnbench import Batch, Classes, Layer, Reals, Tensors, uniform
from rnnbench.errors import OptionError, PluginError
from rnnbench.group.way import Ways
from rnnbench.nn import build, flops, sizes
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM
from rnnbench_cells.peephole_lstm import PeepholeLSTM
from rnnbench_cells.rnn import RNN
from rnnbench_layers.autoregressive import Autoregressive
from rnnbench_layers.bag_of_words import BagOfWords
from rnnbench_layers.mlp import MLP
from rnnbench_layers.tcn import TCN

T, B, X, H = 12, 3, 4, 5
CAUSAL = (BagOfWords(), Autoregressive(), Autoregressive(window=1), TCN(), TCN(blocks=1))
ALL = (*CAUSAL, MLP())
every_layer = pytest.mark.parametrize(
    "layer", ALL, ids=lambda layer: f"{layer.name}-{layer.chosen}"
)
every_causal = pytest.mark.parametrize("layer", CAUSAL, ids=lambda one: f"{one.name}-{one.chosen}")


def seeded(seed=0):
    return Generator().manual_seed(seed)


def weights(layer, inputs=X, hidden=H, steps=T):
    generator = seeded(1)
    drawn = layer.weights(inputs, hidden, steps)
    return Tensors({name: initial.draw(generator) for name, initial in drawn.items()})


def outputs(layer, x, lengths=None):
    return layer.forward(x, lengths, weights(layer))


def sees(layer, last=T - 1):
    """Which steps the output at a step depends on."""
    x = torch.randn(T, 1, X, generator=seeded()).requires_grad_()
    outputs(layer, x)[last].sum().backward()
    return x.grad.abs().sum((1, 2)).nonzero().flatten().tolist()


@every_layer
def test_outputs_stand_at_every_step(layer):
    assert outputs(layer, torch.randn(T, B, X)).shape == (T, B, layer.width(H))


@every_causal
def test_a_causal_layer_sees_nothing_later(layer):
    assert layer.causal
    assert max(sees(layer, last=6)) == 6


def test_what_each_layer_sees():
    assert sees(Autoregressive(window=3)) == [T - 3, T - 2, T - 1]
    assert sees(BagOfWords(nonlinearity="identity")) == list(range(T))
    assert sees(MLP()) == list(range(T))
    # 1 + 2 (kernel − 1) (2^blocks − 1)
    assert len(sees(TCN(kernel=2, blocks=2))) == 7


def test_a_bag_loses_the_order_and_nothing_else():
    x = torch.randn(T, B, X, generator=seeded())
    order = torch.randperm(T, generator=seeded(2))
    layer = BagOfWords()
    torch.testing.assert_close(outputs(layer, x)[-1], outputs(layer, x[order])[-1])
    assert not torch.allclose(outputs(layer, x)[-1], outputs(layer, x + 1)[-1])


def test_a_second_bag_sees_what_order_the_first_one_lost():
    x, order = torch.randn(T, B, X, generator=seeded()), torch.randperm(T, generator=seeded(2))
    targets = torch.zeros(B, dtype=torch.int64)
    one, two = (network(BagOfWords(), layers=layers) for layers in (1, 2))
    torch.testing.assert_close(one(Batch(x, targets)), one(Batch(x[order], targets)))
    assert not torch.allclose(two(Batch(x, targets)), two(Batch(x[order], targets)))


def test_a_linear_window_is_an_autoregression():
    """With the identity and one output, x̂ = Σ a_k x_{t−k} + b."""
    layer = Autoregressive(window=2, nonlinearity="identity")
    w = Tensors(W=torch.tensor([[0.5, -0.25]]), b=torch.tensor([1.0]))
    series = torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1)
    assert layer.forward(series, None, w).flatten().tolist() == [1.5, 1.75, 2.5]


def test_convolutions_equal_those_of_torch():
    layer = TCN(kernel=3, blocks=1)
    w, x = weights(layer), torch.randn(T, B, X, generator=seeded())

    def convolved(z, kernel, bias):
        # ours holds the present first, torch's the present last
        taps = kernel.view(H, 3, -1).flip(1).transpose(1, 2)
        padded = torch.nn.functional.pad(z.permute(1, 2, 0), (2, 0))
        return torch.nn.functional.conv1d(padded, taps, bias).permute(2, 0, 1)

    u = torch.relu(convolved(x, w.A0, w.a0))
    expected = torch.relu(torch.relu(convolved(u, w.B0, w.b0)) + x @ w.R.T)
    torch.testing.assert_close(layer.forward(x, None, w), expected)


def test_a_fixed_length_is_filled_up_or_cut():
    layer, x = MLP(), torch.randn(T, B, X, generator=seeded())
    w = weights(layer)
    padded = torch.cat([x[:8], torch.zeros(4, B, X)])
    short = layer.forward(x[:8], None, w)
    torch.testing.assert_close(short[-1], layer.forward(padded, None, w)[-1])
    longer = torch.cat([x, torch.ones(3, B, X)])
    torch.testing.assert_close(layer.forward(longer, None, w)[-1], layer.forward(x, None, w)[-1])


def task(pattern="many-to-one", steps=T):
    return SimpleNamespace(
        image=None,
        name="fake",
        pattern=pattern,
        inputs=Reals(X),
        targets=Classes(4),
        loss_over_steps="mean",
        sequence_length=steps,
    )


def network(layer, of=None, **how):
    return build(layer, of or task(), hidden=H, backend="torch", generator=seeded(7), **how)


@every_layer
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_changes_no_prediction(layer, bidirectional):
    x, lengths = torch.randn(T, B, X, generator=seeded()), torch.tensor([T, 5, 1])
    net = network(layer, bidirectional=bidirectional, layers=2)
    steps = torch.arange(T).unsqueeze(-1)
    garbage = x.masked_fill((steps >= lengths).unsqueeze(-1), float("nan"))
    predicted = net(Batch(garbage, torch.zeros(B, dtype=torch.int64), lengths))
    for row, length in enumerate(lengths.tolist()):
        alone = net(Batch(x[:length, row : row + 1], torch.zeros(1, dtype=torch.int64)))
        torch.testing.assert_close(predicted[row : row + 1], alone)


@every_layer
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (2, True)])
def test_sizes_are_those_of_the_network(layer, layers, bidirectional):
    how = {"layers": layers, "bidirectional": bidirectional}
    counted = sizes(layer, task(), hidden=H, **how)
    net = network(layer, **how)
    assert counted.parameters == sum(weight.numel() for weight in net.parameters())
    assert counted.state == 0
    assert flops(layer, task(), hidden=H, **how) > 0


def test_the_products_of_a_window_are_counted_by_hand():
    layer = Autoregressive(window=2)
    # W [5, 8] and a read-out [4, 5], two operations a multiply-add
    assert flops(layer, task(), hidden=H) == 2 * (5 * 8 + 4 * 5)


def test_a_layer_of_another_shape_than_it_says_is_named():
    class Narrow(Layer):
        """Forget a column."""

        name = "narrow"
        reference = "none"
        equations = "none"

        def weights(self, inputs, hidden, steps):
            return {"W": uniform(hidden, inputs)}

        def forward(self, x, lengths, w):
            return (x @ w.W.T)[..., 1:]

    batch = Batch(torch.randn(T, B, X), torch.zeros(B, dtype=torch.int64))
    with pytest.raises(PluginError, match=r"layer `narrow` returns \[12, 3, 4\], not \[12, 3, 5\]"):
        network(Narrow())(batch)


@pytest.mark.parametrize("of", [Guess(width=3), Follow(width=4)], ids=lambda of: of.name)
@pytest.mark.parametrize("layer", [BagOfWords, Autoregressive, TCN], ids=lambda one: one.name)
def test_members_train_together_and_leave_the_bits_they_leave_alone(layer, of):
    members = [
        member(layer, of, index=index, kind="layer", backend="torch", dropout=0.2)
        for index in range(3)
    ]
    assert Ways().choose(members[0], layer, of).way == "together"
    together = trained(layer, of, members)
    for one in members:
        assert same(trained(layer, of, [one])[one.key], together[one.key])


@pytest.mark.parametrize(
    ("layer", "chosen"),
    [(Autoregressive, {"window": 0}), (TCN, {"kernel": 1}), (BagOfWords, {"nonlinearity": "x"})],
)
def test_options_that_make_no_sense_are_refused(layer, chosen):
    with pytest.raises(OptionError):
        layer(**chosen)


@every_layer
def test_only_what_knows_the_length_grows_with_it(layer):
    short, long = (sizes(layer, task(steps=steps), hidden=H).parameters for steps in (T, 100 * T))
    assert (long > short) == (layer.name == "mlp")


@pytest.mark.parametrize("cell", [RNN(), LSTM(), GRU(), PeepholeLSTM()], ids=lambda one: one.name)
def test_the_parameters_of_a_recurrent_network_do_not_grow_with_the_length(cell):
    short, long = (sizes(cell, task(steps=steps), hidden=H) for steps in (T, 100 * T))
    assert short == long
