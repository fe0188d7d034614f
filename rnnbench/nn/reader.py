"""Inputs to the vectors that layers read: real ones, symbols, pictures and features of pictures."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import embedding, linear

from rnnbench.contracts import Features, Images, Inputs, Reals, Tokens
from rnnbench.initial import Initial, uniform, zeros
from rnnbench.nn.convolution import convolution

KERNEL = 3
"""Each convolution sees so many rows and columns."""


class Reader(nn.Module):
    """What layers read: real vectors as they are, symbols one-hot or as rows of a trained table.

    Of a picture, or its features, it is a linear map of all places.
    """

    table: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, inputs: Inputs, *, whole: bool = True, generator: Generator) -> None:
        super().__init__()
        self.inputs = inputs
        for name, initial in reader_weights(inputs, whole=whole).items():
            self.register_parameter(name, nn.Parameter(initial.draw(generator)))

    def forward(self, given: Tensor, dtype: torch.dtype) -> Tensor:
        """Return vectors, [..., width], of inputs [...] of symbols or [..., shape of one]."""
        match self.inputs:
            case Reals():
                return given
            case Tokens(vocabulary=count, embedding=None):
                return one_hot(given, count).to(dtype)
            case Tokens():
                return embedding(given.clamp(0, len(self.table) - 1), self.table)
            case _:
                flat = self.places(given).flatten(-2)
                if self.inputs.embedding is None:
                    return flat
                return linear(flat, self.weight, self.bias)

    def places(self, given: Tensor) -> Tensor:
        """Return the places of pictures or features, [..., places, depth], row by row."""
        if not isinstance(self.inputs, Images):
            return given
        # from -1 to 1, so that grey is nothing
        seen = 2 * given.flatten(0, -4) - 1
        for number in range(len(self.inputs.filters)):
            weight = getattr(self, f"filter_{number}")
            bias = getattr(self, f"filter_bias_{number}")
            seen = torch.relu(convolution(seen, weight, bias))
        return seen.flatten(2).mT.reshape(*given.shape[:-3], -1, self.inputs.depth)


def input_width(inputs: Inputs) -> int:
    """Return how many numbers a layer sees a step: the width, one a symbol, or the embedding's."""
    match inputs:
        case Reals(width):
            return width
        case Tokens(vocabulary=count, embedding=None):
            return count
        case Features(places, depth, embedding=None):
            return places * depth
        case _:
            assert inputs.embedding is not None  # noqa: S101  the others have been seen to
            return inputs.embedding


def depth(inputs: Inputs) -> int:
    """Return how many numbers each place has; what has no places is one place itself."""
    return inputs.depth if isinstance(inputs, Images | Features) else input_width(inputs)


def look_width(inputs: Inputs, *, again: bool) -> int:
    """Return how many numbers one look hands on: the mean place where it is looked at again."""
    return depth(inputs) if again else input_width(inputs)


def reader_weights(inputs: Inputs, *, whole: bool = True) -> dict[str, Initial]:
    """Declare the trained tensors of a reader by name.

    whole  whether pictures are read as one vector; else only their places are asked for
    """
    match inputs:
        case Reals():
            return {}
        case Tokens(vocabulary=count, embedding=width):
            # of variance 1, as inputs of real vectors should be
            bound = math.sqrt(3)
            return {} if width is None else {"table": uniform(count, width, bound=bound)}
        case Images():
            return {**_filters(inputs), **(_linear(inputs) if whole else {})}
        case _:
            return _linear(inputs) if whole else {}


def reader_flops(inputs: Inputs, *, whole: bool = True) -> int:
    """Count the operations of products a step: two a multiply-add."""
    total = 0
    if isinstance(inputs, Images):
        channels, height, width = inputs.channels, inputs.height, inputs.width
        for count in inputs.filters:
            height, width = -(-height // 2), -(-width // 2)
            total += 2 * count * channels * KERNEL**2 * height * width
            channels = count
    if whole and isinstance(inputs, Images | Features) and inputs.embedding is not None:
        total += 2 * math.prod(_linear(inputs)["weight"].shape)
    return total


def activations(inputs: Inputs) -> int:
    """Count the numbers that are kept of a picture for the backward pass, itself among them."""
    if isinstance(inputs, Features):
        return inputs.places * inputs.depth
    if not isinstance(inputs, Images):
        return 0
    height, width = inputs.height, inputs.width
    total = inputs.channels * height * width
    for count in inputs.filters:
        height, width = -(-height // 2), -(-width // 2)
        total += count * height * width
    return total


def one_hot(tokens: Tensor, vocabulary: int) -> Tensor:
    """Mark each symbol's place: [time, batch] -> [time, batch, vocabulary] bool.

    Padding may hold any number; one outside the vocabulary becomes a row without a mark.
    """
    return tokens.unsqueeze(-1) == torch.arange(vocabulary, device=tokens.device)


def _filters(inputs: Images) -> dict[str, Initial]:
    """Declare the convolutions: uniform, of the variance of He et al. 2015 for a ReLU."""
    found: dict[str, Initial] = {}
    channels = inputs.channels
    for number, count in enumerate(inputs.filters):
        bound = math.sqrt(6 / (channels * KERNEL**2))
        found[f"filter_{number}"] = uniform(count, channels, KERNEL, KERNEL, bound=bound)
        found[f"filter_bias_{number}"] = zeros(count)
        channels = count
    return found


def _linear(inputs: Images | Features) -> dict[str, Initial]:
    if inputs.embedding is None:
        return {}
    places = inputs.places if isinstance(inputs, Features) else math.prod(inputs.grid)
    numbers = places * inputs.depth
    return {"weight": uniform(inputs.embedding, numbers), "bias": zeros(inputs.embedding)}
