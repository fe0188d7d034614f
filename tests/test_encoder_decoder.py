"""Encoders, decoders and attention: against their equations, step by step, and against search."""

import math
from itertools import product
from types import SimpleNamespace

import pytest
import torch

from rnnbench import Batch, Classes, Sequences, Tokens, assessing
from rnnbench.assessing import assess, parts
from rnnbench.errors import InputError, UnknownNameError
from rnnbench.nn import build, flops, loss, sizes, valid_mask
from rnnbench.nn.attention import Attention
from rnnbench.nn.dropout import rekey
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM
from rnnbench_cells.peephole_lstm import PeepholeLSTM
from rnnbench_cells.rnn import RNN
from rnnbench_layers.tcn import TCN

S, T, B, H = 5, 4, 3, 6
END, UNKNOWN = 3, 0
LENGTHS = torch.tensor([5, 2, 3])
TARGETS = torch.tensor([[1, 2, 1, END], [END, END, END, END], [2, 2, END, END]]).T
KINDS = ("none", "dot", "general", "additive")


def task(*, embedding=None, unknown=UNKNOWN, over="mean"):
    """Stand in for a task: only what a network reads of one."""
    return SimpleNamespace(
        image=None,
        name="fake",
        pattern="sequence-to-sequence",
        inputs=Tokens(7, embedding),
        targets=Sequences(("<unk>", "a", "b", "<END>"), END, " ", unknown, embedding),
        loss_over_steps=over,
        sequence_length=S,
        target_length=T,
    )


def batch(targets=TARGETS):
    generator = torch.Generator().manual_seed(3)
    return Batch(torch.randint(7, (S, B), generator=generator), targets, LENGTHS)


def network(cell=None, of=None, *, backend="loop", **how):
    generator = torch.Generator().manual_seed(7)
    of = of or task()
    return build(cell or LSTM(), of, hidden=H, backend=backend, generator=generator, **how)


# attention, from its equations


def looked_at(attention, query, keys):
    """Weights and what comes out of one query and the keys of one sequence, one by one."""
    energies = []
    for key in keys:
        match attention.kind:
            case "dot":
                energy = query @ key
            case "general":
                energy = query @ attention.W @ key
            case "additive":
                energy = attention.v @ torch.tanh(attention.W @ query + attention.U @ key)
        energies.append(math.exp(energy))
    weights = torch.tensor([energy / sum(energies) for energy in energies])
    context = sum(weight * key for weight, key in zip(weights, keys, strict=True))
    return weights, torch.tanh(attention.C @ torch.cat([context, query]) + attention.b)


@pytest.mark.parametrize("trains", [False, True])
@pytest.mark.parametrize("kind", ["dot", "general", "additive"])
def test_attention_is_its_equations(kind, trains):
    generator = torch.Generator().manual_seed(1)
    wide = H if kind == "dot" else 2 * H
    attention = Attention(kind, H, wide, generator=generator).train(trains)
    queries = torch.randn(T, B, H, generator=generator)
    keys = torch.randn(S, B, wide, generator=generator)
    with torch.no_grad():
        looked = attention(queries, keys, attention.project(keys), LENGTHS)
        out, weights = looked.outputs, looked.weights
        for step, row in product(range(T), range(B)):
            real = keys[: LENGTHS[row], row]
            expected, combined = looked_at(attention, queries[step, row], real)
            assert torch.allclose(weights[step, row, : LENGTHS[row]], expected, atol=1e-6)
            assert torch.allclose(out[step, row], combined, atol=1e-6)
            assert (weights[step, row, LENGTHS[row] :] == 0).all()


def test_dot_needs_equal_widths_and_says_what_does_not():
    with pytest.raises(InputError, match="says twice as much as its decoder; `general` takes both"):
        network(attention="dot", bidirectional=True)
    with pytest.raises(UnknownNameError, match="unknown attention `dots`; did you mean `dot`"):
        network(attention="dots")


