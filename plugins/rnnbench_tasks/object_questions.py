"""Questions about scenes of coloured objects, in words, and their answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

import rnnbench
from rnnbench_tasks.coloured_objects import COLOURS, Scenes

ANSWERS = ("square", "circle", "left", "right", "top", "bottom", "1", "2", "3", "4", "5", "6")
SQUARE, CIRCLE, LEFT, RIGHT, TOP, BOTTOM, ONE = range(7)

NON_RELATIONAL, RELATIONAL = "non-relational", "relational"


def _shape(scenes: Scenes) -> Tensor:
    return torch.where(scenes.circle, CIRCLE, SQUARE)


def _left(scenes: Scenes) -> Tensor:
    return torch.where(2 * scenes.left + scenes.size < scenes.side, LEFT, RIGHT)


def _top(scenes: Scenes) -> Tensor:
    return torch.where(2 * scenes.top + scenes.size < scenes.side, TOP, BOTTOM)


def _closest(scenes: Scenes) -> Tensor:
    # the nearest of all is the object itself
    return _shape(scenes).gather(0, scenes.distances.sort(0).indices[1])


def _furthest(scenes: Scenes) -> Tensor:
    return _shape(scenes).gather(0, scenes.distances.argmax(0))


def _alike(scenes: Scenes) -> Tensor:
    circles = scenes.circle.sum(0)
    return ONE - 1 + torch.where(scenes.circle, circles, len(scenes.circle) - circles)


@dataclass(frozen=True)
class Kind:
    """A kind of question about the object of a colour.

    name     what it asks for
    group    whether others than this object must be looked at
    answer   scenes -> the answers about each object, [objects, scenes] int64, out of ANSWERS
    asked    two ways to ask it
    """

    name: str
    group: str
    answer: Callable[[Scenes], Tensor]
    asked: tuple[str, str]


KINDS = (
    Kind("shape", NON_RELATIONAL, _shape, ("what shape is {}", "which form has {}")),
    Kind(
        "left or right",
        NON_RELATIONAL,
        _left,
        ("on which side is {}", "left or right : where is {}"),
    ),
    Kind("top or bottom", NON_RELATIONAL, _top, ("how high is {}", "top or bottom : where is {}")),
    Kind(
        "closest shape",
        RELATIONAL,
        _closest,
        ("what shape is closest to {}", "which form is nearest to {}"),
    ),
    Kind(
        "furthest shape",
        RELATIONAL,
        _furthest,
        ("what shape is furthest from {}", "which form is farthest from {}"),
    ),
    Kind(
        "count of its shape",
        RELATIONAL,
        _alike,
        ("how many have the shape of {}", "how many objects look like {}"),
    ),
)

WAYS = 2
"""In how many ways a kind is asked."""


@dataclass(frozen=True)
class Questions:
    """Questions of some kinds about objects of some colours, as numbers of words."""

    kinds: Sequence[Kind]
    objects: int

    @cached_property
    def texts(self) -> list[str]:
        """Every question: kind by kind, way by way, colour by colour."""
        return [
            way.format(colour)
            for kind in self.kinds
            for way in kind.asked
            for colour in list(COLOURS)[: self.objects]
        ]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Their words, in the order of the alphabet."""
        return tuple(sorted({word for text in self.texts for word in text.split()}))

    @cached_property
    def numbers(self) -> tuple[Tensor, Tensor]:
        """Every question in words [steps, questions], padded, and how many each has [questions]."""
        place = {word: number for number, word in enumerate(self.words)}
        texts = [torch.tensor([place[word] for word in text.split()]) for text in self.texts]
        return rnnbench.pad(texts, max(map(len, texts)))

    def answers(self, scenes: Scenes) -> Tensor:
        """Answer every question about each scene: [questions, scenes] int64, out of ANSWERS."""
        return torch.cat([kind.answer(scenes).repeat(WAYS, 1) for kind in self.kinds])

    def number(self, kind: Tensor, way: Tensor, colour: Tensor) -> Tensor:
        """Return the numbers of questions."""
        return (kind * WAYS + way) * self.objects + colour
