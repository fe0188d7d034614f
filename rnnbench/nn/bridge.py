"""From an encoder's last states to a decoder's first ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from rnnbench.initial import Initial, uniform, zeros
from rnnbench.nn.recurrent import FIRST
from rnnbench.nn.stack import States


class Bridge(nn.Module):
    """Hands the state of each layer on: the context vector of an encoder and decoder.

    From one direction as it is (Sutskever et al. 2014); from two through a linear map of both, one
    for each state of each layer, since a decoder has but one.
    """

    def __init__(
        self, states: Mapping[str, int], layers: int, bidirectional: bool, *, generator: Generator
    ) -> None:
        super().__init__()
        self._names = [f"{layer}.{FIRST}{name}" for layer in range(layers) for name in states]
        self.maps = nn.ParameterDict()
        for layer in range(layers) if bidirectional else ():
            for name, width in states.items():
                for part, initial in bridge_weights(width).items():
                    key = f"{layer}_{part}_{name}"
                    self.maps[key] = nn.Parameter(initial.draw(generator))

    def forward(self, states: States) -> dict[str, Tensor]:
        """Return a decoder's first states, each [batch, width], from an encoder's last ones."""
        firsts = {}
        for place in self._names:
            layer, _, name = place.partition(f".{FIRST}")
            state = states[f"forwards.{place}"]
            if self.maps:
                both = torch.cat([state, states[f"backwards.{place}"]], -1)
                state = linear(
                    both, self.maps[f"{layer}_weight_{name}"], self.maps[f"{layer}_bias_{name}"]
                )
            firsts[f"forwards.{place}"] = state
        return firsts


def bridge_weights(width: int) -> dict[str, Initial]:
    """Declare the map from both directions of a state that is so wide."""
    return {"weight": uniform(width, 2 * width), "bias": zeros(width)}
