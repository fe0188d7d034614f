"""A convolution is torch's, alone and for many members at once."""

import pytest
import torch
from torch.func import vmap
from torch.nn.functional import conv2d

from rnnbench.nn.convolution import convolution


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def members(count=3):
    x, weight, bias = drawn(count, 4, 2, 7, 6), drawn(count, 5, 2, 3, 3, seed=1), drawn(count, 5)
    return [tensor.requires_grad_() for tensor in (x, weight, bias)]


def test_values_and_gradients_are_those_of_torch():
    given = [tensor[0].detach().double().requires_grad_() for tensor in members()]
    assert torch.equal(convolution(*given), conv2d(*given, stride=2, padding=1))
    assert torch.autograd.gradcheck(convolution, given)


@pytest.mark.parametrize("shared", [False, True], ids=["own pictures", "the same pictures"])
def test_inside_vmap_each_member_has_the_bits_it_has_alone(shared):
    x, weight, bias = members()
    dims = (None if shared else 0, 0, 0)
    made = vmap(convolution, in_dims=dims)(x[0] if shared else x, weight, bias)
    gradients = torch.autograd.grad(made.square().sum(), (weight, bias))
    for one in range(len(weight)):
        own = [
            tensor[one].detach().requires_grad_()
            for tensor in (x[[0] * 3] if shared else x, weight, bias)
        ]
        alone = convolution(*own)
        assert torch.equal(made[one], alone)
        expected = torch.autograd.grad(alone.square().sum(), own[1:])
        assert all(
            torch.equal(all_[one], mine) for all_, mine in zip(gradients, expected, strict=True)
        )
