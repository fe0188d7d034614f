"""Hard attention: what it draws, what it reads, and that it learns by REINFORCE."""

import pytest
import torch
from looking import END, B, H, T, caption, captioned, generator, network

from rnnbench import Batch, Features
from rnnbench.nn.attention import Attention
from rnnbench.nn.dropout import rekey
from rnnbench.nn.hard_attention import DECAY, ENTROPY, HardAttention
from rnnbench.nn.loss import costs, valid_mask

PLACES, DEPTH, MANY = 3, 5, 4000


def hard(seed=0):
    return HardAttention(H, DEPTH, generator=generator(seed))


def looked(attention, batch=B):
    queries = torch.randn(T, 1, H, generator=generator(1)).expand(-1, batch, -1)
    keys = torch.randn(PLACES, 1, DEPTH, generator=generator(2)).expand(-1, batch, -1)
    return attention(queries, keys, keys, None), keys


def test_it_scores_as_general_attention_does():
    soft = Attention("general", H, DEPTH, generator=generator())
    one, _ = looked(hard())
    other, _ = looked(soft)
    torch.testing.assert_close(one.scores.softmax(-1), other.weights)


def test_places_are_drawn_as_often_as_their_probability_says():
    attention = hard().train()
    rekey(attention, 1)
    with torch.no_grad():
        attention.W.mul_(3)
        made, _ = looked(attention, MANY)
    assert set(made.weights.unique().tolist()) == {0.0, 1.0}
    assert (made.weights.sum(-1) == 1).all()
    expected = made.scores.softmax(-1)[:, 0]
    torch.testing.assert_close(made.weights.mean(1), expected, atol=0.03, rtol=0)
    assert expected.max() - expected.min() > 0.2
    rekey(attention, 2)
    with torch.no_grad():
        again, _ = looked(attention, MANY)
    assert not torch.equal(again.weights, made.weights)


def test_otherwise_the_likeliest_place_is_read_alone():
    attention = hard().eval()
    with torch.no_grad():
        made, keys = looked(attention)
    best = made.scores.argmax(-1)
    assert torch.equal(made.weights.argmax(-1), best)
    queries = torch.randn(T, 1, H, generator=generator(1)).expand(-1, B, -1)
    read = keys[best[:, 0], 0].unsqueeze(1).expand(-1, B, -1)
    expected = torch.tanh(torch.cat([read, queries], -1) @ attention.C.T + attention.b)
    torch.testing.assert_close(made.outputs, expected)


def test_what_is_no_real_step_is_never_drawn():
    attention, lengths = hard().train(), torch.tensor([1, 2, 3, 1])
    keys = torch.randn(PLACES, B, DEPTH, generator=generator(2))
    queries = torch.randn(50, B, H, generator=generator(1))
    made = attention(queries, keys, keys, lengths)
    for row, length in enumerate(lengths.tolist()):
        assert (made.weights[:, row, length:] == 0).all()
    extra, _ = attention.reinforced(made, torch.ones(50, B), None)
    extra.sum().backward()
    assert attention.W.grad.isfinite().all()


def test_the_gradient_of_where_to_look_is_that_of_reinforce():
    task, batch = caption(), captioned()
    made = network(task, attention="hard").train()
    rekey(made, 3)
    attention = made.attention
    attention.baseline.fill_(-0.5)
    loss, after = made.cost(batch, task)
    found = torch.autograd.grad(loss, attention.W)[0]
    # by hand, from the same draw: only the scores lead to W
    logits, look = made._told(batch)
    cost, mask = costs(logits, batch, task), valid_mask(batch, task)
    assert loss.item() == pytest.approx((cost * mask).sum().item() / mask.sum().item())
    probability = look.scores.softmax(-1)
    at = probability.gather(-1, look.weights.argmax(-1, keepdim=True)).squeeze(-1)
    entropy = -(probability * probability.log()).sum(-1)
    each = (-cost.detach() + 0.5) * at.log() + ENTROPY * entropy
    expected = torch.autograd.grad(-(each * mask).sum() / mask.sum(), attention.W)[0]
    torch.testing.assert_close(found, expected)
    average = -(cost * mask).sum() / mask.sum()
    assert after["attention.baseline"].item() == pytest.approx(
        DECAY * -0.5 + (1 - DECAY) * average.item()
    )
    assert made.running == ("attention.baseline",)


def test_it_learns_to_look_at_the_place_that_tells():
    """One of three places holds which word is right, marked by its first number."""
    places = Features(PLACES, 4)
    task = caption(places, target_length=2)
    made = network(task, attention="hard", conditioning="step").train()
    optimizer = torch.optim.Adam(made.parameters(), lr=0.02)

    def drawn(seed, size=64):
        numbers = generator(seed)
        where = torch.randint(PLACES, (size,), generator=numbers)
        word = torch.randint(3, (size,), generator=numbers)
        noise = torch.randint(3, (size, PLACES), generator=numbers)
        noise[torch.arange(size), where] = word
        inputs = torch.zeros(1, size, PLACES, 4)
        inputs[0, torch.arange(size), where, 0] = 1
        inputs[0, :, :, 1:] = torch.nn.functional.one_hot(noise, 3)
        return Batch(inputs, torch.stack([word, torch.full((size,), END)])), where

    for update in range(300):
        rekey(made, update)
        batch, _ = drawn(update)
        optimizer.zero_grad()
        loss, after = made.cost(batch, task)
        loss.backward()
        optimizer.step()
        made.attention.baseline.copy_(after["attention.baseline"])
    batch, where = drawn(10_000, 500)
    made.eval()
    weights = made.looked(batch, batch.targets)
    assert (weights[0].argmax(-1) == where).double().mean() > 0.95
    assert (made.say(batch, 2)[0] == batch.targets[0]).double().mean() > 0.95
