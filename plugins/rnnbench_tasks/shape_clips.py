"""Clips of one or two coloured shapes that move: drawn, painted, and said in one caption each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from rnnbench_tasks import endless, paint
from rnnbench_tasks.drawn_pairs import BLANK, packed
from rnnbench_tasks.paint import COLOURS, SHAPES
from rnnbench_tasks.parts import Part

DIRECTIONS = ("right", "left", "down", "up")
"""Where shapes move: along an axis, there and back; then along the other."""

MOST = 2
"""How many objects a clip has at most."""

HALF = 0.16, 0.18
"""Half the width of an object, as a share of the frame's: at least and at most."""

MARGIN = 0.02
"""How far objects keep from the edge, and from the line between the halves if they are in one."""

TRAVEL = 0.45, 0.58
"""How far an object would go that moves all the time, as a share of the frame's width."""

TURN = 0.35, 0.65
"""When a movement ends and another begins, as a share of the clip."""

GOES, STOPS, STARTS, TURNS = range(4)
"""How an object moves: all the time; until the turn; from then on; or until then, and then back."""


class Story(NamedTuple):
    """What happens in a clip.

    words  for each object, in the order in which they are named, what is said before its direction
           and after it
    moves  how each object moves
    """

    words: tuple[tuple[str, str], ...]
    moves: tuple[int, ...]

    @property
    def objects(self) -> int:
        """How many objects there are."""
        return len(self.moves)

    @property
    def said(self) -> int:
        """How many words the caption has."""
        return sum(NAMING + 1 + len(" ".join(around).split()) for around in self.words)


STORIES = (
    Story((("moves", ""),), (GOES,)),
    Story((("moves", "and stops"),), (STOPS,)),
    Story((("waits and moves", ""),), (STARTS,)),
    Story((("moves", "and turns back"),), (TURNS,)),
    Story((("moves", "then"), ("moves", "")), (STOPS, STARTS)),
    Story((("moves", "while"), ("moves", "")), (GOES, GOES)),
)
"""All stories. Of two objects that move at once the upper or left one is named first.

Played backwards, each is one of them, and only what turns back is told alike.
"""

AT_ONCE = (GOES, GOES)
BACKWARDS_ALIKE = (TURNS,)

NAMING = 3
"""How many words name an object: `a red circle`."""

WORDS = tuple(
    dict.fromkeys(
        [*COLOURS, *SHAPES, *DIRECTIONS, "a"]
        + [
            word
            for story in STORIES
            for around in story.words
            for part in around
            for word in part.split()
        ]
    )
)
"""The words of captions."""

NUMBER = {word: number for number, word in enumerate(WORDS)}


@dataclass(frozen=True)
class Clips:
    """What happens in clips; objects stand in the order in which they are named.

    story  [clips] int64, out of STORIES
    direction, colour, shape  [MOST, clips] int64, out of DIRECTIONS, COLOURS and SHAPES; BLANK
                              where there is no such object
    boxes  [MOST, frames, clips, 4], top, left, bottom and right of each object, as shares of the
           frame; NaN where there is none
    """

    story: Tensor
    direction: Tensor
    colour: Tensor
    shape: Tensor
    boxes: Tensor

    @property
    def objects(self) -> Tensor:
        """How many objects each clip has, [clips] int64."""
        return (self.colour != BLANK).sum(0)

    def pictures(self, side: int) -> Tensor:
        """Paint the frames: [frames, clips, 3, side, side]."""
        frames, clips = self.boxes.shape[1:3]
        each = (kind.clamp(min=0).repeat(1, frames) for kind in (self.shape, self.colour))
        painted = paint.painted(self.boxes.flatten(1, 2), *each, side)
        return painted.unflatten(0, (frames, clips))


def drawn(
    most: int, frames: int, count: int, generator: Generator, part: Part | None = None
) -> Clips:
    """Draw `count` clips of up to `most` objects.

    Each number of objects is alike frequent, and so is each story with that number, and whatever
    an object is; two are of different colours. With a part, there are only clips with captions that
    no other part has.
    """
    draw = partial(_told, most, generator=generator)
    if part is None:
        columns = draw(count)
    else:
        columns = endless.take(part, count, draw, lambda columns: columns)
    story, direction, colour, shape = columns[0], columns[1::3], columns[2::3], columns[3::3]
    return Clips(story, direction, colour, shape, _moved(story, direction, frames, generator))


def captions(clips: Clips) -> tuple[Tensor, Tensor]:
    """Say what happens: words [steps, clips] int64, out of WORDS, and lengths [clips]."""
    device, there = clips.story.device, clips.colour != BLANK
    naming = [
        torch.full_like(clips.colour, NUMBER["a"]),
        clips.colour + NUMBER[next(iter(COLOURS))],
        clips.shape + NUMBER[SHAPES[0]],
    ]
    named = torch.stack(naming, 1)
    direction = (clips.direction + NUMBER[DIRECTIONS[0]]).unsqueeze(1)
    before, after = AROUND.to(device)[:, :, :, clips.story]
    said = torch.cat((named, before, direction, after), 1)
    return packed(said.masked_fill(~there.unsqueeze(1), BLANK).flatten(0, 1))


