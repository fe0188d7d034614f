"""Norms and variances of a row's features, as sums, products and pointwise operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def _variance(
    x: Tensor, dim: list[int] | None, *, correction: float | None = None, keepdim: bool = False
) -> Any:
    if dim is None:
        return NotImplemented
    freedom = max(0.0, _count(x, dim) - (1 if correction is None else correction))
    return (x - x.mean(dim, keepdim=True)).square().sum(dim, keepdim=keepdim) / freedom


def _variance_and_mean(
    x: Tensor, dim: list[int] | None, *, correction: float | None = None, keepdim: bool = False
) -> Any:
    if dim is None:
        return NotImplemented
    variance = _variance(x, dim, correction=correction, keepdim=keepdim)
    return variance, x.mean(dim, keepdim=keepdim)


def _deviation(
    x: Tensor, dim: list[int] | None, *, correction: float | None = None, keepdim: bool = False
) -> Any:
    if dim is None:
        return NotImplemented
    return _root(_variance(x, dim, correction=correction, keepdim=keepdim))


def _norm(
    x: Tensor,
    order: float = 2,
    dim: list[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Any:
    if dim is None or dtype is not None or order not in (1, 2):
        return NotImplemented
    if order == 1:
        return x.abs().sum(dim, keepdim=keepdim)
    return _root(x.square().sum(dim, keepdim=keepdim))


def _layer_norm(
    x: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    dim = list(range(-len(shape), 0))
    mean = x.mean(dim, keepdim=True)
    centred = x - mean
    scale = (centred.square().mean(dim, keepdim=True) + epsilon).rsqrt()
    y = centred * scale
    y = y if weight is None else y * weight
    return y if bias is None else y + bias, mean, scale


def _rms_norm(
    x: Tensor, shape: Sequence[int], weight: Tensor | None, epsilon: float | None
) -> tuple[Tensor, Tensor]:
    dim = list(range(-len(shape), 0))
    epsilon = torch.finfo(x.dtype).eps if epsilon is None else epsilon
    scale = (x.square().mean(dim, keepdim=True) + epsilon).rsqrt()
    y = x * scale
    return y if weight is None else y * weight, scale


def _root(square: Tensor) -> Tensor:
    """Return the square root, with torch's gradient at zero: a norm's is zero there, not NaN."""
    zero = square == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, square).sqrt())


def _count(x: Tensor, dim: list[int]) -> int:
    count = 1
    for each in dim:
        count *= x.shape[each]
    return count


_aten = torch.ops.aten

REDUCTIONS: Mapping[Any, Callable[..., Any]] = {
    _aten.var.correction: _variance,
    _aten.var_mean.correction: _variance_and_mean,
    _aten.std.correction: _deviation,
    _aten.linalg_vector_norm.default: _norm,
    _aten.native_layer_norm.default: _layer_norm,
    _aten._fused_rms_norm.default: _rms_norm,
}
"""Rules for taking operations of torch apart; a rule that does not apply says NotImplemented."""
