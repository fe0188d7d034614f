"""Say a string again, once or several times."""

from __future__ import annotations

from torch import Tensor

import rnnbench
from rnnbench_tasks import strings


class CopySequence(strings.RandomStrings):
    """Say a string again.

    The copy task of Graves et al. (2014) with symbols instead of vectors; with `times` 2 it is
    Duplicate String of Delétang et al. (2023), who have 2 symbols, train on 1 … 40 of them, test on
    41 … 500 (here `test_longest`) and score single symbols. With 10 symbols:

        input    3 0 7 7 1 9 2 5 0 4 8
        target   3 0 7 7 1 9 2 5 0 4 8 <END>

    The lengths are uniform from `shortest` to `longest`. No string that one part can draw is in
    another. Not causal: the answer begins when the whole string has been read.
    """

    name = "copy_sequence"
    reference = "Graves, Wayne & Danihelka 2014, arXiv:1410.5401"
    options = {
        **strings.options(10, 20),
        "times": rnnbench.Option(1, low=1, help="how often the string is said"),
    }

    times: int

    @property
    def target_length(self) -> int:
        """As many as the longest string, said so often, and <END>."""
        return self.times * self.sequence_length + 1

    def answer(self, strings: Tensor) -> Tensor:
        """Say strings so often, with the blanks between."""
        return strings.repeat(self.times, 1)

    def shortest_path(self, bidirectional: bool) -> float:  # noqa: ARG002  one answer for both
        """Return how far a symbol is from where it is said last, without attention.

        It is the length of the string, as often as that is said. Two directions bring the first
        symbols nearer, and not the last.
        """
        return self.times * self.mean_length


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide copying."""
    return [CopySequence]
