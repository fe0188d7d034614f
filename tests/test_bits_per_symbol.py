from math import log

import pytest
import torch

from rnnbench_metrics.bits_per_symbol import BitsPerSymbol
from rnnbench_metrics.cross_entropy import CrossEntropy


def test_a_fair_choice_between_four_is_two_bits():
    assert BitsPerSymbol().measure(torch.zeros(5, 3, 4), torch.zeros(5, 3).long(), None) == 2.0


def test_it_is_the_mean_of_bits_and_not_the_bits_of_a_mean():
    logits = torch.tensor([[0.0, 0.0], [log(3.0), 0.0]])
    # probabilities 1/2 and 1/4: one bit and two
    value = BitsPerSymbol().measure(logits, torch.tensor([1, 1]), None)
    assert value == pytest.approx(1.5)


def test_it_is_cross_entropy_in_bits_and_masked_steps_do_not_count():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 6, 3, generator=generator)
    targets = torch.randint(3, (5, 6), generator=generator)
    mask = torch.rand(5, 6, generator=generator) < 0.5
    nats = CrossEntropy().measure(logits, targets, mask)
    value = BitsPerSymbol().measure(logits, targets, mask)
    assert type(value) is float
    assert value == pytest.approx(nats / log(2), rel=1e-14)
    spoilt = torch.where(mask.unsqueeze(-1), logits, -1e6 * logits)
    assert BitsPerSymbol().measure(spoilt, targets, mask) == value


def test_it_keeps_what_float32_would_round_away():
    value = BitsPerSymbol().measure(torch.tensor([[0.0, -20.0]]), torch.tensor([0]), None)
    assert value == pytest.approx(2.0611536e-9 / log(2), rel=1e-6)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match="do not belong to"):
        BitsPerSymbol().measure(torch.zeros(4, 1), torch.zeros(3).long(), None)
