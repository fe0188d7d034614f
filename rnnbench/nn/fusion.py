"""A question and the picture that it is about, put together to one answer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from rnnbench.contracts import Batch
from rnnbench.hyperparameters import Fusion
from rnnbench.initial import Initial, uniform, zeros
from rnnbench.nn.network import Network
from rnnbench.nn.reader import Reader
from rnnbench.nn.readout import Readout
from rnnbench.nn.stack import Stack

GAIN = 30.0
"""How much larger the question's weights are at first than is usual, in a concatenation.

A cell's last state is small at first, and much alike for all questions. Enlarged, it opens a unit
for some questions and shuts it for others. Without that, networks learn what holds for a picture as
a whole, and for thousands of updates not which object is asked about.
"""


class Fused(nn.Module):
    """Puts together what was read of a question, q, and seen of its picture, v.

    Antol et al. 2015, section 4:

    concatenation  relu(W [q; v] + b)
    product        tanh(W q + b) · tanh(V v + c), number by number

    One of them may be missing, and then it is relu(W q + b) or relu(W v + b).

    question, picture, hidden  how wide q, v and what comes out are; 0: missing
    """

    def __init__(
        self, fusion: Fusion, question: int, picture: int, hidden: int, *, generator: Generator
    ) -> None:
        super().__init__()
        self.maps = nn.ParameterDict()
        for name, initial in fusion_weights(fusion, question, picture, hidden).items():
            self.maps[name] = nn.Parameter(initial.draw(generator))

    def forward(self, given: list[Tensor]) -> Tensor:
        """Return [batch, hidden] of q and v, or of one of them: each [batch, its width]."""
        maps = self.maps
        if "V" not in maps:
            return torch.relu(linear(torch.cat(given, -1), maps["W"], maps["b"]))
        q, v = given
        read, seen = linear(q, maps["W"], maps["b"]), linear(v, maps["V"], maps["c"])
        return torch.tanh(read) * torch.tanh(seen)


class Answerer(Network):
    """Reads a question, looks at its picture, and predicts the answer from both.

    question, picture  None: not shown
    """

    def __init__(
        self,
        question: tuple[Reader, Stack] | None,
        picture: Reader | None,
        fused: Fused,
        readout: Readout,
    ) -> None:
        super().__init__()
        self.reader: Reader | None = None
        self.stack: Stack | None = None
        if question is not None:
            self.reader, self.stack = question
        self.picture, self.fused, self.readout = picture, fused, readout

    def run(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict the answers, [batch, width]; no states, since none goes on."""
        dtype = self.readout.weight.dtype
        given: list[Tensor] = []
        if self.reader is not None and self.stack is not None:
            _, last, _ = self.stack(self.reader(batch.inputs, dtype), batch.lengths)
            given.append(last)
        if self.picture is not None:
            assert batch.images is not None  # noqa: S101  it is checked that batches have them
            given.append(self.picture(batch.images, dtype))
        fused = self.fused(given)
        return self.readout(fused, fused), {}


def fusion_weights(
    fusion: Fusion, question: int, picture: int, hidden: int
) -> Mapping[str, Initial]:
    """Declare the maps to what is so wide by name; 0 for what is not shown."""
    if not (question and picture):
        return {"W": uniform(hidden, question + picture), "b": zeros(hidden)}
    if fusion == "concatenation":
        return {"W": _gating(hidden, question, picture), "b": zeros(hidden)}
    return {
        "W": uniform(hidden, question),
        "b": zeros(hidden),
        "V": uniform(hidden, picture),
        "c": zeros(hidden),
    }


def _gating(hidden: int, question: int, picture: int) -> Initial:
    """Fill as usual, with the question's columns `GAIN` times as large."""
    both = uniform(hidden, question + picture)

    def fill(shape: tuple[int, ...], generator: Generator) -> Tensor:
        filled = both.fill(shape, generator)
        filled[:, :question] *= GAIN
        return filled

    return Initial(both.shape, f"{both.scheme}, {GAIN:g} times that for the question", fill)
