"""Inputs to the vectors that layers read: real ones as they are, symbols one-hot or embedded."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import embedding

from rnnbench.contracts import Reals, Tokens
from rnnbench.initial import uniform


def input_width(inputs: Reals | Tokens) -> int:
    """Return how many numbers a layer sees a step: the width, one a symbol, or the embedding's."""
    if isinstance(inputs, Reals):
        return inputs.width
    return inputs.vocabulary if inputs.embedding is None else inputs.embedding


def table_size(inputs: Reals | Tokens) -> int:
    """Return how many numbers are trained to embed symbols."""
    if isinstance(inputs, Reals) or inputs.embedding is None:
        return 0
    return inputs.vocabulary * inputs.embedding


def table(inputs: Reals | Tokens, generator: Generator) -> Tensor | None:
    """Return rows for symbols, of variance 1 as inputs of real vectors should be; None: none."""
    if isinstance(inputs, Reals) or inputs.embedding is None:
        return None
    return uniform(inputs.vocabulary, inputs.embedding, bound=math.sqrt(3)).draw(generator)


def vectors(
    given: Tensor, inputs: Reals | Tokens, rows: Tensor | None, dtype: torch.dtype
) -> Tensor:
    """Return what layers read, [time, batch, width]; `rows` is the table of symbols."""
    if rows is not None:
        return embedding(given.clamp(0, len(rows) - 1), rows)
    if isinstance(inputs, Tokens):
        return one_hot(given, inputs.vocabulary).to(dtype)
    return given


def one_hot(tokens: Tensor, vocabulary: int) -> Tensor:
    """Mark each symbol's place: [time, batch] -> [time, batch, vocabulary] bool.

    Padding may hold any number; one outside the vocabulary becomes a row without a mark.
    """
    return tokens.unsqueeze(-1) == torch.arange(vocabulary, device=tokens.device)
