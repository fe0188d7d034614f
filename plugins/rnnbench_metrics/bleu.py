"""BLEU: how many groups of words a text shares with right ones, of one word up to four."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sacrebleu.metrics import BLEU

import rnnbench
from rnnbench_metrics.reference_streams import streams


class Bleu(rnnbench.TextMetric):
    """BLEU of the whole set, from 0 to 100, as sacrebleu computes it.

    Its signature is `nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp`: texts are cut into words by
    the tokenizer 13a of WMT, case counts, and an order of n-grams without any match is smoothed
    exponentially. Where no text that is said has four words there are no 4-grams, and BLEU is 0.
    """

    name = "bleu"
    reference = "Papineni et al. 2002, doi:10.3115/1073083.1073135; Post 2018, arXiv:1804.08771"
    direction = "max"
    low = 0.0
    high = 100.0

    longest: ClassVar[int] = 4

    def measure(self, said: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """Score texts against one right answer or several each; one that is empty shares nothing.

        Raises:
            ValueError: there is no text, or one without a right answer.
        """
        # `force` drops a warning about texts that look tokenized, as those of symbols do
        metric = BLEU(
            tokenize="13a",
            smooth_method="exp",
            effective_order=False,
            force=True,
            max_ngram_order=self.longest,
        )
        score = metric.corpus_score(list(said), streams(said, references)).score
        return min(score, self.high)  # e^ln 100 is a little more than 100


class Bleu1(Bleu):
    """BLEU of single words: which were said, in whatever order; otherwise as `bleu`.

    Captions are scored by BLEU-1 to 4 (Xu et al. 2015); `bleu` is BLEU-4.
    """

    name = "bleu_1"
    longest = 1


class Bleu2(Bleu):
    """BLEU of one and two words; see `bleu_1`."""

    name = "bleu_2"
    longest = 2


class Bleu3(Bleu):
    """BLEU of one to three words; see `bleu_1`."""

    name = "bleu_3"
    longest = 3


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.TextMetric]]:
    """Provide BLEU-1 to 4."""
    return [Bleu, Bleu1, Bleu2, Bleu3]
