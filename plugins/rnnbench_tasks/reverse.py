"""Say a string backwards."""

from __future__ import annotations

from torch import Tensor

import rnnbench
from rnnbench_tasks import strings


class Reverse(strings.RandomStrings):
    """Say the symbols of a string in reverse.

    Reverse String of Delétang et al. (2023), who have 2 symbols, train on 1 … 40 of them, test on
    41 … 500 (here `test_longest`) and score single symbols. With 10 symbols:

        input    3 0 7 7 1 9 2 5 0 4 8
        target   8 4 0 5 2 9 1 7 7 0 3 <END>

    The lengths are uniform from `shortest` to `longest`. No string that one part can draw is in
    another. Not causal: the answer begins when the whole string has been read.
    """

    name = "reverse"
    options = strings.options(10, 20)

    def answer(self, strings: Tensor) -> Tensor:
        """Reverse strings, blanks and all."""
        return strings.flip(0)

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far it is from the first symbol to the last answer, without attention.

        It goes through the whole string and the whole answer; read backwards, the string hands
        over with its first symbol, and every symbol is as far away as the string is long.
        """
        return self.mean_length if bidirectional else 2 * self.mean_length - 1


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide the reversal of strings."""
    return [Reverse]
