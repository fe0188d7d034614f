"""Scenes of objects, each of its own colour, a square or a circle: drawn, and read off again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Generator, Tensor

COLOURS = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
    "magenta": (1.0, 0.0, 1.0),
    "cyan": (0.0, 1.0, 1.0),
}
"""Red, green and blue of each object, from 0 to 1: as far apart as six colours can be."""

GROUND = (0.5, 0.5, 0.5)
"""The grey behind them, from which all are equally far."""

CELLS = 4
"""A picture has so many rows and columns of cells, in each of which an object has room."""


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
    """Return how many pixels an object is wide, as a cell is but for an eighth."""
    return side // CELLS * 7 // 8


def drawn(count: int, objects: int, side: int, generator: Generator) -> Scenes:
    """Draw `count` scenes of so many objects, and return those that are fit.

    Each object has a cell of its own, any of 4 × 4, and lies anywhere in it. A scene is not fit if
    an object has two nearest or two farthest others. Each is a square or a circle, as a coin falls.
    """
    device, cell = generator.device, side // CELLS
    cells = torch.rand(CELLS**2, count, generator=generator, device=device).argsort(0)[:objects]
    corners = cell * torch.stack([cells // CELLS, cells % CELLS])
    corners += torch.randint(
        cell - size_of(side) + 1, corners.shape, generator=generator, device=device
    )
    circle = torch.randint(2, cells.shape, generator=generator, device=device)
    scenes = Scenes(*corners, circle.bool(), side)
    # of the sorted distances to each object the first is that to itself
    ordered = scenes.distances.sort(0).values
    fit = ((ordered[1] != ordered[2]) & (ordered[-1] != ordered[-2])).all(0)
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
    """Return the colours of objects, and the ground: [colours + 1, 3]."""
    return torch.tensor([*COLOURS.values(), GROUND])
