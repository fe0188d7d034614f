"""How far one member's training has come, and what a checkpoint keeps of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from torch import Tensor

from rnnbench.checkpoints import Checkpoint
from rnnbench.direction import Direction
from rnnbench.member import Finished, Point, Sample, Score, Status


@dataclass(frozen=True)
class Best:
    """The weights with the best validation score so far; the lower loss decides a tie."""

    update: int
    score: float
    loss: float
    row: Tensor

    def beaten_by(self, score: float, loss: float, direction: Direction) -> bool:
        """Whether another score, or the loss at an equal one, is better."""
        if score == self.score:
            return loss < self.loss
        return score > self.score if direction == "max" else score < self.score


@dataclass
class Fit:
    """How the training of one member goes.

    failed_update  the update that diverged, or that the time limit stopped
    pruned         why its contest dropped it; "" where it did not
    late           why it was stopped; "" where it was not
    """

    best: Best | None = None
    updates: int = 0
    failed_update: int | None = None
    pruned: str = ""
    late: str = ""
    curve: list[Point] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """What it has taken."""
        return self.train_seconds + self.evaluate_seconds

    @property
    def ended(self) -> bool:
        """Whether it trains no more, before its last update."""
        return self.failed_update is not None or bool(self.pruned)

    def take(
        self,
        update: int,
        train_loss: float,
        valid_loss: float,
        scores: Mapping[str, float],
        score: float,
    ) -> bool:
        """Note a point of the curve; return whether its losses and first score are finite."""
        self.updates = update
        self.curve += [
            Point(update, "train", "loss", train_loss),
            Point(update, "valid", "loss", valid_loss),
            *(Point(update, "valid", name, value) for name, value in scores.items()),
        ]
        if not (math.isfinite(valid_loss) and math.isfinite(score)):
            self.failed_update = update
        return self.failed_update is None

    def stop(self, update: int, limit: float) -> None:
        """Note that its time was up after this update."""
        self.updates = self.failed_update = update
        self.late = f"stopped after update {update}: the time limit is {limit:g} s"

    @property
    def status(self) -> Status:
        """How it ended."""
        if self.late:
            return "timeout"
        if self.failed_update is not None:
            return "diverged"
        return "pruned" if self.pruned else "ok"

    def finished(self, scores: tuple[Score, ...] = ()) -> Finished:
        """Return what it leaves."""
        failed = self.failed_update is not None
        diverged = f"the loss was not finite at update {self.failed_update}"
        best = None if failed else self.best
        return Finished(
            status=self.status,
            reason=self.late or (diverged if failed else self.pruned),
            updates=self.updates,
            failed_update=self.failed_update,
            best_update=best.update if best else None,
            valid_score=best.score if best else None,
            valid_loss=best.loss if best else None,
            scores=scores,
            curve=tuple(self.curve),
            samples=tuple(self.samples),
            seconds={
                "train": self.train_seconds,
                "evaluate": self.evaluate_seconds,
                "update": self.train_seconds / max(self.updates, 1),
            },
        )

    def checkpoint(self, update: int, state: Mapping[str, Tensor]) -> Checkpoint:
        """Return all of it, with the state of what trains."""
        best = self.best
        plain = {name: value for name, value in vars(self).items() if name != "best"}
        plain["curve"] = [asdict(point) for point in self.curve]
        plain["samples"] = [asdict(sample) for sample in self.samples]
        if best is not None:
            plain["best"] = {"update": best.update, "score": best.score, "loss": best.loss}
            state = {**state, "best": best.row}
        return Checkpoint(update, state, plain)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """Return what a checkpoint keeps."""
        plain = dict(checkpoint.facts)
        if "best" in plain:
            plain["best"] = Best(**plain["best"], row=checkpoint.tensors["best"])
        plain["curve"] = [Point(**point) for point in plain["curve"]]
        plain["samples"] = [Sample(**sample) for sample in plain["samples"]]
        return cls(**plain)
