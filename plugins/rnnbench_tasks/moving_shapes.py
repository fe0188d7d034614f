"""Two tasks over clips of a moving shape: the action in every frame, and the action of the clip."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property

import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks import clips
from rnnbench_tasks.clips import Clips

HELD_OUT = {"valid": 256, "test": 1024}

FILTERS, EMBEDDING = (8, 16), 32
"""The convolutions that look at a frame, if it is an image, and what a layer reads of it."""

LEFT, RIGHT = 0, 1
FRAME_LABELS = ("left", "right", *clips.ACTIONS)

# Clips that floors and paths are measured on; nobody trains or is tested on them.
FLOOR_SEEDS = {"train": 1, "test": 2}
FLOOR_CLIPS = {"train": 300, "test": 500}


class MovingShapes(rnnbench.Task):
    """What the tasks share; a task adds what is asked about a clip."""

    reference = (
        "this project; a shape behind a wall is the tunnel effect of Burke 1952, "
        "doi:10.1080/17470215208416611"
    )
    options = {
        "length": rnnbench.Option(24, low=24, help="number of frames"),
        "size": rnnbench.Option(16, low=12, high=32, help="pixels in a row; there are 5 rows"),
        # above 0, no two clips are alike, and so no test clip is one of training or validation
        "noise": rnnbench.Option(0.1, low=0.01, help="standard deviation added to every pixel"),
        "frames": rnnbench.Option(
            "pixels",
            choices=("pixels", "images"),
            help="what a frame is given as: numbers in a row, or an image for convolutions",
        ),
    }
    causal = False
    metrics = ("accuracy", "cross_entropy")

    length: int
    size: int
    noise: float
    frames: str

    @property
    def sequence_length(self) -> int:
        """The number of frames."""
        return self.length

    @property
    def inputs(self) -> rnnbench.Reals | rnnbench.Images:
        """The pixels of a frame, line by line, or as an image."""
        if self.frames == "pixels":
            return rnnbench.Reals(clips.HEIGHT * self.size)
        return rnnbench.Images(1, clips.HEIGHT, self.size, filters=FILTERS, embedding=EMBEDDING)

    @abstractmethod
    def asked(self, drawn: Clips, frames: Tensor) -> rnnbench.Batch:
        """Return what is asked about clips, with their frames [length, clips, …]."""

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` clips: inputs [length, size, pixels], or images from 0 to 1."""
        drawn = clips.drawn(self.length, self.size, size, generator)
        seen = clips.pictures(drawn)
        noise = torch.randn(seen.shape, generator=generator, device=seen.device)
        frames = seen + self.noise * noise
        if self.frames == "pixels":
            return self.asked(drawn, frames.flatten(2))
        return self.asked(drawn, frames.clamp(0, 1).unsqueeze(2))

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Draw 256 clips for validation or 1024 for the test."""
        return self.batch(HELD_OUT[split], generator)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the first label, than which none is more frequent: logits like a network's."""
        logits = torch.zeros(*batch.targets.shape, self.targets.count, device=batch.inputs.device)
        logits[..., 0] = 1.0
        return logits

    @cached_property
    def floors(self) -> dict[str, float]:
        """Return the accuracy of logistic regressions on what they are given, by its name."""
        train, test = (
            self._views(self.batch(FLOOR_CLIPS[part], torch.Generator().manual_seed(seed)))
            for part, seed in FLOOR_SEEDS.items()
        )
        return {name: _logistic_accuracy(*train[name], *test[name]) for name in train}

    @abstractmethod
    def _views(self, batch: rnnbench.Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """Return naive inputs [rows, width] and their targets [rows], by name."""

    @property
    def _examples(self) -> Clips:
        """Draw clips to measure paths on."""
        return clips.drawn(self.length, self.size, 2000, torch.Generator().manual_seed(0))


class FrameLabels(MovingShapes):
    """Say for every frame what the shape does: go left or right, wait, turn, or swell.

    A shape of 3 × 3 pixels, one of three kinds, walks to and fro in a strip of 5 rows, a pixel a
    frame. A wall hides the middle third of the strip. Once in a clip, in sight, the shape stands
    still for 3 to 6 frames: it waits, and goes on; or turns, and goes back; or swells, and goes on.
    The labels are `left` 0, `right` 1, `waits` 2, `turns` 3 and `swells` 4. Three frames without
    their noise, in which a cross goes behind the wall (its left edge is in column 2, 3 and 4), and
    a clip by its left edges (`w`: all of the shape is behind the wall):

        .....%%%%%%.....  .....%%%%%%.....  .....%%%%%%.....
        ..X.X%%%%%%.....  ...X.%%%%%%.....  ....X%%%%%%.....
        ...X.%%%%%%.....  ....X%%%%%%.....  .....%%%%%%.....
        ..X.X%%%%%%.....  ...X.%%%%%%.....  ....X%%%%%%.....
        .....%%%%%%.....  .....%%%%%%.....  .....%%%%%%.....

        input   1 2 2 2 2 1 0 1 2 3 4 w w w w 9 10 11 12 13 12 11 10 9
        target  1 1 3 3 3 0 0 1 1 1 1 1 1 1 1 1 1  1  1  1  0  0  0  0

    The previous frame is not enough: behind the wall nothing is to be seen, and the shape still
    goes the way it went. Neither is the past: whether a shape that stands still waits or turns is
    only seen when it goes on. The first frame, before anything has moved, does not count.

    Not causal: the clip is there as a whole, so reading backwards is fair, and `notes` say how far
    one gets without it.
    """

    name = "frame_labels"
    pattern = "many-to-many"

    @property
    def targets(self) -> rnnbench.Classes:
        """The label of a frame."""
        return rnnbench.Classes(len(FRAME_LABELS))

    @property
    def anchors(self) -> rnnbench.Anchors:
        """Any label, and `left` for all; noise leaves no rule that is always right.

        Solved is half of the errors that a reader of the past alone must make. The floors are
        logistic regressions on a frame, and on a frame and the one before.
        """
        return rnnbench.Anchors(
            chance=1 / len(FRAME_LABELS),
            trivial=(1 - self._acting) / 2,
            oracle=None,
            solved=(1 + self._without_future) / 2,
            floors=self.floors,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """How far one gets without the future."""
        return (
            "whether a shape that stands still waits or turns is a fair coin until it goes on: "
            f"what reads no later frame is right in at most {self._without_future:.1%} of frames, "
            "on average",
        )

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far a frame is from what tells its label, on average over drawn clips.

        That is the last frame that shows the shape going, and the one before it. With two
        directions, behind the wall it may be the next such frame instead; where the shape stands
        still it is the farther of the two.
        """
        drawn = self._examples
        telling = ~drawn.acting & ~drawn.hidden
        steps = _since(telling) + 1
        if bidirectional:
            ahead = _since(telling.flip(0)).flip(0)
            steps = torch.where(drawn.hidden, steps.minimum(ahead), steps)
            steps = torch.where(drawn.acting, steps.maximum(ahead), steps)
        return steps[1:].float().mean().item()

    def asked(self, drawn: Clips, frames: Tensor) -> rnnbench.Batch:
        """Ask for the label of every frame but the first: targets and mask [length, clips]."""
        labels = torch.where(drawn.acting, RIGHT + 1 + drawn.action, drawn.right.long())
        mask = torch.ones_like(labels, dtype=torch.bool)
        mask[0] = False
        return rnnbench.Batch(frames, labels, mask=mask)

    @property
    def _acting(self) -> float:
        """Return the share of counted frames in which a shape stands still."""
        return (clips.SHORTEST + clips.LONGEST) / 2 / (self.length - 1)

    @property
    def _without_future(self) -> float:
        """Return what the best reader of the past scores: half of all waiting and turning."""
        return 1 - self._acting * 2 / len(clips.ACTIONS) / 2

    def _views(self, batch: rnnbench.Batch) -> dict[str, tuple[Tensor, Tensor]]:
        frames, labels = batch.inputs.flatten(2), batch.targets[1:].flatten()
        pairs = torch.cat((frames[:-1], frames[1:]), -1)
        return {
            "one frame, logistic regression": (frames[1:].flatten(0, 1), labels),
            "two frames, logistic regression": (pairs.flatten(0, 1), labels),
        }


class ActionLabel(MovingShapes):
    """Say what the shape did in a clip: wait, turn, or swell.

    The clips of `frame_labels`, in each of which a shape walks to and fro behind a wall and once
    stands still, for 3 to 6 frames: it waits and goes on (class 0), or turns and goes back (1), or
    swells and goes on (2). Where its left edge is (`w`: all of it behind the wall), and the target:

        input   1 2 3 4 w w w w 9 10 11 12 12 12 12 12 11 10 9 w w w w 4
        target  1

    Not causal: the answer is due after the last frame, so reading backwards is fair.
    """

    name = "action_label"
    pattern = "many-to-one"

    @property
    def targets(self) -> rnnbench.Classes:
        """The action."""
        return rnnbench.Classes(len(clips.ACTIONS))

    @property
    def anchors(self) -> rnnbench.Anchors:
        """One action of three; noise leaves no rule that is always right.

        Solved is 0.95. The floors are logistic regressions on the last frame, on the last two, on
        the mean of all frames, which has no order, and on all of them at once.
        """
        third = 1 / len(clips.ACTIONS)
        return rnnbench.Anchors(
            chance=third, trivial=third, oracle=None, solved=0.95, floors=self.floors
        )

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farthest frame that matters is from its read-out, on average.

        From two frames before the shape first stands still, which show where it went, to the frame
        in which it goes on.
        """
        acting = self._examples.acting
        times = torch.arange(self.length).unsqueeze(1)
        first = acting.int().argmax(0) - 2
        matters = (times >= first) & (times <= first + 2 + acting.sum(0))
        steps = self.length - 1 - times
        steps = steps.minimum(times) if bidirectional else steps
        return (steps * matters).amax(0).float().mean().item()

    def asked(self, drawn: Clips, frames: Tensor) -> rnnbench.Batch:
        """Ask for the action: targets [clips]."""
        return rnnbench.Batch(frames, drawn.action)

    def _views(self, batch: rnnbench.Batch) -> dict[str, tuple[Tensor, Tensor]]:
        frames, actions = batch.inputs.flatten(2), batch.targets
        return {
            "last frame, logistic regression": (frames[-1], actions),
            "last two frames, logistic regression": (torch.cat((*frames[-2:],), -1), actions),
            "mean frame, logistic regression": (frames.mean(0), actions),
            "all frames, logistic regression": (frames.transpose(0, 1).flatten(1), actions),
        }


def _since(telling: Tensor) -> Tensor:
    """Count the frames since the last telling one, [time, clips]; many where there is none."""
    times = torch.arange(len(telling), device=telling.device).unsqueeze(1)
    last = torch.where(telling, times, -len(telling)).cummax(0).values
    return times - last


def _logistic_accuracy(seen: Tensor, labels: Tensor, asked: Tensor, expected: Tensor) -> float:
    """Fit a logistic regression and score it."""
    # Importing it takes most of a second, which every listing of tasks would pay.
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(tol=1e-3, max_iter=1000).fit(seen.numpy(), labels.numpy())
    return float(model.score(asked.numpy(), expected.numpy()))


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide the labels of frames and of clips."""
    return [FrameLabels, ActionLabel]