def test_attention_needs_a_decoder():
    of = task()
    of.targets, of.pattern = Classes(3), "many-to-one"
    with pytest.raises(InputError, match="attention needs a decoder"):
        network(of=of, attention="general")


# the network


@pytest.mark.parametrize("embedding", [None, 5])
@pytest.mark.parametrize(
    ("attention", "bidirectional"),
    [(kind, both) for kind, both in product(KINDS, (False, True)) if (kind, both) != ("dot", True)],
)
@pytest.mark.parametrize("cell", [LSTM(), GRU(), PeepholeLSTM()], ids=lambda cell: cell.name)
def test_parameters_are_counted_before_they_exist(cell, attention, bidirectional, embedding):
    of = task(embedding=embedding)
    how = {"layers": 2, "bidirectional": bidirectional, "attention": attention}
    made = network(cell, of, **how)
    counted = sizes(cell, of, hidden=H, **how)
    assert counted.parameters == sum(p.numel() for p in made.parameters())
    stacks = [made.encoder.stack, made.decoder]
    in_cells = sum(p.numel() for stack in stacks for p in stack.parameters())
    assert counted.recurrent_parameters == in_cells


def test_products_are_counted_over_both_sequences():
    plain = flops(RNN(), task(), hidden=H)
    both = flops(RNN(), task(), hidden=H, bidirectional=True)
    reads, says = S * 2 * H * (7 + H), T * (2 * H * (5 + H) + 2 * H * 4)
    assert plain == round((reads + says) / S)
    assert both == round((2 * reads + 2 * H * 2 * H + says) / S)
    compared, combined = T * S * H, T * (S * H + H * 2 * H)
    with_dot = flops(RNN(), task(), hidden=H, attention="dot")
    assert with_dot == round((reads + says + 2 * (compared + combined)) / S)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("attention", ["none", "general", "additive"])
@pytest.mark.parametrize("cell", [LSTM(), GRU(), RNN()], ids=lambda cell: cell.name)
def test_a_whole_target_is_predicted_as_it_is_symbol_by_symbol(cell, attention, bidirectional):
    made = network(cell, layers=2, attention=attention, bidirectional=bidirectional)
    whole = made(batch())
    for steps in range(1, T + 1):
        # what comes later in a target changes nothing before it
        part = made(batch(TARGETS[:steps]))
        assert torch.allclose(part, whole[:steps], atol=1e-6)
    assert whole.shape == (T, B, 4)


@pytest.mark.parametrize("backend", ["loop", "torch", "kernel"])
def test_every_backend_predicts_alike(backend):
    expected = network(attention="general", bidirectional=True)(batch())
    found = network(attention="general", bidirectional=True, backend=backend)(batch())
    assert torch.allclose(found, expected, atol=1e-5)


def test_the_decoder_begins_with_the_last_states_of_the_encoder():
    made = network(layers=2)
    encoded = made.encode(batch())
    for row, length in enumerate(LENGTHS.tolist()):
        alone = Batch(batch().inputs[:length, row : row + 1], TARGETS[:, row : row + 1])
        for name, first in made.encode(alone).firsts.items():
            assert torch.allclose(encoded.firsts[name][row], first[0], atol=1e-6)
    assert set(encoded.firsts) == {
        f"forwards.{layer}.first_{name}" for layer in (0, 1) for name in ("h", "c")
    }


def test_two_directions_are_mapped_to_one_state():
    made = network(GRU(), bidirectional=True)
    with torch.no_grad():
        made.encoder.bridge.maps["0_bias_h"].fill_(0.25)
        made.encoder.bridge.maps["0_weight_h"].fill_(0)
        firsts = made.encode(batch()).firsts
        assert torch.equal(firsts["forwards.0.first_h"], torch.full((B, H), 0.25))
        made.encoder.bridge.maps["0_weight_h"].copy_(torch.eye(H, 2 * H).roll(H, 1))
        backward = made.encode(batch()).firsts["forwards.0.first_h"] - 0.25
    reverse, _ = made.encoder.stack.backwards[0](
        torch.nn.functional.one_hot(batch().inputs, 7).float(), LENGTHS
    )
    assert torch.allclose(backward, reverse[0], atol=1e-6)


