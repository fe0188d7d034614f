"""Hard attention: a decoder looks at one place, which is drawn, and learns where by REINFORCE."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from rnnbench.nn.attention import Attention, Looked
from rnnbench.nn.dropout import Keyed, uniform

DECAY = 0.9
"""How much of the moving average of rewards is kept from an update to the next."""

ENTROPY = 0.01
"""The weight of the entropy that keeps an attention from settling too early."""


class HardAttention(Attention):
    """Draws one place s_t with the probabilities a_t of a `general` attention, and reads it alone.

    Xu et al. 2015, section 4.1. In training the place is drawn, and what to look at is learnt from
    the reward R_t, the log-probability of the right symbol, by the gradient (equation 12)

        (R_t − B) ∂ log a_t[s_t] + λ ∂ H[a_t]

    B is a moving average of rewards, 0.9 B + 0.1 R after each update, and λ is 0.01. Since a place
    only bears on the symbol that it is looked at for, the reward is that symbol's own. Otherwise
    the likeliest place is looked at.
    """

    # finite, so that what is impossible has a logarithm
    nowhere = -1e4

    baseline: Tensor

    def __init__(self, queries: int, keys: int, *, generator: Generator) -> None:
        super().__init__("hard", queries, keys, generator=generator)
        self.places = Keyed()
        self.register_buffer("baseline", torch.tensor(0.0), persistent=False)

    def reinforced(
        self, looked: Looked, costs: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return what is to be added to the costs of symbols, and the next baseline.

        costs  [target time, batch], the negative log-probabilities of the right symbols; `mask`
               says which of them count; None: all
        """
        rewards = -costs.detach()
        likely = looked.scores.log_softmax(-1)
        # exactly one weight is 1
        chosen = (likely * looked.weights).sum(-1)
        entropy = -(likely.exp() * likely).sum(-1)
        extra = -(rewards - self.baseline) * chosen - ENTROPY * entropy
        if mask is None:
            average = rewards.mean()
        else:
            extra, average = torch.where(mask, extra, 0), (rewards * mask).sum() / mask.sum()
        return extra, DECAY * self.baseline + (1 - DECAY) * average

    def _weights(self, scores: Tensor) -> Tensor:
        scores = scores.detach()
        if self.training:
            below = scores.softmax(-1).cumsum(-1)
            drawn = uniform(self.places.key, scores.shape[:-1]).unsqueeze(-1)
            # rounding may leave the last sum below 1
            place = (below <= drawn * below[..., -1:]).sum(-1)
        else:
            place = scores.argmax(-1)
        places = torch.arange(scores.shape[-1], device=scores.device)
        return (place.unsqueeze(-1) == places).to(scores.dtype)
