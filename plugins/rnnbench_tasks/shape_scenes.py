"""Scenes of one to three coloured shapes: drawn, painted, and said in one caption each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from rnnbench_tasks import endless, paint
from rnnbench_tasks.drawn_pairs import BLANK, packed
from rnnbench_tasks.paint import COLOURS, SHAPES
from rnnbench_tasks.parts import Part

SIZES = ("small", "large")
HALF = torch.tensor([0.11, 0.18])
"""Half the width of an object of each size, as a share of the picture's, or `VARIES` more."""
VARIES = 0.02

FIRST, SECOND, MIDDLE, LINE = range(4)
"""Where an object lies along an axis: in the upper or left half, in the lower or right half, on the
line between the halves, or in line with the other object."""

MARGIN = 0.02
"""How far objects keep from the edge, and from the line between the halves if they are in one."""

SWAY = 0.05
"""How far the centre of an object is from the line it lies on, at most."""


class Layout(NamedTuple):
    """Where objects lie, in the order in which they are named.

    after   what is said after each
    down    where each lies from top to bottom
    across  where each lies from left to right
    """

    after: tuple[str, ...]
    down: tuple[int, ...]
    across: tuple[int, ...]

    @property
    def objects(self) -> int:
        """How many objects there are."""
        return len(self.after)

    @property
    def words(self) -> int:
        """How many words the caption has."""
        return sum(NAMING + len(part.split()) for part in self.after)


LAYOUTS = (
    Layout(("in the upper left",), (FIRST,), (FIRST,)),
    Layout(("in the upper right",), (FIRST,), (SECOND,)),
    Layout(("in the lower left",), (SECOND,), (FIRST,)),
    Layout(("in the lower right",), (SECOND,), (SECOND,)),
    Layout(("in the middle",), (MIDDLE,), (MIDDLE,)),
    Layout(("above", ""), (FIRST, SECOND), (LINE, LINE)),
    Layout(("left of", ""), (LINE, LINE), (FIRST, SECOND)),
    Layout(("and", "above", ""), (FIRST, FIRST, SECOND), (FIRST, SECOND, MIDDLE)),
    Layout(("above", "and", ""), (FIRST, SECOND, SECOND), (MIDDLE, FIRST, SECOND)),
    Layout(("and", "left of", ""), (FIRST, SECOND, MIDDLE), (FIRST, FIRST, SECOND)),
    Layout(("left of", "and", ""), (MIDDLE, FIRST, SECOND), (FIRST, SECOND, SECOND)),
)
"""All layouts. Between what is `above` and what it is above runs the line between the halves, and
likewise with `left of`. The line between the other halves never parts one side from the other; so
one caption alone is true, if the upper or left one of a pair is named first."""

MOST = max(layout.objects for layout in LAYOUTS)
"""How many objects a scene has at most."""

NOBODY = MOST
"""Whom a word names that names no object."""

NAMING = 4
"""How many words name an object: `a small red circle`."""

WORDS = tuple(
    dict.fromkeys(
        [*SIZES, *COLOURS, *SHAPES, "a"]
        + [word for layout in LAYOUTS for part in layout.after for word in part.split()]
    )
)
"""The words of captions."""

NUMBER = {word: number for number, word in enumerate(WORDS)}


@dataclass(frozen=True)
class Scenes:
    """What is in scenes; objects stand in the order in which they are named.

    layout  [scenes] int64, out of LAYOUTS
    size, colour, shape  [MOST, scenes] int64, out of SIZES, COLOURS and SHAPES; BLANK where there
                         is no such object
    boxes   [MOST, scenes, 4], top, left, bottom and right of each object, as shares of the picture;
            NaN where there is none
    """

    layout: Tensor
    size: Tensor
    colour: Tensor
    shape: Tensor
    boxes: Tensor

    @property
    def objects(self) -> Tensor:
        """How many objects each scene has, [scenes] int64."""
        return (self.size != BLANK).sum(0)

    def pictures(self, side: int) -> Tensor:
        """Paint the scenes: [scenes, 3, side, side]."""
        return paint.painted(self.boxes, self.shape.clamp(min=0), self.colour.clamp(min=0), side)


class Captions(NamedTuple):
    """One caption for each of some scenes.

    words    [steps, scenes] int64, out of WORDS
    lengths  [scenes] int64
    boxes    [steps, scenes, 4], where the object is that a word names by its size, colour or shape;
             NaN: it names none
    """

    words: Tensor
    lengths: Tensor
    boxes: Tensor