@pytest.mark.parametrize("attention", KINDS)
def test_what_stands_after_the_end_of_a_source_changes_nothing(attention):
    made, one = network(attention=attention, layers=2), batch()
    other = one.inputs.clone()
    for row, length in enumerate(LENGTHS.tolist()):
        other[length:, row] = 6
    changed = Batch(other, TARGETS, LENGTHS)
    assert not torch.equal(other, one.inputs)
    assert torch.equal(made(changed), made(one))
    assert torch.equal(made.say(changed, T), made.say(one, T))


def test_a_layer_has_no_state_to_begin_with():
    with pytest.raises(InputError, match=r"tcn is for .*, and fake is sequence-to-sequence"):
        network(TCN())


# the loss


def test_symbols_count_up_to_the_first_end():
    mask = valid_mask(batch(), task())
    assert mask.T.tolist() == [
        [True, True, True, True],
        [True, False, False, False],
        [True, True, True, False],
    ]
    # a target without an end counts whole
    assert valid_mask(batch(torch.ones(T, B, dtype=torch.int64)), task()).all()


@pytest.mark.parametrize(("over", "divisor"), [("mean", 8), ("sum", B)])
def test_the_loss_is_the_cross_entropy_of_the_symbols_that_count(over, divisor):
    of = task(over=over)
    logits = torch.randn(T, B, 4, generator=torch.Generator().manual_seed(2))
    surprise = -logits.log_softmax(-1).gather(-1, TARGETS.unsqueeze(-1)).squeeze(-1)
    expected = surprise[valid_mask(batch(), of)].sum() / divisor
    assert torch.allclose(loss(logits, batch(), of), expected)


# saying


def likely(made, one, said):
    """The log-probabilities of saying a sequence, up to its end, for row 0, unknown left out."""
    steps = torch.tensor(said).unsqueeze(1).expand(-1, len(one))
    logits = made(Batch(one.inputs, steps, one.lengths))[:, 0]
    if made.targets.unknown is not None:
        logits[:, made.targets.unknown] = -math.inf
    return logits.log_softmax(-1)[torch.arange(len(said)), torch.tensor(said)]


@pytest.mark.parametrize("attention", KINDS)
def test_what_is_said_is_the_likeliest_symbol_after_what_was_said(attention):
    made = network(GRU(), attention=attention)
    with torch.no_grad():
        made.readout.weight.mul_(10)
        said = made.say(batch(), 6)
        logits = made(Batch(batch().inputs, said, LENGTHS))
    logits[..., UNKNOWN] = -math.inf
    best = logits.argmax(-1)
    ended = (said == END).cumsum(0) - (said == END).long() > 0
    assert torch.equal(torch.where(ended, END, best), said)
    assert torch.equal(made.search(batch(), 6, 1), said)


def test_the_unknown_symbol_is_never_said():
    for unknown, wanted in ((None, UNKNOWN), (UNKNOWN, END)):
        made = network(of=task(unknown=unknown))
        with torch.no_grad():
            made.readout.bias.copy_(torch.tensor([9.0, 0.0, 0.0, 5.0]))
        assert (made.say(batch(), T) == wanted).all()
        assert (made.search(batch(), T, 2) == wanted).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_as_wide_as_there_are_sequences_finds_the_best_of_them(seed):
    made, steps = network(GRU(), attention="dot"), 3
    with torch.no_grad():
        noise = torch.randn(4, H, generator=torch.Generator().manual_seed(seed))
        made.readout.weight.add_(3 * noise)
        one = batch().choose(torch.tensor([0]), "sequence-to-sequence")
        found = made.search(one, steps, 40)[:, 0].tolist()
        each = {}
        for said in product((1, 2, END), repeat=steps):
            cut = list(said[: said.index(END) + 1] if END in said else said)
            each[tuple(cut)] = likely(made, one, cut).mean().item()
    best = max(each, key=each.get)
    assert found[: len(best)] == list(best)
    assert set(found[len(best) :]) <= {END}


