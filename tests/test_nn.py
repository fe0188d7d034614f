"""Networks around cells: stacking, directions, lengths, dropout, read-out, loss and sizes."""

import math
from types import SimpleNamespace

import pytest
import torch

from rnnbench import Batch, Cell, Classes, Labels, Option, Reals, Tokens, orthogonal, uniform
from rnnbench.errors import InputError, OptionError, PluginError, UnknownNameError
from rnnbench.initial import constant
from rnnbench.nn import Sizes, build, flops, loss, rekey, sizes, valid_mask
from rnnbench.nn.dropout import Dropout
from rnnbench.nn.readout import Readout
from rnnbench.recurrence import within
from rnnbench_cells.cifg_lstm import CIFGLSTM
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM
from rnnbench_cells.peephole_lstm import PeepholeLSTM
from rnnbench_cells.rnn import RNN

T, B, X, H = 5, 4, 2, 3
LENGTHS = torch.tensor([3, 5, 1, 4])


def task(pattern="many-to-one", *, inputs=None, targets=None, over="mean"):
    """Stand in for a task: only what a network reads of one."""
    return SimpleNamespace(
        image=None,
        name="fake",
        pattern=pattern,
        inputs=inputs or Reals(X),
        targets=targets or Classes(4),
        loss_over_steps=over,
        sequence_length=T,
    )


def network(cell, of=None, *, seed=7, backend="loop", **how):
    generator = torch.Generator().manual_seed(seed)
    return build(
        cell, of or task(), hidden=H, backend=backend, generator=generator, numeric=None, **how
    )


def inputs(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5))


class Projected(Cell):
    """A cell whose output is narrower than its memory and which does not start at zero."""

    name = "projected"
    output = "h"
    options = {"leak": Option(0.5, low=0.0, high=1.0)}

    def weights(self, inputs, hidden):
        return {
            "W": uniform(hidden, inputs),
            "U": uniform(hidden, 2),
            "P": orthogonal(2, hidden),
            "peep": uniform(3, hidden),
        }

    def state(self, hidden):
        return {"c": constant(0.25, hidden), "h": constant(0.5, 2)}

    def step(self, x, s, w):
        new = torch.tanh(x @ w.W.T + s.h @ w.U.T + w.peep[0] * s.c)
        c = w.leak * s.c + (1 - w.leak) * new
        return {"c": c, "h": c @ w.P.T}


CELLS = [
    LSTM(),
    GRU(),
    GRU(reset="before"),
    RNN(),
    RNN(nonlinearity="relu"),
    RNN(nonlinearity="identity"),
    PeepholeLSTM(),
    PeepholeLSTM(peepholes="full"),
    CIFGLSTM(),
    Projected(),
]


def named(value):
    if isinstance(value, str):
        return value
    return "-".join([value.name, *(v for v in value.chosen.values() if isinstance(v, str))])


# two layers, two directions, against torch


