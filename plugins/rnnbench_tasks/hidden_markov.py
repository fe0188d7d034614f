"""A bigram tagger: each tag depends on the one before it, each word on its tag (Church 1988)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from rnnbench_tasks.conllu import Sentence


class HiddenMarkov:
    """Counts of training sentences; transitions are smoothed by adding one.

    An unknown word counts as any word that training has once.
    """

    def __init__(self, sentences: Iterable[Sentence]) -> None:
        sentences = list(sentences)
        self.tags = sorted({tag for sentence in sentences for tag in sentence.tags})
        number = {tag: place for place, tag in enumerate(self.tags)}
        count = len(self.tags)
        steps = np.ones((count + 1, count + 1))
        words = Counter(word for sentence in sentences for word in sentence.words)
        emitted = {word: np.zeros(count) for word in words}
        for sentence in sentences:
            path = [count, *(number[tag] for tag in sentence.tags), count]
            np.add.at(steps, (path[:-1], path[1:]), 1)
            for word, tag in zip(sentence.words, path[1:], strict=False):
                emitted[word][tag] += 1
        per_tag = sum(emitted.values())
        rare = sum((emitted[word] for word in words if words[word] == 1), np.ones(count))
        with np.errstate(divide="ignore"):
            self._steps = np.log(steps / steps.sum(1, keepdims=True))
            self._words = {word: np.log(row / per_tag) for word, row in emitted.items()}
        self._unknown = np.log(rare / (per_tag + 1))

    def tag(self, words: Sequence[str]) -> list[str]:
        """Return the most probable tags of a sentence (Viterbi 1967)."""
        between, end = self._steps[:-1, :-1], len(self.tags)
        scores = self._steps[end, :-1] + self._emitted(words[0])
        back: list[NDArray[np.intp]] = []
        for word in words[1:]:
            reached = scores[:, None] + between
            back.append(reached.argmax(0))
            scores = reached.max(0) + self._emitted(word)
        best = [int((scores + self._steps[:-1, end]).argmax())]
        for choice in reversed(back):
            best.append(int(choice[best[-1]]))
        return [self.tags[place] for place in reversed(best)]

    def _emitted(self, word: str) -> NDArray[np.float64]:
        return self._words.get(word, self._unknown)