def test_each_sequence_is_looked_for_as_if_it_were_alone():
    made = network(attention="general")
    with torch.no_grad():
        made.readout.weight.mul_(20)
    together = made.search(batch(), 6, 3)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = Batch(batch().inputs[:length, row : row + 1], TARGETS[:, row : row + 1])
        assert torch.equal(made.search(alone, 6, 3)[:, 0], together[:, row])


def test_weights_of_what_was_said_are_those_of_saying_it():
    made = network(attention="general")
    weights = made.looked(batch(), TARGETS)
    assert weights.shape == (T, B, S)
    assert torch.allclose(weights.sum(-1), torch.ones(T, B))
    assert network().looked(batch(), TARGETS) is None


# teacher forcing


def taught(ratio):
    """A network in training, told this share of the right symbols, and its predictions.

    It never ends of itself, so that all that it says is given back to it.
    """
    made = network(GRU(), attention="dot", sampled=True)
    with torch.no_grad():
        made.readout.weight.mul_(10)
        made.readout.bias[END] = -100
    made.teacher.ratio.fill_(ratio)
    return made, made(batch())


def test_a_teacher_that_always_tells_changes_nothing():
    made, told = taught(1.0)
    made.teacher = None
    assert torch.equal(made(batch()), told)


def test_without_a_teacher_the_decoder_goes_on_from_what_it_said():
    made, own = taught(0.0)
    said = made.say(batch(), T)
    assert not (said == END).any()
    made.teacher = None
    assert torch.allclose(own, made(Batch(batch().inputs, said, LENGTHS)), atol=1e-6)
    assert not torch.allclose(own, made(batch()), atol=1e-3)


def test_some_symbols_are_told_and_others_not():
    made, _ = taught(0.5)
    coins = torch.stack([_thrown(made, seed) for seed in range(200)])
    assert abs(coins.float().mean() - 0.5) < 0.02
    assert not torch.equal(coins[0], coins[1])


def _thrown(made, seed):
    rekey(made, seed)
    return made.teacher(20, 10)


def test_gradients_flow_through_what_the_decoder_is_given_alone():
    made, own = taught(0.0)
    found = torch.autograd.grad(own.square().sum(), list(made.parameters()))
    given = Batch(batch().inputs, made.say(batch(), T), LENGTHS)
    made.teacher = None
    expected = torch.autograd.grad(made(given).square().sum(), list(made.parameters()))
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


# held-out data


def test_a_held_out_set_is_assessed_freely_and_its_loss_by_what_is_right():
    made, of = network(GRU(), attention="dot"), task()
    found = assess(made, batch(), of)
    assert torch.equal(found.predictions, made.say(batch(), T))
    assert found.loss == pytest.approx(loss(made(batch()), batch(), of).item(), rel=1e-6)
    assert found.references == [("a b a",), ("",), ("b b",)]
    assert all(text == of.targets.text(said) for text, said in _said(found))
    beam = assess(made, batch(), of, beam=3)
    assert torch.equal(beam.predictions, made.search(batch(), T, 3))


def test_predictions_do_not_depend_on_how_a_held_out_set_is_cut(monkeypatch):
    made, of = network(GRU(), attention="additive"), task()
    whole = assess(made, batch(), of, beam=2)
    assert len(list(parts(batch(), of))) == 1
    # so many numbers are those of one sequence and a half
    monkeypatch.setattr(assessing, "MOST_VALUES", 6 * T * 4 // 2)
    assert [len(part) for part in parts(batch(), of, 2)] == [1, 1, 1]
    cut = assess(made, batch(), of, beam=2)
    assert torch.equal(cut.predictions, whole.predictions)
    assert cut.loss == pytest.approx(whole.loss, rel=1e-6)


def _said(found):
    return zip(found.said, found.predictions.T.tolist(), strict=True)
