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


class Answerer(Network):
    """Reads a question, looks at its picture, and predicts the answer (Antol et al. 2015).

    concatenation  relu(W [q; v] + b)
    product        tanh(W q + b) · tanh(V v + c), number by number

    of what was read of the question, q, and seen of the picture, v; one of them may be missing, and
    then it is relu(W q + b) or relu(W v + b). A linear map of that is the prediction.

    question, picture  None: not shown
    """

    def __init__(
        self,
        question: tuple[Reader, Stack] | None,
        picture: Reader | None,
        fusion: Fusion,
        readout: Readout,
        widths: tuple[int, int, int],
        *,
        generator: Generator,
    ) -> None:
        super().__init__()
        self.reader: Reader | None = None
        self.stack: Stack | None = None
        if question is not None:
            self.reader, self.stack = question
        self.picture, self.readout = picture, readout
        self.fusion: Fusion = fusion if question and picture else "concatenation"
        self.maps = nn.ParameterDict()
        for name, initial in fusion_weights(self.fusion, *widths).items():
            self.maps[name] = nn.Parameter(initial.draw(generator))

    def run(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict the answers, [batch, width]; no states, since none goes on."""
        dtype = self.readout.weight.dtype
        given: list[Tensor] = []
        if self.reader is not None and self.stack is not None:
            _, last, _ = self.stack(self.reader(batch.inputs, dtype), batch.lengths)
            given.append(last)
        if self.picture is not None:
            assert batch.images is not None  # noqa: S101  the task has them
            given.append(self.picture(batch.images, dtype))
        fused = self._fused(given)
        return self.readout(fused, fused), {}

    def _fused(self, given: list[Tensor]) -> Tensor:
        maps = self.maps
        if self.fusion == "concatenation":
            return torch.relu(linear(torch.cat(given, -1), maps["W"], maps["b"]))
        q, v = given
        return torch.tanh(linear(q, maps["W"], maps["b"])) * torch.tanh(
            linear(v, maps["V"], maps["c"])
        )


def fusion_weights(
    fusion: Fusion, question: int, picture: int, hidden: int
) -> Mapping[str, Initial]:
    """Declare the maps to what is so wide by name; 0 for what is not shown."""
    if fusion == "concatenation" or not (question and picture):
        return {"W": uniform(hidden, question + picture), "b": zeros(hidden)}
    return {
        "W": uniform(hidden, question),
        "b": zeros(hidden),
        "V": uniform(hidden, picture),
        "c": zeros(hidden),
    }
