"""Audio classification: drawn vowels and tones, or a folder of WAV files, as log spectra."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks.labelled import BESIDE_TEST, Example, Labelled, dealt
from rnnbench_tasks.log_spectra import framing, resampled
from rnnbench_tasks.nearest import means, nearest, share
from rnnbench_tasks.parts import PARTS, SHARES, Part
from rnnbench_tasks.voices import CLASSES, RATE, voices
from rnnbench_tasks.wav_folder import Clip, WavFile, list_folder

DRAWN: dict[Part, int] = {"train": 100, "valid": 20, "test": 60}
"""Drawn clips of each class."""


class AudioClassification(rnnbench.Task):
    """Name what a short sound is, from its spectrum frame by frame: a vowel, a pair, a tone.

    Drawn by default, like a corpus that was recorded once: vowels a, e, i, o, u of voices that
    differ in pitch and size; pairs ai, ia, au, ua; tones that are rising, falling or steady; each a
    quarter to half a second, under white noise. A pair and its reverse, or a rising and a falling
    tone, have the same spectrum on average: only the order in time tells them apart.

    With `data`, a folder with a sub-folder a class and .wav files in it, dealt class by class: 80 %
    for training and 20 % for validation where `test` names such a folder too, else 80, 10 and 10 %.
    Channels are averaged, and sounds resampled to the rate that is most frequent in training.
    Folders whose name begins with `.` or `_` are no classes.

    A step is a frame: the logarithm of the energy in `bands` bands that are even on the mel scale,
    standardised band by band by the training part's mean and deviation. Sounds of more than `limit`
    frames lose their end. Every sixth frame of a drawn sound with `bands: 8`:

        input     -2.2 -0.8 -0.4 -1.4 -0.7 -0.4 -0.4 -0.6
                  -1.7 -0.2  1.4  0.4 -0.4 -0.3 -0.2  0.1
                  -1.3 -1.6  1.3  1.0 -0.7 -0.1 -0.1  0.2
                  -1.6 -1.9  1.0  1.2 -0.3 -0.1 -0.2 -0.3
                  -1.5 -1.5  0.4  1.4  0.1 -0.3 -0.2  0.2
                  -1.5 -1.8 -1.5  1.4  1.6  0.0 -0.1 -0.1
        target    8   (rising, the ninth of the twelve classes in order of their names)

    Not causal: the answer is due after the last step, so reading backwards is fair.
    """

    name = "audio_classification"
    reference = "vowels: Peterson & Barney 1952, doi:10.1121/1.1906875; files: your own"
    options = {
        "data": rnnbench.Option(
            "", file=True, help="a folder, one sub-folder of .wav files a class; none: drawn sounds"
        ),
        "test": rnnbench.Option(
            "", file=True, help="such a folder for the test; none: a tenth of `data`"
        ),
        "frame": rnnbench.Option(25.0, low=1.0, high=1000.0, help="milliseconds of a frame"),
        "hop": rnnbench.Option(
            10.0, low=1.0, high=1000.0, help="milliseconds from one frame to the next"
        ),
        "bands": rnnbench.Option(16, low=1, high=128, help="bands of a spectrum, the step's width"),
        "limit": rnnbench.Option(
            0, low=0, help="the most frames of a sound; 0: those of the longest in training"
        ),
        "snr": rnnbench.Option(
            20.0, low=-60.0, high=120.0, help="decibels of drawn sounds above their noise"
        ),
    }
    pattern = "many-to-one"
    causal = False
    metrics = ("accuracy", "cross_entropy")

    data: str
    test: str
    frame: float
    hop: float
    bands: int
    limit: int
    snr: float

    @property
    def sequence_length(self) -> int:
        """The frames of the longest sound."""
        return self._sounds.steps

    @property
    def inputs(self) -> rnnbench.Reals:
        """A spectrum."""
        return rnnbench.Reals(self.bands)

    @property
    def targets(self) -> rnnbench.Classes:
        """The classes of training, and one for all labels that only held-out sounds have."""
        return self._sounds.targets

    @property
    def anchors(self) -> rnnbench.Anchors:
        """A guess, the most frequent class, and the nearest neighbour in the mean spectrum.

        Neighbours are sounds of the training part. Solved is 0.9 for drawn sounds: who hears
        everything but the order reaches 0.75. For files it is the best floor.
        """
        return self._anchors

    @property
    def notes(self) -> tuple[str, ...]:
        """The size of the parts, and what was cut, resampled or unnamed."""
        rates = sum(self._rates.values(), Counter())
        others = rates.total() - rates[self._rate]
        notes = list(self._sounds.notes("sounds"))
        if others:
            notes.append(
                f"{others} of {rates.total()} sounds were resampled to {self._rate} samples a "
                "second"
            )
        return tuple(notes)

    @property
    def leaks(self) -> tuple[str, ...]:
        """How many held-out sounds training has too."""
        return self._sounds.leaks("sounds")

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the first frame is from its read-out; with two directions, the middle."""
        return self._sounds.path(bidirectional)

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw sounds: inputs [steps, size, bands], targets [size], lengths [size]."""
        return self._sounds.batch(size, generator)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return the sounds for validation or the test."""
        return self._sounds.held_out(split, generator)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the class most frequent in training: logits [batch, classes]."""
        return self._sounds.most_frequent(batch)

    def _clips(self, part: Part) -> Iterable[Clip]:
        """Return the sounds of a part; those of a folder are read one by one, and not kept."""
        if self.data:
            return (file.read() for file in self._files[part])
        if self.test:
            raise rnnbench.DataError(f"{self.test}: `test` without `data`; name what to train on")
        return voices(DRAWN[part], self.snr, seed=PARTS.index(part))

    @cached_property
    def _files(self) -> dict[Part, list[WavFile]]:
        files = list_folder(Path(self.data))
        try:
            parts = dealt(
                [file.label for file in files], files, BESIDE_TEST if self.test else SHARES
            )
        except ValueError as error:
            raise rnnbench.DataError(f"{self.data}: {error}; give more sounds") from None
        return {**parts, "test": list_folder(Path(self.test))} if self.test else parts

    @cached_property
    def _rates(self) -> dict[Part, Counter[int]]:
        """How many sounds of each part have which rate; a folder is read once only to know it."""
        if not self.data:
            return {part: Counter({RATE: each * len(CLASSES)}) for part, each in DRAWN.items()}
        return {part: Counter(clip.rate for clip in self._clips(part)) for part in PARTS}

    @cached_property
    def _rate(self) -> int:
        """The rate that is most frequent in training; of equally frequent ones, the higher."""
        rates = self._rates["train"]
        return max(rates, key=lambda rate: (rates[rate], rate))

    @cached_property
    def _sounds(self) -> Labelled:
        frames = framing(self._rate, self.bands, self.frame, self.hop)
        examples = {
            part: [
                Example(frames(resampled(clip.samples, clip.rate, self._rate)), clip.label)
                for clip in self._clips(part)
            ]
            for part in PARTS
        }
        return Labelled.of(examples, self.limit)

    @cached_property
    def _anchors(self) -> rnnbench.Anchors:
        sounds = self._sounds
        test, known = sounds.parts["test"], sounds.known
        neighbour = share(nearest(means(test), means(known), known.targets) == test.targets)
        trivial = share(self.trivial(test).argmax(-1) == test.targets)
        return rnnbench.Anchors(
            chance=1 / len(sounds.classes),
            trivial=trivial,
            oracle=None,
            solved=max(trivial, neighbour) if self.data else 0.9,
            floors={"1-NN on the mean spectrum": neighbour},
        )


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide audio classification."""
    return [AudioClassification]
