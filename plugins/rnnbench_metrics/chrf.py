"""chrF: how many groups of one to six characters a translation shares with right ones."""

from __future__ import annotations

from collections.abc import Sequence

from sacrebleu.metrics import CHRF

import rnnbench
from rnnbench_metrics.reference_streams import streams


class Chrf(rnnbench.TextMetric):
    """chrF2 of the whole set, from 0 to 100, as sacrebleu computes it.

    Its signature is `nrefs:var|case:mixed|eff:yes|nc:6|nw:0|space:no`: the F-score of character
    n-grams, spaces left out, in which recall weighs twice as much as precision. It needs no words,
    so it suits Korean, whose words carry their particles. Of several right answers the one counts
    that scores best.
    """

    name = "chrf"
    reference = "Popović 2015, doi:10.18653/v1/W15-3049; Post 2018, arXiv:1804.08771"
    direction = "max"
    low = 0.0
    high = 100.0

    def measure(self, said: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """Score texts against one right answer or several each; one that is empty shares nothing.

        Raises:
            ValueError: there is no text, or one without a right answer.
        """
        metric = CHRF(char_order=6, word_order=0, beta=2)
        score = metric.corpus_score(list(said), streams(said, references)).score
        return min(score, self.high)


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.TextMetric]]:
    """Provide chrF."""
    return [Chrf]
