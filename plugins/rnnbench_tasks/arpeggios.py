"""Made music: chords that follow each other in a key, each spelt out over a bar of four beats."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np
import torch
from scipy.special import entr
from torch import Generator, Tensor

from rnnbench_tasks.certain import CERTAIN
from rnnbench_tasks.piano_rolls import KEYS, LOWEST

TONICS = 12
"""The most keys of music there may be."""

BASS = 36 - LOWEST
"""Where the bass of the lowest tonic is in a roll: the C two octaves below middle C."""

BEATS = 4
"""Frames of a bar."""

BARS = 4
"""Bars of a phrase, which begins on the tonic chord."""

CHORDS = ((0, 4, 7), (2, 5, 9), (5, 9, 12), (7, 11, 14), (9, 12, 16))
"""I, ii, IV, V, vi: root, third and fifth in semitones above the tonic."""

FOLLOWING = (
    (0.0, 0.2, 0.3, 0.3, 0.2),
    (0.1, 0.0, 0.0, 0.8, 0.1),
    (0.3, 0.2, 0.0, 0.5, 0.0),
    (0.7, 0.0, 0.0, 0.0, 0.3),
    (0.0, 0.4, 0.4, 0.2, 0.0),
)
"""How likely each chord (column) follows a chord (row) within a phrase."""

TONES, FULL = (0, 1, 2), 3
"""What a frame has of its chord: the root, third or fifth; or all of them above a bass."""


@dataclass(frozen=True)
class Arpeggios:
    """Pieces of `steps` + 1 frames, each in one of `tonics` keys of music.

    A bar's first frame has the whole chord above a bass, the others one tone each, an octave
    higher: root, third, fifth in a bar that rises, else the other way round. A phrase of four bars
    begins on the tonic chord; any other chord follows from the one before. So the next frame is
    known to the one who counts beats and bars and keeps the tonic, the chord and its direction; but
    for the direction when it is chosen, and the chord.
    """

    steps: int
    tonics: int = TONICS

    def draw(self, size: int, generator: Generator, parity: int | None = None) -> Tensor:
        """Draw pieces: [steps + 1, size, 88] bool.

        parity  of the number of bars that are heard to rise: it keeps two sets of pieces apart, in
                which any bars, but not all, still rise and fall as they like
        """
        device = generator.device
        bars = self.steps // BEATS + 1

        def choose(count: int, *shape: int) -> Tensor:
            return torch.randint(count, shape, generator=generator, device=device)

        tonics, rising = choose(self.tonics, size), choose(2, bars, size)
        if parity is not None:
            # the direction is heard on the second beat, which the last bar may lack
            heard = (self.steps + BEATS - 1) // BEATS
            rising[0] ^= (rising[:heard].sum(0) + parity) % 2
        below = torch.tensor(FOLLOWING, device=device).cumsum(1)[:, :-1]
        dice = torch.rand(bars, size, 1, generator=generator, device=device)
        chords = torch.zeros_like(rising)
        for bar in range(1, bars):
            if bar % BARS:
                chords[bar] = (dice[bar] >= below[chords[bar - 1]]).sum(1)
        frames = torch.arange(self.steps + 1, device=device)
        at, beat = frames // BEATS, (frames % BEATS).unsqueeze(1)
        tones = torch.where(rising[at] == 1, beat - 1, len(TONES) - beat)
        tones = torch.where(beat == 0, FULL, tones)
        return self._frames.to(device)[tonics, chords[at], tones]

    def expected(self, rolls: Tensor) -> Tensor:
        """Return the logits of each next frame, all before being heard: [steps, batch, 88].

        rolls  [steps, batch, 88], 0 or 1
        """
        frames = self._frames.to(rolls.device).double()
        following = torch.tensor(FOLLOWING, dtype=torch.float64, device=rolls.device)
        roots = torch.tensor([chord[0] for chord in CHORDS], device=rolls.device)
        tonic = rolls[0].argmax(-1) - BASS
        expected = []
        for step, roll in enumerate(rolls):
            beat = step % BEATS
            if beat == 0:
                bass = roll.argmax(-1)
                chord = (bass - BASS - tonic).unsqueeze(-1).eq(roots).long().argmax(-1)
                root, third, fifth, _ = frames[tonic, chord].unbind(1)
                chance = (root + fifth) / 2
            elif beat == 1:
                heard = roll
                chance = third
            elif beat == 2:
                chance = root + fifth - heard
            elif (step + 1) % (BEATS * BARS) == 0:
                chance = frames[tonic, 0, FULL]
            else:
                chance = torch.einsum("bc,bck->bk", following[chord], frames[tonic, :, FULL])
            expected.append(chance.logit().clamp(-CERTAIN, CERTAIN).float())
        return torch.stack(expected)

    @cached_property
    def entropy(self) -> float:
        """The mean over steps of the entropies of the next frame's keys, all before being heard."""
        following, frames = np.array(FOLLOWING), self._frames[0, :, FULL].double().numpy()
        chance = following @ frames
        of_chord = (entr(chance) + entr(1 - chance)).sum(1)
        shares, total = np.eye(len(CHORDS))[0], 0.0
        for step in range(self.steps):
            if step % BEATS == 0:
                total += 2 * log(2)
            elif (step + 1) % (BEATS * BARS) == 0:
                shares = np.eye(len(CHORDS))[0]
            elif (step + 1) % BEATS == 0:
                total += float(shares @ of_chord)
                shares = shares @ following
        return total / self.steps

    @cached_property
    def _frames(self) -> Tensor:
        """The keys of each frame there is: [tonics, chords, root third fifth full, 88] bool."""
        frames = torch.zeros(TONICS, len(CHORDS), FULL + 1, KEYS, dtype=torch.bool)
        for tonic in range(TONICS):
            for number, chord in enumerate(CHORDS):
                for tone in TONES:
                    frames[tonic, number, tone, BASS + 36 + tonic + chord[tone]] = True
                    frames[tonic, number, FULL, BASS + 24 + tonic + chord[tone]] = True
                frames[tonic, number, FULL, BASS + tonic + chord[0]] = True
        return frames
