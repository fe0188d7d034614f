"""The parameters of equal networks as rows of one tensor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

ALIGNED = 32
"""Rows are a multiple of so many numbers long, so that all begin at the boundary of a vector."""


class Rows:
    """Says where the parameters of a network stand in a row, whichever network it is."""

    def __init__(self, network: nn.Module) -> None:
        self._shapes = {name: tensor.shape for name, tensor in network.named_parameters()}
        self._sizes = [shape.numel() for shape in self._shapes.values()]
        self._rest = -sum(self._sizes) % ALIGNED

    def of(self, networks: Iterable[nn.Module]) -> Tensor:
        """Return the parameters of networks: [members, numbers]."""
        return torch.stack(
            [
                pad(torch.cat([p.detach().flatten() for p in one.parameters()]), (0, self._rest))
                for one in networks
            ]
        )

    def tree(self, data: Tensor) -> dict[str, Tensor]:
        """Return the parameters by name, each [members, …], as views."""
        parts = torch.split(data, [*self._sizes, self._rest], -1)
        return {
            name: part.view((*data.shape[:-1], *shape))
            for (name, shape), part in zip(self._shapes.items(), parts, strict=False)
        }

    def flat(self, parameters: Sequence[Tensor]) -> Tensor:
        """Return rows of tensors in the order of the names, each [members, …]."""
        return pad(
            torch.cat([tensor.reshape(len(tensor), -1) for tensor in parameters], 1),
            (0, self._rest),
        )

    def load(self, row: Tensor, network: nn.Module) -> None:
        """Let a network have the parameters of a row."""
        with torch.no_grad():
            own = dict(network.named_parameters())
            for name, tensor in self.tree(row).items():
                own[name].copy_(tensor)


def buffers_of(networks: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Return the buffers of networks by name, each [members, …]."""
    each = [dict(network.named_buffers()) for network in networks]
    return {name: torch.stack([buffers[name] for buffers in each]) for name in each[0]}
