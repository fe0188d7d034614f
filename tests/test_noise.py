"""Noise that a cell declares: what is drawn for it, when, and what a network makes of it."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from studies import template

from rnnbench import Batch, Between, Classes, Noise, Option, Reals, Tensors
from rnnbench.errors import InputError, PluginError
from rnnbench.member import Member, Seed
from rnnbench.nn import build, flops, loss, rekey, sizes
from rnnbench.nn.dropout import Keyed
from rnnbench.nn.recurrent import Recurrent, Source
from rnnbench.recurrence import runner, within
from rnnbench.registry import Registry, load_registry
from rnnbench.training import train
from rnnbench_cells.lstm import LSTM
from rnnbench_cells.rnn import RNN

T, B, X, H = 5, 4, 2, 3
LENGTHS = torch.tensor([3, 5, 1, 4])


class ZoneoutLSTM(LSTM):
    """LSTM whose states keep their old values at random (Krueger et al. 2017)."""

    options = {
        **LSTM.options,
        "zone_h": Option(0.25, search=Between(0.0, 1.0), low=0.0, high=1.0),
        "zone_c": Option(0.5, search=Between(0.0, 1.0), low=0.0, high=1.0),
    }

    def noise(self, hidden):
        return {
            "keep_h": Noise("mask", hidden, "zone_h"),
            "keep_c": Noise("mask", hidden, "zone_c"),
        }

    def step(self, x, s, w):
        new = super().step(x, s, w)
        return {
            "h": w.keep_h * s.h + (1 - w.keep_h) * new["h"],
            "c": w.keep_c * s.c + (1 - w.keep_c) * new["c"],
        }

    def torch_layer(self):
        return None


class ExpectedLSTM(ZoneoutLSTM):
    """Zoneout's expected value, written by hand."""

    def noise(self, hidden):
        return {}

    def step(self, x, s, w):
        return super().step(x, s, Tensors(w | {"keep_h": w.zone_h, "keep_c": w.zone_c}))


class DroppingRNN(RNN):
    """RNN with one dropout mask a sequence on its recurrence (Gal & Ghahramani 2016)."""

    options = {**RNN.options, "rate": Option(0.5, search=Between(0.0, 0.9), low=0.0, high=0.9)}

    def noise(self, hidden):
        return {"keep": Noise("dropout", hidden, "rate", once=True)}

    def step(self, x, s, w):
        return super().step(x, Tensors(h=w.keep * s.h), w)

    def torch_layer(self):
        return None


class NoisyRNN(RNN):
    """RNN with noise on its preactivation."""

    options = {**RNN.options, "deviation": Option(0.5, search=Between(0.0, 2.0), low=0.0)}

    def noise(self, hidden):
        return {"push": Noise("normal", hidden, "deviation")}

    def step(self, x, s, w):
        return {"h": torch.tanh(x @ w.W.T + s.h @ w.U.T + w.b + w.push)}

    def torch_layer(self):
        return None


NOISY = [ZoneoutLSTM, DroppingRNN, NoisyRNN]
every_cell = pytest.mark.parametrize("cell", NOISY)
every_kind = pytest.mark.parametrize("kind", ["mask", "dropout", "normal"])


def drawn(noise, strength, *, key=7, steps=T, batch=B, training=True, dtype=torch.float32):
    site = Source(noise).train(training)
    site.key.fill_(key)
    return site(torch.tensor(strength), torch.zeros(steps, batch, 1, dtype=dtype))


def task(pattern="many-to-one"):
    """Stand in for a task: only what a network reads of one."""
    return SimpleNamespace(
        image=None,
        name="fake",
        pattern=pattern,
        inputs=Reals(X),
        targets=Classes(4),
        loss_over_steps="mean",
        sequence_length=T,
    )


def network(cell, *, key=1, **how):
    generator = torch.Generator().manual_seed(7)
    net = build(cell, task(), hidden=H, backend="loop", generator=generator, **how)
    rekey(net, key)
    return net


def layer(cell, numeric=None):
    chosen = {name: value for name, value in cell.chosen.items() if isinstance(value, float)}
    return Recurrent(
        cell,
        X,
        H,
        numeric={**chosen, **(numeric or {})},
        backend="loop",
        generator=torch.Generator().manual_seed(7),
    )


def inputs(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5))


def batch():
    return Batch(inputs(T, B, X), torch.zeros(B, dtype=torch.int64))


# what is drawn

DISTRIBUTIONS = [
    ("mask", 0.1, 0.1, 0.1 * 0.9),
    ("mask", 0.5, 0.5, 0.25),
    ("dropout", 0.1, 1.0, 0.1 / 0.9),
    ("dropout", 0.75, 1.0, 3.0),
    ("normal", 0.5, 0.0, 0.25),
    ("normal", 2.0, 0.0, 4.0),
]


