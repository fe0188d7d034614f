from math import inf, log

import pytest
import torch

from rnnbench_metrics.bits_per_symbol import BitsPerSymbol
from rnnbench_metrics.perplexity import Perplexity


def test_a_fair_choice_between_four_has_perplexity_four():
    value = Perplexity().measure(torch.zeros(5, 3, 4), torch.zeros(5, 3).long(), None)
    assert value == pytest.approx(4.0)


def test_it_is_a_geometric_mean():
    logits = torch.tensor([[0.0, 0.0], [log(7.0), 0.0]])
    # probabilities 1/2 and 1/8: √(2 · 8)
    assert Perplexity().measure(logits, torch.tensor([0, 1]), None) == pytest.approx(4.0)


def test_it_is_two_to_the_bits_and_masked_steps_do_not_count():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 6, 3, generator=generator)
    targets = torch.randint(3, (5, 6), generator=generator)
    mask = torch.rand(5, 6, generator=generator) < 0.5
    value = Perplexity().measure(logits, targets, mask)
    assert type(value) is float
    assert value == pytest.approx(2 ** BitsPerSymbol().measure(logits, targets, mask))
    spoilt = torch.where(mask.unsqueeze(-1), logits, -1e6 * logits)
    assert Perplexity().measure(spoilt, targets, mask) == value


def test_a_certain_and_right_model_has_perplexity_one_and_a_hopeless_one_is_infinite():
    certain = torch.tensor([[1000.0, 0.0]])
    assert Perplexity().measure(certain, torch.tensor([0]), None) == 1.0
    assert Perplexity().measure(certain, torch.tensor([1]), None) == inf


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match="do not belong to"):
        Perplexity().measure(torch.zeros(4, 1), torch.zeros(3).long(), None)
