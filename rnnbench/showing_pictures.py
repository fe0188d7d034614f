"""Pictures of the test part, what a network said of them, and where it looked."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import torch
from torch import Tensor

from rnnbench.assessing import Assessed
from rnnbench.contracts import Batch, Classes, Images, Sequences, Task, Tokens
from rnnbench.member import Shown
from rnnbench.nn.encoder_decoder import EncoderDecoder
from rnnbench.nn.network import Network
from rnnbench.showing import LONGEST, read, spread, words

PICTURES = 4
"""Pictures from all over the test part, and as many of those that were answered wrongly."""

FRAMES = 6
"""Frames of a clip that are shown at most."""

SIDE = 128
"""Pixels in a row or column that are kept at most."""

GAP = 2
"""Pixels between two frames."""

NO_CLASS = "something that is no class"


@torch.no_grad()
def shown(network: Network, assessed: Assessed) -> tuple[Shown, ...]:
    """Choose pictures and show what was said of them; () where a task shows no pictures."""
    task, batch = assessed.task, assessed.batch
    answers = _answers(assessed)
    if answers is None or _frames(batch, task, 0) is None:
        return ()
    correct = [said in right for said, right in answers]
    every = torch.arange(len(batch))
    wrong = every[~torch.tensor(correct)]
    chosen = sorted({*spread(every, PICTURES).tolist(), *spread(wrong, PICTURES).tolist()})
    part = assessed.choose(torch.tensor(chosen, device=assessed.predictions.device))
    questions = read(part)
    looked = _looked(network, part)
    found = []
    for place, number in enumerate(chosen):
        frames = _frames(batch, task, number)
        assert frames is not None  # noqa: S101  the first picture was there
        said, right = answers[number]
        question = ""
        if isinstance(task.inputs, Tokens) and task.inputs.symbols and task.image is not None:
            question = task.inputs.between.join(questions[place])
        one = Shown(number, png(frames), question, right, said, correct[number])
        if looked is not None:
            one = _with_look(one, looked, part, place)
        found.append(one)
    return tuple(found)


def _with_look(
    one: Shown, looked: tuple[Tensor, tuple[int, int]], part: Assessed, place: int
) -> Shown:
    weights, grid = looked
    said = words(part, place)[:LONGEST]
    rows = weights[: len(said), place].tolist()
    shares = tuple(tuple(round(weight, 4) for weight in row) for row in rows)
    return replace(one, grid=grid, words=tuple(said), weights=shares)


def _looked(network: Network, part: Assessed) -> tuple[Tensor, tuple[int, int]] | None:
    """Return where an attention looked in pictures while it said this, and their grid."""
    if part.task.pattern != "one-to-many" or not isinstance(network, EncoderDecoder):
        return None
    weights = network.looked(part.batch, part.predictions)
    return None if weights is None or not network.grid[0] else (weights, network.grid)


def _answers(assessed: Assessed) -> list[tuple[str, tuple[str, ...]]] | None:
    """Return what was said of each sequence, and what would be right; None: not in words."""
    targets = assessed.task.targets
    if isinstance(targets, Sequences):
        return list(zip(assessed.said, assessed.references, strict=True))
    if not isinstance(targets, Classes) or not targets.names or assessed.predictions.dim() != 2:
        return None
    names = [*targets.names, NO_CLASS]
    said = assessed.predictions.argmax(-1).tolist()
    right = assessed.batch.targets.tolist()
    return [(names[one], (names[other],)) for one, other in zip(said, right, strict=True)]


def _frames(batch: Batch, task: Task, row: int) -> Tensor | None:
    """Return its picture, or some of its frames: [frames, channels, height, width]."""
    if batch.pictures is not None:
        return batch.pictures[row].unsqueeze(0)
    if isinstance(task.image, Images) and batch.images is not None:
        return batch.images[row].unsqueeze(0)
    if not isinstance(task.inputs, Images):
        return None
    frames = batch.inputs[:, row]
    if batch.lengths is not None:
        frames = frames[: int(batch.lengths[row])]
    return frames[spread(torch.arange(len(frames)), FRAMES)]


def png(frames: Tensor) -> str:
    """Write frames [frames, channels, height, width], from 0 to 1, side by side: PNG, base64."""
    # a picture is only drawn for a run that ends
    from PIL import Image

    levels = (frames.detach().cpu().clamp(0, 1) * 255).round().byte()
    if levels.shape[1] not in (1, 3):
        levels = levels[:, :1]
    gap = torch.full((*levels.shape[1:3], GAP), 255, dtype=torch.uint8)
    strip = [part for frame in levels for part in (frame, gap)][:-1]
    array = torch.cat(strip, -1).permute(1, 2, 0).squeeze(-1).numpy()
    image = Image.fromarray(array)
    image.thumbnail((SIDE * len(levels), SIDE))
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
