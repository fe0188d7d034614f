"""Clips of a shape that walks to and fro in a strip, behind a wall in its middle, and acts once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Generator, Tensor
from torch.nn.functional import max_pool2d

HEIGHT = 5
SIDE = 3
SHAPES = torch.tensor(
    [
        [[1, 1, 1], [1, 0, 1], [1, 1, 1]],
        [[0, 1, 0], [1, 1, 1], [0, 1, 0]],
        [[1, 0, 1], [0, 1, 0], [1, 0, 1]],
    ],
    dtype=torch.float32,
)
"""A ring, a plus and a cross, [kind, row, column]."""

ACTIONS = ("waits", "turns", "swells")
"""What a shape does while it stands still: nothing, or turn back, or grow by a pixel all round."""

SHORTEST, LONGEST = 3, 6
"""How many frames an action takes."""

WALL = 0.5
"""The grey of the wall."""


@dataclass(frozen=True)
class Clips:
    """What happens in clips, before anybody draws it.

    left    [time, clips] int64, the column of the shape's left edge
    right   [time, clips] bool, whether the shape goes to the right, or did before it stood still
    acting  [time, clips] bool, whether it stands still
    action  [clips] int64, out of ACTIONS
    kind    [clips] int64, out of SHAPES
    top     [clips] int64, the row of the shape's upper edge
    wide    the width of a frame
    """

    left: Tensor
    right: Tensor
    acting: Tensor
    action: Tensor
    kind: Tensor
    top: Tensor
    wide: int

    @property
    def hidden(self) -> Tensor:
        """Whether the wall hides the whole shape, [time, clips] bool."""
        start, end = wall(self.wide)
        return (self.left >= start) & (self.left + SIDE <= end)


def wall(wide: int) -> tuple[int, int]:
    """Return the first column of the wall, and the first one behind it: the middle third."""
    return wide // 3, wide - wide // 3


def drawn(length: int, wide: int, size: int, generator: Generator) -> Clips:
    """Draw `size` clips of `length` frames.

    The shape starts in full sight, goes a pixel a frame, turns at both ends of the strip, and acts
    once: where it is in full sight and off the ends, not before the second frame, and so early that
    the last frame shows where it goes from there.
    """
    device = generator.device

    def below(high: int) -> Tensor:
        return torch.randint(high, (size,), generator=generator, device=device)

    action, kind, top = below(len(ACTIONS)), below(len(SHAPES)), below(HEIGHT - SIDE + 1)
    frames = SHORTEST + below(LONGEST - SHORTEST + 1)

    # A walk to and fro is a walk round a circle, of which a strip is two halves: at phase p the
    # left edge is in column p on the way to the right, and in 2 · end − p on the way back.
    end, third = wide - SIDE, wide // 3
    circle = torch.arange(2 * end, device=device)
    left = end - (end - circle).abs()
    seen = (left <= third - SIDE) | (left >= wide - third)
    starts = circle[seen]
    start = starts[below(len(starts))]
    walked = (start + torch.arange(length, device=device).unsqueeze(1)) % (2 * end)
    inside = seen & (left > 0) & (left < end)
    times = torch.arange(length, device=device).unsqueeze(1)
    possible = inside[walked] & (times >= 1) & (times + frames + 1 < length)
    stop = torch.multinomial(possible.T.float(), 1, generator=generator)[:, 0]

    after = times - stop
    acting = (after >= 1) & (after <= frames)
    moved = times - after.clamp(min=0).minimum(frames)
    since = (after - frames).clamp(min=0)
    back = (action == ACTIONS.index("turns")) & (since > 0)
    phase = torch.where(back, since - start - stop, start + moved) % (2 * end)
    right = (phase >= 1) & (phase <= end)
    return Clips(left[phase], right, acting, action, kind, top, wide)


def pictures(clips: Clips) -> Tensor:
    """Draw the frames of clips: grey pixels [time, clips, HEIGHT, wide]."""
    swollen = clips.acting & (clips.action == ACTIONS.index("swells"))
    frames = every_frame(clips.wide).to(clips.left.device)
    return frames[swollen.long(), clips.kind, clips.top, clips.left]


@cache
def every_frame(wide: int) -> Tensor:
    """Return what can be seen: [swollen or not, kind, top, left, HEIGHT, wide]."""
    tops, lefts = HEIGHT - SIDE + 1, wide - SIDE + 1
    frames = torch.zeros(len(SHAPES), tops, lefts, HEIGHT, wide)
    for top in range(tops):
        for left in range(lefts):
            frames[:, top, left, top : top + SIDE, left : left + SIDE] = SHAPES
    swollen = max_pool2d(frames.flatten(0, 2), 3, stride=1, padding=1).view_as(frames)
    both = torch.stack((frames, swollen))
    start, end = wall(wide)
    both[..., start:end] = WALL
    return both
