"""What a question gives away without its picture: the likely answer, by how the question begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Numbers = Sequence[int]


@dataclass(frozen=True)
class Prefixes:
    """Training questions, in numbers of words, and their answers."""

    questions: Sequence[Numbers]
    answers: Sequence[int]

    def likely(self, asked: Sequence[Numbers]) -> Tensor:
        """Return the most frequent training answer to each question: [questions] int64.

        Where training does not have the question, it is that to the longest beginning of it that
        some training question has; of answers alike frequent the one of the lower number.
        """
        counts: dict[tuple[int, ...], dict[int, int]] = {
            beginning: {} for question in set(map(tuple, asked)) for beginning in _begun(question)
        }
        for question, answer in zip(self.questions, self.answers, strict=True):
            for beginning in _begun(question):
                if beginning in counts:
                    found = counts[beginning]
                    found[answer] = found.get(answer, 0) + 1
        likely = []
        for question in asked:
            found = next(counts[beginning] for beginning in _begun(question) if counts[beginning])
            likely.append(min(found, key=lambda answer: (-found[answer], answer)))
        return torch.tensor(likely)


def _begun(question: Numbers) -> Iterator[tuple[int, ...]]:
    """Yield all beginnings of a question, the whole first and the empty one last.

    The whole one is no beginning of another, because an end is put to it.
    """
    yield (*question, -1)
    for length in range(len(question), -1, -1):
        yield tuple(question[:length])
