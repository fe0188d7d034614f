"""A convolution that members who train together make one after another.

torch batches convolutions of different weights as one of many groups, which takes twice as long as
one after another, and rounds by how many there are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d


def convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve 3 × 3 with stride 2 and a border of one zero.

    x [batch, channels, height, width], weight [filters, channels, 3, 3], bias [filters]
    -> [batch, filters, ⌈height/2⌉, ⌈width/2⌉]; it may be called inside vmap.
    """
    made: Tensor = _EachAlone.apply(x, weight, bias)  # type: ignore[no-untyped-call]  # torch's
    return made


def _convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return conv2d(x, weight, bias, stride=2, padding=1)


class _EachAlone(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return _convolved(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:  # noqa: ARG004  torch's signature
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias = ctx.saved_tensors
        made: tuple[Tensor | None, ...] = torch.ops.aten.convolution_backward(
            gradient, x, weight, list(bias.shape),
            [2, 2], [1, 1], [1, 1], False, [0, 0], 1, ctx.needs_input_grad,
        )  # fmt: skip
        return made

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor) -> tuple[Tensor, int]:
        each = [
            [tensor] * info.batch_size if dim is None else tensor.movedim(dim, 0).unbind()
            for tensor, dim in zip(tensors, in_dims, strict=True)
        ]
        return torch.stack([_convolved(*own) for own in zip(*each, strict=True)]), 0