@pytest.mark.parametrize("backend", ["loop", "torch"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize(
    ("cell", "layer"),
    [(LSTM(), torch.nn.LSTM), (GRU(), torch.nn.GRU), (RNN(), torch.nn.RNN)],
    ids=["lstm", "gru", "rnn"],
)
def test_two_layers_equal_those_of_torch(cell, layer, bidirectional, backend):
    stack = network(cell, backend=backend, layers=2, bidirectional=bidirectional).stack
    module = layer(X, H, num_layers=2, bidirectional=bidirectional)
    ours = [
        direction
        for pair in zip(stack.forwards, stack.backwards or [None, None], strict=True)
        for direction in pair
        if direction is not None
    ]
    with torch.no_grad():
        for direction, suffix in zip(ours, ["l0", "l0_reverse", "l1", "l1_reverse"], strict=False):
            name = suffix if bidirectional else f"l{ours.index(direction)}"
            getattr(module, f"weight_ih_{name}").copy_(direction.weight_W)
            getattr(module, f"weight_hh_{name}").copy_(direction.weight_U)
            bias = getattr(module, f"bias_ih_{name}").copy_(direction.weight_b)
            getattr(module, f"bias_hh_{name}").zero_()
            if cell.name == "lstm":
                bias[H : 2 * H] += 1
    x = inputs(T, B, X).requires_grad_()
    slope = inputs(T, B, stack.width)

    (outputs, last, _), expected = stack(x, None), module(x)[0]

    torch.testing.assert_close(outputs, expected)
    assert torch.equal(last[:, :H], outputs[-1, :, :H])
    assert torch.equal(last[:, H:], outputs[0, :, H:])
    got = torch.autograd.grad((outputs * slope).sum(), [x, *(d.weight_W for d in ours)])
    wanted = torch.autograd.grad(
        (expected * slope).sum(),
        [x, *(p for n, p in module.named_parameters() if n.startswith("weight_ih"))],
    )
    torch.testing.assert_close(got, wanted)


# lengths

RUNS = [(cell, "loop") for cell in CELLS] + [
    (cell, "torch") for cell in CELLS if cell.torch_layer() is not None
]


@pytest.mark.parametrize("pattern", ["many-to-one", "many-to-many"])
@pytest.mark.parametrize(("cell", "backend"), RUNS, ids=named)
def test_padding_changes_neither_loss_nor_gradient(cell, backend, pattern):
    of = task(pattern, targets=Reals(2))
    net = network(cell, of, backend=backend, layers=2, bidirectional=True)
    real = within(LENGTHS, T).unsqueeze(-1)
    x = inputs(T, B, X)
    y = inputs(T, B, 2) if pattern == "many-to-many" else inputs(B, 2)

    def run(garbage):
        targets = y.masked_fill(~real, garbage) if pattern == "many-to-many" else y
        given = x.masked_fill(~real, garbage).requires_grad_()
        cost = loss(net(batch := Batch(given, targets, LENGTHS)), batch, of)
        return cost, torch.autograd.grad(cost, [given, *net.parameters()])

    clean, dirty = run(0.0), run(math.nan)

    assert clean[0].isfinite()
    torch.testing.assert_close(dirty, clean, rtol=0, atol=0)


@pytest.mark.parametrize("pattern", ["many-to-one", "many-to-many"])
@pytest.mark.parametrize(("cell", "backend"), RUNS, ids=named)
def test_a_sequence_is_predicted_as_it_is_alone(cell, backend, pattern):
    net = network(cell, task(pattern), backend=backend, layers=2, bidirectional=True)
    x = inputs(T, B, X)
    together = net(Batch(x, x, LENGTHS))
    for b, length in enumerate(LENGTHS.tolist()):
        own = x[:length, b : b + 1]
        alone = net(Batch(own, own))
        mine = together[b : b + 1] if pattern == "many-to-one" else together[:length, b : b + 1]
        torch.testing.assert_close(mine, alone)


def test_symbols_reach_the_network_one_hot_and_padding_may_hold_any_number():
    net = network(RNN(), task(inputs=Tokens(3)))
    symbols = torch.tensor([[2, 0], [1, 99]])
    lengths = torch.tensor([2, 1])

    predictions = net(Batch(symbols, symbols, lengths))

    one_hot = torch.tensor([[[0.0, 0, 1], [1, 0, 0]], [[0, 1, 0], [0, 0, 0]]])
    same = network(RNN(), task(inputs=Reals(3)))
    assert torch.equal(predictions, same(Batch(one_hot, symbols, lengths)))


# read-out


def readout(pattern, inputs=2):
    generator = torch.Generator().manual_seed(3)
    return Readout(pattern, inputs, 1, generator=generator)


@pytest.mark.parametrize("backend", ["kernel", "torch", "loop"])
def test_the_last_output_is_forward_at_the_last_real_step_and_backward_at_the_first(backend):
    stack = network(LSTM(), backend=backend, layers=2, bidirectional=True).stack
    outputs, last, _ = stack(inputs(T, B, X), LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        assert torch.equal(last[row, :H], outputs[length - 1, row, :H])
        assert torch.equal(last[row, H:], outputs[0, row, H:])


def test_many_to_one_reads_what_is_said_last():
    read, last = readout("many-to-one"), inputs(B, 2)
    torch.testing.assert_close(read(inputs(T, B, 2), last), last @ read.weight.T + read.bias)


def test_many_to_many_reads_each_step():
    read, outputs = readout("many-to-many"), inputs(T, B, 2)
    torch.testing.assert_close(read(outputs, outputs[-1]), outputs @ read.weight.T + read.bias)


def test_the_read_out_starts_within_one_over_root_fan_in_and_without_bias():
    read = readout("many-to-one", inputs=400)
    assert 0.04 < read.weight.abs().max() <= 0.05
    assert read.bias.tolist() == [0.0]


# dropout


def dropped(rate, key, x):
    site = Dropout(rate)
    site.key.fill_(key)
    return site(x)


def test_a_key_decides_the_mask():
    x = torch.ones(1000)
    assert torch.equal(dropped(0.5, 11, x), dropped(0.5, 11, x))
    agree = (dropped(0.5, 11, x) == dropped(0.5, 12, x)).float().mean()
    assert 0.45 < agree < 0.55


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_zeroes_at_its_rate_and_keeps_the_mean(rate):
    result = dropped(rate, 3, torch.ones(200, 500))
    assert (result == 0).float().mean().item() == pytest.approx(rate, abs=0.01)
    # columns scatter as independent draws do
    scatter = (rate * (1 - rate) / 200) ** 0.5
    assert (result == 0).float().mean(0).std().item() == pytest.approx(scatter, rel=0.15)
    torch.testing.assert_close(result[result != 0].unique(), torch.tensor([1 / (1 - rate)]))


def test_dropout_rests_outside_training():
    site = Dropout(0.5).eval()
    x = inputs(T, B, X)
    assert site(x) is x


def test_a_rate_of_zero_drops_nothing_and_of_one_is_an_error():
    assert torch.equal(dropped(0.0, 3, torch.ones(1000)), torch.ones(1000))
    with pytest.raises(InputError, match="at least 0 and below 1, not 1"):
        Dropout(1.0)


def test_every_site_and_every_update_has_bits_of_its_own():
    net = network(RNN(), layers=3, dropout=0.5)
    seen = []
    for seed in (1, 2, 1):
        rekey(net, seed)
        seen.append([int(site.key) for site in net.stack.dropouts])
    assert len({*seen[0], *seen[1]}) == 6
    assert seen[2] == seen[0]


def test_a_network_drops_alike_for_a_seed_and_not_at_all_in_evaluation():
    net, whole = network(RNN(), layers=2, dropout=0.5), network(RNN(), layers=2)
    batch = Batch(x := inputs(T, B, X), x)
    seen = []
    for seed in (1, 1, 2):
        rekey(net, seed)
        seen.append(net(batch))
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    assert torch.equal(net.eval()(batch), whole(batch))


# building


def test_all_initial_values_come_from_the_generator():
    before = torch.get_rng_state()
    first, again, other = (network(LSTM(), layers=2, seed=seed) for seed in (7, 7, 8))
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.readout.weight, other.readout.weight)
    assert not torch.equal(first.stack.forwards[0].weight_U, first.stack.forwards[1].weight_U)


def test_running_a_network_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    net = network(LSTM(), backend="torch", layers=2, dropout=0.5)
    net(Batch(x := inputs(T, B, X), x)).sum().backward()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_numeric_option_is_as_chosen_in_the_cell_unless_given():
    def bias(cell, numeric):
        net = build(
            cell,
            task(),
            hidden=H,
            numeric=numeric,
            backend="loop",
            generator=torch.Generator(),
        )
        return net.stack.forwards[0].option_forget_bias.item()

    assert bias(LSTM(), None) == 1.0
    assert bias(LSTM(forget_bias=3.0), {}) == 3.0
    assert bias(LSTM(forget_bias=3.0), {"forget_bias": 2.0}) == 2.0


def test_a_numeric_option_that_does_not_exist_or_does_not_fit_is_an_error():
    def give(cell, **numeric):
        build(cell, task(), hidden=H, numeric=numeric, backend="loop", generator=torch.Generator())

    with pytest.raises(UnknownNameError, match="unknown numeric option of cell `lstm`"):
        give(LSTM(), forget=1.0)
    with pytest.raises(UnknownNameError, match="`peepholes`"):
        give(PeepholeLSTM(), peepholes=1.0)
    with pytest.raises(OptionError, match="`leak` is at most 1"):
        give(Projected(), leak=2.0)


def test_a_weight_and_an_option_of_one_name_are_an_error():
    class Twice(Projected):
        options = {"W": Option(0.5)}

    with pytest.raises(PluginError, match="weights and options of one name: W"):
        network(Twice())


def test_a_network_can_be_told_how_to_run_but_not_as_what_it_is_not():
    with pytest.raises(InputError, match="backend `torch` cannot run cell `cifg_lstm`"):
        network(CIFGLSTM(), backend="torch")


# sizes


@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", CELLS, ids=named)
def test_counted_parameters_are_those_of_the_network(cell, layers, bidirectional):
    net = network(cell, layers=layers, bidirectional=bidirectional)
    counted = sizes(cell, task(), hidden=H, layers=layers, bidirectional=bidirectional)
    assert counted.parameters == sum(p.numel() for p in net.parameters())
    assert counted.recurrent_parameters == sum(p.numel() for p in net.stack.parameters())
    states = [b.numel() for n, b in net.named_buffers() if ".first_" in n]
    assert counted.state == sum(states)


def test_sizes_can_be_counted_by_hand():
    # 4 gates × 3 rows × (2 inputs + 3 state + 1 bias), read-out 4 × 3 + 4
    assert sizes(LSTM(), task(), hidden=3) == Sizes(
        parameters=72 + 16, recurrent_parameters=72, state=6
    )
    assert flops(LSTM(), task(), hidden=3) == 2 * (4 * 3 * (2 + 3) + 4 * 3)
    # a vector is no matrix: 4 × 2 + 4 × 2 + 2 × 4 products, "peep" none
    assert flops(Projected(), task(), hidden=4) == 2 * (4 * X + 4 * 2 + 2 * 4 + 2 * 4)
    assert sizes(Projected(), task(), hidden=4).state == 6


class Halved(RNN):
    """Reads a number of its state, which a tensor without numbers has not."""

    def step(self, x, s, w):
        new = super().step(x, s, w)
        return {"h": new["h"] / 2} if new["h"].sum() > 0 else new


def test_the_products_of_a_step_that_reads_its_numbers_are_counted_too():
    assert flops(Halved(), task(), hidden=H) == flops(RNN(), task(), hidden=H)


def test_a_symbol_counts_as_its_one_hot_row():
    for count in (sizes, flops):
        assert count(RNN(), task(inputs=Tokens(10)), hidden=H) == count(
            RNN(), task(inputs=Reals(10)), hidden=H
        )


def test_a_huge_network_is_counted_without_being_made():
    assert sizes(RNN(), task(), hidden=10**7).recurrent_parameters == 10**7 * (10**7 + 3)


# loss


def test_labels_cost_the_sum_of_their_binary_cross_entropies():
    of = task("many-to-many", targets=Labels(3))
    logits = inputs(T, B, 3).requires_grad_()
    truth = (inputs(T, B, 3) > 0).float()
    hidden = truth.clone()
    hidden[2:, 0] = float("nan")
    lengths = torch.tensor([2, T, T, T])
    value = loss(logits, Batch(inputs(T, B, X), hidden, lengths), of)
    each = -(truth * logits.sigmoid().log() + (1 - truth) * (1 - logits.sigmoid()).log()).sum(-1)
    real = within(lengths, T)
    torch.testing.assert_close(value, each[real].mean())
    assert torch.autograd.grad(value, logits)[0].isfinite().all()


def test_one_step_with_one_target_is_read_like_a_sequence_of_one():
    nets = [network(LSTM(), task(pattern)) for pattern in ("one-to-one", "many-to-one")]
    batch = Batch(inputs(1, B, X), torch.zeros(B, dtype=torch.int64))
    assert torch.equal(nets[0](batch), nets[1](batch))
    assert valid_mask(batch, task("one-to-one")) is None


def test_symbols_may_be_rows_of_a_trained_table():
    of = task(inputs=Tokens(7, embedding=X))
    net = network(LSTM(), of)
    tokens = torch.randint(7, (T, B), generator=torch.Generator().manual_seed(0))
    batch = Batch(tokens, torch.zeros(B, dtype=torch.int64), LENGTHS)
    outputs, last, _ = net.stack(net.reader.table[tokens], LENGTHS)
    assert torch.equal(net(batch), net.readout(outputs, last))
    # padding may hold any number
    garbage = torch.where(within(LENGTHS, T), tokens, -99)
    assert torch.equal(net(Batch(garbage, batch.targets, LENGTHS)), net(batch))
    assert net.reader.table.var().item() == pytest.approx(1.0, abs=0.4)


def test_the_table_counts_as_parameters_of_the_network_alone():
    plain, embedded = (
        sizes(LSTM(), task(inputs=one), hidden=H) for one in (Reals(X), Tokens(7, embedding=X))
    )
    assert embedded.parameters == plain.parameters + 7 * X
    assert embedded.recurrent_parameters == plain.recurrent_parameters
    net = network(LSTM(), task(inputs=Tokens(7, embedding=X)))
    assert sum(weight.numel() for weight in net.parameters()) == embedded.parameters


def test_classes_cost_their_cross_entropy():
    predictions = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]])
    batch = Batch(torch.zeros(1, 2, 1), torch.tensor([0, 1]))
    cost = loss(predictions, batch, task(targets=Classes(2)))
    assert cost.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_reals_cost_their_squared_error_averaged_over_the_width():
    batch = Batch(torch.zeros(1, 2, 1), torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    cost = loss(torch.tensor([[1.0, 3.0], [1.0, 1.0]]), batch, task(targets=Reals(2)))
    assert cost.item() == 2.5


STEPS = Batch(
    inputs=torch.zeros(3, 2, 1),
    targets=torch.zeros(3, 2, 1),
    lengths=torch.tensor([3, 1]),
    mask=torch.tensor([[True, True], [False, True], [True, True]]),
)
ERRORS = torch.tensor([[1.0, 2.0], [9.0, 9.0], [3.0, 9.0]]).unsqueeze(-1)


def test_steps_are_averaged_over_those_that_count():
    of = task("many-to-many", targets=Reals(1))
    assert loss(ERRORS, STEPS, of).item() == pytest.approx((1 + 4 + 9) / 3)


def test_steps_may_be_summed_over_each_sequence():
    of = task("many-to-many", targets=Reals(1), over="sum")
    assert loss(ERRORS, STEPS, of).item() == pytest.approx((1 + 4 + 9) / 2)


def test_targets_that_do_not_count_may_hold_any_number():
    of = task("many-to-many", targets=Classes(2))
    batch = Batch(
        STEPS.inputs, torch.tensor([[1, 1], [-7, -7], [1, 99]]), STEPS.lengths, STEPS.mask
    )
    assert loss(torch.zeros(3, 2, 2), batch, of).item() == pytest.approx(math.log(2))


def test_steps_count_within_lengths_and_mask():
    of = task("many-to-many")
    x, y, lengths, mask = STEPS.inputs, STEPS.targets, STEPS.lengths, STEPS.mask
    assert valid_mask(STEPS, of).tolist() == [[True, True], [False, False], [True, False]]
    assert torch.equal(valid_mask(Batch(x, y, lengths), of), within(lengths, 3))
    assert torch.equal(valid_mask(Batch(x, y, mask=mask), of), mask)
    assert valid_mask(Batch(x, y), of) is None
    assert valid_mask(STEPS, task("many-to-one")) is None


def test_targets_of_another_shape_are_an_error():
    # [batch, 1] against [batch] would silently broadcast to [batch, batch]
    batch = Batch(torch.zeros(1, 2, 1), torch.zeros(2))
    with pytest.raises(PluginError, match=r"`fake` has targets \[2\].*predicts \[2, 1\]"):
        loss(torch.zeros(2, 1), batch, task(targets=Reals(1)))
