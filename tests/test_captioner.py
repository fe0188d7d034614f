"""Decoders that say what is in a picture: how it enters, and what is counted of them."""

import pytest
import torch
from looking import END, MAP, PICTURE, B, H, T, caption, captioned, network

from rnnbench import Batch, Reals, Tokens
from rnnbench.errors import InputError
from rnnbench.nn.sizes import flops, layer_inputs, sizes
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM
from rnnbench_cells.rnn import RNN

WAYS = [
    {},
    {"conditioning": "step"},
    {"attention": "general"},
    {"attention": "additive", "conditioning": "step"},
    {"attention": "hard"},
    {"without": "image"},
]
IDS = [" ".join(way.values()) or "state" for way in WAYS]


@pytest.mark.parametrize("way", WAYS, ids=IDS)
@pytest.mark.parametrize("cell", [LSTM(), GRU(), RNN()], ids=lambda cell: cell.name)
def test_a_whole_caption_is_predicted_as_it_is_word_by_word(cell, way):
    made, batch = network(caption(), cell, **way).eval(), captioned()
    whole = made(batch)
    encoded, states = made.encode(batch), made.encode(batch).firsts
    given = torch.cat([torch.full((1, B), 4), batch.targets[:-1]])
    for step in range(T):
        logits, states, _ = made._decode(given[step : step + 1], encoded, states)
        torch.testing.assert_close(whole[step], logits[0])


@pytest.mark.parametrize("way", WAYS, ids=IDS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("inputs", [PICTURE, MAP], ids=["pictures", "features"])
def test_parameters_and_inputs_are_counted_before_they_exist(inputs, layers, way):
    task, how = caption(inputs), {"layers": layers, **way}
    made, counted = network(task, **how), sizes(LSTM(), task, hidden=H, **how)
    assert counted.parameters == sum(p.numel() for p in made.parameters())
    assert counted.recurrent_parameters == sum(p.numel() for p in made.decoder.parameters())
    assert counted.state == layers * 2 * H
    reads = [one.weight_W.shape[1] for one in made.decoder.forwards]
    assert list(layer_inputs(LSTM(), task, hidden=H, **how)) == reads


def test_products_of_looking_are_counted():
    says = T * (2 * H * (5 + H) + 2 * H * 4)
    blind = flops(RNN(), caption(), hidden=H, without="image")
    assert blind == says
    convolutions = 2 * (3 * 2 * 9 * 12 + 5 * 3 * 9 * 4)
    opened = flops(RNN(), caption(), hidden=H)
    assert opened == says + convolutions + 2 * 7 * 20 + 2 * H * 7
    beside = flops(RNN(), caption(), hidden=H, conditioning="step")
    assert beside == says + T * 2 * H * 7 + convolutions + 2 * 7 * 20


def other_pictures(batch):
    return Batch(batch.inputs.flip(1), batch.targets)


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_who_is_not_blind_says_other_things_of_other_pictures(way):
    made, batch = network(caption(), **way).eval(), captioned()
    same = torch.equal(made(batch), made(other_pictures(batch)))
    assert same == (way == {"without": "image"})


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_every_parameter_learns(way):
    made, batch = network(caption(), **way), captioned()
    made.cost(batch, caption())[0].backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_a_state_is_opened_by_a_map_of_the_picture():
    made, batch = network(caption()), captioned()
    vector = made.encoder.reader(batch.inputs[0], torch.float32)
    firsts = made.encode(batch).firsts
    assert set(firsts) == {"forwards.0.first_h", "forwards.0.first_c"}
    for name in ("h", "c"):
        maps = made.encoder.opening.maps
        expected = vector @ maps[f"0_weight_{name}"].T + maps[f"0_bias_{name}"]
        torch.testing.assert_close(firsts[f"forwards.0.first_{name}"], expected)


def test_with_attention_only_the_mean_of_the_places_opens_it():
    made, batch = network(caption(MAP), attention="general"), captioned(MAP)
    shuffled = Batch(batch.inputs.flip(2), batch.targets)
    firsts, others = made.encode(batch).firsts, made.encode(shuffled).firsts
    for name, first in firsts.items():
        torch.testing.assert_close(first, others[name])
    # a soft look at places in another order is the same look
    torch.testing.assert_close(made(batch), made(shuffled))


def test_at_every_step_the_picture_stands_beside_the_word():
    made, batch = network(caption(MAP), conditioning="step"), captioned(MAP)
    encoded = made.encode(batch)
    assert encoded.firsts is None
    assert torch.equal(encoded.beside, batch.inputs[0].flatten(1))


@pytest.mark.parametrize("inputs", [Reals(3), Tokens(5), Tokens(5, embedding=2)], ids=str)
@pytest.mark.parametrize("conditioning", ["state", "step"])
def test_any_single_input_may_be_said_in_words(inputs, conditioning):
    made, batch = network(caption(inputs), conditioning=conditioning).eval(), captioned(inputs)
    assert made(batch).shape == (T, B, 4)
    assert made.say(batch, 6).shape == (6, B)


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_a_beam_of_one_says_what_is_likeliest_at_each_step(way):
    made, batch = network(caption(), **way).eval(), captioned()
    said = made.say(batch, 6)
    found = made.search(batch, 6, 1)
    ended = (said == END).cumsum(0) > 0
    assert torch.equal(torch.where(ended, END, found), torch.where(ended, END, said))
    assert made.search(batch, 6, 3).shape == (6, B)


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ({"bidirectional": True}, "two directions need a sequence"),
        ({"fusion": "product"}, "and fake has none"),
        ({"without": "question"}, "nothing is left"),
        ({"without": "image", "attention": "general"}, "nothing to look at"),
        ({"without": "image", "conditioning": "step"}, "nothing to look at"),
        ({"attention": "dot"}, "as deep as its features"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(way, message):
    with pytest.raises(InputError, match=message):
        network(caption(), **way)


def test_one_place_is_nothing_to_attend_to():
    with pytest.raises(InputError, match="several places to look at, and fake has one"):
        network(caption(Reals(3)), attention="general")
