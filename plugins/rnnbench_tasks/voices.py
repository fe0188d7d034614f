"""Vowels, pairs of vowels and gliding tones: drawn sounds whose class is, for some, an order."""

from __future__ import annotations

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from rnnbench_tasks.wav_folder import Clip

RATE = 8000
SHORTEST, LONGEST = 0.25, 0.5

# Resonances of a man's vocal tract in Hz (Peterson & Barney 1952, rounded), and their widths.
FORMANTS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}
WIDTHS = (80, 100, 150)

CLASSES = (*FORMANTS, "ai", "ia", "au", "ua", "rising", "falling", "steady")


def voices(each: int, snr: float, seed: int) -> list[Clip]:
    """Draw `each` clips of every class, by `seed` and so for ever alike.

    snr  how far white noise is below the sound, in decibels
    """
    # NumPy promises that its numbers never change
    generator = RandomState(seed)
    return [
        Clip(_noisy(_sound(label, generator), snr, generator), RATE, label)
        for _ in range(each)
        for label in CLASSES
    ]


def _sound(label: str, generator: RandomState) -> NDArray[np.float64]:
    count = round(RATE * generator.uniform(SHORTEST, LONGEST))
    if label in ("rising", "falling", "steady"):
        return _tone(label, count, generator)
    source, size = _buzz(count, generator), generator.uniform(0.95, 1.2)
    first, last = (_spoken(source, FORMANTS[vowel], size) for vowel in (label[0], label[-1]))
    middle, width = generator.uniform(0.4, 0.6), generator.uniform(0.1, 0.3)
    share = np.clip((np.arange(count) / count - middle) / width + 0.5, 0, 1)
    return _faded((1 - share) * first + share * last)


def _buzz(count: int, generator: RandomState) -> NDArray[np.float64]:
    """Return pulses of a voice, whose pitch bends a little to either side."""
    pitch, bend = generator.uniform(90, 240), generator.uniform(-0.15, 0.15)
    cycles = np.cumsum(pitch * (1 + bend * np.linspace(-1, 1, count)) / RATE)
    pulses = np.diff(np.floor(cycles + generator.uniform()), prepend=0.0) > 0
    return _filtered(pulses.astype(np.float64), 1.0, -0.9)


def _spoken(
    source: NDArray[np.float64], formants: tuple[int, ...], size: float
) -> NDArray[np.float64]:
    """Send a source through resonances in series, `size` times as high; the result has power 1."""
    for formant, width in zip(formants, WIDTHS, strict=True):
        radius, angle = np.exp(-np.pi * width / RATE), 2 * np.pi * formant * size / RATE
        source = _filtered(source, 1.0, -2 * radius * np.cos(angle), radius**2)
    return source / source.std()


def _filtered(source: NDArray[np.float64], *feedback: float) -> NDArray[np.float64]:
    # Importing it takes a second, which every listing of tasks would pay.
    from scipy.signal import lfilter

    return lfilter([1.0], feedback, source)


def _tone(label: str, count: int, generator: RandomState) -> NDArray[np.float64]:
    """Return a tone that glides by half an octave to two, or stays."""
    low, octaves = generator.uniform(200, 900), generator.uniform(0.5, 2)
    glide = np.linspace(0, 1, count) if label == "rising" else np.linspace(1, 0, count)
    height = np.full(count, generator.uniform()) if label == "steady" else glide
    cycles = np.cumsum(low * 2 ** (octaves * height) / RATE) + generator.uniform()
    return _faded(np.sin(2 * np.pi * cycles))


def _faded(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fade the first and last 20 ms, so that no end tells what it is the end of."""
    edge = RATE // 50
    ramp = np.ones(len(sound))
    ramp[:edge] = np.linspace(0, 1, edge)
    ramp[-edge:] = ramp[edge - 1 :: -1]
    return sound * ramp


def _noisy(sound: NDArray[np.float64], snr: float, generator: RandomState) -> NDArray[np.float32]:
    """Add white noise, and bring all to a random loudness within −1 … 1."""
    noise = generator.standard_normal(len(sound)) * sound.std() * 10 ** (-snr / 20)
    whole = sound + noise
    return (whole * generator.uniform(0.1, 0.9) / np.abs(whole).max()).astype(np.float32)
