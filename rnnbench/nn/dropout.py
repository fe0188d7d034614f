"""Dropout whose masks are a hash of a key and the position: no generator, no hidden state."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from rnnbench.errors import InputError
from rnnbench.seeds import seed_of


class Keyed(nn.Module):
    """A site that draws random numbers: a function of its `key`, which `rekey` sets for an update.

    The key is a buffer, so that networks that train side by side can each have their own.
    """

    key: Tensor

    def __init__(self) -> None:
        super().__init__()
        # the key belongs to an update, not to the trained network
        self.register_buffer("key", torch.tensor(0), persistent=False)


class Dropout(Keyed):
    """Zero each entry with probability `rate` and scale the others by 1/(1 − rate).

    Srivastava et al. 2014. The rate is a buffer, as the key is.
    """

    rate: Tensor

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise InputError(f"dropout is at least 0 and below 1, not {rate!r}")
        self.register_buffer("rate", torch.tensor(float(rate)))

    def forward(self, x: Tensor) -> Tensor:
        """Drop entries of x, of any shape, in training; return it as it is otherwise."""
        if not self.training:
            return x
        keep = uniform(self.key, x.shape) >= self.rate
        return torch.where(keep, x / (1 - self.rate), 0)


def rekey(network: nn.Module, seed: int) -> None:
    """Give every site of `network` that draws new bits, each its own, that follow from `seed`.

    Call it with another seed before every update.
    """
    buffers = dict(network.named_buffers())
    for name, key in keys(sites(network), seed).items():
        buffers[name].fill_(key)


def sites(network: nn.Module) -> tuple[str, ...]:
    """Return the names of the sites in a network that draw."""
    return tuple(name for name, site in network.named_modules() if isinstance(site, Keyed))


def keys(sites: Iterable[str], seed: int) -> dict[str, int]:
    """Return the keys that `rekey` sets, by the names of their buffers."""
    return {f"{name}.key": seed_of("dropout", name, seed) & _BITS for name in sites}


def uniform(key: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return numbers in [0, 1) that are a hash of the key and of each entry's position."""
    position = torch.arange(math.prod(shape), device=key.device)
    # a float32 holds 24 bits exactly
    return (_mix(position ^ _mix(key)) >> 8).float().mul(2**-24).view(shape)


_BITS = 0xFFFFFFFF


def _mix(x: Tensor) -> Tensor:
    """Hash 32 bits held in int64 (Mueller's multiply and xor-shift, two rounds)."""
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & _BITS
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & _BITS
    return x ^ (x >> 16)
