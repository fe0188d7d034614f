"""Sound to frames: the logarithm of the energy in bands that are even on the mel scale."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

# Silence is that loud, 80 dB below the loudest of tones, not minus infinity.
SILENCE = 1e-9

AT_ONCE = 1000
"""Frames that are transformed together: a long sound at once would take gigabytes."""

Framing = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def resampled(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """Return the sound with `wanted` samples a second instead of `rate`."""
    # Importing it takes a second, which every listing of tasks would pay.
    from scipy.signal import resample_poly

    shared = gcd(rate, wanted)
    return resample_poly(samples, wanted // shared, rate // shared).astype(np.float32)


def framing(rate: int, bands: int, frame: float, hop: float) -> Framing:
    """Return what turns samples [samples] of this rate into frames [frames, bands].

    frame  milliseconds under a Hann window
    hop    milliseconds from the middle of one frame to that of the next; the first is at 0
    """
    from scipy.fft import rfft
    from scipy.signal.windows import hann

    width, step = max(round(rate * frame / 1000), 4), max(round(rate * hop / 1000), 1)
    points, weights = filters(rate, bands, width)
    window = hann(width, sym=False) / width

    def spectra(cut: NDArray[np.float32]) -> NDArray[np.float32]:
        energy = np.abs(rfft(cut * window, points)) ** 2 @ weights.T
        return np.log(energy + SILENCE).astype(np.float32)

    def frames(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        # Many at once: scipy.signal.ShortTimeFFT, which gives the same, goes frame by frame.
        padded = np.pad(samples, (width // 2, width))
        cut = sliding_window_view(padded, width)[: len(samples) : step]
        return np.concatenate(
            [spectra(cut[start : start + AT_ONCE]) for start in range(0, len(cut), AT_ONCE)]
        )

    return frames


def filters(rate: int, bands: int, width: int) -> tuple[int, NDArray[np.float64]]:
    """Return how many points a transform needs so that no band is empty, and the bands' weights.

    Weights are [bands, frequencies]: triangles whose corners are even on the mel scale.
    """
    top = _mel(rate / 2)
    corners = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    points = 1 << (width - 1).bit_length()
    while True:
        frequencies = np.fft.rfftfreq(points, 1 / rate)
        weights = np.stack(
            [
                np.interp(frequencies, corners[band : band + 3], (0.0, 1.0, 0.0))
                for band in range(bands)
            ]
        )
        if weights.any(1).all():
            return points, weights
        points *= 2


def _mel(frequency: float) -> float:
    """O'Shaughnessy 1987."""
    return 2595 * float(np.log10(1 + frequency / 700))
