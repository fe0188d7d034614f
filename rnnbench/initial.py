"""Shapes and initial values of weights and states, as a cell declares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Initial:
    """The shape of one tensor and how it is filled.

    `fill(shape, generator)` returns a new float32 tensor; `scheme` names it for identity cards.
    """

    shape: tuple[int, ...]
    scheme: str
    fill: Callable[[tuple[int, ...], Generator], Tensor]

    def draw(self, generator: Generator) -> Tensor:
        """Return a freshly filled tensor of `shape`."""
        return self.fill(self.shape, generator)


def constant(value: float, *shape: int) -> Initial:
    """Fill with one value."""
    return Initial(shape, f"constant {value:g}", lambda shape, _: torch.full(shape, float(value)))


def zeros(*shape: int) -> Initial:
    """Fill with zeros."""
    return Initial(shape, "zeros", lambda shape, _: torch.zeros(shape))


def uniform(*shape: int, bound: float | None = None) -> Initial:
    """Fill with U(−bound, bound); the bound is 1/√columns unless given."""
    limit = shape[-1] ** -0.5 if bound is None else bound

    def fill(shape: tuple[int, ...], generator: Generator) -> Tensor:
        return torch.empty(shape).uniform_(-limit, limit, generator=generator)

    return Initial(shape, "uniform ±1/√columns" if bound is None else f"uniform ±{bound:g}", fill)


def orthogonal(rows: int, columns: int, gain: float = 1.0) -> Initial:
    """Fill each square block of rows with a random orthogonal matrix (Saxe et al. 2014).

    [4·hidden, hidden] holds four independent orthogonal blocks, one a gate; a last block that is
    not square has orthonormal rows.
    """

    def fill(shape: tuple[int, ...], generator: Generator) -> Tensor:
        result = torch.empty(shape)
        for block in torch.split(result, columns):
            torch.nn.init.orthogonal_(block, gain, generator=generator)
        return result

    return Initial((rows, columns), f"orthogonal blocks, gain {gain:g}", fill)


def identity(size: int, scale: float = 1.0) -> Initial:
    """Fill with a scaled identity matrix (Le et al. 2015)."""
    return Initial(
        (size, size), f"{scale:g} × identity", lambda shape, _: scale * torch.eye(shape[0])
    )
