"""Captioning: say in a sentence what is in a picture."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks import nearest, pairs, shape_scenes
from rnnbench_tasks.pairs import END
from rnnbench_tasks.parts import Part
from rnnbench_tasks.shape_scenes import Scenes

HELD_OUT = {"valid": 256, "test": 768}
"""How many generated pictures are held out."""

KINDS = {1: "1 object", 2: "2 objects", 3: "3 objects"}

KNOWN, KNOWN_SEED = 512, 1
"""The training pictures on which floors are measured, and the seed that draws them."""


class Captioning(rnnbench.Task):
    """Say in a sentence what is in a picture.

    Without a file the pictures are painted: one to three shapes on black, small or large, in four
    colours, of which one caption is true.

        input    a picture of 32 × 32 pixels, [3, 32, 32]
        target   a small green square above a large yellow triangle and a small green circle <END>

    What is named first lies further up, or further left where a middle line of the picture parts
    left from right. No two pictures are alike, but captions may be: of one object there are 120.
    With `unseen: true` each part has captions of its own, so that `large`, `red` and `circle` are
    trained on, and a large red circle in the upper left is not.

    Not causal: the whole picture is there before the first word.
    """

    name = "captioning"
    reference = "Vinyals et al. 2015, arXiv:1411.4555; Xu et al. 2015, arXiv:1502.03044"
    options = {
        "objects": rnnbench.Option(
            shape_scenes.MOST, low=1, high=shape_scenes.MOST, help="most objects in a painting"
        ),
        "unseen": rnnbench.Option(
            False, help="whether held-out paintings have captions of their own"
        ),
        "side": rnnbench.Option(32, low=24, high=96, help="pixels in a row, and in a column"),
        "embedding": rnnbench.Option(32, low=0, help="width of a word's vector; 0: one-hot"),
    }
    pattern = "one-to-many"
    causal = False
    metrics = (
        "exact_match",
        "token_accuracy",
        "bleu_1",
        "bleu_2",
        "bleu_3",
        "bleu",
        "mass_in_box",
    )

    objects: int
    unseen: bool
    side: int
    embedding: int

    @property
    def sequence_length(self) -> int:
        """A picture is one step."""
        return 1

    @property
    def target_length(self) -> int:
        """The words of the longest caption, and <END>."""
        return shape_scenes.longest(self.objects) + 1

    @property
    def inputs(self) -> rnnbench.Images:
        """A picture in red, green and blue."""
        return rnnbench.Images(3, self.side, self.side, embedding=32)

    @property
    def targets(self) -> rnnbench.Sequences:
        """The words of captions; the last one is <END>."""
        symbols = (*shape_scenes.WORDS, END)
        return rnnbench.Sequences(
            symbols, end=len(symbols) - 1, between=" ", embedding=self.embedding or None
        )

    @cached_property
    def anchors(self) -> rnnbench.Anchors:
        """A guess of every word, and the most frequent training caption; no rule reads pixels.

        The floor is the caption of the training picture with the nearest pixels, out of 512. Solved
        is 0.95.
        """
        test = self.held_out("test", torch.Generator().manual_seed(0))
        words = (test.targets == self.targets.end).int().argmax(0) + 1
        near = nearest.nearest(
            test.inputs[0].flatten(1), self._known.inputs[0].flatten(1), torch.arange(KNOWN)
        )
        return rnnbench.Anchors(
            chance=(self.targets.count ** -words.double()).mean().item(),
            trivial=_exact(self.trivial(test), test),
            oracle=None,
            solved=0.95,
            floors={
                "nearest picture": _exact(
                    pairs.fit(self._known.targets[:, near], len(test.targets), self.targets.end),
                    test,
                )
            },
        )

    def shortest_path(self, bidirectional: bool) -> float:  # noqa: ARG002  there is one direction
        """Return how many words a picture is from the last of its caption, on average.

        That is without attention, where a picture is seen before the first word.
        """
        return (self._known.targets != self.targets.end).sum(0).double().mean().item()

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Paint `size` pictures: inputs [1, size, 3, side, side], targets [target steps, size]."""
        scenes = self._drawn("train", size, generator)
        said = shape_scenes.captions(scenes)
        targets = pairs.close(said.words, said.lengths, self.targets.end)
        return rnnbench.Batch(
            scenes.pictures(self.side).unsqueeze(0),
            pairs.fit(targets, self.target_length, self.targets.end),
        )

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Paint 256 pictures for validation or 768 for the test; their kind is how many objects."""
        scenes = self._drawn(split, HELD_OUT[split], generator)
        said = shape_scenes.captions(scenes)
        nothing = torch.full_like(said.boxes[:1], torch.nan)
        return rnnbench.Batch(
            scenes.pictures(self.side).unsqueeze(0),
            pairs.close(said.words, said.lengths, self.targets.end),
            boxes=torch.cat((said.boxes, nothing)),
            kinds=tuple((KINDS[count],) for count in scenes.objects.tolist()),
        )

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Say the most frequent of 512 training captions: [target steps, batch]."""
        captions, counts = self._known.targets.unique(dim=1, return_counts=True)
        said = captions[:, counts.argmax()].to(batch.targets.device).unsqueeze(1)
        return pairs.fit(said.expand(-1, len(batch)), len(batch.targets), self.targets.end)

    def _drawn(self, part: Part, size: int, generator: Generator) -> Scenes:
        return shape_scenes.drawn(self.objects, size, generator, part if self.unseen else None)

    @cached_property
    def _known(self) -> rnnbench.Batch:
        """Training pictures to measure floors on."""
        return self.batch(KNOWN, torch.Generator().manual_seed(KNOWN_SEED))


def _exact(said: Tensor, batch: rnnbench.Batch) -> float:
    """Return the share of captions that are said exactly: those of [any steps, batch]."""
    return (said == batch.targets).all(0).double().mean().item()


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide captioning."""
    return [Captioning]
