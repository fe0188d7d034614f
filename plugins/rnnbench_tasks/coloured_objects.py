"""Scenes of objects, each of its own colour, a square or a circle: drawn, and read off again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Generator, Tensor

COLOURS = {
    "red": (0.88, 0.12, 0.16),
    "green": (0.10, 0.66, 0.25),
    "blue": (0.13, 0.30, 0.86),
    "orange": (1.00, 0.55, 0.05),
    "gray": (0.50, 0.50, 0.50),
    "yellow": (0.96, 0.88, 0.10),
}
"""Red, green and blue of each object, from 0 to 1; the background is white."""

TRIES = 12
"""How many places are tried for an object."""


@dataclass(frozen=True)
class Scenes:
    """Where the objects lie and which are circles; the first is red.

    top, left  [objects, scenes] int64, the upper left corner of the box of each
    circle     [objects, scenes] bool; any other object is a square
    side       pixels in a row and in a column of a picture
    """

    top: Tensor
    left: Tensor
    circle: Tensor
    side: int

    @property
    def size(self) -> int:
        """How many pixels an object is wide and high; see `size_of`."""
        return size_of(self.side)

    @property
    def distances(self) -> Tensor:
        """Squared distances between the middles of objects, [objects, objects, scenes] int64."""
        down, right = (at.unsqueeze(0) - at.unsqueeze(1) for at in (self.top, self.left))
        return down.square() + right.square()

    @property
    def columns(self) -> Tensor:
        """What makes each scene another one: [3 · objects, scenes] int64."""
        return torch.cat([self.top, self.left, self.circle.long()])

    @classmethod
    def of(cls, columns: Tensor, side: int) -> Scenes:
        """Return the scenes of their `columns`."""
        top, left, circle = columns.chunk(3)
        return cls(top, left, circle.bool(), side)


def size_of(side: int) -> int:
    """Return how many pixels an object is wide: about a fifth of the picture.

    No object of this size can lie just in the middle.
    """
    size = round(side * 0.21)
    return size if (side - size) % 2 else size + 1


def drawn(count: int, objects: int, side: int, generator: Generator) -> Scenes:
    """Draw `count` scenes of so many objects, and return those that are fit: most of them.

    One object after the other is put anywhere in the picture where it overlaps none before it; of
    a few places the first that is free is taken. A scene is not fit if there was none, or if an
    object has two nearest or two farthest others. Each is a square or a circle, as a coin falls.
    """
    device, size = generator.device, size_of(side)
    tried = torch.randint(
        side - size + 1, (2, objects, TRIES, count), generator=generator, device=device
    )
    circle = torch.randint(2, (objects, count), generator=generator, device=device)
    fit = torch.ones(count, dtype=torch.bool, device=device)
    corners = tried[:, :1, 0]
    for places in tried[:, 1:].unbind(1):
        gaps = (corners.unsqueeze(2) - places.unsqueeze(1)).abs()
        free = (gaps >= size).any(0).all(0)
        first = free.int().argmax(0).expand(2, 1, -1)
        corners = torch.cat([corners, places.gather(1, first)], 1)
        fit &= free.any(0)
    scenes = Scenes(*corners, circle.bool(), side)
    # of the sorted distances to each object the first is that to itself
    ordered = scenes.distances.sort(0).values
    fit &= ((ordered[1] != ordered[2]) & (ordered[-1] != ordered[-2])).all(0)
    return Scenes.of(scenes.columns[:, fit], side)


def pictures(scenes: Scenes) -> Tensor:
    """Draw scenes: [scenes, 3, side, side] float32, from 0 to 1."""
    device, (objects, count) = scenes.top.device, scenes.top.shape
    stamps = _stamps(scenes.size).to(device)
    rows, columns = (
        corner.unsqueeze(-1) + torch.arange(scenes.size, device=device)
        for corner in (scenes.top, scenes.left)
    )
    places = rows.unsqueeze(-1) * scenes.side + columns.unsqueeze(-2)
    number = torch.arange(objects, device=device).view(-1, 1, 1, 1)
    shown = torch.where(stamps[scenes.circle.long()], number, len(COLOURS))
    canvas = torch.full((count, scenes.side**2), len(COLOURS), device=device)
    canvas.scatter_(1, places.transpose(0, 1).flatten(1), shown.transpose(0, 1).flatten(1))
    seen = _palette().to(device)[canvas].view(count, scenes.side, scenes.side, 3)
    return seen.permute(0, 3, 1, 2).contiguous()


def read(pictures: Tensor, objects: int) -> Scenes:
    """Recognise the scenes of pictures [scenes, 3, side, side] by the colours in them."""
    side = pictures.shape[-1]
    colours = _palette()[:objects].to(pictures.device)
    seen = (pictures == colours.view(objects, 1, 3, 1, 1)).all(2)
    top, left = (seen.any(dim).int().argmax(-1) for dim in (3, 2))
    return Scenes(top, left, seen.flatten(2).sum(-1) < size_of(side) ** 2, side)


@cache
def _stamps(size: int) -> Tensor:
    """Return the pixels of a square and of a circle: [2, size, size] bool."""
    middle = torch.arange(size) - (size - 1) / 2
    far = middle.square().unsqueeze(0) + middle.square().unsqueeze(1)
    return torch.stack([torch.ones(size, size, dtype=torch.bool), far <= (size / 2) ** 2])


@cache
def _palette() -> Tensor:
    """Return the colours of objects, and white: [colours + 1, 3]."""
    return torch.tensor([*COLOURS.values(), (1.0, 1.0, 1.0)])