@pytest.mark.parametrize(("kind", "strength", "mean", "variance"), DISTRIBUTIONS)
def test_a_kind_has_its_mean_and_variance(kind, strength, mean, variance):
    numbers = drawn(Noise(kind, 100, "p"), strength, steps=100, batch=100).double()
    centred = (numbers - mean).flatten()
    n = centred.numel()
    fourth = centred.pow(4).mean().item()
    # four standard errors of each estimate
    assert centred.mean().item() == pytest.approx(0, abs=4 * (variance / n) ** 0.5)
    spread = 4 * ((fourth - variance**2) / n) ** 0.5
    assert centred.pow(2).mean().item() == pytest.approx(variance, abs=max(spread, 1e-5))


def test_a_mask_is_zero_or_one_and_dropout_zero_or_scaled():
    assert drawn(Noise("mask", 100, "p"), 0.25).unique().tolist() == [0, 1]
    assert drawn(Noise("dropout", 100, "p"), 0.75).unique().tolist() == [0, 4]


def test_normal_noise_is_as_often_in_each_part_as_the_normal_distribution():
    numbers = drawn(Noise("normal", 100, "p"), 1.0, steps=100, batch=100)
    for limit in (-3, -2, -1, 0, 1, 2, 3):
        share = (1 + math.erf(limit / math.sqrt(2))) / 2
        error = (share * (1 - share) / 1e6) ** 0.5
        assert (numbers < limit).double().mean().item() == pytest.approx(share, abs=4 * error)


def test_normal_noise_is_finite_and_symmetric_at_its_ends(monkeypatch):
    ends = torch.tensor([0.0, 1 - 2**-24])
    monkeypatch.setattr("rnnbench.nn.recurrent.uniform", lambda key, shape: ends.view(shape))
    low, high = drawn(Noise("normal", 2, "p"), 1.0, steps=1, batch=1).flatten().tolist()
    assert -low == high == pytest.approx(5.42, abs=0.01)


def correlation(a, b):
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


@every_kind
def test_steps_sequences_and_units_are_drawn_independently(kind):
    numbers = drawn(Noise(kind, 40, "p"), 0.5, steps=50, batch=40)
    limit = 4 / numbers.numel() ** 0.5
    assert abs(correlation(numbers[1:], numbers[:-1])) < limit
    assert abs(correlation(numbers[:, 1:], numbers[:, :-1])) < limit
    assert abs(correlation(numbers[..., 1:], numbers[..., :-1])) < limit


@every_kind
def test_one_draw_a_sequence_is_the_same_at_each_step_and_takes_no_more_memory(kind):
    numbers = drawn(Noise(kind, 40, "p", once=True), 0.5, steps=50, batch=40)
    assert numbers.shape == (50, 40, 40)
    assert torch.equal(numbers, numbers[:1].expand_as(numbers))
    assert numbers.stride(0) == 0
    assert abs(correlation(numbers[0, 1:], numbers[0, :-1])) < 4 / 1600**0.5


@every_kind
def test_a_key_decides_the_draw(kind):
    noise = Noise(kind, 40, "p")
    assert torch.equal(drawn(noise, 0.5, key=1), drawn(noise, 0.5, key=1))
    assert abs(correlation(drawn(noise, 0.5, key=1), drawn(noise, 0.5, key=2))) < 4 / 800**0.5


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize(("kind", "mean"), [("mask", 0.25), ("dropout", 1.0), ("normal", 0.0)])
def test_outside_training_noise_is_its_mean_and_takes_no_memory(kind, mean, once):
    numbers = drawn(Noise(kind, 3, "p", once=once), 0.25, training=False)
    assert torch.equal(numbers, torch.full((T, B, 3), mean))
    assert numbers.stride() == (0, 0, 0)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@every_kind
def test_noise_has_the_type_of_the_inputs(kind, dtype, training):
    assert drawn(Noise(kind, 3, "p"), 0.5, dtype=dtype, training=training).dtype == dtype


@pytest.mark.parametrize("training", [False, True])
@every_kind
def test_no_gradient_reaches_the_strength(kind, training):
    site = Source(Noise(kind, 3, "p")).train(training)
    assert not site(torch.tensor(0.5, requires_grad=True), torch.zeros(T, B, 1)).requires_grad


# what a layer does with it


