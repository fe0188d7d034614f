"""Sort-of-CLEVR: questions about one object of a picture, and about how objects lie together."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

import rnnbench
from rnnbench_tasks import coloured_objects as scenery
from rnnbench_tasks import endless
from rnnbench_tasks.certain import CERTAIN
from rnnbench_tasks.coloured_objects import Scenes
from rnnbench_tasks.object_questions import (
    ANSWERS,
    CIRCLE,
    KINDS,
    NON_RELATIONAL,
    ONE,
    RELATIONAL,
    SQUARE,
    WAYS,
    Questions,
)
from rnnbench_tasks.parts import Part

ALL = "all"

HELD_OUT: dict[rnnbench.Split, int] = {"valid": 300, "test": 1200}
"""How many questions held-out parts have, alike many of every kind."""

COUNTED = 4096
"""Training questions by which it is measured what is frequent."""


class SortOfClevr(rnnbench.Task):
    """Answer a question about a picture of coloured squares and circles.

    The task of Santoro et al. (2017): a picture has six objects of six colours, each a square or a
    circle, that do not overlap. Non-relational questions are about the object of one colour: what
    shape it has, whether it lies left or right, at the top or at the bottom. Relational ones need
    others as well: the shape of the closest object, the shape of the furthest, and how many objects
    have its shape, itself among them.

        picture  a red square at the top left, a green circle at its right, …
        input    what shape is closest to red
        target   circle

    Here questions are asked in words, each in two ways, where the original has a vector of eleven
    bits, and the side is answered by its name, not by yes and no. Pictures have 32 × 32 pixels
    (`side`), not 75 × 75. Every object lies in a cell of its own of 4 × 4, about as large as it, on
    a grey ground, and has one closest and one furthest other. Training pictures are drawn without
    end. A held-out picture is asked one question of each kind: 50 pictures for validation, 200 for
    the test, by hash of the scene. With fewer `objects` all of it is easier.

    Not causal: the answer is due after the last word, so reading backwards is fair.
    """

    name = "sort_of_clevr"
    reference = "Santoro et al. 2017, arXiv:1706.01427"
    options = {
        "questions": rnnbench.Option(
            ALL, choices=(ALL, RELATIONAL, NON_RELATIONAL), help="what is asked"
        ),
        # two others at least, so that one is closest and another furthest
        "objects": rnnbench.Option(6, low=3, high=6, help="objects in a picture"),
        # a cell has room for an object in which a circle can be told from a square
        "side": rnnbench.Option(32, low=24, high=128, help="pixels in a row and in a column"),
        "embedding": rnnbench.Option(64, low=0, help="width of a word's vector; 0: one-hot"),
    }
    pattern = "many-to-one"
    causal = False
    metrics = ("accuracy", "cross_entropy")

    questions: str
    objects: int
    side: int
    embedding: int

    @property
    def sequence_length(self) -> int:
        """The words of the longest question."""
        return len(self._asked.numbers[0])

    @property
    def inputs(self) -> rnnbench.Tokens:
        """The words of questions."""
        words = self._asked.words
        return rnnbench.Tokens(len(words), self.embedding or None, words, " ")

    @property
    def image(self) -> rnnbench.Images:
        """The picture that is asked about."""
        return rnnbench.Images(3, self.side, self.side)

    @property
    def targets(self) -> rnnbench.Classes:
        """Shapes, sides, and as many numbers as there are objects."""
        answers = ANSWERS[: ONE + self.objects]
        return rnnbench.Classes(len(answers), answers)

    @cached_property
    def anchors(self) -> rnnbench.Anchors:
        """A guess among all answers, the most frequent answer, and the rule.

        Solved is 0.94, which relation networks exceed on both halves (Santoro et al. 2017). One
        floor knows the question only, and gives its most frequent answer in training; the other
        the picture only, and says which shape most objects have. What is measured is measured on
        the test set of seed 0.
        """
        test = self.held_out("test", torch.Generator().manual_seed(0))
        majority = _accuracy(self.trivial(test), test)
        return rnnbench.Anchors(
            chance=1 / self.targets.count,
            trivial=majority,
            oracle=_accuracy(self.oracle(test), test),
            solved=0.94,
            floors={
                "majority": majority,
                "question only": _accuracy(self.question_only(test), test),
                "image only, most frequent shape": _accuracy(self.image_only(test), test),
            },
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the question alone is worth, half by half."""
        # the most frequent count of coins that fall like one of them
        counts = torch.distributions.Binomial(
            self.objects - 1, torch.tensor(0.5, dtype=torch.double)
        )
        likely = counts.log_prob(torch.tensor(float((self.objects - 1) // 2))).exp().item()
        found = {NON_RELATIONAL: 1 / 2, RELATIONAL: (1 / 2 + 1 / 2 + likely) / 3}
        return tuple(
            f"{group} questions without their picture are answered rightly in {share:.1%} at most, "
            "on average"
            for group, share in found.items()
            if self.questions in (ALL, group)
        )

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farthest word that matters is from the end, on average.

        Each question is told from all others by its first word at the latest; with two directions
        a word in the middle is the farthest, such as the colour.
        """
        last = self._asked.numbers[1] - 1
        return (last // 2 if bidirectional else last).double().mean().item()

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` pictures with a question each.

        inputs [steps, size], lengths [size], images [size, 3, side, side], targets [size]
        """
        scenes = self._drawn("train", size, generator)
        device = generator.device
        question = torch.randint(
            len(self._asked.texts), (size,), generator=generator, device=device
        )
        return self._told(scenes, torch.arange(size, device=device), question)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Draw pictures with a question of each kind: 300 for validation, 1200 for the test."""
        kinds = self._asked.kinds
        count, device = HELD_OUT[split] // len(kinds), generator.device
        scenes = self._drawn(split, count, generator)
        way, colour = (
            torch.randint(most, (count, len(kinds)), generator=generator, device=device)
            for most in (WAYS, self.objects)
        )
        kind = torch.arange(len(kinds), device=device).expand_as(way)
        question = self._asked.number(kind, way, colour).flatten()
        picture = torch.arange(count, device=device).repeat_interleave(len(kinds))
        names = tuple((each.group, f"{each.group}: {each.name}") for each in kinds)
        return replace(self._told(scenes, picture, question), kinds=names * count)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the shares of answers in training, whatever is asked: logits [batch, answers]."""
        return self._shares.mean(0).log().to(batch.inputs.device).expand(len(batch), -1)

    def question_only(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the shares of answers to a question in training: logits [batch, answers]."""
        return self._shares.log().to(batch.inputs.device)[self._recognised(batch)]

    def image_only(self, batch: rnnbench.Batch) -> Tensor:
        """Say which shape most objects of a picture have: logits [batch, answers]."""
        circles = scenery.read(self._seen(batch), self.objects).circle.double().mean(0)
        return self._certain(torch.where(circles > 1 / 2, CIRCLE, SQUARE))

    def oracle(self, batch: rnnbench.Batch) -> Tensor:
        """Read the question, look at the picture, and answer: logits [batch, answers]."""
        scenes = scenery.read(self._seen(batch), self.objects)
        answers = self._asked.answers(scenes).gather(0, self._recognised(batch).unsqueeze(0))[0]
        return self._certain(answers)

    @cached_property
    def _asked(self) -> Questions:
        kinds = [kind for kind in KINDS if self.questions in (ALL, kind.group)]
        return Questions(kinds, self.objects)

    @cached_property
    def _shares(self) -> Tensor:
        """Return how often each question has each answer in training: [questions, answers]."""
        scenes = self._drawn("train", COUNTED, torch.Generator().manual_seed(0))
        told = one_hot(self._asked.answers(scenes), self.targets.count).sum(1) + 1
        return told.float() / told.sum(1, keepdim=True)

    def _drawn(self, part: Part, count: int, generator: Generator) -> Scenes:
        """Draw scenes of a part."""
        columns = endless.take(
            part,
            count,
            lambda most: scenery.drawn(most, self.objects, self.side, generator).columns,
            lambda drawn: drawn,
        )
        return Scenes.of(columns, self.side)

    def _told(self, scenes: Scenes, picture: Tensor, question: Tensor) -> rnnbench.Batch:
        """Ask a question about the picture of a scene, each by its number: [batch]."""
        words, lengths = (each.to(question.device) for each in self._asked.numbers)
        return rnnbench.Batch(
            words[:, question],
            self._asked.answers(scenes)[question, picture],
            lengths[question],
            images=scenery.pictures(scenes)[picture],
        )

    def _recognised(self, batch: rnnbench.Batch) -> Tensor:
        """Return the numbers of the questions that are asked: [batch]."""
        words = self._asked.numbers[0].to(batch.inputs.device)
        return (words.unsqueeze(2) == batch.inputs.unsqueeze(1)).all(0).int().argmax(0)

    def _seen(self, batch: rnnbench.Batch) -> Tensor:
        if batch.images is None:
            raise TypeError("a batch of this task has pictures")
        return batch.images

    def _certain(self, answers: Tensor) -> Tensor:
        return CERTAIN * one_hot(answers, self.targets.count).float()


def _accuracy(logits: Tensor, batch: rnnbench.Batch) -> float:
    return (logits.argmax(-1) == batch.targets).double().mean().item()


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide Sort-of-CLEVR."""
    return [SortOfClevr]
