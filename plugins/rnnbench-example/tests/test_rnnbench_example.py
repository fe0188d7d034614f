import pytest
import torch
from rnnbench_example import MinimalGatedUnit, SignParity, Smoothing

import rnnbench


def one_unit(forget_bias: float) -> rnnbench.Tensors:
    """One input and one hidden unit; the gate sees nothing but its biases."""
    return rnnbench.Tensors(
        W=torch.tensor([[0.0], [1.0]]),
        U=torch.tensor([[0.0], [2.0]]),
        b=torch.zeros(2),
        forget_bias=torch.tensor(forget_bias),
    )


def test_a_half_open_gate_halves_the_state_twice():
    x, h = torch.tensor([[0.3]]), torch.tensor([[0.2]])
    new = MinimalGatedUnit().step(x, rnnbench.Tensors(h=h), one_unit(0.0))["h"]
    # f = 1/2; n = tanh(0.3 + 2 · 1/2 · 0.2) = tanh(0.5); h = (0.2 + n) / 2
    torch.testing.assert_close(new, (0.2 + torch.tensor([[0.5]]).tanh()) / 2)


def test_a_closed_gate_keeps_the_state():
    x, h = torch.tensor([[5.0]]), torch.tensor([[0.2]])
    new = MinimalGatedUnit().step(x, rnnbench.Tensors(h=h), one_unit(-50.0))["h"]
    torch.testing.assert_close(new, h)


def test_smoothing_keeps_its_share_of_the_past():
    x = torch.tensor([1.0, 0.0, 2.0]).view(3, 1, 1)
    w = rnnbench.Tensors(W=torch.tensor([[1.0]]), b=torch.zeros(1), decay=torch.tensor(0.5))
    # m = 0.5, 0.25, 0.125 + 1
    expected = torch.tensor([0.5, 0.25, 1.125]).tanh().view(3, 1, 1)
    torch.testing.assert_close(Smoothing().forward(x, None, w), expected)


def test_two_negative_numbers_are_even_and_one_is_odd():
    inputs = torch.tensor([[0.3, 0.3], [-1.2, -1.2], [-0.1, 0.1]]).unsqueeze(-1)
    batch = rnnbench.Batch(inputs, torch.tensor([0, 1]))
    assert SignParity(length=3).oracle(batch).argmax(-1).tolist() == [0, 1]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_the_oracle_is_always_right_and_the_trivial_predictor_half_the_time(split):
    task = SignParity()
    batch = task.held_out(split, torch.Generator().manual_seed(1))
    assert (task.oracle(batch).argmax(-1) == batch.targets).all()
    right = (task.trivial(batch).argmax(-1) == batch.targets).float().mean().item()
    assert right == pytest.approx(task.anchors.trivial, abs=0.05)


def test_the_first_number_is_the_farthest_unless_read_from_both_ends():
    assert SignParity(length=8).shortest_path(bidirectional=False) == 7
    assert SignParity(length=8).shortest_path(bidirectional=True) == 3
