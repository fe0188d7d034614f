"""Polyphonic music: predict which notes sound in the next frame."""

from __future__ import annotations

from functools import cached_property
from math import log
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks.arpeggios import BARS, BEATS, TONICS, Arpeggios
from rnnbench_tasks.piano_rolls import KEYS, read_rolls

DRAWN = {"train": 512, "valid": 128, "test": 512}
"""Made pieces: what naive predictors are fitted on, and what networks are scored on."""

# Krichevsky & Trofimov 1981: half a note and half a silence that nobody heard.
UNHEARD = 0.5

# Of the loss between the best naive predictor and the oracle: what is left when solved.
LEFT = 0.1


class PolyphonicMusic(rnnbench.Task):
    """Say after each frame of a piece which of a piano's 88 keys sound in the next one.

    A frame is a row of 88 numbers, 0 or 1, and so is its target: the frame after it. The first
    frame is read and never asked for, the last asked for and never read. Four frames of a chorale
    by Bach, as MIDI numbers:

        read    72 76 79 84   72 76 79 84   71 74 79 86   73 77 81 88
        target  72 76 79 84   71 74 79 86   73 77 81 88   75 81 83 90

    The score is the negative log-likelihood in nats, summed over the keys of a frame and averaged
    over frames.

    Without `data` the pieces are made: a chord, then its three tones one by one, up or down, bar by
    bar, in one of `tonics` keys of music; every fourth bar the tonic chord returns. One tone does
    not tell its chord, so whoever sees but the last frame knows little of the next.

    `data` is a .npz, .mat or JSON file with training, validation and test pieces (see
    `rnnbench_tasks.piano_rolls`). Training sequences are cut out of pieces at random, so that
    frames are drawn about equally often; held-out pieces are whole. A piece of fewer than two
    frames, or without a note, asks for nothing and is left out; `notes` count them.

    Causal: a frame is predicted from those before it.
    """

    name = "polyphonic_music"
    reference = "Boulanger-Lewandowski, Bengio & Vincent 2012, arXiv:1206.6392"
    options = {
        "data": rnnbench.Option("", file=True, help="piano rolls; none: made pieces"),
        "tonics": rnnbench.Option(
            TONICS, low=1, high=TONICS, help="keys of music in which pieces are made"
        ),
        "length": rnnbench.Option(64, low=BEATS * BARS, help="frames read in training"),
        "limit": rnnbench.Option(
            0, low=0, help="frames read of a held-out piece, its end being cut; 0: all"
        ),
    }
    pattern = "many-to-many"
    causal = True
    metrics = ("frame_nll", "frame_accuracy")

    data: str
    tonics: int
    length: int
    limit: int

    @property
    def sequence_length(self) -> int:
        """The chosen length; held-out pieces may be longer."""
        return self.length

    @property
    def inputs(self) -> rnnbench.Reals:
        """The keys, 1 where one sounds."""
        return rnnbench.Reals(KEYS)

    @property
    def targets(self) -> rnnbench.Labels:
        """The keys of the next frame."""
        return rnnbench.Labels(KEYS)

    @cached_property
    def anchors(self) -> rnnbench.Anchors:
        """What naive predictors, fitted on training pieces, measure on test pieces.

        Chance gives every key even odds: 88 ln 2. Trivial is how often each key sounds (marginal).
        The other floor knows for each key how often it sounds after it did, and after it did not.
        The oracle hears all before: its loss, an entropy, is exact. Solved is the best floor; of
        made pieces, a tenth of what lies between it and the oracle.
        """
        before, after = self._frames("test")
        marginal, on, off = self._fitted
        floors = {
            "marginal": _nll(marginal, after),
            "last frame": _nll(np.where(before, on, off), after),
        }
        oracle, solved = None, min(floors.values())
        if not self.data:
            oracle = self._made.entropy
            solved = oracle + LEFT * (solved - oracle)
        return rnnbench.Anchors(KEYS * log(2), floors["marginal"], oracle, solved, floors)

    @property
    def notes(self) -> tuple[str, ...]:
        """How many pieces there are, and how many were left out or cut."""
        if not self.data:
            return ()
        counts = ", ".join(f"{len(pieces)} {part}" for part, pieces in self._pieces.items())
        cut = sum(
            0 < self.limit < len(piece) - 1
            for part in ("valid", "test")
            for piece in self._pieces[part]
        )
        return (
            f"pieces: {counts}",
            *(
                f"{part}: {count} pieces left out, without a note or a second frame"
                for part, count in self._left_out.items()
                if count
            ),
            *((f"{cut} held-out pieces are cut after {self.limit} frames",) if cut else ()),
        )

    def shortest_path(self, bidirectional: bool) -> float:  # noqa: ARG002  one answer for both
        """Return how far back the rule looks from the last frame read.

        Of made pieces to the beginning of the phrase, whose tonic returns at its end; the keys of a
        chord are nearer. Of other music nobody knows, and it is all of a training sequence.
        """
        return float((self.length if self.data else BEATS * BARS) - 1)

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` sequences: inputs and targets [length, size, 88].

        Those of a file are out of different pieces as long as there are enough.
        """
        if not self.data:
            return _laid_out(self._made.draw(size, generator))
        frames, starts, lengths = self._training
        device = generator.device
        # a frame of a long piece is cut out as often as one of a piece that is taken whole
        shares = (lengths / self.length).clamp(min=1).to(device)
        chosen = torch.multinomial(
            shares, size, replacement=size > len(shares), generator=generator
        )
        most = lengths.to(device)[chosen]
        room = (most - self.length).clamp(min=0) + 1
        places = torch.rand(size, generator=generator, dtype=torch.float64, device=device)
        first = starts.to(device)[chosen] + (places * room).long()
        lasts = most.clamp(max=self.length)
        steps = torch.arange(self.length, device=device).unsqueeze(1)
        rows = first + steps.minimum(lasts - 1)
        inside = (steps < lasts).unsqueeze(-1)
        read, asked = frames.to(device)[rows], frames.to(device)[rows + 1]
        return rnnbench.Batch((read & inside).float(), (asked & inside).float(), lasts)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return the pieces of a part, whole up to `limit`; or make 128 or 512.

        Of made pieces, an even number of bars rise in a validation piece, an odd one in a test
        piece.
        """
        if not self.data:
            return _laid_out(self._made.draw(DRAWN[split], generator, parity=int(split == "test")))
        pieces = self._cut(split)
        steps, device = max(map(len, pieces)) - 1, generator.device
        inputs, lengths = rnnbench.pad([piece[:-1] for piece in pieces], steps)
        targets, _ = rnnbench.pad([piece[1:] for piece in pieces], steps)
        return rnnbench.Batch(
            inputs.to(device).float(), targets.to(device).float(), lengths.to(device)
        )

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict how often each key sounds in training: logits [steps, batch, 88]."""
        logits = torch.from_numpy(self._fitted[0]).logit().to(batch.inputs)
        return logits.expand_as(batch.inputs)

    def oracle(self, batch: rnnbench.Batch) -> Tensor | None:
        """Predict a made piece by its rules: logits [steps, batch, 88]."""
        return None if self.data else self._made.expected(batch.inputs)

    @cached_property
    def _made(self) -> Arpeggios:
        return Arpeggios(self.length, self.tonics)

    @cached_property
    def _rolls(self) -> dict[str, list[Tensor]]:
        """All pieces of the file: [frames, 88] bool."""
        return {
            part: [torch.from_numpy(roll) for roll in rolls]
            for part, rolls in read_rolls(Path(self.data)).items()
        }

    @cached_property
    def _pieces(self) -> dict[str, list[Tensor]]:
        """The pieces that ask for something."""
        pieces = {
            part: [roll for roll in rolls if len(roll) > 1 and roll.any()]
            for part, rolls in self._rolls.items()
        }
        for part, left in pieces.items():
            if not left:
                raise rnnbench.DataError(
                    f"{self.data}: no piece for {part}; expected some of two frames and a note"
                )
        return pieces

    @property
    def _left_out(self) -> dict[str, int]:
        return {part: len(rolls) - len(self._pieces[part]) for part, rolls in self._rolls.items()}

    @cached_property
    def _training(self) -> tuple[Tensor, Tensor, Tensor]:
        """All training frames [frames, 88] bool, where each piece begins, and what it asks for."""
        pieces = self._pieces["train"]
        counts = torch.tensor([len(piece) for piece in pieces])
        return torch.cat(pieces), counts.cumsum(0) - counts, counts - 1

    def _cut(self, part: str) -> list[Tensor]:
        """Return the pieces of a part, held-out ones up to `limit`."""
        most = self.limit + 1 if self.limit and part != "train" else None
        return [piece[:most] for piece in self._pieces[part]]

    def _frames(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Return what is read and what is asked for: two arrays [frames, 88] bool."""
        if self.data:
            pieces = self._cut(part)
        else:
            seed = Generator().manual_seed(list(DRAWN).index(part))
            pieces = list(self._made.draw(DRAWN[part], seed).unbind(1))
        before, after = ([*cut] for cut in zip(*((p[:-1], p[1:]) for p in pieces), strict=True))
        return torch.cat(before).numpy(), torch.cat(after).numpy()

    @cached_property
    def _fitted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How likely each key sounds: in any frame, after it did, after it did not."""
        before, after = self._frames("train")
        frames = (np.ones_like(before), before, ~before)
        always, on, off = (
            ((after & those).sum(0) + UNHEARD) / (those.sum(0) + 2 * UNHEARD) for those in frames
        )
        return always, on, off


def _nll(chance: np.ndarray, rolls: np.ndarray) -> float:
    """Return the negative log-likelihood of frames [frames, 88], a frame."""
    return float(-np.log(np.where(rolls, chance, 1 - chance)).sum(1).mean())


def _laid_out(pieces: Tensor) -> rnnbench.Batch:
    """Ask for each frame after the one before: pieces [frames, batch, 88]."""
    rolls = pieces.float()
    return rnnbench.Batch(rolls[:-1], rolls[1:])


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide polyphonic music."""
    return [PolyphonicMusic]
