"""N-gram models: how well a few preceding symbols alone predict the next one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

NAMES = ("unigram", "bigram", "trigram", "4-gram")

# Witten & Bell have 1; on two novels 2 is the better predictor, so the stricter floor.
ESCAPE = 2

Numbers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


def bits_per_symbol(train: Numbers, streams: Sequence[Numbers], symbols: int) -> dict[str, float]:
    """Score n-gram models on streams, each symbol but the first of its stream: mean −log2 p.

    train    [symbols], the text that they count in
    streams  each [symbols]; no context reaches from one into the next
    symbols  how many there are: train and streams hold numbers below it
    """
    text = np.concatenate(streams)
    place = np.concatenate([np.arange(len(stream)) for stream in streams])
    return {
        name: float(-np.log2(p[place > 0]).mean())
        for name, p in zip(NAMES, _probabilities(train, text, place, symbols), strict=False)
    }


def unigram(train: Numbers, symbols: int) -> Reals:
    """Return the probability of each symbol, [symbols], as the unigram model has it."""
    every = np.arange(symbols)
    return next(_probabilities(train, every, np.zeros_like(every), symbols))


def _probabilities(train: Numbers, text: Numbers, place: Numbers, symbols: int) -> Iterator[Reals]:
    """Yield the probabilities that models of order 1, 2, … give to the symbols of a text.

    Interpolated as Witten & Bell (1991): a context that was seen c times, before t different
    symbols, trusts its own counts with c / (c + 2t) and the next shorter context with the rest;
    below the unigram all symbols are alike.

    place  [symbols], how many symbols of its stream stand before each
    """
    p = np.full(len(text), 1 / symbols)
    # the number of the context before each symbol, −1 where it was never seen
    before_train, before_text = np.zeros_like(train), np.zeros_like(text)
    while True:
        grams = before_train * symbols + train
        seen, numbers, counts = np.unique(grams, return_inverse=True, return_counts=True)
        contexts = seen // symbols
        # the last context of the text may have nothing behind it
        most = 1 + max(before_train.max(), before_text.max())
        total = np.bincount(contexts, counts, minlength=most)
        kinds = np.bincount(contexts, minlength=most)

        known = (before_text >= 0) & (total[before_text] > 0)
        context = before_text[known]
        found = np.full(len(text), -1)
        found[known] = _where(seen, context * symbols + text[known])
        own = np.where(found[known] >= 0, counts[found[known]], 0)
        shorter = ESCAPE * kinds[context]
        p = p.copy()
        p[known] = (own + shorter * p[known]) / (total[context] + shorter)
        yield p

        train, before_train = train[1:], numbers[:-1]
        before_text = np.where(place > 0, np.roll(found, 1), -1)


def _where(ordered: Numbers, wanted: Numbers) -> Numbers:
    """Return the place of each wanted value in an ordered array, −1 where it is not there."""
    place = np.searchsorted(ordered, wanted).clip(max=len(ordered) - 1)
    return np.where(ordered[place] == wanted, place, -1)
