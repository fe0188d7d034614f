"""Video captioning: say in a sentence what happens in a clip."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks import nearest, pairs, shape_clips
from rnnbench_tasks.pairs import END
from rnnbench_tasks.parts import Part
from rnnbench_tasks.shape_clips import Clips

HELD_OUT = {"valid": 256, "test": 512}
"""How many clips are held out."""

KINDS = {1: "1 object", 2: "2 objects"}

KNOWN, KNOWN_SEED = 512, 1
"""The training clips on which floors are measured, and the seed that draws them."""


class VideoCaptioning(rnnbench.Task):
    """Say in a sentence what happens in a clip.

    One or two coloured shapes move on black. One moves all the time, stops, waits before it moves,
    or turns back; of two, one moves and then the other, or both at once. One caption is true: of
    two objects it first names the one that moves first, and if they move at once the upper or left
    one.

        input    a clip of 8 frames of 16 × 16 pixels, [8, 3, 16, 16]
        target   a red square moves up then a green circle moves up <END>

    The order of frames matters: a clip played backwards is a clip as well, has the same frames, and
    is told in another way unless it is of something that turns back. No frame shows a movement.

    No two clips are alike, but captions may be: of one object there are 192. With `unseen: true`
    each part has captions of its own.

    Not causal: the first word is due after the last frame.
    """

    name = "video_captioning"
    reference = "Venugopalan et al. 2015, arXiv:1505.00487; clips: rnnbench"
    options = {
        "objects": rnnbench.Option(
            shape_clips.MOST, low=1, high=shape_clips.MOST, help="most objects in a clip"
        ),
        "frames": rnnbench.Option(8, low=6, help="frames of a clip"),
        "side": rnnbench.Option(16, low=16, high=64, help="pixels in a row, and in a column"),
        "unseen": rnnbench.Option(False, help="whether held-out clips have captions of their own"),
        "embedding": rnnbench.Option(32, low=0, help="width of a word's vector; 0: one-hot"),
    }
    pattern = "sequence-to-sequence"
    causal = False
    metrics = ("exact_match", "token_accuracy", "bleu_1", "bleu_2", "bleu_3", "bleu")

    objects: int
    frames: int
    side: int
    unseen: bool
    embedding: int

    @property
    def sequence_length(self) -> int:
        """The number of frames."""
        return self.frames

    @property
    def target_length(self) -> int:
        """The words of the longest caption, and <END>."""
        return shape_clips.longest(self.objects) + 1

    @property
    def inputs(self) -> rnnbench.Images:
        """A frame in red, green and blue."""
        return rnnbench.Images(3, self.side, self.side, filters=(16, 32), embedding=32)

    @property
    def targets(self) -> rnnbench.Sequences:
        """The words of captions; the last one is <END>."""
        symbols = (*shape_clips.WORDS, END)
        return rnnbench.Sequences(
            symbols, end=len(symbols) - 1, between=" ", embedding=self.embedding or None
        )

    @cached_property
    def anchors(self) -> rnnbench.Anchors:
        """A guess of every word, and the most frequent training caption; no rule reads pixels.

        The floors are the caption of the training clip with the nearest pixels, out of 512, and the
        most that can be right on average without knowing the order of frames. Solved is 0.95.
        """
        test = self.held_out("test", torch.Generator().manual_seed(0))
        words = (test.targets == self.targets.end).int().argmax(0) + 1
        near = nearest.nearest(_pixels(test), _pixels(self._known), torch.arange(KNOWN))
        return rnnbench.Anchors(
            chance=(self.targets.count ** -words.double()).mean().item(),
            trivial=_exact(self.trivial(test), test),
            oracle=None,
            solved=0.95,
            floors={
                "nearest clip": _exact(self._fitting(self._known.targets[:, near], test), test),
                "frames without their order, at best": self._unordered,
            },
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """How far one gets without the order of frames."""
        return (
            "a clip and the same clip backwards are alike probable: what does not know the order "
            f"of frames is right in at most {self._unordered:.1%} of clips, on average",
        )

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the first frame is from the last word, on average, without attention.

        Read backwards as well, it is one in the middle.
        """
        last = self.frames - 1
        said = (self._known.targets != self.targets.end).sum(0).double().mean().item()
        return (last // 2 if bidirectional else last) + said

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Paint clips: inputs [frames, size, 3, side, side], targets [target steps, size]."""
        batch = self._painted(self._drawn("train", size, generator))
        targets = pairs.fit(batch.targets, self.target_length, self.targets.end)
        return replace(batch, targets=targets)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Paint 256 clips for validation or 512 for the test; their kind is how many objects."""
        clips = self._drawn(split, HELD_OUT[split], generator)
        kinds = tuple((KINDS[count],) for count in clips.objects.tolist())
        return replace(self._painted(clips), kinds=kinds)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Say the most frequent of 512 training captions: [target steps, batch]."""
        captions, counts = self._known.targets.unique(dim=1, return_counts=True)
        said = captions[:, counts.argmax()].to(batch.targets.device).unsqueeze(1)
        return self._fitting(said.expand(-1, len(batch)), batch)

    @property
    def _unordered(self) -> float:
        """Return the share of clips that are told right if each is told forwards or backwards."""
        return (1 + shape_clips.told_alike_backwards(self.objects)) / 2

    def _drawn(self, part: Part, size: int, generator: Generator) -> Clips:
        used = part if self.unseen else None
        return shape_clips.drawn(self.objects, self.frames, size, generator, used)

    def _painted(self, clips: Clips) -> rnnbench.Batch:
        targets = pairs.close(*shape_clips.captions(clips), self.targets.end)
        return rnnbench.Batch(clips.pictures(self.side), targets)

    def _fitting(self, said: Tensor, batch: rnnbench.Batch) -> Tensor:
        return pairs.fit(said, len(batch.targets), self.targets.end)

    @cached_property
    def _known(self) -> rnnbench.Batch:
        """Training clips to measure floors on."""
        return self.batch(KNOWN, torch.Generator().manual_seed(KNOWN_SEED))


def _pixels(batch: rnnbench.Batch) -> Tensor:
    return batch.inputs.transpose(0, 1).flatten(1)


def _exact(said: Tensor, batch: rnnbench.Batch) -> float:
    """Return the share of captions that are said exactly."""
    return (said == batch.targets).all(0).double().mean().item()


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide video captioning."""
    return [VideoCaptioning]