def drawn(most: int, count: int, generator: Generator, part: Part | None = None) -> Scenes:
    """Draw `count` scenes of up to `most` objects.

    Each number of objects is alike frequent, and so is each layout with that number, and whatever
    an object is. With a part, there are only scenes with captions that no other part has.
    """
    draw = partial(_said, most, generator=generator)
    if part is None:
        columns = draw(count)
    else:
        columns = endless.take(part, count, draw, lambda columns: columns)
    layout, size, colour, shape = columns[0], columns[1::3], columns[2::3], columns[3::3]
    return Scenes(layout, size, colour, shape, _placed(layout, size, generator))


def captions(scenes: Scenes) -> Captions:
    """Say what is to be seen."""
    device, there = scenes.layout.device, scenes.size != BLANK
    named = [
        torch.full_like(scenes.size, NUMBER["a"]),
        scenes.size,
        scenes.colour + NUMBER[next(iter(COLOURS))],
        scenes.shape + NUMBER[SHAPES[0]],
    ]
    naming = torch.stack(named, 1).masked_fill(~there.unsqueeze(1), BLANK)
    columns = torch.cat((naming, AFTER.to(device)[:, :, scenes.layout]), 1)
    whom = torch.full_like(columns, NOBODY)
    whom[:, 1:NAMING] = torch.arange(MOST, device=device)[:, None, None]
    columns, whom = columns.flatten(0, 1), whom.flatten(0, 1)
    words, lengths = packed(columns)
    names, _ = packed(torch.where(columns == BLANK, BLANK, whom))
    somewhere = torch.cat((scenes.boxes, torch.full_like(scenes.boxes[:1], torch.nan)))
    boxes = somewhere.gather(0, names.unsqueeze(-1).expand(-1, -1, 4))
    valid = torch.arange(len(words), device=device).unsqueeze(1) < lengths
    longest = int(lengths.max())
    boxes = boxes.masked_fill(~valid.unsqueeze(-1), torch.nan)
    return Captions(words[:longest], lengths, boxes[:longest])


def longest(most: int) -> int:
    """Return how many words the longest caption of up to `most` objects has."""
    return max(layout.words for layout in LAYOUTS if layout.objects <= most)


def _said(most: int, count: int, generator: Generator) -> Tensor:
    """Draw what captions say: layout, and size, colour and shape of each object, as columns."""
    device = generator.device

    def below(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=generator, device=device)

    objects = 1 + below(most, count)
    numbers = torch.tensor([layout.objects for layout in LAYOUTS], device=device)
    possible = (numbers == objects.unsqueeze(1)).double()
    layout = torch.multinomial(possible, 1, generator=generator).T
    each = [below(len(choices), MOST, count) for choices in (SIZES, COLOURS, SHAPES)]
    missing = torch.arange(MOST, device=device).unsqueeze(1) >= objects
    named = torch.stack(each, 1).masked_fill(missing.unsqueeze(1), BLANK)
    return torch.cat((layout, named.flatten(0, 1)))


def _placed(layout: Tensor, size: Tensor, generator: Generator) -> Tensor:
    """Draw how large objects are exactly, and where they lie: boxes [MOST, scenes, 4]."""
    device, there = size.device, size != BLANK

    def share(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=device)

    half = HALF.to(device)[size.clamp(min=0)] + VARIES * share(*size.shape)
    widest = half.where(there, 0.0).amax(0) + MARGIN + SWAY
    centres = []
    for where in PLACES.to(device)[:, :, layout]:
        line = widest + (1 - 2 * widest) * share(*layout.shape)
        middle = torch.full_like(half, 0.5)
        low = (half + MARGIN, middle + half + MARGIN, middle - SWAY, (line - SWAY).expand_as(half))
        high = (middle - half - MARGIN, 1 - half - MARGIN, middle + SWAY, low[LINE] + 2 * SWAY)
        first, last = (torch.stack(ends).gather(0, where[None])[0] for ends in (low, high))
        centres.append(first + (last - first) * share(*size.shape))
    boxes = torch.stack([c + side for side in (-half, half) for c in centres], -1)
    return boxes.masked_fill(~there.unsqueeze(-1), torch.nan)


def _filled(values: tuple[int, ...], filling: int, length: int) -> list[int]:
    return [*values, *[filling] * (length - len(values))]


def _after() -> Tensor:
    """Return the words after each object of each layout: [MOST, words, layouts]."""
    said = [
        [tuple(NUMBER[word] for word in part.split()) for part in layout.after]
        for layout in LAYOUTS
    ]
    most = max(len(part) for parts in said for part in parts)
    rows = [[_filled(p, BLANK, most) for p in (*parts, (), ())[:MOST]] for parts in said]
    return torch.tensor(rows).permute(1, 2, 0)


def _places() -> Tensor:
    """Return where each object of each layout lies, down and across: [2, MOST, layouts]."""
    rows = [
        [_filled(axis, MIDDLE, MOST) for axis in (layout.down, layout.across)] for layout in LAYOUTS
    ]
    return torch.tensor(rows).permute(1, 2, 0)


AFTER, PLACES = _after(), _places()
