"""Coloured shapes, painted in their boxes on black."""

from __future__ import annotations

import torch
from torch import Tensor

COLOURS = {
    "red": (1.0, 0.15, 0.15),
    "green": (0.1, 0.8, 0.2),
    "blue": (0.25, 0.45, 1.0),
    "yellow": (1.0, 0.9, 0.1),
}
"""The colours, in red, green and blue from 0 to 1."""

SHAPES = ("circle", "square", "triangle")
"""The shapes; each fills its box from edge to edge, and a triangle stands on its base."""

SLOPE = 5**-0.5


def painted(boxes: Tensor, shapes: Tensor, colours: Tensor, side: int) -> Tensor:
    """Paint objects that do not overlap: pictures [pictures, 3, side, side] from 0 to 1.

    boxes    [objects, pictures, 4], top, left, bottom and right, as shares of the picture; what
             lies outside is not seen, and one of NaN is no object
    shapes   [objects, pictures] int64, out of SHAPES
    colours  [objects, pictures] int64, out of COLOURS
    """
    device = boxes.device
    start, stop = boxes[..., :2], boxes[..., 2:]
    half, centre = (stop - start) / 2, (start + stop) / 2
    pixels = (torch.arange(side, device=device) + 0.5) / side
    # from -1 to 1 inside of a box: [objects, pictures, side, side]
    within = (pixels - centre.unsqueeze(-1)) / half.unsqueeze(-1)
    down, across = within[..., 0, :].unsqueeze(-1), within[..., 1, :].unsqueeze(-2)
    aside = across.abs()
    # how far inside of each shape a pixel's middle lies, as a share of half the box
    inside = torch.stack(
        (
            1 - (down.square() + aside.square()).sqrt(),
            1 - torch.maximum(down.abs(), aside),
            torch.minimum(1 - down, (1 + down - 2 * aside) * SLOPE),
        )
    )
    chosen = inside.gather(0, shapes[None, ..., None, None].expand(-1, -1, -1, side, side))[0]
    # a pixel at the edge is covered by as much of the shape as its middle lies inside
    width = half[..., :1, None] * side
    covered = (chosen * width + 0.5).clamp(0, 1).nan_to_num(0.0)
    paint = torch.tensor(list(COLOURS.values()), device=device)[colours]
    return torch.einsum("opyx,opc->pcyx", covered, paint).clamp(max=1)