def longest(most: int) -> int:
    """Return how many words the longest caption of up to `most` objects has."""
    return max(story.said for story in STORIES if story.objects <= most)


def told_alike_backwards(most: int) -> float:
    """Return the share of clips of up to `most` objects whose caption stays true backwards."""
    moves = [[story.moves for story in STORIES if story.objects == n + 1] for n in range(most)]
    return mean(each.count(BACKWARDS_ALIKE) / len(each) for each in moves)


def _told(most: int, count: int, generator: Generator) -> Tensor:
    """Draw what captions say: story, and direction, colour and shape of each object, as columns."""
    device = generator.device

    def below(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=generator, device=device)

    objects = 1 + below(most, count)
    numbers = torch.tensor([story.objects for story in STORIES], device=device)
    possible = (numbers == objects.unsqueeze(1)).double()
    story = torch.multinomial(possible, 1, generator=generator).T
    # both objects of a clip move along one axis
    direction = 2 * below(2, count) + below(2, MOST, count)
    colour = below(len(COLOURS), count)
    other = (colour + 1 + below(len(COLOURS) - 1, count)) % len(COLOURS)
    each = [direction, torch.stack((colour, other)), below(len(SHAPES), MOST, count)]
    missing = torch.arange(MOST, device=device).unsqueeze(1) >= objects
    told = torch.stack(each, 1).masked_fill(missing.unsqueeze(1), BLANK)
    return torch.cat((story, told.flatten(0, 1)))


def _moved(story: Tensor, direction: Tensor, frames: int, generator: Generator) -> Tensor:
    """Draw how large objects are and where they are when: boxes [MOST, frames, clips, 4]."""
    device, clips = story.device, len(story)

    def between(low: Tensor | float, high: Tensor | float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator, device=device)

    half = between(*HALF, MOST, clips)
    nearest, farthest = half + MARGIN, 1 - half - MARGIN

    time = torch.linspace(0, 1, frames, device=device).unsqueeze(1)
    turn = between(*TURN, clips)
    gone = torch.stack(
        [
            time.expand(-1, clips),
            time.minimum(turn),
            (time - turn).clamp(min=0),
            time.minimum(2 * turn - time),
        ]
    )
    move = MOVES.to(device)[:, story]
    gone = gone.gather(0, move.unsqueeze(1).expand(-1, frames, -1))
    gone = gone * between(*TRAVEL, MOST, 1, clips)
    start = between(nearest - gone.amin(1), farthest - gone.amax(1), MOST, clips)
    along = start.unsqueeze(1) + gone
    along = torch.where((direction % 2 == 1).unsqueeze(1), 1 - along, along)

    # two objects keep to one half each
    middle = torch.full_like(half, 0.5)
    alone = direction[1] == BLANK
    first = torch.where(alone, farthest, middle - half - MARGIN)
    lanes = between(nearest, first, MOST, clips)
    swapped = torch.rand(clips, generator=generator, device=device) < 0.5
    swapped &= ORDERED.to(device)[story]
    second = torch.stack((swapped, ~swapped)) & ~alone
    beside = torch.where(second, 1 - lanes, lanes).unsqueeze(1).expand_as(along)

    half = half.unsqueeze(1)
    level = (direction < 2).unsqueeze(1)
    down, across = torch.where(level, beside, along), torch.where(level, along, beside)
    boxes = torch.stack((down - half, across - half, down + half, across + half), -1)
    return boxes.masked_fill((direction == BLANK)[:, None, :, None], torch.nan)


def _filled(values: tuple[int, ...], filling: int, length: int) -> list[int]:
    return [*values, *[filling] * (length - len(values))]


def _around() -> Tensor:
    """Return what is said before and after each direction: [2, MOST, words, stories]."""
    said = [
        [
            [tuple(NUMBER[word] for word in part.split()) for part in around]
            for around in (*story.words, ("", ""))[:MOST]
        ]
        for story in STORIES
    ]
    most = max(len(part) for story in said for around in story for part in around)
    rows = [[[_filled(p, BLANK, most) for p in around] for around in story] for story in said]
    return torch.tensor(rows).permute(2, 1, 3, 0)


AROUND = _around()
MOVES = torch.tensor([_filled(story.moves, GOES, MOST) for story in STORIES]).T
ORDERED = torch.tensor([story.objects == MOST and story.moves != AT_ONCE for story in STORIES])
"""Of which stories the order of objects is that in which they move."""
