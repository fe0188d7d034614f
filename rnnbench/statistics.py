"""Numbers to intervals, paired tests and corrections: pure functions, checked against print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
"""The level of every interval in a report."""

ALPHA = 0.05
"""The level of every test in a report."""

FEWEST = 3
"""Fewer values than this give a mean without an interval."""

EXACT_UP_TO = 20
"""Pairs up to which the sign-flip test goes through all sign patterns (a million at most)."""


@dataclass(frozen=True)
class Interval:
    """An estimate from `n` values with its bounds; NaN where there is none."""

    estimate: float
    low: float
    high: float
    n: int

    @property
    def excludes_zero(self) -> bool:
        """Whether both bounds lie on one side of zero; False without bounds."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class SignFlip:
    """A two-sided p value, the smallest that so many pairs allow, and whether it is exact."""

    p: float
    smallest: float
    exact: bool


def mean_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Return the mean with Student's t interval; under `FEWEST` values without bounds."""
    array = np.asarray(values, dtype=float)
    n = array.size
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = float(array.mean())
    if n < FEWEST:
        return Interval(mean, math.nan, math.nan, n)
    # Equal values round to a mean beside them; their spread is 0, not 1e-17.
    spread = 0.0
    if (width := float(np.ptp(array))) != 0:
        # in units of the width, or the squares of what is tiny are 0; a power of two rounds nothing
        unit = math.ldexp(1.0, math.frexp(width)[1])
        spread = float((array / unit).std(ddof=1)) * unit
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * spread / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def paired_interval(first: ArrayLike, second: ArrayLike, level: float = LEVEL) -> Interval:
    """Return the mean of first − second, pair by pair, with its t interval."""
    return mean_interval(np.asarray(first, float) - np.asarray(second, float), level)


def wilson_interval(successes: int, n: int, level: float = LEVEL) -> Interval:
    """Return a proportion with Wilson's score interval (Wilson 1927; Newcombe 1998, method 3)."""
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    z = float(stats.norm.ppf((1 + level) / 2))
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # At the ends the bound is the end itself, which rounding would miss.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Interval(share, low, high, n)


def smallest_p(n: int) -> float:
    """Return the smallest two-sided p that a sign-flip test of `n` pairs can give: 2/2ⁿ."""
    return min(1.0, 2.0 ** (1 - n))


def sign_flip_test(
    differences: ArrayLike, draws: int = 100_000, generator: np.random.Generator | None = None
) -> SignFlip:
    """Test that paired differences are symmetric about zero (Fisher 1935, section 21); two-sided.

    Exact over all 2ⁿ sign patterns for up to `EXACT_UP_TO` pairs; beyond that by `draws` random
    patterns, p = (hits + 1) / (draws + 1) (Phipson & Smyth 2010), from a fixed seed by default.
    """
    values = np.asarray(differences, dtype=float)
    n = values.size
    if n == 0:
        return SignFlip(math.nan, 1.0, exact=True)
    # Sums of the same numbers in another order round differently; a tie must stay a tie.
    threshold = abs(float(values.sum())) - 1e-12 * float(np.abs(values).sum())
    if n <= EXACT_UP_TO:
        sums = np.zeros(1)
        for value in values:
            sums = np.concatenate([sums + value, sums - value])
        return SignFlip(float(np.mean(np.abs(sums) >= threshold)), smallest_p(n), exact=True)
    generator = np.random.default_rng(0) if generator is None else generator
    hits = 0
    for start in range(0, draws, 10_000):
        signs = generator.integers(0, 2, (min(10_000, draws - start), n)) * 2 - 1
        hits += int((np.abs(signs @ values) >= threshold).sum())
    return SignFlip((hits + 1) / (draws + 1), smallest_p(n), exact=False)


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Adjust p values for their number (Holm 1979); NaN stays NaN and does not count."""
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(p.shape, math.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return adjusted


def seeds_needed(contrasts: int = 1, alpha: float = ALPHA) -> int:
    """Return the fewest pairs whose smallest p, times `contrasts`, does not exceed `alpha`."""
    n = 1
    while smallest_p(n) * contrasts > alpha:
        n += 1
    return n


def best_so_far(scores: ArrayLike) -> NDArray[np.float64]:
    """Return the largest score up to each trial, in the order given."""
    return np.maximum.accumulate(np.asarray(scores, dtype=float))


def expected_best(scores: ArrayLike) -> NDArray[np.float64]:
    """Return the expected largest of n = 1 … B draws, from B independent ones (Dodge et al. 2019).

    Σ v (F(v)ⁿ − F(v⁻)ⁿ) with F their empirical distribution (equation 3). Holds for random search
    only: other samplers do not draw independently.
    """
    ordered = np.sort(np.asarray(scores, dtype=float))
    total = ordered.size
    draws = np.arange(1, total + 1)[:, None]
    ranks = np.arange(total + 1) / total
    weights = ranks[1:] ** draws - ranks[:-1] ** draws
    best: NDArray[np.float64] = weights @ ordered
    return best
