"""Each row of an optimiser is the optimiser of torch of its name, with numbers of its own."""

import pytest
import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from rnnbench.group.optimizers import OPTIMIZERS, clip

ROWS, NUMBERS, STEPS = 4, 50, 200
RATES = (0.1, 0.01, 0.003, 0.0)
DECAYS = (0.0, 0.1, 0.01, 0.3)
FIRST, SECOND, MOMENTA = (0.9, 0.5, 0.0, 0.99), (0.999, 0.9, 0.99, 0.0), (0.0, 0.5, 0.9, 0.99)


def of_torch(name: str, weights: torch.Tensor, row: int) -> torch.optim.Optimizer:
    rate, decay = RATES[row], DECAYS[row]
    betas = (FIRST[row], SECOND[row])
    match name:
        case "adam":
            return torch.optim.Adam([weights], rate, betas=betas, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW([weights], rate, betas=betas, weight_decay=decay)
        case "rmsprop":
            return torch.optim.RMSprop([weights], rate, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD([weights], rate, momentum=MOMENTA[row], weight_decay=decay)


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(name: str, weights: torch.Tensor):
    numbers = {"weight_decay": DECAYS, "beta1": FIRST, "beta2": SECOND, "momentum": MOMENTA}
    return OPTIMIZERS[name](weights, {key: torch.tensor(each) for key, each in numbers.items()})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_row_equals_torchs_optimiser(name):
    weights = drawn(ROWS, NUMBERS, seed=0)
    ours = weights.clone()
    rows = [weights[row].clone().requires_grad_() for row in range(ROWS)]
    optimizer = made(name, ours)
    others = [of_torch(name, own, row) for row, own in enumerate(rows)]
    for step in range(STEPS):
        gradient = drawn(ROWS, NUMBERS, seed=step + 1)
        optimizer.step(ours, gradient, torch.tensor(RATES))
        for own, other, row in zip(rows, others, gradient, strict=True):
            own.grad = row
            other.step()
    expected = torch.stack([row.detach() for row in rows])
    torch.testing.assert_close(ours, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rows_that_are_kept_go_on_as_if_nothing_had_happened(name):
    start = drawn(ROWS, NUMBERS, seed=0)
    whole, kept = start.clone(), start.clone()
    one, other = made(name, whole), made(name, kept)
    index = torch.tensor([2, 0])
    for step in range(6):
        gradient, rates = drawn(ROWS, NUMBERS, seed=step + 1), torch.tensor(RATES)
        one.step(whole, gradient, rates)
        if step == 3:
            kept = kept[index]
            other.keep(index)
        small = step >= 3
        other.step(kept, gradient[index] if small else gradient, rates[index] if small else rates)
    assert torch.equal(kept, whole[index])


def test_each_row_is_clipped_by_its_own_norm_and_limit():
    gradient = drawn(ROWS, NUMBERS, seed=0) * torch.tensor([[1.0], [10.0], [0.01], [3.0]])
    limits = torch.tensor([1.0, 5.0, 1.0, torch.inf])
    clipped, norms = clip(gradient, limits, None)
    for row in range(ROWS):
        weights = torch.zeros(NUMBERS, requires_grad=True)
        weights.grad = gradient[row].clone()
        norm = clip_grad_norm_([weights], float(limits[row]))
        torch.testing.assert_close(clipped[row], weights.grad)
        torch.testing.assert_close(norms[row], norm)
    assert torch.equal(clipped[2:], gradient[2:])


def test_each_number_is_clipped_by_its_rows_limit_before_the_norm():
    gradient = drawn(ROWS, NUMBERS, seed=0)
    limits, values = torch.full((ROWS,), torch.inf), torch.tensor([0.1, 1.0, torch.inf, 0.5])
    clipped, norms = clip(gradient, limits, values)
    for row in range(ROWS):
        weights = torch.zeros(NUMBERS, requires_grad=True)
        weights.grad = gradient[row].clone()
        torch.testing.assert_close(norms[row], weights.grad.norm())
        clip_grad_value_([weights], float(values[row]))
        assert torch.equal(clipped[row], weights.grad)


def test_what_is_not_a_number_is_not_clipped_away():
    gradient = torch.tensor([[torch.nan, 1.0], [torch.inf, 1.0]])
    _, norms = clip(gradient, torch.ones(2), torch.ones(2))
    assert not norms.isfinite().any()
