"""Optimisers whose every row is a network of its own, with numbers of its own.

Each equals the optimiser of `torch.optim` of its name. Weights, gradients and what is remembered
of them are [members, numbers]; hyperparameters are columns [members, 1].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

EPSILON = 1e-8


class Optimizer(ABC):
    """Changes weights in place.

    numbers  hyperparameters by name, each [members]
    """

    remembered: tuple[str, ...]
    """Names of the tensors, shaped like the weights, that it keeps from step to step."""

    def __init__(self, weights: Tensor, numbers: Mapping[str, Tensor]) -> None:
        self.numbers = {name: values.unsqueeze(-1) for name, values in numbers.items()}
        self.memory = {name: torch.zeros_like(weights) for name in self.remembered}
        self.steps = 0

    def step(self, weights: Tensor, gradient: Tensor, rate: Tensor) -> None:
        """Make one step at learning rates [members]."""
        self.steps += 1
        self._step(weights, gradient, rate.unsqueeze(-1))

    def keep(self, index: Tensor) -> None:
        """Go on with these members, in this order."""
        self.numbers = {name: values[index] for name, values in self.numbers.items()}
        self.memory = {name: values[index] for name, values in self.memory.items()}

    @abstractmethod
    def _step(self, weights: Tensor, gradient: Tensor, rate: Tensor) -> None:
        """Change the weights; `rate` is a column."""


class Adam(Optimizer):
    """Kingma & Ba 2015, algorithm 1; weight decay is added to the gradient."""

    remembered = ("first", "second")

    def _step(self, weights: Tensor, gradient: Tensor, rate: Tensor) -> None:
        gradient = torch.addcmul(gradient, weights, self.numbers["weight_decay"])
        self._move(weights, gradient, rate)

    def _move(self, weights: Tensor, gradient: Tensor, rate: Tensor) -> None:
        beta1, beta2 = self.numbers["beta1"], self.numbers["beta2"]
        first, second = self.memory["first"], self.memory["second"]
        first.lerp_(gradient, 1 - beta1)
        second.mul_(beta2).add_(gradient.square().mul_(1 - beta2))
        scale = (1 - beta2**self.steps).sqrt_()
        moved = first / (second.sqrt().div_(scale).add_(EPSILON))
        weights.sub_(moved.mul_(rate / (1 - beta1**self.steps)))


class AdamW(Adam):
    """Loshchilov & Hutter 2019, algorithm 2; weights decay by themselves."""

    def _step(self, weights: Tensor, gradient: Tensor, rate: Tensor) -> None:
        weights.mul_(1 - rate * self.numbers["weight_decay"])
        self._move(weights, gradient, rate)


class RMSprop(Optimizer):
    """Hinton's lecture 6e of 2012, neither centred nor with momentum; smoothing 0.99."""

    remembered = ("square",)

    def _step(self, weights: Tensor, gradient: Tensor, rate: Tensor) -> None:
        gradient = torch.addcmul(gradient, weights, self.numbers["weight_decay"])
        square = self.memory["square"]
        square.mul_(0.99).addcmul_(gradient, gradient, value=0.01)
        weights.sub_(gradient.div_(square.sqrt().add_(EPSILON)).mul_(rate))


class SGD(Optimizer):
    """Gradient descent with Polyak's momentum as in Sutskever et al. 2013, not damped."""

    remembered = ("velocity",)

    def _step(self, weights: Tensor, gradient: Tensor, rate: Tensor) -> None:
        gradient = torch.addcmul(gradient, weights, self.numbers["weight_decay"])
        velocity = self.memory["velocity"]
        velocity.mul_(self.numbers["momentum"]).add_(gradient)
        weights.sub_(velocity * rate)


OPTIMIZERS: Mapping[str, type[Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "sgd": SGD,
}
"""By the names that a suite has for them."""


def clip(gradient: Tensor, limits: Tensor, values: Tensor | None) -> tuple[Tensor, Tensor]:
    """Cut each number to its row's limit, then scale each row down to its own.

    Returns the gradient and its norms before either.

    limits  of the norms, as `clip_grad_norm_` has them, [members]; infinity: never
    values  of each number, as `clip_grad_value_` has them, [members]; None: never
    """
    norms = before = torch.linalg.vector_norm(gradient, dim=1)
    if values is not None:
        gradient = gradient.clamp(-values.unsqueeze(-1), values.unsqueeze(-1))
        norms = torch.linalg.vector_norm(gradient, dim=1)
    scale = (limits / (norms + 1e-6)).clamp_(max=1)
    return gradient * scale.unsqueeze(-1), before
