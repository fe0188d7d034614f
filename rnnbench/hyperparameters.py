"""The hyperparameters that all architectures share, by the names that a suite has for them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

AttentionKind = Literal["none", "dot", "general", "additive", "hard"]
"""How a decoder compares its state with what the encoder said; `none`: not at all."""

Conditioning = Literal["state", "step"]
"""Where a picture enters a decoder: its first states, or every step."""

Fusion = Literal["concatenation", "product"]
"""How what was read of a question is put together with the picture that it is about."""

Without = Literal["none", "image", "question"]
"""What a network is not shown: a baseline that says how far one gets without it."""

LIMITS: Mapping[str, tuple[str, float, float]] = {
    "learning_rate": ("above 0", math.ulp(0.0), math.inf),
    "clip": ("above 0", math.ulp(0.0), math.inf),
    "clip_value": ("above 0", math.ulp(0.0), math.inf),
    "dropout": ("at least 0 and below 1", 0.0, math.nextafter(1.0, 0.0)),
    "weight_decay": ("at least 0", 0.0, math.inf),
    "momentum": ("at least 0 and below 1", 0.0, math.nextafter(1.0, 0.0)),
    "beta1": ("at least 0 and below 1", 0.0, math.nextafter(1.0, 0.0)),
    "beta2": ("at least 0 and below 1", 0.0, math.nextafter(1.0, 0.0)),
    "teacher_forcing": ("from 0 to 1", 0.0, 1.0),
}
"""Those that are numbers: what they may be, in words, and the least and greatest of them."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "schedule": ("constant", "cosine", "linear"),
    "optimizer": ("adam", "adamw", "rmsprop", "sgd"),
    "teacher_schedule": ("constant", "linear"),
    "attention": get_args(AttentionKind),
    "conditioning": get_args(Conditioning),
    "fusion": get_args(Fusion),
}
"""Those that are words: how the learning rate falls, what uses it, how often a decoder is told the
right symbols, how it looks back, and how a network takes a picture."""

COUNTS = ("chunk", "layers")
"""Those that are whole numbers, 1 or more; members that differ in one train apart."""

FLAGS = ("bidirectional",)
"""Those that are true or false."""

OF_ARCHITECTURE = ("dropout",)
"""Those that belong to the architecture, not to how it is trained."""

STACK = ("layers", "bidirectional", "attention", "conditioning", "fusion")
"""Those that say how an architecture is stacked: each choice is another network, matched anew."""

OWNERS: Mapping[str, tuple[str, ...]] = {
    "momentum": ("sgd",),
    "beta1": ("adam", "adamw"),
    "beta2": ("adam", "adamw"),
}
"""The optimisers that one belongs to, where it does not belong to all."""

SHARED = (*LIMITS, *WORDS, *COUNTS, *FLAGS)
"""All of them."""


def foreign(name: str, optimizers: Sequence[str]) -> str:
    """Say that a hyperparameter belongs to other optimisers than may be used, if it does."""
    owners = OWNERS.get(name, optimizers)
    if set(optimizers) & set(owners):
        return ""
    return f"{name} belongs to {' and '.join(owners)}; the optimizer is {' or '.join(optimizers)}"
