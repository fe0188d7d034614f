"""Right answers as sacrebleu takes them: not one list a text, but one a place in the lists."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest


def streams(said: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """Turn the right answers of each text into streams; None where a text has no more.

    Raises:
        ValueError: no text, not as many texts as lists of right answers, or a list without any.
    """
    if not said or len(said) != len(references):
        raise ValueError(
            f"{len(said)} texts do not belong to the right answers of {len(references)}"
        )
    bare = next((place for place, answers in enumerate(references) if not answers), None)
    if bare is not None:
        raise ValueError(f"text {bare} has no right answer")
    return [list(stream) for stream in zip_longest(*references)]
