"""Attention: a decoder looks at all that its encoder said, and weighs it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from rnnbench.errors import InputError
from rnnbench.hyperparameters import AttentionKind
from rnnbench.initial import Initial, uniform, zeros
from rnnbench.recurrence import within


@dataclass(frozen=True)
class Looked:
    """What an attention makes of a decoder's outputs.

    outputs  [target time, batch, width]
    weights  [target time, batch, source time], how much was looked at each; they sum to 1
    scores   of the same shape, of which the weights are a softmax, or are drawn from one
    """

    outputs: Tensor
    weights: Tensor
    scores: Tensor


class Attention(nn.Module):
    """Weighs the outputs k_s of an encoder for each output q_t of a decoder.

    dot       e_ts = q_t · k_s                      (Luong et al. 2015, equation 8)
    general   e_ts = q_t · W k_s                    (the same)
    additive  e_ts = v · tanh(W q_t + U k_s)        (Bahdanau et al. 2015, appendix A.1.2)

    The weights a_t are a softmax over the real steps s; what comes out is
    tanh(C [Σ_s a_ts k_s; q_t] + b) (Luong et al. 2015, equation 5). The query is the state after
    the step, in all three, so that a decoder which is told the right symbols needs no loop.
    """

    nowhere = -torch.inf
    """The score of what is no real step."""

    C: Tensor
    b: Tensor
    U: Tensor
    W: Tensor
    v: Tensor

    def __init__(
        self, kind: AttentionKind, queries: int, keys: int, *, generator: Generator
    ) -> None:
        super().__init__()
        if kind == "dot" and queries != keys:
            raise InputError(
                f"attention `dot` compares vectors of one width, and the encoder's outputs are "
                f"{keys} wide, the decoder's {queries}; use `general`"
            )
        self.kind = kind
        for name, initial in attention_weights(kind, queries, keys).items():
            self.register_parameter(name, nn.Parameter(initial.draw(generator)))

    def project(self, keys: Tensor) -> Tensor:
        """Compute what is the same for all queries: [source time, batch, …]."""
        return keys @ self.U.T if self.kind == "additive" else keys

    def forward(
        self, queries: Tensor, keys: Tensor, projected: Tensor, lengths: Tensor | None
    ) -> Looked:
        """Look at the keys with every query.

        queries  [target time, batch, width], the decoder's outputs
        keys     [source time, batch, …], the encoder's; `projected` is what `project` made of them
        lengths  [batch], the real steps of the encoder; None: all
        """
        scores = self._scores(queries, projected)
        if lengths is not None:
            real = within(lengths, len(keys)).T
            scores = scores.masked_fill(~real, self.nowhere)
        weights = self._weights(scores)
        context = (weights.transpose(0, 1) @ keys.transpose(0, 1)).transpose(0, 1)
        both = torch.cat([context, queries], -1)
        return Looked(torch.tanh(both @ self.C.T + self.b), weights, scores)

    def _weights(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1)

    def _scores(self, queries: Tensor, projected: Tensor) -> Tensor:
        if self.kind == "additive":
            query = queries @ self.W.T
            if not self.training:
                # step by step, since a held-out part has many sequences and maybe long ones
                each = [torch.tanh(one + projected) @ self.v for one in query.unsqueeze(1)]
                return torch.stack(each).transpose(1, 2)
            # [target time, source time, batch, width]
            summed = torch.tanh(query.unsqueeze(1) + projected.unsqueeze(0))
            return (summed @ self.v).transpose(1, 2)
        if self.kind in ("general", "hard"):
            queries = queries @ self.W
        return (queries.transpose(0, 1) @ projected.permute(1, 2, 0)).transpose(0, 1)


def attention_weights(kind: AttentionKind, queries: int, keys: int) -> dict[str, Initial]:
    """Declare the trained tensors of an attention by name; {} for `none`."""
    own: dict[str, Initial]
    match kind:
        case "none":
            return {}
        case "dot":
            own = {}
        case "general" | "hard":
            own = {"W": uniform(queries, keys)}
        case "additive":
            own = {
                "W": uniform(queries, queries),
                "U": uniform(queries, keys),
                "v": uniform(queries),
            }
    return {**own, "C": uniform(queries, keys + queries), "b": zeros(queries)}


def attention_flops(
    kind: AttentionKind, width: int, key_width: int, *, queries: int, keys: int
) -> int:
    """Count the operations of products of one sequence: so many queries look at so many keys."""
    compared = {
        "none": 0,
        "dot": queries * keys * key_width,
        "general": queries * key_width * (width + keys),
        "hard": queries * key_width * (width + keys),
        "additive": width * (queries * width + keys * key_width + queries * keys),
    }
    combined = queries * (keys * key_width + width * (key_width + width))
    return 0 if kind == "none" else 2 * (compared[kind] + combined)
