"""The caption that suits all pictures best: what can be said without looking."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet

from rnnbench_tasks.caption_files import Words

ORDERS = 4

LOOKED_AT = 2000
"""Captions are looked for, and scored, among those of so many pictures at most."""


def typical(captions: Sequence[Collection[Words]], known: AbstractSet[str]) -> Words:
    """Return the caption with the greatest BLEU where it is said of every picture.

    captions  the captions of each picture; the answer is one of them
    known     words; a caption with another one is the answer only if there is no other
    """
    some = captions[:LOOKED_AT]
    candidates = dict.fromkeys(caption for each in some for caption in each)
    sayable = [caption for caption in candidates if known >= set(caption)] or [*candidates]
    # in how many pictures' captions an n-gram stands, and stands twice, …
    having: Counter[tuple[Words, int]] = Counter()
    for each in some:
        most: Counter[Words] = Counter()
        for caption in set(each):
            most |= _grams(caption)
        having.update((gram, n) for gram, count in most.items() for n in range(1, count + 1))
    lengths = [sorted({len(caption) for caption in each}) for each in some]
    brevity = {length: _brevity(length, lengths) for length in {len(one) for one in sayable}}

    def bleu(caption: Words) -> float:
        shared = [0] * ORDERS
        for gram, count in _grams(caption).items():
            shared[len(gram) - 1] += sum(having[gram, n] for n in range(1, count + 1))
        if not all(shared):
            return 0.0
        precisions = [
            each / (len(some) * (len(caption) - order)) for order, each in enumerate(shared)
        ]
        return brevity[len(caption)] * math.prod(precisions) ** (1 / ORDERS)

    return max(sayable, key=bleu)


def _grams(caption: Words) -> Counter[Words]:
    """Count a caption's n-grams."""
    return Counter(
        caption[start : start + order]
        for order in range(1, ORDERS + 1)
        for start in range(len(caption) - order + 1)
    )


def _brevity(said: int, lengths: Sequence[Sequence[int]]) -> float:
    """Return BLEU's penalty where texts so long are said; of each picture the nearest counts."""
    nearest = sum(min(each, key=lambda length: abs(length - said)) for each in lengths)
    return math.exp(min(0.0, 1 - nearest / (said * len(lengths))))