@pytest.mark.parametrize(
    ("cell", "expected"), [(ZoneoutLSTM, ExpectedLSTM), (DroppingRNN, RNN), (NoisyRNN, RNN)]
)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["equal", "varying"])
def test_evaluation_is_the_loop_with_the_mean_written_by_hand(cell, expected, lengths):
    x = inputs(T, B, X)
    outputs, state = layer(cell()).eval()(x, lengths)
    wanted, after = layer(expected())(x, lengths)
    torch.testing.assert_close(outputs, wanted)
    torch.testing.assert_close(dict(state), dict(after))


@every_cell
def test_training_is_the_loop_with_the_noise_drawn_before(cell):
    one, x = cell(), inputs(T, B, X)
    site = layer(one)
    rekey(site, 3)
    weights = Tensors({name: getattr(site, f"weight_{name}") for name in one.weights(X, H)})
    options = {name: v for name, v in one.chosen.items() if isinstance(v, float)}
    noise = {
        name: drawn(
            declared, options[declared.strength], key=int(getattr(site, f"noise_{name}").key)
        )
        for name, declared in one.noise(H).items()
    }
    given = Tensors(weights | {name: torch.tensor(value) for name, value in options.items()})
    first = Tensors({name: torch.zeros(B, H) for name in one.state(H)})
    wanted, _ = runner("loop", one)(x, first, given, None, Tensors(noise))
    assert torch.equal(site(x, None)[0], wanted)


@every_cell
def test_gradients_are_those_of_finite_differences_where_the_noise_stays(cell):
    site = layer(cell()).double()
    rekey(site, 3)
    names = [name for name, _ in site.named_parameters()]
    free = [p.detach().clone().requires_grad_() for p in site.parameters()]
    slope = inputs(T, B, H).double()

    def run(x, *parameters):
        given = dict(zip(names, parameters, strict=True))
        outputs, state = torch.func.functional_call(site, given, (x, LENGTHS))
        return (outputs * slope).sum() + sum(s.square().sum() for s in state.values())

    x = inputs(T, B, X).double().requires_grad_()
    assert run(x, *free).dtype == torch.float64
    assert torch.autograd.gradcheck(run, (x, *free))


@pytest.mark.parametrize(
    ("cell", "numeric", "quiet"),
    [
        (ZoneoutLSTM, {"zone_h": 0.0, "zone_c": 0.0}, LSTM),
        (DroppingRNN, {"rate": 0.0}, RNN),
        (NoisyRNN, {"deviation": 0.0}, RNN),
    ],
)
def test_a_strength_of_zero_is_the_cell_without_noise(cell, numeric, quiet):
    assert torch.equal(network(cell(), numeric=numeric)(batch()), network(quiet())(batch()))


def test_a_strength_at_its_high_end_is_drawn_too():
    outputs, state = layer(ZoneoutLSTM(), {"zone_h": 1.0, "zone_c": 1.0})(inputs(T, B, X), None)
    assert not outputs.any()
    assert not state["c"].any()
    high = drawn(DroppingRNN().noise(1000)["keep"], 0.9)
    assert high.unique().tolist() == pytest.approx([0, 10])
    assert (high == 0).double().mean().item() == pytest.approx(0.9, abs=0.02)


def test_a_strength_is_read_anew_at_each_call_as_an_option_is():
    site = layer(ZoneoutLSTM())
    site.option_zone_h.fill_(1.0)
    assert not site(inputs(T, B, X), None)[0].any()


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("mask", 1.5, "mask noise, so it is from 0 to 1, not 1.5"),
        ("mask", -0.5, "from 0 to 1, not -0.5"),
        ("dropout", 1.0, "dropout noise, so it is at least 0 and below 1, not 1.0"),
        ("dropout", math.nan, "below 1, not nan"),
        ("normal", -1.0, "normal noise, so it is at least 0 and finite, not -1.0"),
        ("normal", math.inf, "finite, not inf"),
    ],
)
def test_a_strength_that_the_kind_does_not_take_is_an_error(kind, value, told):
    class Unbounded(RNN):
        options = {**RNN.options, "p": Option(0.5)}

        def noise(self, hidden):
            return {"free": Noise(kind, hidden, "p")}

    with pytest.raises(InputError, match=f"cell `rnn`: option `p` is the strength of .*{told}"):
        network(Unbounded(), numeric={"p": value})


def declaring(name, noise):
    class Declaring(RNN):
        options = {**RNN.options, "p": Option(0.5)}

        def noise(self, hidden):
            return {name: noise}

    return Declaring()


def test_noise_shares_its_name_with_no_weight_and_no_option():
    with pytest.raises(PluginError, match="cell `rnn` has weights and noise of one name: U"):
        network(declaring("U", Noise("mask", H, "p")))
    with pytest.raises(PluginError, match="cell `rnn` has options and noise of one name: p"):
        network(declaring("p", Noise("mask", H, "p")))


