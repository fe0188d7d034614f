"""Put the symbols of a string in order."""

from __future__ import annotations

from torch import Tensor

import rnnbench
from rnnbench_tasks import strings


class Sort(strings.RandomStrings):
    """Say the symbols of a string in rising order, as often as they are in it.

    Bucket Sort of Delétang et al. (2023), who have 5 symbols, train on 1 … 40 of them, test on
    41 … 500 (here `test_longest`) and score single symbols. With 10 symbols:

        input    3 0 7 7 1 9 2
        target   0 1 2 3 7 7 9 <END>

    Counts are all there is to remember. The lengths are uniform from `shortest` to `longest`. No
    string that one part can draw is in another. Not causal: the answer begins when the whole string
    has been read.
    """

    name = "sort"
    options = strings.options(5, 15)

    def answer(self, strings: Tensor) -> Tensor:
        """Sort strings; blanks come first."""
        return strings.sort(0).values

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far it is from the farthest symbol to the last answer, without attention.

        The last answer may be any symbol. Forwards the first one is the farthest, with two
        directions the one in the middle.
        """
        last = self.mean_length - 1
        return self.mean_length + (last / 2 if bidirectional else last)


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide sorting."""
    return [Sort]