@pytest.mark.parametrize("strength", ["q", "init"])
def test_a_strength_that_is_no_numeric_option_is_an_error(strength):
    with pytest.raises(PluginError, match=f"`free` has the strength `{strength}`.*known: p"):
        network(declaring("free", Noise("mask", H, strength)))


def test_a_kind_that_does_not_exist_is_an_error():
    with pytest.raises(PluginError, match="kind `masc`; known: mask, dropout, normal"):
        network(declaring("free", Noise("masc", H, "p")))


# what a network does with it


@every_cell
def test_a_network_draws_alike_for_a_seed_and_not_at_all_in_evaluation(cell):
    net = network(cell(), layers=2, bidirectional=True)
    seen = []
    for seed in (1, 1, 2):
        rekey(net, seed)
        seen.append(net(batch()))
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    net.eval()
    calm = net(batch())
    rekey(net, 3)
    assert torch.equal(net(batch()), calm)
    assert not torch.equal(seen[0], calm)


def test_every_name_layer_direction_and_update_has_bits_of_its_own():
    net = network(ZoneoutLSTM(), layers=2, bidirectional=True, dropout=0.5)
    sites = [site for site in net.modules() if isinstance(site, Keyed)]
    assert len(sites) == 2 * 2 * 2 + 2
    seen = []
    for seed in (1, 2, 1):
        rekey(net, seed)
        seen.append([int(site.key) for site in sites])
    assert len({*seen[0], *seen[1]}) == 2 * len(sites)
    assert seen[2] == seen[0]


def test_two_names_are_drawn_independently():
    site = layer(ZoneoutLSTM())
    rekey(site, 1)
    x, strength = torch.zeros(100, 100, 1), torch.tensor(0.5)
    first, second = site.noise_keep_h(strength, x), site.noise_keep_c(strength, x)
    assert abs(correlation(first, second)) < 4 / first.numel() ** 0.5


@pytest.mark.parametrize("pattern", ["many-to-one", "many-to-many"])
@every_cell
def test_padding_changes_neither_loss_nor_gradient_under_noise(cell, pattern):
    of = task(pattern)
    net = build(
        cell(),
        of,
        hidden=H,
        layers=2,
        bidirectional=True,
        backend="loop",
        generator=torch.Generator().manual_seed(7),
    )
    rekey(net, 1)
    real = within(LENGTHS, T)
    targets = torch.zeros(T, B) if pattern == "many-to-many" else torch.zeros(B)

    def run(garbage):
        given = inputs(T, B, X).masked_fill(~real.unsqueeze(-1), garbage).requires_grad_()
        one = Batch(given, targets.long(), LENGTHS)
        return torch.autograd.grad(loss(net(one), one, of), [given, *net.parameters()])

    torch.testing.assert_close(run(math.nan), run(0.0), rtol=0, atol=0)


def test_noise_leaves_the_global_generator_and_the_stored_weights_alone():
    before = torch.get_rng_state()
    net = network(ZoneoutLSTM(), layers=2)
    net(batch()).sum().backward()
    assert torch.equal(torch.get_rng_state(), before)
    added = net.state_dict().keys() - network(LSTM(), layers=2).state_dict().keys()
    assert {name.split(".")[-1] for name in added} == {"option_zone_h", "option_zone_c"}


@pytest.mark.parametrize(("cell", "quiet"), [(c, c.__base__) for c in NOISY])
def test_noise_has_no_size(cell, quiet):
    for count in (sizes, flops):
        assert count(cell(), task(), hidden=H) == count(quiet(), task(), hidden=H)


# training


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


def trained(registry, cell, **numeric):
    """Train a tiny two-layer network of `cell`, in place of the LSTM; return all but the times."""
    known = registry.cell("lstm")
    having = replace(registry, cells={**registry.cells, "lstm": replace(known, cls=cell)})
    base: Member = template(seed=Seed("evaluation", 0, 0))
    net = replace(base.architecture, numeric=numeric, layers=2)
    finished, weights = train(replace(base, architecture=net), having)
    assert finished.status == "ok", finished.reason
    return finished.curve, finished.scores, weights


@pytest.mark.parametrize(
    ("cell", "numeric", "quiet"),
    [
        (ZoneoutLSTM, {"zone_h": 0.2, "zone_c": 0.4}, LSTM),
        (DroppingRNN, {"rate": 0.3}, RNN),
        (NoisyRNN, {"deviation": 0.3}, RNN),
    ],
)
def test_training_under_noise_twice_is_the_same_to_the_last_bit(registry, cell, numeric, quiet):
    first, second = (trained(registry, cell, **numeric) for _ in range(2))
    assert first == second
    assert trained(registry, quiet)[0] != first[0]
